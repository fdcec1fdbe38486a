"""Metrics: each formula on sums that are easily divided, and what stands for nought by nought."""

from typing import get_args

import numpy as np
import pytest

from ensemble.statistics.metrics import IOU_UNIT, METRICS, best_threshold, divide
from members.common.choices import Objective

RANKED = ("ap", "ap50", "ap75", "ar")  # found by ranking, and handed through
BY_HAND: dict[str, tuple[dict[str, float], float]] = {
    "pooled_iou": ({"intersection": 3, "union": 4}, 0.75),
    "mean_iou": ({"iou_sum": 1.5 * IOU_UNIT, "tiles": 2}, 0.75),
    "dice": ({"intersection": 3, "union": 5}, 0.75),  # 2 x 3 over 3 + 5, the two masks' sizes
    "precision": ({"intersection": 3, "predicted": 4}, 0.75),
    "recall": ({"intersection": 3, "truth": 4}, 0.75),
    "boundary_iou": ({"band_intersection": 3, "band_union": 4}, 0.75),
    "building_f1": ({"matched": 3, "predicted_buildings": 3, "true_buildings": 5}, 0.75),
    "building_precision": ({"matched": 3, "predicted_buildings": 4}, 0.75),
    "building_recall": ({"matched": 3, "true_buildings": 4}, 0.75),
    "polis": ({"polis": 3.0, "matched": 4}, 0.75),
    "hausdorff": ({"hausdorff": 3.0, "matched": 4}, 0.75),
    "c_iou": ({"c_iou": 1.5, "tiles": 2}, 0.75),
    "n_ratio": ({"vertices": 6, "true_vertices": 8}, 0.75),
    "right_angles": ({"right_angles": 3, "vertices": 4}, 0.75),
    "truth_right_angles": ({"true_right_angles": 3, "true_vertices": 4}, 0.75),
    **{name: ({name: 0.75}, 0.75) for name in RANKED},
}

OF_NOTHING = {  # nothing to find and nothing found is right; a share of nothing is 0; a mean of nothing is none
    "pooled_iou": 1, "dice": 1, "boundary_iou": 1, "building_f1": 1,
    "precision": 0, "recall": 0, "building_precision": 0, "building_recall": 0, "mean_iou": 0,
    "polis": np.nan, "hausdorff": np.nan, "c_iou": np.nan, "n_ratio": np.nan, "right_angles": np.nan,
    "truth_right_angles": np.nan, **dict.fromkeys(RANKED, 0),
}  # fmt: skip


def test_every_metric_is_tested() -> None:
    assert set(BY_HAND) == set(OF_NOTHING) == set(METRICS)
    assert set(get_args(Objective)) <= set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_formula_by_hand(name: str) -> None:
    sums, score = BY_HAND[name]
    metric = METRICS[name]
    assert set(metric.columns) == set(sums)
    assert metric.compute({column: np.array(value) for column, value in sums.items()}) == score
    several = metric.compute({column: np.array([[value, 0]]) for column, value in sums.items()})
    np.testing.assert_array_equal(several, [[score, OF_NOTHING[name]]])


@pytest.mark.parametrize("name", METRICS)
def test_nought_by_nought(name: str) -> None:
    score = METRICS[name].compute(dict.fromkeys(METRICS[name].columns, np.array(0)))
    np.testing.assert_equal(float(score), OF_NOTHING[name])


def test_division_is_element_by_element() -> None:
    np.testing.assert_array_equal(divide([1, 0, 0], [[2], [0]], of_nothing=7), [[0.5, 0, 0], [7, 7, 7]])
    assert divide(1, 4, of_nothing=0) == 0.25


def test_threshold_of_equals_is_nearest_the_middle() -> None:
    scores = np.zeros(255)
    scores[[99, 126, 128, 200]] = 1
    assert best_threshold(scores) == 127
    scores[4] = 2
    assert best_threshold(scores) == 5
