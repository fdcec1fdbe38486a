"""Outlines matched by hand, and by the plain double loop."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Polygon, affinity, box

from postproc.scoring.matching import Pairs, match_pairs, overlap_outlines

HOUSE = box(0, 0, 4, 4)

boxes = st.tuples(*[st.integers(0, 9)] * 2, *[st.integers(1, 6)] * 2).map(
    lambda sides: box(sides[0], sides[1], sides[0] + sides[2], sides[1] + sides[3])
)
outlines = st.lists(boxes, max_size=8)


def list_pairs(pairs: Pairs) -> list[tuple[int, int, float]]:
    return list(zip(pairs.predicted.tolist(), pairs.truth.tolist(), pairs.iou.tolist(), strict=True))


def overlap_by_loops(predicted: list[Polygon], truth: list[Polygon]) -> list[tuple[int, int, float]]:
    found = []
    for index, ours in enumerate(predicted):
        for other, theirs in enumerate(truth):
            shared = ours.intersection(theirs).area
            if shared > 0:
                found.append((index, other, shared / ours.union(theirs).area))
    return found


def match_by_loops(predicted: list[Polygon], truth: list[Polygon], least: float) -> list[tuple[int, int]]:
    """The SpaceNet utilities' way: each proposal looks at every true outline that is left."""
    left, matches = list(range(len(truth))), []
    for index, ours in enumerate(predicted):
        ious = [ours.intersection(truth[other]).area / ours.union(truth[other]).area for other in left]
        if ious and max(ious) >= least:
            best = max(number for number, iou in enumerate(ious) if iou == max(ious))
            matches.append((index, left.pop(best)))
    return matches


def test_iou_is_of_exact_areas() -> None:
    courtyard = HOUSE.difference(box(1, 1, 3, 3))
    slanted = Polygon([(0, 0), (4, 0), (0, 4)])
    assert list_pairs(overlap_outlines([HOUSE], [courtyard, slanted])) == [(0, 0, 12 / 16), (0, 1, 8 / 16)]


def test_outlines_that_only_touch_are_no_pair() -> None:
    assert list_pairs(overlap_outlines([HOUSE, box(9, 9, 10, 10)], [box(4, 0, 8, 4), box(4, 4, 5, 5)])) == []


@pytest.mark.parametrize(("predicted", "truth"), [([], []), ([HOUSE], []), ([], [HOUSE])])
def test_nothing_matches_nothing(predicted: list[Polygon], truth: list[Polygon]) -> None:
    assert list_pairs(match_pairs(overlap_outlines(predicted, truth))) == []


def test_half_is_enough_and_less_is_not() -> None:
    pairs = overlap_outlines([box(0, 0, 4, 2), box(10, 0, 14, 2)], [HOUSE, box(10, 0, 14, 4.01)])
    assert list_pairs(match_pairs(pairs)) == [(0, 0, 0.5)]


def test_each_true_outline_is_found_once_and_by_the_first() -> None:
    fair, better = box(0, 0, 4, 3), HOUSE
    assert list_pairs(match_pairs(overlap_outlines([fair, better], [HOUSE]))) == [(0, 0, 0.75)]
    assert list_pairs(match_pairs(overlap_outlines([better, fair], [HOUSE]))) == [(0, 0, 1.0)]


def test_one_outline_takes_the_true_one_of_highest_iou_and_leaves_the_rest() -> None:
    small, large = box(0, 0, 4, 3), box(0, 0, 4, 4.5)
    assert list_pairs(match_pairs(overlap_outlines([HOUSE, small], [small, large]), 0.1)) == [
        (0, 1, 16 / 18),
        (1, 0, 1.0),
    ]


@settings(deadline=None, max_examples=50)
@given(outlines, outlines, st.sampled_from([0.1, 0.5, 0.75]))
def test_pairs_and_matches_are_those_of_the_double_loop(
    predicted: list[Polygon], truth: list[Polygon], least: float
) -> None:
    pairs = overlap_outlines(predicted, truth)
    expected = overlap_by_loops(predicted, truth)
    assert [pair[:2] for pair in list_pairs(pairs)] == [pair[:2] for pair in expected]
    assert pairs.iou == pytest.approx([pair[2] for pair in expected], rel=1e-12)
    assert [pair[:2] for pair in list_pairs(match_pairs(pairs, least))] == match_by_loops(predicted, truth, least)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), unique=True), st.randoms(use_true_random=False))
def test_order_does_not_matter_where_outlines_lie_apart(cells: list[tuple[int, int]], random: object) -> None:
    truth = [box(5 * x, 5 * y, 5 * x + 4, 5 * y + 4) for x, y in cells]
    predicted = [affinity.translate(house, number % 3) for number, house in enumerate(truth)]
    order = np.random.default_rng(random.randrange(99)).permutation(len(truth)).tolist()  # type: ignore[attr-defined]
    found = match_pairs(overlap_outlines(predicted, truth))
    shuffled = match_pairs(overlap_outlines([predicted[index] for index in order], truth))
    assert sorted((order[index], other, iou) for index, other, iou in list_pairs(shuffled)) == list_pairs(found)
    assert found.predicted.tolist() == [index for index in range(len(truth)) if index % 3 < 2]


def test_twenty_thousand_outlines_cost_their_overlaps_alone() -> None:
    x, y = (5 * side.ravel() for side in np.meshgrid(np.arange(150), np.arange(140)))
    truth = shapely.box(x, y, x + 4, y + 4).tolist()
    predicted = shapely.box(x + 0.5, y, x + 4.5, y + 4).tolist()
    pairs = match_pairs(overlap_outlines(predicted, truth))
    assert pairs.truth.tolist() == list(range(21_000))
    assert pairs.iou == pytest.approx(np.full(21_000, 3.5 / 4.5))
