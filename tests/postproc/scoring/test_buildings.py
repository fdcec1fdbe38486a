"""Scores of outlines whose answer is visible."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapely import Polygon, box

from postproc.polygons.tracing import trace_mask
from postproc.scoring import buildings
from postproc.scoring.average_precision import detect_buildings
from postproc.scoring.buildings import (
    Comparison,
    ImageBuildings,
    compare_buildings,
    count_buildings,
    match_buildings,
    measure_shapes,
)
from postproc.scoring.pixels import count_mask
from postproc.scoring.scores import make_scorer

HOUSE, LOW, FAR = box(0, 0, 4, 4), box(0, 0, 4, 3), box(20, 0, 24, 4)
TRIANGLE = Polygon([(20, 0), (24, 0), (20, 4)])
PIXEL = np.ones((1, 1), bool)
ZERO_IS_BEST = ("polis", "hausdorff")


def compare(predicted: list[Polygon], truth: list[Polygon], iou: float) -> Comparison:
    """Compare outlines alone, with an IoU of the masks as given."""
    matches = match_buildings(predicted, truth)
    columns = count_mask(PIXEL, PIXEL) | count_buildings(predicted, truth, matches)
    return Comparison(columns | measure_shapes(predicted, truth, matches, iou), detect_buildings(predicted, truth))


def score(images: list[Comparison]) -> dict[str, float]:
    return {name: float(values[0]) for name, values in make_scorer(images)(np.ones((1, len(images)))).items()}


@pytest.mark.parametrize(
    ("matched", "predicted", "truth", "f1", "precision", "recall"),
    [(0, 0, 0, 1, 0, 0), (0, 3, 0, 0, 0, 0), (0, 0, 3, 0, 0, 0), (3, 3, 3, 1, 1, 1), (1, 2, 4, 2 / 6, 1 / 2, 1 / 4)],
)
def test_found_or_not(matched: int, predicted: int, truth: int, f1: float, precision: float, recall: float) -> None:
    """Houses that are found stand far from the false ones and from those that are missed."""
    found, false, missed = (
        [box(9 * x, y, 9 * x + 4, y + 4) for x in range(count)]
        for y, count in ((0, matched), (9, predicted - matched), (18, truth - matched))
    )
    scores = score([compare([*found, *false], [*found, *missed], 1.0)])
    assert [scores[f"building_{name}"] for name in ("f1", "precision", "recall")] == [f1, precision, recall]


def test_one_image_by_hand() -> None:
    image = compare([LOW, TRIANGLE], [HOUSE, FAR], 0.6)
    assert [image.columns[name] for name in ("matched", "predicted_buildings", "true_buildings")] == [2, 2, 2]
    scores = score([image])
    assert (scores["building_f1"], scores["building_precision"], scores["building_recall"]) == (1, 1, 1)
    # HOUSE reaches 1 px further than LOW at two of its corners; FAR reaches 4 / sqrt(2) beyond TRIANGLE at one
    assert scores["hausdorff"] == pytest.approx((1 + np.sqrt(8)) / 2)
    assert scores["polis"] == pytest.approx((0.5 * 2 / 4 + 0.5 * np.sqrt(8) / 4) / 2)
    assert scores["n_ratio"] == 7 / 8
    assert scores["c_iou"] == pytest.approx(0.6 * (1 - 1 / 15))
    assert scores["right_angles"] == pytest.approx(5 / 7)
    assert scores["truth_right_angles"] == 1
    assert scores["ap50"] == 1
    assert scores["ap75"] == pytest.approx(51 / 101)


def test_what_does_not_exist_is_no_number() -> None:
    scores = score([compare([], [HOUSE], 0.0)])
    missing = {name for name, value in scores.items() if np.isnan(value)}
    assert missing == {"polis", "hausdorff", "right_angles"}
    scores = score([compare([], [], 1.0)])
    assert (scores["building_f1"], scores["c_iou"]) == (1, 1)
    assert np.isnan([scores["ap"], scores["ar"], scores["n_ratio"], scores["truth_right_angles"]]).all()


def test_images_are_pooled() -> None:
    scores = score([compare([HOUSE, FAR], [HOUSE], 0.5), compare([], [TRIANGLE, HOUSE], 0.0)])
    assert scores["building_f1"] == 2 / 5
    assert scores["n_ratio"] == 8 / 11
    assert scores["c_iou"] == pytest.approx((0.5 * (1 - 4 / 12) + 0) / 2)
    assert scores["truth_right_angles"] == pytest.approx(9 / 11)
    assert scores["ap50"] == pytest.approx(34 / 101)  # recall 1/3: the points 0, 0.01 .. 0.33


def test_the_confident_are_matched_first() -> None:
    truth = ImageBuildings.from_outlines([HOUSE], (4, 4))
    assert compare_buildings(ImageBuildings.from_outlines([LOW, HOUSE], (4, 4)), truth).columns["polis"] > 0
    sure = compare_buildings(ImageBuildings.from_outlines([LOW, HOUSE], (4, 4), [0.2, 0.9]), truth)
    assert sure.columns["polis"] == 0
    assert sure.detections.confidences.tolist() == [0.9, 0.2]
    assert sure.detections.hits[:, 0].all()


@settings(deadline=None, max_examples=40)
@given(st.lists(arrays(bool, (6, 7)), min_size=1, max_size=3).filter(lambda masks: all(mask.any() for mask in masks)))
def test_a_perfect_prediction_has_full_marks(masks: list[np.ndarray]) -> None:
    images = [ImageBuildings.from_mask(mask) for mask in masks]
    scores = score([compare_buildings(image, image) for image in images])
    assert scores == pytest.approx({name: 0 if name in ZERO_IS_BEST else 1 for name in scores})


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(arrays(bool, (6, 7)), arrays(bool, (6, 7))), min_size=1, max_size=4), st.data())
def test_the_order_of_images_does_not_matter(masks: list[tuple[np.ndarray, np.ndarray]], data: st.DataObject) -> None:
    """Given that confidences differ, as COCO's order of equal ones is that of the images."""
    images = []
    for number, (ours, theirs) in enumerate(masks):
        outlines = trace_mask(ours)
        confidences = [number + index / 100 for index in range(len(outlines))]
        images.append(compare_buildings(ImageBuildings(ours, outlines, confidences), ImageBuildings.from_mask(theirs)))
    shuffled = data.draw(st.permutations(images))
    assert score(shuffled) == pytest.approx(score(images), nan_ok=True)


def test_both_forms_of_an_image_agree() -> None:
    mask = np.zeros((40, 36), bool)
    mask[2:10, 3:15] = mask[20:30, 20:36] = True
    image = ImageBuildings.from_mask(mask)
    assert [outline.bounds for outline in image.outlines] == [(3, 2, 15, 10), (20, 20, 36, 30)]
    assert np.array_equal(ImageBuildings.from_outlines(image.outlines, mask.shape).mask, mask)


def test_matching_of_touching_outlines_counts_each_once() -> None:
    pair, whole = [box(0, 0, 4, 4), box(4, 0, 8, 4)], [box(0, 0, 8, 4)]
    assert count_buildings(pair, whole) == {"matched": 1, "predicted_buildings": 2, "true_buildings": 1}
    assert match_buildings(pair, whole).predicted.tolist() == [0]


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(buildings) == doctest.TestResults(failed=0, attempted=2)
