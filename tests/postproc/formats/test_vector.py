"""Vector files of buildings: written, and read back."""

import json
from pathlib import Path
from typing import Any

import geopandas
import pyogrio
import pytest
import shapely
from conftest import hash_folder
from rasterio import Affine
from shapely import MultiPolygon, Polygon, box

from members.common.errors import InputError
from members.data.frames import Frame
from members.data.mosaic import join_frames
from members.labels.reading import read_outlines
from postproc.formats.registry import find_format, list_suffixes
from postproc.formats.vector import check_vector, tabulate_footprints, write_table
from postproc.geo.footprints import WGS84, Footprint, make_footprints
from postproc.geo.outlining import OutlinedMosaic, cut_buildings
from postproc.polygons.buildings import Building

UTM = "EPSG:32645"
GRID = Affine(0.5, 0, 350_000, 0, -0.5, 3_050_000)
FRAME = Frame("roof", (20, 30), UTM, GRID)
BARE = Frame("bare", (20, 30), None, Affine.identity())
SUFFIXES = list_suffixes("vector")
HOUSE = Polygon([(2, 3), (12, 3), (12, 13), (2, 13)], [[(4, 5), (8, 5), (8, 9), (4, 9)]])


def same(found: list[Polygon], expected: list[Polygon], tolerance: float = 1e-6) -> bool:
    """Whether polygons are equal but for an area and whatever their order and first vertices are."""
    difference = shapely.symmetric_difference(MultiPolygon(found), MultiPolygon(expected))
    return len(found) == len(expected) and difference.area <= tolerance


def make_two(crs: str | None, frame: Frame = FRAME) -> list[Footprint]:
    (mosaic,) = join_frames([frame])
    buildings = [Building(HOUSE, "regularised", 0.75), Building(box(14, 1, 18, 4), "traced", 1.0)]
    return make_footprints(OutlinedMosaic(mosaic, buildings, cut_buildings(mosaic, buildings)), crs)


def read_back(path: Path) -> geopandas.GeoDataFrame:
    return geopandas.read_parquet(path) if path.suffix == ".parquet" else pyogrio.read_dataframe(path, layer=0)


def list_parts(path: Path) -> set[str]:
    """The names of a vector file and of what belongs to it: its style, and the parts of a Shapefile."""
    suffixes = [] if path.suffix == ".gpkg" else [".qml", ".sld"]
    suffixes += [".dbf", ".shx", ".cpg"] if path.suffix == ".shp" else []
    return {path.name, *(path.with_suffix(suffix).name for suffix in suffixes)}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("frame", [FRAME, BARE], ids=["georeferenced", "pixels"])
def test_what_is_written_is_what_is_read(tmp_path: Path, suffix: str, frame: Frame) -> None:
    path = tmp_path / f"buildings{suffix}"
    crs = check_vector(path, {frame.image_id: frame})
    write_table(path, tabulate_footprints(make_two(crs, frame), crs))
    table = read_back(path).sort_values("status", ignore_index=True)  # .fgb orders by place
    assert list(table.image_id) == [frame.image_id] * 2
    assert list(table.status) == ["regularised", "traced"]
    assert list(table.confidence) == [0.75, 1]
    if frame.crs:
        assert list(table.area_m2) == pytest.approx([84 / 4, 12 / 4], rel=0.002)  # 0.5 m pixels; UTM stretches a little
        assert table.crs.to_epsg() == (4326 if suffix == ".geojson" else 32645)
    else:
        assert table.area_m2.isna().all()
        assert table.crs is None or suffix == ".geojson"
    assert same(read_outlines(path, {frame.image_id: frame})[frame.image_id], [HOUSE, box(14, 1, 18, 4)], 0.1)
    georeference = {path.with_suffix(".prj").name} if suffix == ".shp" and frame.crs else set()
    assert {each.name for each in tmp_path.iterdir()} == list_parts(path) | georeference


def test_geojson_is_that_of_the_rfc(tmp_path: Path) -> None:
    """RFC 7946: longitude first, no crs member, exteriors counterclockwise, interiors clockwise."""
    path = tmp_path / "a.geojson"
    write_table(path, tabulate_footprints(make_two(WGS84), WGS84))
    content = json.loads(path.read_text())
    assert "crs" not in content
    rings = [shapely.LinearRing(ring) for each in content["features"] for ring in each["geometry"]["coordinates"]]
    assert [ring.is_ccw for ring in rings] == [True, False, True]
    longitude, latitude = content["features"][0]["geometry"]["coordinates"][0][0]
    assert (longitude, latitude) == pytest.approx((85.48, 27.56), abs=0.01)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("frame", [FRAME, BARE], ids=["georeferenced", "pixels"])
def test_no_building_is_a_valid_file_with_typed_columns(tmp_path: Path, suffix: str, frame: Frame) -> None:
    path = tmp_path / f"none{suffix}"
    crs = check_vector(path, {frame.image_id: frame})
    write_table(path, tabulate_footprints([], crs))
    table = read_back(path)
    assert len(table) == 0
    if suffix != ".geojson":  # which has no types
        assert (table.crs.to_epsg() if table.crs else None) == (32645 if frame.crs else None)
        assert [table[name].dtype.kind for name in ("confidence", "area_m2")] == ["f", "f"]
        assert list(table.columns) == ["image_id", "status", "confidence", "area_m2", "geometry"]
    if suffix == ".gpkg":
        assert pyogrio.read_info(path)["geometry_type"] == "Polygon"
        assert list(pyogrio.list_layers(path)[:, 0]) == ["buildings", "layer_styles"]
    if frame.crs:
        assert read_outlines(path, {frame.image_id: frame}) == {frame.image_id: []}


def test_one_file_has_one_crs_but_geojson(tmp_path: Path) -> None:
    west = Frame("west", (20, 30), "EPSG:32644", GRID)
    assert check_vector(tmp_path / "a.geojson", {"roof": FRAME, "west": west}) == WGS84
    with pytest.raises(InputError, match=r"UTM zone 45N \(roof\) and WGS 84 / UTM zone 44N \(west\).*write .geojson"):
        check_vector(tmp_path / "a.gpkg", {"roof": FRAME, "west": west})
    with pytest.raises(InputError, match="image bare has no georeferencing, roof has"):
        check_vector(tmp_path / "a.geojson", {"roof": FRAME, "bare": BARE})


def test_targets_are_checked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, message in (
        (tmp_path / "a.doc", "ending .doc; give one of .gpkg, .geojson, .parquet"),
        (tmp_path / "buildings", "ending none; give one of"),
        (tmp_path / "file/a.gpkg", "file: a file; a folder can't be of that name"),
    ):
        with pytest.raises(InputError, match=message):
            find_format("vector", path)
    (tmp_path / "a.gpkg").mkdir()
    with pytest.raises(InputError, match=r"a.gpkg: a folder; give the name of a file"):
        find_format("vector", tmp_path / "a.gpkg")


def test_other_layers_of_a_geopackage_stay(tmp_path: Path) -> None:
    path, crs = tmp_path / "town.gpkg", check_vector(tmp_path / "town.gpkg", {"roof": FRAME})
    streets = geopandas.GeoDataFrame({"name": ["Main"]}, geometry=[shapely.LineString([(0, 0), (9, 9)])], crs=UTM)
    pyogrio.write_dataframe(streets, path, layer="streets")
    for count in (2, 1):  # the second time there is a layer of buildings, which is replaced
        write_table(path, tabulate_footprints(make_two(crs)[:count], crs))
        assert len(pyogrio.read_dataframe(path, layer="buildings")) == count
        assert list(pyogrio.read_dataframe(path, layer="streets").name) == ["Main"]
    write_table(path, tabulate_footprints(make_two(crs), crs), "ours")
    assert {name for name, _ in pyogrio.list_layers(path)} == {"streets", "buildings", "ours", "layer_styles"}
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"town.gpkg: damaged, and would be replaced \(.*\); move it away first"):
        check_vector(path, {"roof": FRAME})
    path.write_bytes(b"no database")
    with pytest.raises(InputError, match=r"town.gpkg: not a readable vector file"):
        write_table(path, tabulate_footprints(make_two(crs), crs))
    assert path.read_bytes() == b"no database"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_former_file_stays_where_writing_fails(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"a{suffix}"
    crs = check_vector(path, {"roof": FRAME})
    write_table(path, tabulate_footprints(make_two(crs), crs))
    before = hash_folder(tmp_path)

    def lose_one(path: Path, *names: str, **options: Any) -> geopandas.GeoDataFrame:
        return read_back(Path(path)).iloc[1:]

    monkeypatch.setattr("postproc.formats.vector.load_table", lose_one)
    with pytest.raises(InputError, match=r"cannot be written \(1 of 2 buildings read back.*what was there is kept"):
        write_table(path, tabulate_footprints(make_two(crs), crs))
    monkeypatch.setattr("pyogrio.write_dataframe", refuse)
    monkeypatch.setattr("pyogrio.write_arrow", refuse)
    monkeypatch.setattr("geopandas.GeoDataFrame.to_parquet", refuse)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        write_table(path, tabulate_footprints(make_two(crs), crs))
    assert hash_folder(tmp_path) == before


def refuse(*_: Any, **__: Any) -> None:
    raise OSError("No space left on device")
