"""Where buildings are found on disk, and the two forms that they take."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import PLACE, write_raster
from shapely import box

from members.common.errors import InputError
from postproc.formats.submission import write_submission
from postproc.geo.frames import read_frame
from postproc.scoring.inputs import Picture, find_images, find_table, find_truth, read_masks, read_truth, read_vector

MASK = np.zeros((40, 36), bool)
MASK[2:10, 3:15] = True
MASK[20:30, 20:36] = True
IMAGE = np.zeros((40, 36, 3), np.uint8)


def write_mask(path: Path) -> Path:
    return write_raster(path, MASK * np.uint8(255))


def write_geojson(path: Path, column: int = 0) -> Path:
    """The two buildings of MASK in the CRS of PLACE, as QGIS writes it, `column` pixels to the right."""
    features = []
    for outline in (box(3, 2, 15, 10), box(20, 20, 36, 30)):
        ring = [(PLACE["transform"] @ (x + column, y)) for x, y in outline.exterior.coords]
        features.append({"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}})
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    return path


@pytest.mark.parametrize("place", ["", "masks/img", "masks", "training/masks/img", "test/masks/img", "test/masks"])
def test_masks_are_found_in_every_layout(tmp_path: Path, place: str) -> None:
    write_mask(tmp_path / place / "a.png")
    assert find_truth(tmp_path) == {"a": tmp_path / place / "a.png"}


def test_test_masks_come_before_training_masks(tmp_path: Path) -> None:
    write_mask(tmp_path / "training/masks/img/a.png")
    write_mask(tmp_path / "test/masks/img/b.png")
    assert list(find_truth(tmp_path)) == ["b"]


@pytest.mark.parametrize("place", ["", "images", "training/images/img", "test/images"])
def test_images_are_found_in_every_layout(tmp_path: Path, place: str) -> None:
    path = write_raster(tmp_path / place / "a.png", IMAGE)
    assert find_images(tmp_path) == find_images(path) == {"a": path}


def test_ids_say_which_part_is_meant(tmp_path: Path) -> None:
    test = write_raster(tmp_path / "test/images/img/a.png", IMAGE)
    training = write_raster(tmp_path / "training/images/img/b.png", IMAGE)
    assert find_images(tmp_path, ["b"]) == {"b": training}
    assert find_images(tmp_path, ["a"]) == {"a": test}
    with pytest.raises(InputError, match=r"images in .*test/images/img and .*training/images/img; give one of these"):
        find_images(tmp_path)


def test_the_table_is_found_from_below(tmp_path: Path) -> None:
    masks = write_mask(tmp_path / "set/training/masks/img/a.png").parent
    assert find_table(None, masks) is None
    (tmp_path / "set/tiles.csv").write_text("image_id,group\na,g\n")
    assert find_table(None, masks) == find_table(tmp_path / "set", None) == tmp_path / "set"
    assert find_table(tmp_path, None) is None


def test_both_forms_of_a_picture_agree() -> None:
    of_mask = Picture.of_mask(MASK)
    assert [outline.bounds for outline in of_mask.outlines] == [(3, 2, 15, 10), (20, 20, 36, 30)]
    assert np.array_equal(Picture.of_outlines(of_mask.outlines, MASK.shape).mask, MASK)


@pytest.mark.parametrize("vector", [False, True])
def test_truth_is_the_same_from_masks_and_from_outlines(tmp_path: Path, vector: bool) -> None:
    image = write_raster(tmp_path / "a.tif", IMAGE, **PLACE)
    masks = {} if vector else {"a": write_mask(tmp_path / "masks/a.png")}
    truth = read_truth(write_geojson(tmp_path / "t.geojson"), masks, {"a": read_frame(image)})("a")
    assert np.array_equal(truth.mask, MASK)
    assert [outline.area for outline in truth.outlines] == pytest.approx([96, 160])


def test_truth_elsewhere_is_refused(tmp_path: Path) -> None:
    frames = {"a": read_frame(write_raster(tmp_path / "a.tif", IMAGE, **PLACE))}
    path = write_geojson(tmp_path / "t.geojson", column=1000)
    with pytest.raises(InputError, match=r"t.geojson: none of its outlines lies in the 1 images; check the place"):
        read_truth(path, {}, frames)


def test_predictions_are_the_same_from_masks_and_from_outlines(tmp_path: Path) -> None:
    frames = {"a": read_frame(write_raster(tmp_path / "a.tif", IMAGE, **PLACE))}
    write_submission(tmp_path / "s.csv", {"a": MASK})
    ((of_mask, ours),) = read_masks(tmp_path / "s.csv")
    ((of_outlines, theirs),) = read_vector(write_geojson(tmp_path / "p.geojson"), frames)
    assert of_mask == of_outlines == "a"
    assert np.array_equal(ours.mask, theirs.mask)
    assert [o.area for o in ours.outlines] == pytest.approx([o.area for o in theirs.outlines])
