"""Scores and gains that are easily reckoned, and their intervals over groups."""

import numpy as np
import pytest

from ensemble.statistics.counts import Counts, count_maps
from ensemble.statistics.crossfit import SEED
from ensemble.statistics.estimates import (
    DRAWS,
    Estimate,
    draw_groups,
    estimate_score,
    estimate_scores,
    find_interval,
)

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
    low, high = find_interval(np.array(rates), groups=3)
    assert estimate_scores(score_rate, list("aabbc"))["rate"].interval == pytest.approx((low, high), abs=1e-15)


def test_tiles_that_are_left_out_do_not_count() -> None:
    kept = np.array([True, True, False, False, True])
    scores = estimate_scores(score_rate, list("aabbc"), kept)
    assert scores["rate"].value == 1 / 3
    assert scores["rate"].interval == pytest.approx((0, 1 / 2))  # c twice or a twice: a quarter each
    assert scores["tries"].interval == (2, 4)


def test_one_group_has_no_interval() -> None:
    assert estimate_scores(score_rate, ["a"] * 5)["rate"] == Estimate(6 / 10, None)
    house = np.array([[100, 200]], np.uint8)
    counts = count_maps([house], [house > 100], ["a"])
    assert estimate_score(counts[99], "pooled_iou") == Estimate(0.5, None)


def test_draws_without_a_score_are_left_out() -> None:
    kept = np.array([True, True, False, False, False])
    assert estimate_scores(score_rate, list("abccc"), kept)["rate"] == Estimate(1 / 2, (1 / 2, 1 / 2))


def count_noisy_houses() -> Counts:
    """Forty groups of one tile each, whose maps are best cut at about 120."""
    rng = np.random.default_rng(0)
    truths = [rng.random((16, 16)) < 0.3 for _ in range(40)]
    maps = [np.clip(rng.normal(90 + 60 * truth, 20), 0, 255).astype(np.uint8) for truth in truths]
    return count_maps(maps, truths, [str(number) for number in range(40)])


def test_score_with_its_interval() -> None:
    counts = count_noisy_houses()[124]
    score = estimate_score(counts, "pooled_iou")
    assert score.interval is not None
    assert score.interval[0] < score.value < score.interval[1]
    assert score.value == counts.score("pooled_iou")


def test_bootstrap_draws_as_many_groups_as_there_are() -> None:
    draws = draw_groups(5, draws=300, seed=3)
    assert draws.shape == (300, 5)
    assert (draws.sum(axis=1) == 5).all()
    assert np.array_equal(draws, draw_groups(5, draws=300, seed=3))
    assert draws.mean(axis=0) == pytest.approx(np.ones(5), abs=0.2)


def test_interval_leaves_five_percent_at_either_end_and_less_of_few_groups() -> None:
    low, high = find_interval(np.arange(101.0), groups=10**6)
    assert (low, high) == pytest.approx((5, 95), abs=1e-3)
    # of 5 groups Student's t is 2.132, times sqrt(5/4) is 2.384, and a normal tail of that is 0.86 %
    assert find_interval(np.arange(101.0), groups=5) == pytest.approx((0.86, 99.14), abs=0.01)
