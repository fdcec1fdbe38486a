"""Scores of masks whose answer is visible."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.morphology import erosion

from members.common.errors import InputError
from postproc.scoring import pixels as overlaps_module
from postproc.scoring.boundary import find_distance
from postproc.scoring.pixels import Overlap, count_overlap, make_mask_scorer, pool_overlaps

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


def test_counts_and_scores_of_one_tile() -> None:
    tile = count_overlap(TRUTH, SHIFTED)
    assert (tile.intersection, tile.truth, tile.predicted) == (2, 4, 4)
    assert (tile.iou, tile.dice, tile.precision, tile.recall) == (2 / 6, 4 / 8, 2 / 4, 2 / 4)
    assert tile.boundary_iou == 2 / 6  # so small that every pixel is in the band


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
    tile = count_overlap(truth, predicted)
    assert (tile.iou, tile.dice, tile.precision, tile.recall) == (iou, dice, precision, recall)


@given(pairs)
def test_scores_agree_with_counting_pixel_by_pixel(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth, predicted = pair
    pixels = list(zip(truth.ravel().tolist(), predicted.ravel().tolist(), strict=True))
    hit, missed, false = (pixels.count(kind) for kind in ((True, True), (True, False), (False, True)))
    tile = count_overlap(truth, predicted)
    assert tile.iou == (hit / (hit + missed + false) if hit + missed + false else 1)
    assert tile.dice == (2 * hit / (2 * hit + missed + false) if hit + missed + false else 1)
    assert tile.precision == (hit / (hit + false) if hit + false else 0)
    assert tile.recall == (hit / (hit + missed) if hit + missed else 0)
    assert tile.dice == pytest.approx(2 * tile.iou / (1 + tile.iou))
    assert count_overlap(predicted, truth).iou == tile.iou


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
    assert count_overlap(*pair).boundary_iou == expected


def test_pooled_and_mean_differ_as_they_should() -> None:
    tiles = [count_overlap(TRUTH, SHIFTED), count_overlap(EMPTY, EMPTY), count_overlap(EMPTY, ONE)]
    scores = make_mask_scorer(tiles)(np.array([[1.0, 1, 1], [0, 1, 0], [1, 0, 2]]))
    assert scores["pooled_iou"].tolist() == [2 / 7, 1, 2 / 8] == [pool_overlaps(tiles).iou, 1, 2 / 8]
    assert scores["mean_iou"] == pytest.approx([(2 / 6 + 1 + 0) / 3, 1, 2 / 6 / 3], abs=1e-15)
    assert scores["dice"].tolist() == [4 / 9, 1, 4 / 10]
    assert scores["precision"].tolist() == [2 / 5, 0, 2 / 6]
    assert scores["recall"].tolist() == [2 / 4, 0, 2 / 4]
    assert scores["boundary_iou"].tolist() == [2 / 7, 1, 2 / 8]


@given(st.lists(st.sampled_from([TRUTH, SHIFTED, EMPTY, ONE]), min_size=1, max_size=5), st.data())
def test_the_order_of_tiles_does_not_matter(masks: list[np.ndarray], data: st.DataObject) -> None:
    tiles = [count_overlap(TRUTH, mask) for mask in masks]
    shuffled = data.draw(st.permutations(tiles))
    weights = np.ones((1, len(tiles)))
    expected = {name: values[0] for name, values in make_mask_scorer(tiles)(weights).items()}
    assert {name: values[0] for name, values in make_mask_scorer(shuffled)(weights).items()} == pytest.approx(expected)


def test_truth_empty_over_all_tiles_is_refused() -> None:
    with pytest.raises(InputError, match="no building pixel in the truth of 2 images"):
        pool_overlaps([count_overlap(EMPTY, ONE), count_overlap(EMPTY, EMPTY)])
    with pytest.raises(InputError, match="truth of 0 images"):
        pool_overlaps([])


def test_pooling_adds_up() -> None:
    assert pool_overlaps([Overlap(1, 2, 3, 0, 5), Overlap(1, 1, 1, 1, 1)]) == Overlap(2, 3, 4, 1, 6)


def test_sizes_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match="mask of 3x4 px for a truth of 4x3 px; predict each image at its own size"):
        count_overlap(TRUTH, TRUTH.T)


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(overlaps_module, extraglobs={"np": np}) == doctest.TestResults(failed=0, attempted=1)
