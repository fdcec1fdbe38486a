"""Intervals of scores that are easily reckoned."""

import numpy as np
import pytest
from ensemble.statistics.bootstrap import DRAWS, SEED, Estimate, estimate_scores, score_each

from ensemble.statistics.counts import draw_groups, find_interval

HITS, TRIES = np.array([1.0, 0, 3, 2, 0]), np.array([2.0, 0, 3, 4, 1])


def score_rate(weights: np.ndarray) -> dict[str, np.ndarray]:
    """A ratio of sums, which does not exist where nothing was tried."""
    hits, tries = weights @ HITS, weights @ TRIES
    return {"rate": np.divide(hits, tries, out=np.full(len(tries), np.nan), where=tries > 0), "tries": tries}


def test_value_counts_each_tile_once() -> None:
    scores = estimate_scores(score_rate, list("aabbc"))
    assert (scores["rate"].value, scores["tries"].value) == (6 / 10, 10)


def test_interval_is_of_draws_of_whole_groups() -> None:
    """Reckoned draw by draw, with the tiles of each group written down as often as it was drawn."""
    groups = {"a": [0, 1], "b": [2, 3], "c": [4]}
    rates = []
    for times in draw_groups(3, DRAWS, SEED).tolist():
        tiles = [tile for own, count in zip(groups.values(), times, strict=True) for tile in own * count]
        rates.append(HITS[tiles].sum() / TRIES[tiles].sum())
    low, high = find_interval(np.array(rates))
    assert estimate_scores(score_rate, list("aabbc"))["rate"].interval == pytest.approx((low, high), abs=1e-15)


def test_tiles_that_are_left_out_do_not_count() -> None:
    kept = np.array([True, True, False, False, True])
    scores = estimate_scores(score_rate, list("aabbc"), kept)
    assert scores["rate"].value == 1 / 3
    assert scores["rate"].interval == (0, 1 / 2)  # of c twice and of a twice, each a quarter of the draws
    assert scores["tries"].interval == (2, 4)


def test_one_group_has_no_interval() -> None:
    assert estimate_scores(score_rate, ["a"] * 5)["rate"] == Estimate(6 / 10, None)


def test_draws_without_a_score_are_left_out() -> None:
    kept = np.array([True, True, False, False, False])
    assert estimate_scores(score_rate, list("abccc"), kept)["rate"] == Estimate(1 / 2, (1 / 2, 1 / 2))


def test_each_tile_by_itself() -> None:
    scores = score_each(score_rate, 5)
    assert scores["rate"].tolist() == pytest.approx([0.5, np.nan, 1, 0.5, 0], nan_ok=True)
    assert scores["tries"].tolist() == TRIES.tolist()


def test_many_tiles_are_scored_in_parts() -> None:
    sets: list[int] = []

    def score(weights: np.ndarray) -> dict[str, np.ndarray]:
        sets.append(len(weights))
        return {"place": weights @ np.arange(1234.0)}

    assert score_each(score, 1234)["place"].tolist() == list(range(1234))
    assert sum(sets) == 1234
    assert max(sets) <= 250
