"""Buildings read from masks, a CSV and vector files: the same ones out of each."""

import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import GEOREFERENCE, write_raster
from shapely import Polygon, box

from members.common.errors import InputError
from members.data.frames import read_frame
from postproc.formats.submission import write_submission
from postproc.scoring.reading import (
    find_buildings,
    open_inputs,
    read_masked,
    read_masks,
    read_outlined,
    read_vector,
)
from postproc.straightening.comparison import open_truth

MASK = np.zeros((40, 36), bool)
MASK[2:10, 3:15] = True
MASK[20:30, 20:36] = True
IMAGE = np.zeros((40, 36, 3), np.uint8)
HOUSES = (box(3, 2, 15, 10), box(20, 20, 36, 30))


def write_mask(path: Path) -> Path:
    return write_raster(path, MASK * np.uint8(255))


def write_geojson(path: Path, column: int = 0, outlines: Sequence[Polygon] = HOUSES) -> Path:
    """The two buildings of MASK in the CRS of GEOREFERENCE, as QGIS writes it, `column` pixels to the right."""
    features = []
    for outline in outlines:
        ring = [(GEOREFERENCE["transform"] @ (x + column, y)) for x, y in outline.exterior.coords]
        features.append({"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}})
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    return path


@pytest.mark.parametrize("vector", [False, True])
def test_truth_is_the_same_from_masks_and_from_outlines(tmp_path: Path, vector: bool) -> None:
    image = write_raster(tmp_path / "a.tif", IMAGE, **GEOREFERENCE)
    masks = {} if vector else {"a": write_mask(tmp_path / "masks/a.png")}
    outlined = read_outlined(write_geojson(tmp_path / "t.geojson"), {"a": read_frame(image)})
    truth = (outlined if vector else read_masked(masks, None))("a")
    assert np.array_equal(truth.mask, MASK)
    assert [outline.area for outline in truth.outlines] == pytest.approx([96, 160])


@pytest.mark.parametrize(("column", "found"), [(0, [48, 48, 160]), (1000, [96, 160])])
def test_buildings_of_a_data_set_are_its_outlines_where_these_agree(
    tmp_path: Path, column: int, found: list[int]
) -> None:
    """Two houses of one component of the mask are two, unless the file of outlines is of another place."""
    image = write_raster(tmp_path / "images/a.tif", IMAGE, **GEOREFERENCE)
    outlines = [box(3, 2, 9, 10), box(9, 2, 15, 10), box(20, 20, 36, 30)]
    write_geojson(tmp_path / "buildings.geojson", column, outlines)
    masks = {"a": write_mask(tmp_path / "masks/a.png")}
    truth = read_masked(masks, find_buildings(tmp_path, masks, {"a": read_frame(image)}))("a")
    assert np.array_equal(truth.mask, MASK)
    assert [outline.area for outline in truth.outlines] == pytest.approx(found)
    write_submission(tmp_path / "s.csv", {"a": MASK})
    inputs = open_inputs(tmp_path, tmp_path / "s.csv", None, tmp_path)
    told = f"{tmp_path / 'buildings.geojson'}: not the outlines of these masks, so that their components count"
    assert inputs.remark == ("" if column == 0 else told)


def test_masks_of_more_images_than_are_outlined_are_no_hindrance(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "images/a.tif", IMAGE, **GEOREFERENCE)
    write_geojson(tmp_path / "buildings.geojson", 0, [box(3, 2, 9, 10), box(9, 2, 15, 10), box(20, 20, 36, 30)])
    for image_id in "ab":
        write_mask(tmp_path / f"masks/{image_id}.png")
    assert len(open_truth(tmp_path, {"a": read_frame(image)})("a").outlines) == 3


def test_truth_elsewhere_is_refused(tmp_path: Path) -> None:
    frames = {"a": read_frame(write_raster(tmp_path / "a.tif", IMAGE, **GEOREFERENCE))}
    path = write_geojson(tmp_path / "t.geojson", column=1000)
    with pytest.raises(
        InputError, match=r"t.geojson: none of its buildings lies in the 1 images; check ids, coordinates"
    ):
        read_outlined(path, frames)


def test_predictions_are_the_same_from_masks_and_from_outlines(tmp_path: Path) -> None:
    frames = {"a": read_frame(write_raster(tmp_path / "a.tif", IMAGE, **GEOREFERENCE))}
    write_submission(tmp_path / "s.csv", {"a": MASK})
    ((of_mask, ours),) = read_masks(tmp_path / "s.csv")
    ((of_outlines, theirs),) = read_vector(write_geojson(tmp_path / "p.geojson"), frames)
    assert of_mask == of_outlines == "a"
    assert np.array_equal(ours(MASK.shape).mask, theirs(MASK.shape).mask)
    assert [o.area for o in ours(MASK.shape).outlines] == pytest.approx([o.area for o in theirs(MASK.shape).outlines])


def test_images_that_the_csv_names_are_compared_in_the_order_of_their_ids(tmp_path: Path) -> None:
    for image_id in "bac":
        write_raster(tmp_path / "images" / f"{image_id}.tif", IMAGE, **GEOREFERENCE)
    write_submission(tmp_path / "s.csv", {"b": MASK, "a": ~MASK})
    inputs = open_inputs(write_geojson(tmp_path / "t.geojson"), tmp_path / "s.csv", None, tmp_path / "images")
    assert (inputs.ids, inputs.images) == (["a", "b"], 3)
    inverse, exact = inputs.compare()
    assert (inverse.columns["intersection"], inverse.columns["union"]) == (0, 40 * 36)
    assert exact.columns["intersection"] == exact.columns["union"] == 96 + 160


def test_an_image_of_another_size_is_named(tmp_path: Path) -> None:
    write_mask(tmp_path / "masks/a.png")
    write_submission(tmp_path / "s.csv", {"a": MASK.T})
    inputs = open_inputs(tmp_path / "masks", tmp_path / "s.csv", None, None)
    with pytest.raises(InputError, match=r"s.csv, line 2, image a: mask of 40x36 px for a truth of 36x40 px"):
        inputs.compare()


def test_a_row_of_any_size_takes_no_memory(tmp_path: Path) -> None:
    """Fifty bytes may say two milliards of pixels; they are compared with the truth before anything is made of them."""
    write_mask(tmp_path / "masks/a.png")
    (tmp_path / "s.csv").write_text("ImageId,EncodedPixels,Width,Height\na,1 1,46340,46340\n")
    inputs = open_inputs(tmp_path / "masks", tmp_path / "s.csv", None, None)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"line 2, image a: mask of 46340x46340 px for a truth of 36x40 px; they must"):
        inputs.compare()
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
