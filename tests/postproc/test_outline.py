"""The command `outline`, on real masks, maps and layers, and on what it cannot use."""

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from conftest import GEOREFERENCE, hash_folder, write_raster
from shapely import LineString


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """A map of two houses, one of them surer than the other."""
    values = np.zeros((120, 160), np.uint8)
    values[20:60, 20:70], values[70:110, 90:150], values[5, 5] = 200, 160, 255
    return write_raster(tmp_path / "town.tif", values, **GEOREFERENCE)


def test_a_map_becomes_houses_with_confidences(town: Path, tmp_path: Path, roofstack: Any) -> None:
    out = tmp_path / "houses.gpkg"
    run = roofstack("outline", town, out, "--min-area-m2", 1)
    assert run.code == 0, run.err
    assert "2 buildings of a map: 2 regularised" in run.out
    table = geopandas.read_file(out, layer="buildings")
    assert table.confidence.tolist() == pytest.approx([200 / 255, 160 / 255])
    pixels = [geometry.area / (0.25 * 0.5) for geometry in table.geometry]
    assert pixels == pytest.approx([40 * 50, 40 * 60])


def test_a_mask_has_no_confidence(tmp_path: Path, roofstack: Any) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[10:40, 10:50] = 1
    run = roofstack("outline", write_raster(tmp_path / "m.png", mask), tmp_path / "m.geojson")
    assert run.code == 0, run.err
    table = geopandas.read_file(tmp_path / "m.geojson")
    assert set(table.columns) == {"image_id", "status", "area_m2", "geometry"}
    assert shapely.equals(table.geometry[0], shapely.box(10, 10, 50, 40))


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".parquet", ".fgb", ".shp"])
def test_a_layer_keeps_its_attributes(town: Path, tmp_path: Path, roofstack: Any, suffix: str) -> None:
    first, layer, out = (tmp_path / name for name in ("first.gpkg", "layer.gpkg", f"out{suffix}"))
    assert roofstack("outline", town, first).code == 0
    table = geopandas.read_file(first, layer="buildings")  # the third is the lonely pixel
    table.assign(owner=np.where(table.area < 1, "c", np.where(table.confidence > 0.7, "a", "b"))).to_file(layer)
    run = roofstack("outline", layer, out, "--min-area-m2", 1)
    assert run.code == 0, run.err
    found = geopandas.read_parquet(out) if suffix == ".parquet" else geopandas.read_file(out, layer=0)
    assert sorted(found.owner) == ["a", "b"]
    again = ("outline_st", "outline_ar") if suffix == ".shp" else ("outline_status", "outline_area_m2")
    assert {"status", *again, "area_m2", "confidence"} <= set(found.columns)
    said = "field names have 10 characters at most: outline_status is outline_st, outline_area_m2 is outline_ar"
    assert (said in run.out) == (suffix == ".shp")
    if suffix == ".gpkg":
        (qml,) = geopandas.read_file(out, layer="layer_styles").styleQML
    else:
        qml = out.with_suffix(".qml").read_text()
    assert f'attr="{again[0]}"' in qml


def test_a_layer_of_someone_else_is_not_lost(town: Path, tmp_path: Path, roofstack: Any) -> None:
    """One of the same name is refused until ours gets another; one of ours is replaced."""
    out = tmp_path / "city.gpkg"
    theirs = geopandas.GeoDataFrame({"owner": ["a"]}, geometry=[shapely.box(0, 0, 1, 1)], crs="EPSG:3857")
    theirs.to_file(out, layer="buildings")
    before = hash_folder(tmp_path)
    run = roofstack("outline", town, out)
    assert (run.code, len(run.err.splitlines())) == (2, 1)
    assert "city.gpkg: its layer buildings has no column status, so it is not one of outlines" in run.err
    assert hash_folder(tmp_path) == before
    for minimum, count in ((0, 3), (1, 2)):
        run = roofstack("outline", town, out, "--layer", "walls", "--min-area-m2", minimum)
        assert run.code == 0, run.err
        assert len(geopandas.read_file(out, layer="walls")) == count
    assert geopandas.read_file(out, layer="buildings").owner.tolist() == ["a"]
    copy = roofstack("outline", tmp_path / "city.gpkg", tmp_path / "city.gpkg", "--resolution", 0.1)
    assert copy.code == 2


def test_real_masks_gain_shape_for_little_area(shared_data: Path, tmp_path: Path, roofstack: Any) -> None:
    masks = sorted((shared_data / "hot_buildings/training/masks/img").glob("panauti*"))[:6]
    (tmp_path / "masks").mkdir()
    for path in masks:
        (tmp_path / "masks" / path.name).symlink_to(path)
    run = roofstack(
        "outline", tmp_path / "masks", tmp_path / "o.gpkg", "--truth", shared_data / "hot_buildings/buildings.geojson"
    )
    assert run.code == 0, run.err
    rows = {line.split("│")[1].strip(): line.split("│")[2:4] for line in run.out.splitlines() if line.count("│") == 4}
    before, after = map(float, rows["C-IoU, mean over images"])
    assert after > before + 0.3
    assert min(map(float, rows["IoU, all pixels pooled"])) > 0.9


def test_one_mask_is_a_truth_without_walls(town: Path, tmp_path: Path, roofstack: Any) -> None:
    mask = np.zeros((120, 160), np.uint8)
    mask[20:60, 20:70], mask[70:110, 90:150] = 1, 1
    run = roofstack("outline", town, tmp_path / "o.gpkg", "--truth", write_raster(tmp_path / "true.png", mask))
    assert run.code == 0, run.err
    assert "F1 of buildings" in run.out
    assert "C-IoU, mean" not in run.out
    assert "without scores of vertices and angles: the truth is masks" in run.out


def test_specks_are_said_with_the_option_that_leaves_them_out(tmp_path: Path, roofstack: Any) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[10:40, 10:50], mask[50, 3], mask[60, 7] = 1, 1, 1
    path = write_raster(tmp_path / "m.tif", mask, **GEOREFERENCE)
    said = "2 of 3 outlines are smaller than 1 m²: --min-area-m2 1 leaves them out\n"
    assert roofstack("outline", path, tmp_path / "m.gpkg").out.endswith(said)
    assert said.strip() in roofstack("outline", tmp_path / "m.gpkg", tmp_path / "n.shp", "--resolution", 0.1).out
    assert said not in roofstack("outline", path, tmp_path / "m.gpkg", "--min-area-m2", 1).out


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", "no such file or folder"),
        ("ending", "o.txt"),
        ("lines", "a layer of LineString; buildings are polygons"),
        ("split", "--split-contrast 24: "),
        ("resolution", "--resolution 0: the side of a pixel is more than 0"),
        ("truth", "--truth is for rasters"),
        ("no truth", "1 of 1 images have no mask there, such as m; add them"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, roofstack: Any, how: str, message: str) -> None:
    mask = write_raster(tmp_path / "m.tif", np.eye(40, dtype=np.uint8), **GEOREFERENCE)
    write_raster(tmp_path / "masks/other.tif", np.eye(40, dtype=np.uint8))
    lines = tmp_path / "lines.gpkg"
    geopandas.GeoDataFrame(geometry=[LineString([(0, 0), (1, 1)])], crs="EPSG:3857").to_file(lines)
    arguments: dict[str, list[Any]] = {
        "missing": [tmp_path / "nowhere.tif", tmp_path / "o.gpkg"],
        "ending": [mask, tmp_path / "o.txt"],
        "lines": [lines, tmp_path / "o.gpkg"],
        "split": [mask, tmp_path / "o.gpkg", "--split-contrast", 24],
        "resolution": [lines, tmp_path / "o.gpkg", "--resolution", 0],
        "truth": [lines, tmp_path / "o.gpkg", "--truth", mask],
        "no truth": [mask, tmp_path / "o.gpkg", "--truth", tmp_path / "masks"],
    }
    before = hash_folder(tmp_path)
    run = roofstack("outline", *arguments[how])
    assert (run.code, run.out) == (2, "")
    assert len(run.err.splitlines()) == 1
    assert message in run.err
    assert hash_folder(tmp_path) == before
