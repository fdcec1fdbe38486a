"""Greedy selection: picks are those of a naive loop over arrays, ties stay with who is in."""

import numpy as np
import pytest
from conftest import TILE_GROUPS, draw_samples
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.mapfolder.samples import ArraySamples, Samples
from ensemble.selection.blend import blend_maps, reduce_weights
from ensemble.selection.greedy import average_bags, choose_greedily, select_members
from ensemble.selection.library import build_library
from ensemble.statistics.estimates import draw_groups
from members.common.choices import BlendObjective


def score_naively(samples: Samples, weights: list[int], bag: np.ndarray, objective: BlendObjective) -> float:
    """The best of 255 scores, from masks."""
    times = dict(zip(sorted(set(samples.groups)), bag, strict=True))
    blended, scores = [(blend_maps(maps, weights), truth) for maps, truth in samples], []
    for threshold in range(1, 256):
        counted = []
        for (values, truth), group in zip(blended, samples.groups, strict=True):
            mask = values >= threshold
            counted += [(int((mask & truth).sum()), int((mask | truth).sum()))] * int(times[group])
        both, either = np.sum(counted, axis=0)
        found = {
            "pooled_iou": both / either,
            "dice": 2 * both / (both + either),
            "mean_iou": np.mean([one / all_ if all_ else 1 for one, all_ in counted]),
        }
        scores.append(float(found[objective]))
    return max(scores)


def select_naively(samples: Samples, bag: np.ndarray, rounds: int, objective: BlendObjective) -> tuple[int, ...]:
    members = len(samples.members)
    picks, best, best_score = [0] * members, [0] * members, -1.0
    for _ in range(rounds):
        found = []
        for member in range(members):
            one_more = [count + (each == member) for each, count in enumerate(picks)]
            found.append((score_naively(samples, one_more, bag, objective), picks[member] > 0, -member))
        score, _, member = max(found)
        picks[-member] += 1
        if score > best_score:
            best, best_score = list(picks), score
    return tuple(best)


@pytest.mark.parametrize(("objective", "seed"), [("pooled_iou", 0), ("mean_iou", 0), ("dice", 1)])
def test_picks_are_those_of_a_loop_over_arrays(objective: BlendObjective, seed: int) -> None:
    samples, draws = draw_samples(3, seed), draw_groups(3, 4, seed)
    found = select_members(build_library(samples, objective=objective), draws, rounds=4)
    assert [tuple(bag) for bag in found] == [select_naively(samples, bag, 4, objective) for bag in draws]
    assert (found > 0).sum(axis=1).max() > 1  # or else it would not tell greedy from the best member


def test_ties_stay_with_members_that_are_in_and_short_selections() -> None:
    """Copies of one member help as much as it does: the first is taken, once."""
    one = draw_samples(1)
    copies = ArraySamples(dict.fromkeys(("m0", "m1", "m2"), one.maps["m0"]), one.truths, one.groups)
    np.testing.assert_array_equal(select_members(build_library(copies), np.ones((1, 3), int)), [[1, 0, 0]])


def test_a_worthless_member_gets_nothing() -> None:
    two = draw_samples(2, noise=40)
    worthless = [np.full_like(values, 128) for values in two.maps["m0"]]
    samples = ArraySamples(two.maps | {"m2": tuple(worthless)}, two.truths, two.groups)
    found = select_members(build_library(samples), draw_groups(3, 5))
    assert (found[:, :2].sum(axis=1) > 0).all()
    assert not found[:, 2].any()


def test_shares_of_bags_are_averaged_in_percent() -> None:
    assert average_bags(np.array([[1, 0], [1, 1]])) == (3, 1)
    assert average_bags(np.array([[20, 0], [1, 0]])) == (1, 0)
    assert average_bags(np.array([[1, 1, 1]])) == (34, 33, 33)


@settings(max_examples=50)
@given(st.lists(st.lists(st.integers(0, 20), min_size=4, max_size=4).filter(any), min_size=1, max_size=5))
def test_averages_are_within_a_percent(bags: list[list[int]]) -> None:
    weights = average_bags(np.array(bags))
    shares = np.mean([np.array(bag) / sum(bag) for bag in bags], axis=0)
    np.testing.assert_allclose(np.array(weights) / sum(weights), shares, atol=0.01 + 1e-9)
    assert reduce_weights(weights) == weights


def test_a_choice_looks_at_its_own_groups_alone() -> None:
    """What is chosen without a group is what is chosen where the group is not there at all."""
    samples = draw_samples(3)
    [every, without] = choose_greedily(build_library(samples), [np.ones(3, bool), np.array([True, False, True])], 4)
    own = [number for number, group in enumerate(TILE_GROUPS) if group != "b"]
    maps = {member: [maps[number] for number in own] for member, maps in samples.maps.items()}
    rest = ArraySamples(maps, [samples.truths[number] for number in own], [TILE_GROUPS[number] for number in own])
    assert choose_greedily(build_library(rest), [np.ones(2, bool)], 4) == [without]
    assert choose_greedily(build_library(samples), [np.ones(3, bool)], 4) == [every]
