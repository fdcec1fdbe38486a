import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ensemble.statistics.counts import (
    assign_folds,
    collect_evidence,
    compare_evidence,
    draw_groups,
    find_interval,
    mix_folds,
    pool_groups,
)
from members.common.errors import InputError

OBJECTIVES = ("pooled_iou", "mean_iou", "dice")


@st.composite
def stacks(draw):
    """Maps, truths and groups of a few small tiles of different sizes, with some building."""
    shapes = draw(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=6))
    maps = [draw(arrays(np.uint8, shape)) for shape in shapes]
    truths = [draw(arrays(np.bool_, shape)) for shape in shapes]
    truths[0][0, 0] = True
    return maps, truths, draw(st.lists(st.sampled_from("abc"), min_size=len(maps), max_size=len(maps)))


def score_by_definition(maps, truths, threshold):
    """Every objective from the masks themselves."""
    masks = [blend >= threshold for blend in maps]
    intersections = [int((mask & truth).sum()) for mask, truth in zip(masks, truths, strict=True)]
    unions = [int((mask | truth).sum()) for mask, truth in zip(masks, truths, strict=True)]
    sizes = sum(int(mask.sum() + truth.sum()) for mask, truth in zip(masks, truths, strict=True))
    return {
        "pooled_iou": sum(intersections) / sum(unions),
        "mean_iou": np.mean([i / u if u else 1.0 for i, u in zip(intersections, unions, strict=True)]),
        "dice": 2 * sum(intersections) / sizes,
    }


def test_counts_of_one_tile_that_can_be_checked_by_eye():
    blend = np.array([[0, 10, 10], [20, 20, 255]], np.uint8)
    truth = np.array([[0, 0, 1], [1, 0, 1]], bool)
    evidence = collect_evidence([blend], [truth], ["here"])
    assert evidence.groups == ("here",)
    assert evidence.intersection.shape == (1, 255)
    for threshold, intersection, union in [
        (1, 3, 5),
        (10, 3, 5),
        (11, 2, 4),
        (20, 2, 4),
        (21, 1, 3),
        (255, 1, 3),
    ]:
        assert evidence.intersection[0, threshold - 1] == intersection
        assert evidence.union[0, threshold - 1] == union
    assert evidence.score("pooled_iou")[10] == 0.5
    assert evidence.score("dice")[10] == 4 / 6


def test_mean_iou_counts_empty_against_empty_as_one_and_pooled_iou_ignores_it():
    house = np.array([[255, 255]], np.uint8)
    evidence = collect_evidence([house, house * 0], [np.array([[True, False]]), np.array([[False, False]])], ["a", "b"])
    assert evidence.score("mean_iou")[127] == 0.75
    assert evidence.score("pooled_iou")[127] == 0.5
    assert evidence.score("pooled_iou", np.array([0, 1]))[127] == 1
    assert evidence.score("dice", np.array([0, 1]))[127] == 1
    assert evidence.score("mean_iou", np.array([[1, 0], [0, 1]]))[:, 127].tolist() == [0.5, 1]


@given(stacks(), st.integers(1, 255))
def test_scores_agree_with_the_masks(stack, threshold):
    maps, truths, _ = stack
    evidence = collect_evidence(*stack)
    expected = score_by_definition(maps, truths, threshold)
    assert evidence.score("pooled_iou")[threshold - 1] == expected["pooled_iou"]
    assert evidence.score("dice")[threshold - 1] == expected["dice"]
    assert evidence.score("mean_iou")[threshold - 1] == pytest.approx(expected["mean_iou"], abs=2**-33)


@given(stacks(), st.randoms(use_true_random=False))
def test_the_order_of_tiles_changes_no_bit(stack, random):
    order = list(range(len(stack[0])))
    random.shuffle(order)
    first, second = collect_evidence(*stack), collect_evidence(*([part[i] for i in order] for part in stack))
    for objective in OBJECTIVES:
        assert np.array_equal(first.score(objective), second.score(objective))


@given(stacks())
def test_a_groups_weight_is_how_often_its_tiles_are_there(stack):
    evidence = collect_evidence(*stack)
    names = list(evidence.groups)
    times = [names.index(group) for group in stack[2]]
    repeated = [[item for item, n in zip(part, times, strict=True) for _ in range(n)] for part in stack]
    weights = np.arange(len(names))
    if not any(truth.any() for truth in repeated[1]):
        return
    again = collect_evidence(*repeated)
    for objective in OBJECTIVES:
        assert np.array_equal(evidence.score(objective, weights), again.score(objective))


def test_indexing_picks_choices_and_mixing_takes_each_group_from_its_fold():
    maps = [np.array([[value, 100]], np.uint8) for value in (50, 150, 200)]
    evidence = collect_evidence(maps, [np.array([[True, False]])] * 3, ["a", "b", "c"])
    low, high = evidence[49], evidence[149]
    assert low.union.tolist() == [2, 2, 2]
    assert high.union.tolist() == [1, 1, 1]
    mixed = mix_folds([low, high], np.array([0, 1, 0]))
    assert mixed.union.tolist() == [2, 1, 2]
    assert mixed.score("pooled_iou") == 3 / 5
    assert evidence[10:20].intersection.shape == (3, 10)


def test_folds_are_even_keep_groups_whole_and_ignore_the_order():
    groups = [f"g{number % 11}" for number in range(40)]
    folds = assign_folds(groups, 4, seed=1)
    by_group = {group: {int(f) for g, f in zip(groups, folds, strict=True) if g == group} for group in groups}
    assert all(len(found) == 1 for found in by_group.values())
    sizes = np.bincount([min(found) for found in by_group.values()])
    assert sizes.tolist() == [3, 3, 3, 2]
    assert np.array_equal(assign_folds(groups[::-1], 4, seed=1)[::-1], folds)
    assert not np.array_equal(assign_folds(groups, 4, seed=2), folds)


@pytest.mark.parametrize("folds", [1, 4])
def test_folds_need_a_group_each(folds):
    with pytest.raises(InputError, match=f"{folds} folds of 3 groups"):
        assign_folds(["a", "b", "c", "a"], folds)


def test_pooling_keeps_few_groups_and_joins_many():
    assert pool_groups(["b", "a", "b"], most=2) == ["b", "a", "b"]
    pooled = pool_groups([str(number) for number in range(100)] * 2, most=7)
    assert len(set(pooled)) == 7
    assert pooled[:100] == pooled[100:]


def test_bootstrap_draws_as_many_groups_as_there_are():
    draws = draw_groups(5, draws=300, seed=3)
    assert draws.shape == (300, 5)
    assert (draws.sum(axis=1) == 5).all()
    assert np.array_equal(draws, draw_groups(5, draws=300, seed=3))
    assert draws.mean(axis=0) == pytest.approx(np.ones(5), abs=0.2)


def test_interval_leaves_five_percent_at_either_end():
    low, high = find_interval(np.arange(101.0))
    assert (low, high) == pytest.approx((5, 95))


def test_gain_that_every_group_shows_has_an_interval_above_zero_and_noise_has_not():
    rng = np.random.default_rng(0)
    truths = [rng.random((16, 16)) < 0.3 for _ in range(40)]
    maps = [np.clip(rng.normal(90 + 60 * truth, 20), 0, 255).astype(np.uint8) for truth in truths]
    evidence = collect_evidence(maps, truths, [str(number) for number in range(40)])
    draws = draw_groups(40)
    gain, low, high = compare_evidence(evidence[149], evidence[124], "pooled_iou", draws)
    assert 0 < low < gain < high
    assert compare_evidence(evidence[124], evidence[124], "pooled_iou", draws) == (0, 0, 0)
    noise = compare_evidence(evidence[121], evidence[122], "mean_iou", draws)
    assert noise[1] < 0 < noise[2]


def test_bad_input_is_refused():
    house = np.full((2, 2), 200, np.uint8)
    with pytest.raises(InputError, match="truth of all 2 tiles is empty"):
        collect_evidence([house] * 2, [np.zeros((2, 2), bool)] * 2, ["a", "b"])
    with pytest.raises(InputError, match=r"tile 0 of group a: .*float64 \(2, 2\)"):
        collect_evidence([house / 255], [house > 0], ["a"])
    with pytest.raises(InputError, match=r"bool \(2, 1\)"):
        collect_evidence([house], [house[:, :1] > 0], ["a"])
    with pytest.raises(InputError, match="no tile"):
        collect_evidence([], [], [])
    with pytest.raises(ValueError, match="zip"):
        collect_evidence([house], [house > 0], ["a", "b"])
