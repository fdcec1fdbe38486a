"""Greedy selection: counts are exact, picks are those of a naive loop over arrays, ties stay with who is in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.selection.blend import blend_maps
from ensemble.selection.greedy import (
    Library,
    average_bags,
    build_library,
    collect_blend,
    reduce_weights,
    select_members,
)
from ensemble.statistics.counts import collect_evidence, draw_groups
from members.common.errors import InputError

GROUPS = ["b", "a", "b", "c"]


def draw_tiles(members: int, seed: int = 0, noise: float = 60) -> list[tuple[list[np.ndarray], np.ndarray]]:
    """Four tiles of three sizes: noisy maps of a random truth, each member noisier than the one before."""
    rng = np.random.default_rng(seed)
    tiles = []
    for size in [(6, 9), (4, 5), (6, 9), (7, 3)]:
        truth = rng.random(size) < 0.4
        values = [128 + 90 * (truth - 0.5) + rng.normal(0, noise + 5 * n, size) for n in range(members)]
        tiles.append(([np.clip(value, 0, 255).astype(np.uint8) for value in values], truth))
    return tiles


def build(tiles: list[tuple[list[np.ndarray], np.ndarray]]) -> Library:
    return build_library([f"m{n}" for n in range(len(tiles[0][0]))], tiles, GROUPS)


@pytest.mark.parametrize("weights", [(1, 0, 0), (1, 1, 1), (0, 3, 2), (7, 0, 13)])
def test_evidence_is_that_of_the_blended_maps(weights: tuple[int, ...]) -> None:
    tiles = draw_tiles(3)
    found = collect_blend(build(tiles), weights)
    blends = [blend_maps(maps, weights) for maps, _ in tiles]
    expected = collect_evidence(blends, [truth for _, truth in tiles], GROUPS)
    assert found.groups == expected.groups == ("a", "b", "c")
    for name in ("tiles", "intersection", "union", "iou_sum"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def score_naively(tiles: list, weights: list[int], bag: np.ndarray) -> float:
    """The best of 255 pooled IoUs, from masks."""
    times = dict(zip(sorted(set(GROUPS)), bag, strict=True))
    scores = []
    for threshold in range(1, 256):
        intersection = union = 0
        for (maps, truth), group in zip(tiles, GROUPS, strict=True):
            mask = blend_maps(maps, weights) >= threshold
            intersection += times[group] * int((mask & truth).sum())
            union += times[group] * int((mask | truth).sum())
        scores.append(intersection / union)
    return max(scores)


def select_naively(tiles: list, bag: np.ndarray, rounds: int) -> tuple[int, ...]:
    members = len(tiles[0][0])
    picks, best, best_score = [0] * members, [0] * members, -1.0
    for _ in range(rounds):
        found = []
        for member in range(members):
            one_more = [count + (place == member) for place, count in enumerate(picks)]
            found.append((score_naively(tiles, one_more, bag), picks[member] > 0, -member))
        score, _, member = max(found)
        picks[-member] += 1
        if score > best_score:
            best, best_score = list(picks), score
    return tuple(best)


@pytest.mark.parametrize("seed", [0, 1])
def test_picks_are_those_of_a_loop_over_arrays(seed: int) -> None:
    tiles, draws = draw_tiles(3, seed), draw_groups(3, 4, seed)
    found = select_members(build(tiles), draws, rounds=4)
    assert [tuple(bag) for bag in found] == [select_naively(tiles, bag, 4) for bag in draws]
    assert (found > 0).sum(axis=1).max() > 1  # or else it would not tell greedy from the best member


def test_ties_stay_with_members_that_are_in_and_short_selections() -> None:
    """Copies of one member help as much as it does: the first is taken, once."""
    tiles = [([maps[0]] * 3, truth) for maps, truth in draw_tiles(1)]
    np.testing.assert_array_equal(select_members(build(tiles), np.ones((1, 3), int)), [[1, 0, 0]])


def test_a_worthless_member_gets_nothing() -> None:
    tiles = [([*maps, np.full_like(maps[0], 128)], truth) for maps, truth in draw_tiles(2, noise=40)]
    found = select_members(build(tiles), draw_groups(3, 5))
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


def test_bad_maps() -> None:
    [(maps, truth), *rest] = draw_tiles(2)
    with pytest.raises(InputError, match=r"m1, tile 0 of group b: a map is uint8 .* got uint8 \(3, 9\)"):
        build([([maps[0], maps[1][:3]], truth), *rest])
    with pytest.raises(InputError, match="the truth of all 4 tiles is empty"):
        build([(maps, np.zeros_like(truth)) for maps, truth in draw_tiles(1)])
    with pytest.raises(InputError, match="no tile to score"):
        build_library(["m"], [], [])
    with pytest.raises(InputError, match="non-negative integers and not all 0"):
        collect_blend(build(draw_tiles(2)), [0, 0])
