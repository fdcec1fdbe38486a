"""Scores of masks whose answer is visible."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.morphology import erosion

from ensemble.statistics.metrics import IOU_UNIT, METRICS
from members.common.errors import InputError
from postproc.scoring import pixels
from postproc.scoring.boundary import find_distance
from postproc.scoring.pixels import count_mask, pool_masks, score_mask

TRUTH = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]], bool)
SHIFTED = np.array([[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]], bool)
EMPTY = np.zeros((3, 4), bool)
ONE = np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]], bool)

pairs = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)
large_pairs = st.tuples(st.integers(1, 80), st.integers(1, 80)).flatmap(
    lambda shape: st.tuples(*[st.integers(0, 2**32 - 1).map(lambda seed: draw_blocks(seed, shape))] * 2)
)


def draw_blocks(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """A mask of a few overlapping rectangles."""
    random, mask = np.random.default_rng(seed), np.zeros(shape, bool)
    for top, left, height, width in random.integers(0, max(shape), (random.integers(4), 4)):
        mask[top : top + height, left : left + width] = True
    return mask


def score(truth: np.ndarray, mask: np.ndarray) -> tuple[float, ...]:
    return tuple(score_mask(truth, mask, metric) for metric in ("pooled_iou", "dice", "precision", "recall"))


def test_counts_and_scores_of_one_tile() -> None:
    assert count_mask(TRUTH, SHIFTED) == {
        "intersection": 2, "union": 6, "truth": 4, "predicted": 4,
        "band_intersection": 2, "band_union": 6,  # so small that every pixel is in the band
        "iou_sum": 2 / 6 * IOU_UNIT,
    }  # fmt: skip
    assert score(TRUTH, SHIFTED) == (2 / 6, 4 / 8, 2 / 4, 2 / 4)
    assert score_mask(TRUTH, SHIFTED, "boundary_iou") == score_mask(TRUTH, SHIFTED, "mean_iou") == 2 / 6


@pytest.mark.parametrize(
    ("truth", "predicted", "iou", "dice", "precision", "recall"),
    [
        (EMPTY, EMPTY, 1, 1, 0, 0),
        (TRUTH, EMPTY, 0, 0, 0, 0),
        (EMPTY, TRUTH, 0, 0, 0, 0),
        (TRUTH, TRUTH, 1, 1, 1, 1),
        (TRUTH, ~TRUTH, 0, 0, 0, 0),
        (ONE, ~EMPTY, 1 / 12, 2 / 13, 1 / 12, 1),
    ],
)
def test_scores_at_the_limits(
    truth: np.ndarray, predicted: np.ndarray, iou: float, dice: float, precision: float, recall: float
) -> None:
    assert score(truth, predicted) == (iou, dice, precision, recall)


@given(pairs)
def test_scores_agree_with_counting_pixel_by_pixel(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth, predicted = pair
    pixels = list(zip(truth.ravel().tolist(), predicted.ravel().tolist(), strict=True))
    hit, missed, false = (pixels.count(kind) for kind in ((True, True), (True, False), (False, True)))
    iou, dice, precision, recall = score(truth, predicted)
    assert iou == (hit / (hit + missed + false) if hit + missed + false else 1)
    assert dice == (2 * hit / (2 * hit + missed + false) if hit + missed + false else 1)
    assert precision == (hit / (hit + false) if hit + false else 0)
    assert recall == (hit / (hit + missed) if hit + missed else 0)
    assert dice == pytest.approx(2 * iou / (1 + iou))
    assert score_mask(predicted, truth) == iou


@settings(deadline=None)
@given(large_pairs)
def test_boundary_iou_is_that_of_masks_minus_their_erosions(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """By scikit-image, on masks with a border of background."""
    distance = find_distance(pair[0].shape)
    inner = (slice(distance, -distance),) * 2
    square = np.ones((2 * distance + 1,) * 2, bool)
    bands = [mask & ~erosion(np.pad(mask, distance), square)[inner] for mask in pair]
    union = np.count_nonzero(bands[0] | bands[1])
    expected = np.count_nonzero(bands[0] & bands[1]) / union if union else 1
    assert score_mask(*pair, "boundary_iou") == expected


def test_pooled_and_mean_differ_as_they_should() -> None:
    pooled = pool_masks([count_mask(TRUTH, SHIFTED), count_mask(EMPTY, EMPTY), count_mask(EMPTY, ONE)])
    assert pooled["tiles"] == 3
    scores = {name: METRICS[name].compute(pooled) for name in ("pooled_iou", "dice", "precision", "recall")}
    assert scores == {"pooled_iou": 2 / 7, "dice": 4 / 9, "precision": 2 / 5, "recall": 2 / 4}
    assert METRICS["boundary_iou"].compute(pooled) == 2 / 7
    assert METRICS["mean_iou"].compute(pooled) == pytest.approx((2 / 6 + 1 + 0) / 3, abs=1e-15)


def test_truth_empty_over_all_tiles_is_refused() -> None:
    with pytest.raises(InputError, match="no building pixel in the truth of 2 images"):
        pool_masks([count_mask(EMPTY, ONE), count_mask(EMPTY, EMPTY)])
    with pytest.raises(InputError, match="truth of 0 images"):
        pool_masks([])


def test_sizes_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match="mask of 3x4 px for a truth of 4x3 px; predict each image at its own size"):
        count_mask(TRUTH, TRUTH.T)


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(pixels, extraglobs={"np": np}) == doctest.TestResults(failed=0, attempted=2)
