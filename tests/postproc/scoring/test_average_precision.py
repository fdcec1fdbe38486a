"""COCO's numbers, beside those of pycocotools."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from shapely import Polygon, box

from postproc.polygons.buildings import rasterize_outlines
from postproc.scoring.average_precision import IOUS, detect_buildings, find_hits, make_precision_scorer, overlap_pixels
from postproc.scoring.matching import Pairs

SIZE = (14, 17)
Image = tuple[list[Polygon], list[Polygon], list[float]]


def evaluate_by_coco(images: list[Image], drawn: list[int]) -> dict[str, float]:
    """The scores by COCOeval, of the images with these indices; the same image may be there again and again."""
    size = {"height": SIZE[0], "width": SIZE[1]}
    truths: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image_id, index in enumerate(drawn, 1):
        predicted, truth, confidences = images[index]
        for outline in truth:
            pixels = coco_mask.encode(np.asfortranarray(rasterize_outlines([outline], SIZE), np.uint8))
            area = int(coco_mask.area(pixels))
            truths.append({"id": len(truths) + 1, "image_id": image_id, "category_id": 1, "iscrowd": 0, "area": area})
            truths[-1]["segmentation"] = pixels
        for outline, confidence in zip(predicted, confidences, strict=True):
            pixels = coco_mask.encode(np.asfortranarray(rasterize_outlines([outline], SIZE), np.uint8))
            results.append({"image_id": image_id, "category_id": 1, "segmentation": pixels, "score": confidence})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image_id, **size} for image_id in range(1, len(drawn) + 1)],
            "categories": [{"id": 1, "name": "building"}],
            "annotations": truths,
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results) if results else COCO(), "segm")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision, recall = evaluation.eval["precision"][:, :, 0, 0, -1], evaluation.eval["recall"][:, 0, 0, -1]
    if (recall < 0).all():
        return dict.fromkeys(("ap", "ap50", "ap75", "ar"), np.nan)
    return {"ap": precision.mean(), "ap50": precision[0].mean(), "ap75": precision[5].mean(), "ar": recall.mean()}


def score(images: list[Image], weights: list[list[float]]) -> dict[str, np.ndarray]:
    return dict(make_precision_scorer([detect_buildings(*image) for image in images])(np.array(weights, np.float64)))


def assert_as_coco(images: list[Image], drawn: list[int]) -> None:
    counts = np.bincount(drawn, minlength=len(images)).astype(float)
    expected = evaluate_by_coco(images, drawn)
    ours = score(images, [counts.tolist()])
    assert {name: values[0] for name, values in ours.items()} == pytest.approx(expected, nan_ok=True, abs=1e-12)


HOUSE, SHED = box(0, 0, 8, 8), box(10, 0, 14, 4)


@pytest.mark.parametrize(
    ("predicted", "truth", "confidences", "ap50", "ar"),
    [
        ([HOUSE, SHED], [HOUSE, SHED], [0.9, 0.4], 1, 1),
        ([SHED, HOUSE], [HOUSE, SHED], [0.4, 0.9], 1, 1),
        ([], [HOUSE], [], 0, 0),
        ([SHED], [HOUSE], [0.5], 0, 0),
        ([HOUSE], [], [0.5], np.nan, np.nan),
        ([], [], [], np.nan, np.nan),
        ([HOUSE, SHED], [HOUSE], [0.9, 0.4], 1, 1),
        ([HOUSE, SHED], [HOUSE], [0.4, 0.9], 1 / 2, 1),
        ([HOUSE], [HOUSE, SHED], [0.4], 51 / 101, 1 / 2),
        ([box(0, 0, 8, 6)], [HOUSE], [1], 1, 6 / 10),
    ],
)
def test_answers_by_hand(
    predicted: list[Polygon], truth: list[Polygon], confidences: list[float], ap50: float, ar: float
) -> None:
    image = (predicted, truth, confidences)
    scores = score([image], [[1]])
    assert scores["ap50"][0] == pytest.approx(ap50, nan_ok=True)
    assert scores["ar"][0] == pytest.approx(ar, nan_ok=True)
    if predicted:
        assert_as_coco([image], [0])


boxes = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 8), st.integers(1, 5)).map(
    lambda sides: box(sides[0], sides[1], sides[0] + sides[2], sides[1] + sides[3])
)
slants = st.tuples(st.floats(0, 9), st.floats(0, 6), st.floats(1, 8), st.floats(1, 8)).map(
    lambda sides: Polygon([sides[:2], (sides[0] + sides[2], sides[1]), (sides[0] + 1, sides[1] + sides[3])])
)
scored = st.tuples(boxes | slants, st.sampled_from([0.1, 0.5, 0.5, 0.7, 0.9]))
pictures = st.tuples(st.lists(scored, max_size=6), st.lists(boxes | slants, max_size=6)).map(
    lambda picture: ([outline for outline, _ in picture[0]], picture[1], [confidence for _, confidence in picture[0]])
)


@settings(deadline=None, max_examples=30)
@given(st.lists(pictures, min_size=1, max_size=4))
def test_scores_are_those_of_cocoeval(images: list[Image]) -> None:
    if any(predicted for predicted, _, _ in images):
        assert_as_coco(images, list(range(len(images))))


@settings(deadline=None, max_examples=20)
@given(st.lists(pictures, min_size=1, max_size=3), st.data())
def test_a_weight_is_as_many_images(images: list[Image], data: st.DataObject) -> None:
    """Where confidences differ between images: of equal ones COCOeval takes copies of an image in another order."""
    drawn = sorted(data.draw(st.lists(st.integers(0, len(images) - 1), min_size=1, max_size=5)))
    apart = [
        (predicted, truth, [number + confidence + index / 100 for index, confidence in enumerate(confidences)])
        for number, (predicted, truth, confidences) in enumerate(images)
    ]
    if any(apart[index][0] for index in drawn):
        assert_as_coco(apart, drawn)


def test_more_than_a_hundred_buildings_of_an_image_all_count() -> None:
    houses = [box(x, y, x + 1, y + 1) for x in range(16) for y in range(13)]
    scores = score([(houses, houses, np.linspace(0, 1, len(houses)).tolist())], [[1]])
    assert len(houses) > 100
    assert {name: values[0] for name, values in scores.items()} == {"ap": 1, "ap50": 1, "ap75": 1, "ar": 1}


@settings(deadline=None)
@given(st.lists(boxes | slants, max_size=5), st.lists(boxes | slants, max_size=5))
def test_pixels_are_those_of_whole_masks(predicted: list[Polygon], truth: list[Polygon]) -> None:
    pairs = overlap_pixels(predicted, truth)
    found = {(one, other): iou for one, other, iou in zip(pairs.predicted, pairs.truth, pairs.iou, strict=True)}
    for one, ours in enumerate(predicted):
        for other, theirs in enumerate(truth):
            masks = rasterize_outlines([ours], SIZE), rasterize_outlines([theirs], SIZE)
            shared = np.count_nonzero(masks[0] & masks[1])
            assert found.get((one, other), 0) == (shared / np.count_nonzero(masks[0] | masks[1]) if shared else 0)


def test_hits_at_each_least_iou() -> None:
    pairs = Pairs(np.array([0, 1]), np.array([0, 0]), np.array([0.7, 1.0]))
    hits = find_hits(pairs, 2)
    assert hits[:, 0].tolist() == [iou <= 0.7 for iou in IOUS]
    assert hits[:, 1].tolist() == [iou > 0.7 for iou in IOUS]
