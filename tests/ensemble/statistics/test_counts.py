"""Counts per group: checked by eye, against the masks themselves, and free of the order of the tiles."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple, get_args

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ensemble.statistics.counts import Counts, count_maps, count_pixels, index_groups, sum_above
from ensemble.statistics.metrics import IOU_UNIT
from members.common.choices import Objective
from members.common.errors import InputError

OBJECTIVES = [name for name in get_args(Objective) if name in ("pooled_iou", "mean_iou", "dice")]  # those of pixels


class Tiles(NamedTuple):
    maps: list[np.ndarray]
    truths: list[np.ndarray]
    groups: list[str]

    def repeat(self, indices: list[int]) -> "Tiles":
        """Take the tiles of these indices, some perhaps several times."""
        return Tiles(*([part[index] for index in indices] for part in self))  # type: ignore[arg-type]


@st.composite
def draw_stacks(draw: Callable) -> Tiles:
    """Draw a few small tiles of different sizes, with some building."""
    shapes = draw(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=6))
    maps = [draw(arrays(np.uint8, shape)) for shape in shapes]
    truths = [draw(arrays(np.bool_, shape)) for shape in shapes]
    truths[0][0, 0] = True
    return Tiles(maps, truths, draw(st.lists(st.sampled_from("abc"), min_size=len(maps), max_size=len(maps))))


def score_masks(tiles: Tiles, threshold: int) -> dict[str, float]:
    """Score every objective from the masks themselves."""
    pairs = [(values >= threshold, truth) for values, truth in zip(tiles.maps, tiles.truths, strict=True)]
    intersections = [int((mask & truth).sum()) for mask, truth in pairs]
    unions = [int((mask | truth).sum()) for mask, truth in pairs]
    sizes = sum(int(mask.sum() + truth.sum()) for mask, truth in pairs)
    return {
        "pooled_iou": sum(intersections) / sum(unions),
        "mean_iou": float(np.mean([i / u if u else 1.0 for i, u in zip(intersections, unions, strict=True)])),
        "dice": 2 * sum(intersections) / sizes,
    }


def test_one_tile_that_can_be_checked_by_eye() -> None:
    values = np.array([[0, 10, 10], [20, 20, 255]], np.uint8)
    truth = np.array([[0, 0, 1], [1, 0, 1]], bool)
    counts = count_maps([values], [truth], ["here"])
    assert counts.groups == ("here",)
    assert counts.tiles.tolist() == [1]
    assert counts.sums["intersection"].shape == (1, 255)
    for threshold, intersection, union in [(1, 3, 5), (10, 3, 5), (11, 2, 4), (20, 2, 4), (21, 1, 3), (255, 1, 3)]:
        at = counts[threshold - 1]
        assert (at.sums["intersection"].tolist(), at.sums["union"].tolist()) == ([intersection], [union])
    assert counts.score("pooled_iou")[10] == 0.5
    assert counts.score("dice")[10] == 4 / 6


def test_an_empty_tile_counts_one_in_the_mean_and_nothing_when_pooled() -> None:
    house = np.array([[255, 255]], np.uint8)
    counts = count_maps([house, house * 0], [np.array([[True, False]]), np.array([[False, False]])], ["a", "b"])
    assert counts.score("mean_iou")[127] == 0.75
    assert counts.score("pooled_iou")[127] == 0.5
    assert counts.score("pooled_iou", np.array([0, 1]))[127] == 1
    assert counts.score("dice", np.array([0, 1]))[127] == 1
    assert counts.score("mean_iou", np.array([[1, 0], [0, 1]]))[:, 127].tolist() == [0.5, 1]


def test_tiles_of_a_group_add_up() -> None:
    """Any columns, any axes of choices; groups are sorted."""
    tiles = [{"hits": np.array([[1, 2]]), "tries": np.array([[3, 4]])} for _ in range(3)]
    counts = Counts.from_tiles(["b", "a", "b"], tiles)
    assert (counts.groups, counts.tiles.tolist()) == (("a", "b"), [1, 2])
    assert counts.sums["hits"].tolist() == [[[1, 2]], [[2, 4]]]
    assert counts.sums["tries"].tolist() == [[[3, 4]], [[6, 8]]]
    assert counts[0, 1].sums["hits"].tolist() == [2, 4]
    assert counts[:, 1].sums["hits"].tolist() == [[2], [4]]
    assert counts[0].tiles is counts.tiles


def test_columns_of_pixels() -> None:
    columns = count_pixels(np.array([1, 0, 0]), np.array([3, 5, 0]))
    assert columns["iou_sum"].tolist() == [round(IOU_UNIT / 3), 0, IOU_UNIT]
    assert columns["iou_sum"].dtype == np.int64


def test_values_that_reach_a_threshold() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 256, (3, 50))
    histograms = np.stack([np.bincount(row, minlength=256) for row in values])
    expected = [[(row >= threshold).sum() for threshold in range(1, 256)] for row in values]
    assert sum_above(histograms).tolist() == expected


@given(draw_stacks(), st.integers(1, 255))
def test_scores_agree_with_the_masks(tiles: Tiles, threshold: int) -> None:
    counts = count_maps(*tiles)
    expected = score_masks(tiles, threshold)
    assert counts.score("pooled_iou")[threshold - 1] == expected["pooled_iou"]
    assert counts.score("dice")[threshold - 1] == expected["dice"]
    assert counts.score("mean_iou")[threshold - 1] == pytest.approx(expected["mean_iou"], abs=2**-33)


@given(draw_stacks(), st.randoms(use_true_random=False))
def test_the_order_of_tiles_changes_no_bit(tiles: Tiles, random: Random) -> None:
    order = list(range(len(tiles.maps)))
    random.shuffle(order)
    first, second = count_maps(*tiles), count_maps(*tiles.repeat(order))
    for objective in OBJECTIVES:
        assert np.array_equal(first.score(objective), second.score(objective))


@given(draw_stacks())
def test_a_groups_weight_is_how_often_its_tiles_are_there(tiles: Tiles) -> None:
    counts = count_maps(*tiles)
    times = [counts.groups.index(group) for group in tiles.groups]
    repeated = tiles.repeat([index for index, count in enumerate(times) for _ in range(count)])
    assume(any(truth.any() for truth in repeated.truths))
    again = count_maps(*repeated)
    for objective in OBJECTIVES:
        assert np.array_equal(counts.score(objective, np.arange(len(counts.groups))), again.score(objective))


def test_groups_are_sorted_names() -> None:
    names, index = index_groups(["b", "a", "b"])
    assert (names, index.tolist()) == (("a", "b"), [1, 0, 1])


def test_bad_input_is_refused() -> None:
    house = np.full((2, 2), 200, np.uint8)
    with pytest.raises(InputError, match="truth of all 2 tiles is empty"):
        count_maps([house] * 2, [np.zeros((2, 2), bool)] * 2, ["a", "b"])
    with pytest.raises(InputError, match=r"tile 0: .*float64 \(2, 2\)"):
        count_maps([house / 255], [house > 0], ["a"])
    with pytest.raises(InputError, match=r"bool \(2, 1\)"):
        count_maps([house], [house[:, :1] > 0], ["a"])
    with pytest.raises(InputError, match="no tile"):
        count_maps([], [], [])
    with pytest.raises(ValueError, match="zip"):
        count_maps([house], [house > 0], ["a", "b"])
