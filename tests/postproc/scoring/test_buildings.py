"""Scores of outlines whose answer is visible."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapely import Polygon, box

from postproc.polygons.tracing import trace_mask
from postproc.scoring import buildings as building_scores
from postproc.scoring.buildings import Comparison, Findings, compare_buildings, find_buildings, make_building_scorer

HOUSE, LOW, FAR = box(0, 0, 4, 4), box(0, 0, 4, 3), box(20, 0, 24, 4)
TRIANGLE = Polygon([(20, 0), (24, 0), (20, 4)])


def score(images: list[Comparison]) -> dict[str, float]:
    return {name: float(values[0]) for name, values in make_building_scorer(images)(np.ones((1, len(images)))).items()}


@pytest.mark.parametrize(
    ("matched", "predicted", "truth", "f1", "precision", "recall"),
    [(0, 0, 0, 1, 0, 0), (0, 3, 0, 0, 0, 0), (0, 0, 3, 0, 0, 0), (3, 3, 3, 1, 1, 1), (1, 2, 4, 2 / 6, 1 / 2, 1 / 4)],
)
def test_found_or_not(matched: int, predicted: int, truth: int, f1: float, precision: float, recall: float) -> None:
    found = Findings(matched, predicted, truth)
    assert (found.f1, found.precision, found.recall) == (f1, precision, recall)


def test_one_image_by_hand() -> None:
    image = compare_buildings([LOW, TRIANGLE], [HOUSE, FAR], 0.6)
    assert image.findings == Findings(2, 2, 2)
    scores = score([image])
    assert (scores["building_f1"], scores["building_precision"], scores["building_recall"]) == (1, 1, 1)
    # HOUSE reaches 1 px further than LOW at two of its corners; FAR reaches 4 / sqrt(2) beyond TRIANGLE at one
    assert scores["hausdorff"] == pytest.approx((1 + np.sqrt(8)) / 2)
    assert scores["polis"] == pytest.approx((0.5 * 2 / 4 + 0.5 * np.sqrt(8) / 4) / 2)
    assert scores["n_ratio"] == 7 / 8
    assert scores["c_iou"] == pytest.approx(0.6 * (1 - 1 / 15))
    assert scores["right_angles"] == pytest.approx(5 / 7)
    assert scores["truth_right_angles"] == 1
    assert (scores["ap50"], scores["ap75"]) == (1, pytest.approx(51 / 101))


def test_what_does_not_exist_is_no_number() -> None:
    scores = score([compare_buildings([], [HOUSE], 0.0)])
    missing = {name for name, value in scores.items() if np.isnan(value)}
    assert missing == {"polis", "hausdorff", "right_angles"}
    scores = score([compare_buildings([], [], 1.0)])
    assert (scores["building_f1"], scores["c_iou"]) == (1, 1)
    assert np.isnan([scores["ap"], scores["ar"], scores["n_ratio"], scores["truth_right_angles"]]).all()


def test_images_are_pooled() -> None:
    scores = score([compare_buildings([HOUSE, FAR], [HOUSE], 0.5), compare_buildings([], [TRIANGLE, HOUSE], 0.0)])
    assert scores["building_f1"] == 2 / 5
    assert scores["n_ratio"] == 8 / 11
    assert scores["c_iou"] == pytest.approx((0.5 * (1 - 4 / 12) + 0) / 2)
    assert scores["truth_right_angles"] == pytest.approx(9 / 11)
    assert scores["ap50"] == pytest.approx(34 / 101)  # recall 1/3: the points 0, 0.01 .. 0.33


def test_the_confident_are_matched_first() -> None:
    given = [LOW, HOUSE]
    assert compare_buildings(given, [HOUSE], 1.0).shapes.polis > 0
    sure = compare_buildings(given, [HOUSE], 1.0, [0.2, 0.9])
    assert sure.shapes.polis == 0
    assert sure.detections.confidences.tolist() == [0.9, 0.2]
    assert sure.detections.hits[:, 0].all()


@settings(deadline=None, max_examples=40)
@given(st.lists(arrays(bool, (6, 7)), min_size=1, max_size=3).filter(lambda masks: all(mask.any() for mask in masks)))
def test_a_perfect_prediction_has_full_marks(masks: list[np.ndarray]) -> None:
    outlines = [trace_mask(mask) for mask in masks]
    scores = score([compare_buildings(each, each, 1.0) for each in outlines])
    assert all(scores[name] == 0 for name in ("polis", "hausdorff"))
    rest = {name: value for name, value in scores.items() if name not in ("polis", "hausdorff")}
    assert rest == pytest.approx(dict.fromkeys(rest, 1))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(arrays(bool, (6, 7)), arrays(bool, (6, 7))), min_size=1, max_size=4), st.data())
def test_the_order_of_images_does_not_matter(masks: list[tuple[np.ndarray, np.ndarray]], data: st.DataObject) -> None:
    """Given that confidences differ, as COCO's order of equal ones is that of the images."""
    images = []
    for number, (ours, theirs) in enumerate(masks):
        predicted = trace_mask(ours)
        confidences = [number + place / 100 for place in range(len(predicted))]
        images.append(compare_buildings(predicted, trace_mask(theirs), 0.5, confidences))
    shuffled = data.draw(st.permutations(images))
    assert score(shuffled) == pytest.approx(score(images), nan_ok=True)


def test_matching_of_touching_outlines_counts_each_once() -> None:
    found, matches = find_buildings([box(0, 0, 4, 4), box(4, 0, 8, 4)], [box(0, 0, 8, 4)])
    assert found == Findings(1, 2, 1)
    assert matches.predicted.tolist() == [0]


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(building_scores).failed == 0
