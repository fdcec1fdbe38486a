"""Outlines of vector files in any format and CRS come out in the pixels of images."""

import warnings
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import pytest
import shapely
from rasterio import Affine
from shapely import MultiPolygon, Point, Polygon, box

from members.common.errors import InputError
from members.data.frames import Frame, read_frame
from members.data.raster import read_mask
from members.labels.geometry import move_outlines
from members.labels.reading import read_detections, read_outlines
from postproc.formats.vector import tabulate_footprints, write_table
from postproc.polygons.buildings import rasterize_outlines

UTM = "EPSG:32645"
GRID = Affine(0.5, 0, 350_000, 0, -0.5, 3_050_000)
FRAME = Frame("roof", (20, 30), UTM, GRID)
BARE = Frame("bare", (20, 30), None, Affine.identity())
HOUSE = Polygon([(2, 3), (12, 3), (12, 13), (2, 13)], [[(4, 5), (8, 5), (8, 9), (4, 9)]])


def write_layer(
    path: Path, outlines: list[Any], crs: str | None = None, layer: str | None = None, **columns: Any
) -> Path:
    table = geopandas.GeoDataFrame(columns, geometry=outlines, crs=crs)
    if path.suffix == ".parquet":
        table.to_parquet(path)
        return path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyogrio.write_dataframe(table, path, layer=layer, append=layer is not None and path.exists())
    return path


def to_map(*outlines: Polygon) -> list[Polygon]:
    """Outlines in pixels of `FRAME` as map coordinates."""
    return list(move_outlines(np.array(outlines), GRID))


def same(found: list[Polygon], expected: list[Polygon], tolerance: float = 1e-6) -> bool:
    """Whether polygons are equal but for an area and whatever their order and first vertices are."""
    difference = shapely.symmetric_difference(MultiPolygon(found), MultiPolygon(expected))
    return len(found) == len(expected) and difference.area <= tolerance


@pytest.mark.parametrize("name", ["a.geojson", "a.gpkg", "a.parquet", "a.shp", "a.fgb"])
@pytest.mark.parametrize("crs", ["EPSG:4326", UTM, "EPSG:3857"])
def test_every_format_and_crs_comes_out_in_pixels(tmp_path: Path, name: str, crs: str) -> None:
    outlines = geopandas.GeoSeries(to_map(HOUSE, box(14, 1, 18, 4)), crs=UTM)
    path = write_layer(tmp_path / name, list(outlines.to_crs(crs)), crs)
    found = read_outlines(path, {"roof": FRAME})
    assert list(found) == ["roof"]
    assert same(found["roof"], [HOUSE, box(14, 1, 18, 4)], 0.05)


def test_outlines_go_to_every_image_that_they_lie_in(tmp_path: Path) -> None:
    right = Frame("right", (20, 10), UTM, GRID * Affine.translation(30, 0))
    west = Frame("west", (20, 30), "EPSG:32644", Affine(0.5, 0, 0, 0, -0.5, 0))
    path = write_layer(tmp_path / "a.gpkg", to_map(box(25, 1, 34, 4), box(1, 1, 3, 3), box(30, 8, 35, 9)), UTM)
    found = read_outlines(path, {"roof": FRAME, "right": right, "west": west})
    assert same(found["roof"], [box(25, 1, 30, 4), box(1, 1, 3, 3)])
    assert same(found["right"], [box(0, 1, 4, 4), box(0, 8, 5, 9)])
    assert found["west"] == []


def test_bad_rings_are_mended_and_multipolygons_split(tmp_path: Path) -> None:
    bow_tie = Polygon([(1, 1), (5, 5), (5, 1), (1, 5)])
    spike = Polygon([(10, 1), (14, 1), (14, 4), (18, 4), (14, 4), (14, 5), (10, 5)])
    parts = MultiPolygon([box(1, 10, 3, 12), box(5, 10, 7, 12)])
    collapsed = Polygon([(1, 1), (2, 2), (1, 1)])
    high = Polygon([(20, 1, 7), (22, 1, 7), (22, 3, 7), (20, 3, 7)])
    outlines = [*to_map(bow_tie, spike, parts, collapsed, high), None, Polygon()]
    path = write_layer(tmp_path / "a.gpkg", outlines, UTM)
    found = read_outlines(path, {"roof": FRAME})["roof"]
    triangles = [Polygon([(1, 1), (3, 3), (1, 5)]), Polygon([(5, 1), (3, 3), (5, 5)])]
    assert same(found, [*triangles, box(10, 1, 14, 5), *parts.geoms, box(20, 1, 22, 3)])
    assert all(outline.is_valid and not outline.has_z for outline in found)


@pytest.mark.parametrize("name", ["a.geojson", "a.gpkg", "a.parquet", "a.shp"])
def test_without_georeferencing_image_id_says_which(tmp_path: Path, name: str) -> None:
    outlines = [HOUSE, box(28, 1, 34, 4), box(0, 0, 1, 1)]
    path = write_layer(tmp_path / name, outlines, image_id=["bare", "other", "nobody"])
    found = read_outlines(path, {"bare": BARE, "other": Frame("other", (9, 30), None, GRID), "none": BARE})
    assert same(found["bare"], [HOUSE])
    assert same(found["other"], [box(28, 1, 30, 4)])
    assert found["none"] == []


@pytest.mark.parametrize("crs", [UTM, None])
def test_confidences_stay_with_their_outlines(tmp_path: Path, crs: str | None) -> None:
    """Also where one lies outside of the image, one is of two parts, and one reaches over the border."""
    parts = MultiPolygon([box(1, 15, 3, 17), box(5, 15, 7, 17)])
    pixels = [box(90, 1, 94, 4), parts, box(28, 1, 34, 4), HOUSE]
    outlines, frame = (to_map(*pixels), FRAME) if crs else (pixels, BARE)
    ids = [frame.image_id] * 4
    path = write_layer(tmp_path / "a.gpkg", outlines, crs, confidence=[0.9, 0.25, 0.5, 0.75], image_id=ids)
    found, confidences = read_detections(path, {frame.image_id: frame})[frame.image_id]
    assert confidences is not None
    assert {round(outline.area): value for outline, value in zip(found, confidences, strict=True)} == {
        4: 0.25, 6: 0.5, round(HOUSE.area): 0.75
    }  # fmt: skip
    assert len(found) == 4
    assert same(found, read_outlines(path, {frame.image_id: frame})[frame.image_id])


def test_confidences_of_nothing_and_none_at_all(tmp_path: Path) -> None:
    path = write_layer(tmp_path / "a.gpkg", [HOUSE], image_id=["bare"])
    assert read_detections(path, {"bare": BARE})["bare"][1] is None
    path = write_layer(tmp_path / "b.gpkg", [HOUSE], image_id=["other"], confidence=[0.5])
    assert read_detections(path, {"bare": BARE}) == {"bare": ([], [])}
    write_table(tmp_path / "c.gpkg", tabulate_footprints([], UTM))
    assert read_detections(tmp_path / "c.gpkg", {"roof": FRAME}) == {"roof": ([], [])}


@pytest.mark.parametrize(("values", "wrong"), [([0.5, None], 1), (["high", "low"], 2)])
def test_confidences_that_are_no_numbers(tmp_path: Path, values: list[object], wrong: int) -> None:
    path = write_layer(tmp_path / "a.gpkg", [HOUSE, HOUSE], image_id=["bare"] * 2, confidence=values)
    with pytest.raises(InputError, match=f"a.gpkg: {wrong} of 2 outlines have no number as their confidence; fill"):
        read_detections(path, {"bare": BARE})
    assert len(read_outlines(path, {"bare": BARE})["bare"]) == 2  # the truth needs none


def test_numbers_are_ids_too(tmp_path: Path) -> None:
    path = write_layer(tmp_path / "a.gpkg", [HOUSE], image_id=[7])
    assert len(read_outlines(path, {"7": Frame("7", (20, 30), None, GRID)})["7"]) == 1


def test_layer_of_several_is_called_buildings(tmp_path: Path) -> None:
    path = write_layer(tmp_path / "a.gpkg", to_map(box(0, 0, 9, 9)), UTM, "roads")
    write_layer(path, to_map(HOUSE), UTM, "paths")
    with pytest.raises(InputError, match="layers roads, paths; keep one, or name the right one buildings"):
        read_outlines(path, {"roof": FRAME})
    write_layer(path, to_map(HOUSE), UTM, "buildings")
    assert same(read_outlines(path, {"roof": FRAME})["roof"], [HOUSE])


@pytest.mark.parametrize(
    ("name", "columns", "frame", "message"),
    [
        ("a.gpkg", {"crs": None}, FRAME, "a column image_id names"),
        (
            "a.gpkg",
            {"crs": UTM, "image_id": ["bare"]},
            BARE,
            r"outlines in WGS 84 / UTM zone 45N, but the images have no",
        ),
        ("a.geojson", {"crs": "EPSG:4326"}, BARE, "a column image_id names"),
    ],
)
def test_what_cannot_be_placed_is_refused(
    tmp_path: Path, name: str, columns: dict[str, Any], frame: Frame, message: str
) -> None:
    path = write_layer(tmp_path / name, [box(0, 0, 1, 1)], **columns)
    with pytest.raises(InputError, match=message):
        read_outlines(path, {frame.image_id: frame})


def test_map_coordinates_need_every_image_georeferenced(tmp_path: Path) -> None:
    path = write_layer(tmp_path / "a.gpkg", to_map(HOUSE), UTM)
    with pytest.raises(InputError, match="image bare has no georeferencing"):
        read_outlines(path, {"roof": FRAME, "bare": BARE})


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_outlines(tmp_path / "none.gpkg", {"roof": FRAME})
    for name in ("a.gpkg", "a.geojson", "a.parquet", "a.shp"):
        (tmp_path / name).write_text("no vector file")
        with pytest.raises(InputError, match=f"{name}: not a readable vector file") as error:
            read_outlines(tmp_path / name, {"roof": FRAME})
        assert "\n" not in str(error.value)
    (tmp_path / "a.csv").write_text("image_id,area\nroof,3\n")
    with pytest.raises(InputError, match=r"a.csv: ending .csv; a vector file has one of"):
        read_outlines(tmp_path / "a.csv", {"roof": FRAME})
    path = write_layer(tmp_path / "points.gpkg", [Point(1, 1)], UTM)
    with pytest.raises(InputError, match="Point; buildings are polygons"):
        read_outlines(path, {"roof": FRAME})


def test_real_outlines_draw_the_real_masks(shared_data: Path) -> None:
    """Volunteers' outlines in WGS84, in 16 web-mercator tiles: masks as they were drawn, but for centres on an edge."""
    folder = shared_data / "hot_buildings/training"
    paths = sorted((folder / "images/img").glob("banepa_*.tif"))[:16]
    frames = {path.stem: read_frame(path) for path in paths}
    found = read_outlines(shared_data / "hot_scene/buildings.geojson", frames)
    truth = {image_id: read_mask(folder / f"masks/img/{image_id}.tif") for image_id in frames}
    wrong = sum(int((rasterize_outlines(found[i], (256, 256)) != truth[i]).sum()) for i in frames)
    assert sum(int(mask.sum()) for mask in truth.values()) > 100_000
    assert wrong < 20


@pytest.mark.parametrize("name", ["a.geojson", "a.gpkg", "a.kml"])
def test_a_virtual_layer_of_any_name_is_none(tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("image_id,WKT\nx,POINT (0 0)\n")
    layer = f'<OGRVRTLayer name="secret"><SrcDataSource>{secret}</SrcDataSource></OGRVRTLayer>'
    (tmp_path / name).write_text(f"<OGRVRTDataSource>{layer}</OGRVRTDataSource>")
    with pytest.raises(InputError, match=rf"{name}: not a readable vector file \(it begins as no \{name[1:]} does\)"):
        read_outlines(tmp_path / name, {})


def test_another_ending_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.vrt").write_text("<OGRVRTDataSource/>")
    with pytest.raises(InputError, match=r"a.vrt: ending .vrt; a vector file has one of .geojson, .json, .parquet"):
        read_outlines(tmp_path / "a.vrt", {})
