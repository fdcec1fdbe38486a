"""COCO instance JSON: by pycocotools' rules, and loaded by it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from shapely import Polygon, box

from postproc.formats.coco import encode_building, make_coco, save_coco
from postproc.polygons.buildings import Building, rasterize_outlines


def make_building(outline: Polygon, confidence: float = 0.5) -> Building:
    return Building(outline, "traced", confidence)


COURTYARD = Polygon([(0, 0), (5, 0), (5, 4), (0, 4)], [[(1, 1), (3, 1), (3, 3), (1, 3)]])


@pytest.mark.parametrize(
    ("outline", "counts"),
    [
        (box(1, 0, 2, 2), [3, 2, 4]),  # the middle column's upper two pixels
        (box(0, 0, 3, 3), [0, 9]),
        (box(2, 2, 9, 9), [8, 1]),  # cut off at the image's border
        (box(0.6, 0, 1.4, 3), [9]),  # between two columns' centres: no pixel
        (box(-9, -9, -5, -5), [9]),  # outside
        (Polygon([(0, 3), (0, 4), (3, 3)]), [9]),  # just below
    ],
)
def test_runs_go_down_the_columns(outline: Polygon, counts: list[int]) -> None:
    expected = coco_mask.frPyObjects({"size": [3, 3], "counts": counts}, 3, 3)["counts"].decode()
    assert encode_building(make_building(outline), (3, 3)) == {"size": [3, 3], "counts": expected}


@settings(max_examples=60, deadline=None)
@given(
    vertices=st.lists(st.tuples(st.floats(-4, 16, width=32), st.floats(-4, 16, width=32)), min_size=3, max_size=6),
    size=st.tuples(st.integers(1, 13), st.integers(1, 11)),
)
def test_encoding_is_that_of_pycocotools(vertices: list[tuple[float, float]], size: tuple[int, int]) -> None:
    outline = Polygon(vertices).convex_hull
    if outline.geom_type != "Polygon":
        return
    mask = rasterize_outlines([outline], size)
    expected = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    encoded = encode_building(make_building(outline), size)
    if encoded["counts"] != expected["counts"].decode():  # centres exactly on an edge may fall to either side
        difference = coco_mask.decode(encoded).astype(bool) != mask
        centres = [box(c + 0.499, r + 0.499, c + 0.501, r + 0.501) for r, c in np.argwhere(difference)]
        assert all(outline.boundary.intersects(centre) for centre in centres)


def test_dataset_has_an_annotation_a_building() -> None:
    sizes = {"b": (4, 6), "empty": (3, 3), "a": (4, 6)}
    buildings = {
        "a": [make_building(COURTYARD, 0.75), make_building(box(0.6, 0, 1.4, 3))],
        "b": [make_building(box(4, 1, 6, 3), 1)],
    }
    coco = make_coco(sizes, buildings, {"b": "b.png"})
    assert coco["images"] == [
        {"id": 1, "file_name": "b.png", "height": 4, "width": 6},
        {"id": 2, "file_name": "empty", "height": 3, "width": 3},
        {"id": 3, "file_name": "a", "height": 4, "width": 6},
    ]
    assert [category["name"] for category in coco["categories"]] == ["building"]
    keys = ("id", "image_id", "category_id", "bbox", "area", "iscrowd", "score")
    assert [[annotation[key] for key in keys] for annotation in coco["annotations"]] == [
        [1, 1, 1, [4, 1, 2, 2], 4, 0, 1],
        [2, 3, 1, [0, 0, 5, 4], 16, 0, 0.75],
    ]


def test_pycocotools_loads_and_scores_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Detections that are the truth have an average precision of 1."""
    path = tmp_path / "buildings.json"
    buildings = {"a": [make_building(COURTYARD, 0.75), make_building(box(6, 0, 9, 9), 0.5)], "b": []}
    coco = make_coco({"a": (9, 9), "b": (9, 9)}, buildings)
    save_coco(path, coco)
    loaded = COCO(path)
    assert loaded.getCatIds(catNms=["building"]) == [1]
    masks = [loaded.annToMask(annotation) for annotation in loaded.loadAnns(loaded.getAnnIds(imgIds=1))]
    for mask, building in zip(masks, buildings["a"], strict=True):
        np.testing.assert_array_equal(mask, rasterize_outlines([building.outline], (9, 9)))
    evaluation = COCOeval(loaded, loaded.loadRes(coco["annotations"]), "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == 1


def test_no_building_is_a_dataset_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_coco(tmp_path / "none.json", make_coco({"a": (2, 2)}, {}))
    loaded = COCO(tmp_path / "none.json")
    assert (loaded.getImgIds(), loaded.getAnnIds()) == ([1], [])
