"""Splits deal whole groups, whatever the order of the tiles, and come close to the shares asked for."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from members.common.errors import InputError
from members.data.raster import read_mask
from members.data.split import NEVER_VALID, Split, draw_split, plan_split
from members.data.tiles import list_tiles

tiles = st.lists(st.tuples(st.sampled_from("abcdefghij"), st.integers(0, 4096)), min_size=5, max_size=40).filter(
    lambda tiles: len({group for group, _ in tiles}) >= 5
)
plans = st.builds(Split, seed=st.integers(0, 9), folds=st.integers(1, 5), valid_fraction=st.floats(0.05, 0.95))
quick = settings(max_examples=30, deadline=None)


def deal(tiles: list[tuple[str, int]], plan: Split) -> Split:
    groups, areas = zip(*tiles, strict=True)
    return draw_split(groups, areas, plan)


@given(tiles, plans)
@quick
def test_every_group_is_in_one_fold_and_every_fold_has_one(tiles: list[tuple[str, int]], plan: Split) -> None:
    split = deal(tiles, plan)
    assert set(split.fold_of_group) == {group for group, _ in tiles}
    assert set(split.fold_of_group.values()) == ({0, NEVER_VALID} if plan.folds == 1 else set(range(plan.folds)))
    assert split.model_copy(update={"fold_of_group": {}}) == plan
    for group in split.fold_of_group:
        held_out = [fold for fold in range(plan.folds) if split.validates(group, fold)]
        assert len(held_out) == (group in split.valid_groups)
    if plan.folds > 1:
        assert split.valid_groups == set(split.fold_of_group)


@given(tiles, plans, st.randoms())
@quick
def test_the_order_of_the_tiles_does_not_matter(tiles: list[tuple[str, int]], plan: Split, random: Random) -> None:
    shuffled = random.sample(tiles, len(tiles))
    assert deal(shuffled, plan) == deal(tiles, plan)


@given(st.integers(0, 9), st.integers(5, 30), st.integers(1, 5))
@quick
def test_equal_groups_are_dealt_evenly(seed: int, count: int, folds: int) -> None:
    split = deal([(f"g{number}", 100) for number in range(count)], Split(seed=seed, folds=folds, valid_fraction=0.3))
    sizes = np.unique(list(split.fold_of_group.values()), return_counts=True)[1]
    if folds > 1:
        assert sizes.max() - sizes.min() <= 1
    else:
        assert abs(len(split.valid_groups) - 0.3 * count) <= 1


def test_building_area_is_balanced_too() -> None:
    """Eight groups of one tile each, of which half are empty: any balance of tiles, but one of area."""
    split = deal([(f"g{number}", 1000 * (number % 2)) for number in range(8)], Split(folds=2))
    areas = [sum(int(group[1:]) % 2 for group, fold in split.fold_of_group.items() if fold == k) for k in (0, 1)]
    assert areas == [2, 2]


def test_tiles_without_any_building() -> None:
    split = deal([(f"g{number}", 0) for number in range(4)], Split(folds=2))
    assert sorted(split.fold_of_group.values()) == [0, 0, 1, 1]


def test_a_seed_is_another_draw() -> None:
    tiles = [(f"g{number}", number) for number in range(30)]
    assert deal(tiles, Split(seed=1)).fold_of_group != deal(tiles, Split(seed=2)).fold_of_group


def test_real_shares(shared_data: Path) -> None:
    tiles = list_tiles(shared_data / "hot_buildings")
    areas = [int(read_mask(tile.mask).sum()) for tile in tiles if tile.mask]
    for plan, target in ((Split(), 0.15), (Split(folds=3), 1 / 3)):
        split = draw_split([tile.group for tile in tiles], areas, plan)
        for fold in range(plan.folds):
            held_out = [split.validates(tile.group, fold) for tile in tiles]
            assert np.mean(held_out) == pytest.approx(target, abs=0.02)
            assert np.sum(areas, where=held_out) / sum(areas) == pytest.approx(target, abs=0.02)


@pytest.mark.parametrize(("folds", "parts"), [(3, 3), (99, 99)])
def test_more_folds_than_groups(folds: int, parts: int) -> None:
    with pytest.raises(InputError, match=rf"2 group\(s\) cannot be split into {parts} parts; fewer --folds, or finer"):
        deal([("a", 1), ("a", 2), ("b", 3)], Split(folds=folds))


def test_one_group_cannot_be_held_out() -> None:
    with pytest.raises(InputError, match=r"1 group\(s\) cannot be split into 2 parts"):
        deal([("a", 1), ("a", 2)], Split())


def test_a_plan_takes_what_is_given() -> None:
    assert plan_split(seed=None, folds=None, valid_fraction=None, group_by=None) == Split(
        seed=42, folds=1, valid_fraction=0.15
    )
    assert plan_split(seed=7, folds=5, group_by="region") == Split(seed=7, folds=5, group_by="region")


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("valid_fraction", 1.5, "Input should be less than 1"),
        ("valid_fraction", 0.0, "Input should be greater than 0"),
        ("valid_fraction", float("nan"), "Input should be"),
        ("folds", 0, "Input should be greater than or equal to 1"),
    ],
)
def test_a_plan_out_of_range(option: str, value: float, rule: str) -> None:
    with pytest.raises(InputError, match=rf"split: {option} = {value}: {rule}"):
        plan_split(**{option: value})


@pytest.mark.parametrize(("folds", "fold"), [(1, 1), (2, 2), (2, -2)])
def test_a_fold_that_nobody_validates_is_refused(folds: int, fold: int) -> None:
    """Its tiles would be waited for without an end."""
    with pytest.raises(ValueError, match=rf"group g is in fold {fold}, and the folds are 0 to {folds - 1}"):
        Split(folds=folds, fold_of_group={"g": fold})
