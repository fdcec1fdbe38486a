"""Cross-fitting: groups stay whole, every fold is scored by the choice that did not look at it."""

import numpy as np
import pytest

from ensemble.statistics.counts import count_maps
from ensemble.statistics.crossfit import DEALS, CrossFit, assign_folds, pool_groups
from members.common.errors import InputError


def test_masks_are_all_groups_then_all_but_each_fold() -> None:
    crossfit = CrossFit(3, np.array([[1, 0, 1], [0, 0, 1]]))
    assert [mask.tolist() for mask in crossfit.training_masks] == [
        [True, True, True],
        [True, False, True],
        [False, True, False],
        [False, False, True],
        [True, True, False],
    ]
    assert [mask.tolist() for mask in crossfit.take(1).training_masks] == [
        [True, True, True],
        [True, False, True],
        [False, True, False],
    ]


def test_mixing_takes_each_group_from_the_choice_without_its_fold() -> None:
    maps = [np.array([[value, 100]], np.uint8) for value in (50, 150, 200)]
    counts = count_maps(maps, [np.array([[True, False]])] * 3, ["a", "b", "c"])
    low, high = counts[49], counts[149]
    assert low.sums["union"].tolist() == [2, 2, 2]
    assert high.sums["union"].tolist() == [1, 1, 1]
    crossfit = CrossFit(3, np.array([[0, 1, 0], [0, 0, 1]]))
    mixed, again = crossfit.mix([high, low, high, high, low])  # the first, on all groups, is held out nowhere
    assert again.sums["union"].tolist() == [1, 1, 2]
    assert len(crossfit.mix([high, low, high])) == 1  # of one deal alone
    assert mixed.sums["union"].tolist() == [2, 1, 2]
    assert mixed.tiles.tolist() == [1, 1, 1]
    assert mixed.score("pooled_iou") == 3 / 5


@pytest.mark.parametrize(("groups", "folds"), [(2, 2), (5, 5), (13, 5)])
def test_there_are_five_folds_or_as_many_as_groups(groups: int, folds: int) -> None:
    crossfit = CrossFit.deal([str(number) for number in range(groups)] * 2)
    assert crossfit.groups == groups
    assert crossfit.folds is not None
    assert crossfit.size == folds
    assert all(set(deal.tolist()) == set(range(folds)) for deal in crossfit.folds)
    held_out = sum(~mask for mask in crossfit.training_masks)
    assert np.array_equal(held_out, np.full(groups, DEALS))  # each once a deal
    assert groups < 5 or not np.array_equal(crossfit.folds[0], crossfit.folds[1])


def test_of_a_single_group_nothing_is_held_out() -> None:
    crossfit = CrossFit.deal(["a", "a"])
    assert crossfit.folds is None
    assert [mask.tolist() for mask in crossfit.training_masks] == [[True]]
    counts = count_maps([np.full((1, 1), 9, np.uint8)], [np.ones((1, 1), bool)], ["a"])
    assert crossfit.mix([counts[0]]) == []


def test_folds_are_even_keep_groups_whole_and_ignore_the_order() -> None:
    groups = [f"g{number % 11}" for number in range(40)]
    folds = assign_folds(groups, 4, seed=1)
    by_group = {group: {int(f) for g, f in zip(groups, folds, strict=True) if g == group} for group in groups}
    assert all(len(found) == 1 for found in by_group.values())
    sizes = np.bincount([min(found) for found in by_group.values()])
    assert sizes.tolist() == [3, 3, 3, 2]
    assert np.array_equal(assign_folds(groups[::-1], 4, seed=1)[::-1], folds)
    assert not np.array_equal(assign_folds(groups, 4, seed=2), folds)


@pytest.mark.parametrize("folds", [1, 4])
def test_folds_need_a_group_each(folds: int) -> None:
    with pytest.raises(InputError, match=f"{folds} folds of 3 groups"):
        assign_folds(["a", "b", "c", "a"], folds)


def test_pooling_leaves_few_groups_and_joins_many() -> None:
    assert pool_groups(["b", "a", "b"], most=2) == ["b", "a", "b"]
    pooled = pool_groups([str(number) for number in range(100)] * 2, most=7)
    assert len(set(pooled)) == 7
    assert pooled[:100] == pooled[100:]
