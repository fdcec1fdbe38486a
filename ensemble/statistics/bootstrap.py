"""Scores of sets of tiles - all, a region's, each one, each draw of a bootstrap - from one function of weights."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.statistics.counts import draw_groups, find_interval, index_groups, pool_groups

DRAWS, LEVEL, SEED = 2000, 0.90, 42
ROWS = 250  # sets of tiles that are scored at a time, to bound the memory

Scorer = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""From weights, float64 (sets, tiles), how often each tile counts, to scores by name, float64 (sets,), where NaN
stands for a score that does not exist, such as the mean distance of no pairs."""


@dataclass(frozen=True)
class Estimate:
    """A score, and the ends of its bootstrap interval; None where there are no two groups to draw from."""

    value: float
    interval: tuple[float, float] | None


def estimate_scores(scorer: Scorer, groups: Sequence[str], kept: np.ndarray | None = None) -> dict[str, Estimate]:
    """Score tiles together, with the 90 % percentile interval over 2,000 draws of whole groups.

    Args:
        scorer: of all tiles.
        groups: the group of each tile; those of one group resemble one another, so groups are drawn, not tiles.
        kept: bool (tiles,), which tiles are scored; all by default.

    Returns:
        The estimates by the scores' names; draws in which a score does not exist are left out of its interval.
    """
    kept = np.ones(len(groups), bool) if kept is None else kept
    whole = scorer(kept[None].astype(np.float64))
    names, index = index_groups(pool_groups([group for group, keep in zip(groups, kept, strict=True) if keep]))
    if len(names) < 2:
        return {name: Estimate(float(values[0]), None) for name, values in whole.items()}

    def weigh(draws: np.ndarray) -> np.ndarray:
        weights = np.zeros((len(draws), len(kept)))
        weights[:, kept] = draws[:, index]
        return weights

    draws = draw_groups(len(names), DRAWS, SEED)
    drawn = _score_sets(scorer, (weigh(draws[start : start + ROWS]) for start in range(0, DRAWS, ROWS)))
    return {name: Estimate(float(values[0]), _bound(drawn[name])) for name, values in whole.items()}


def score_each(scorer: Scorer, tiles: int) -> dict[str, np.ndarray]:
    """Score each tile by itself: float64 (tiles,) by the scores' names."""

    def weigh(start: int) -> np.ndarray:
        return np.eye(min(ROWS, tiles - start), tiles, start)

    return _score_sets(scorer, (weigh(start) for start in range(0, tiles, ROWS)))


def _score_sets(scorer: Scorer, sets: Iterator[np.ndarray]) -> dict[str, np.ndarray]:
    parts = [scorer(weights) for weights in sets]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _bound(values: np.ndarray) -> tuple[float, float] | None:
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = find_interval(values, LEVEL)
    return float(low), float(high)
