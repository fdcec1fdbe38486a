"""What a score or a gain is worth: its value with a bootstrap interval over groups.

Tiles of a group resemble one another, so groups are drawn, not tiles (Davison and Hinkley 1997, Bootstrap Methods and
their Application, section 3.8, doi:10.1017/CBO9780511802843).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.statistics.counts import Counts, index_groups
from ensemble.statistics.crossfit import SEED, pool_groups
from ensemble.statistics.metrics import MetricName

DRAWS, LEVEL = 2000, 0.90
ROWS = 250  # sets of tiles that are scored at a time, to bound the memory
CROSS_FITTED, IN_SAMPLE = "cross-fitted", "in sample"

Scorer = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""From weights, float64 (sets, tiles), how often each tile counts, to scores by name, float64 (sets,), where NaN
stands for a score that does not exist, such as the mean distance of no pairs."""


@dataclass(frozen=True)
class Estimate:
    """A score.

    Attributes:
        value: the score.
        interval: the ends of its 90 % bootstrap interval over groups; None where there are no two groups to draw from.
    """

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Gain(Estimate):
    """A gain in score of one choice over another, paired by group.

    Attributes:
        chance: share of the bootstrap draws in which it is above 0; None without an interval.
        measured_on: "cross-fitted", on groups that the choice did not look at, or "in sample", which overstates.
    """

    chance: float | None
    measured_on: str

    @property
    def proven(self) -> bool:
        """Whether the interval is above 0; without one whether the value is."""
        return (self.value if self.interval is None else self.interval[0]) > 0

    def describe(self) -> dict[str, Any]:
        """Return the gain as it is written to JSON."""
        return {"gain": self.value, "interval": self.interval, "chance": self.chance, "measured_on": self.measured_on}


def draw_groups(groups: int, draws: int = DRAWS, seed: int = SEED) -> np.ndarray:
    """Draw bootstrap samples of whole groups: int64 (draws, groups), how often each was drawn."""
    return np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=draws)


def find_interval(values: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and the upper end of the percentile interval over the first axis, the draws."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def estimate_score(counts: Counts, metric: MetricName) -> Estimate:
    """Score counts whose choices are made, with the interval over groups."""
    value = float(counts.score(metric))
    if len(counts.groups) < 2:
        return Estimate(value, None)
    return Estimate(value, bound_draws(counts.score(metric, draw_groups(len(counts.groups)))))


def measure_gain(before: Counts, after: Counts, metric: MetricName, measured_on: str = CROSS_FITTED) -> Gain:
    """Measure the gain of one choice over another.

    Args:
        before: counts with every group's choice made, as by `CrossFit.mix`.
        after: the same of the choice that is judged.
        metric: what is compared.
        measured_on: how the choices came about.
    """
    value = float(after.score(metric) - before.score(metric))
    if len(before.groups) < 2:
        return Gain(value, None, None, measured_on)
    draws = draw_groups(len(before.groups))
    gains = after.score(metric, draws) - before.score(metric, draws)
    return Gain(value, bound_draws(gains), float((gains > 0).mean()), measured_on)


def estimate_scores(scorer: Scorer, groups: Sequence[str], chosen: np.ndarray | None = None) -> dict[str, Estimate]:
    """Score tiles together, with the 90 % percentile interval over 2,000 draws of whole groups.

    Args:
        scorer: of all tiles.
        groups: the group of each tile.
        chosen: bool (tiles,), which tiles are scored; all by default.

    Returns:
        The estimates by the scores' names; draws in which a score does not exist are left out of its interval.
    """
    chosen = np.ones(len(groups), bool) if chosen is None else chosen
    together = scorer(chosen[None].astype(np.float64))
    names, index = index_groups(pool_groups([group for group, own in zip(groups, chosen, strict=True) if own]))
    if len(names) < 2:
        return {name: Estimate(float(values[0]), None) for name, values in together.items()}

    def weigh(draws: np.ndarray) -> np.ndarray:
        weights = np.zeros((len(draws), len(chosen)))
        weights[:, chosen] = draws[:, index]
        return weights

    draws = draw_groups(len(names))
    drawn = score_sets(scorer, (weigh(draws[start : start + ROWS]) for start in range(0, DRAWS, ROWS)))
    return {name: Estimate(float(values[0]), bound_draws(drawn[name])) for name, values in together.items()}


def score_sets(scorer: Scorer, sets: Iterator[np.ndarray]) -> dict[str, np.ndarray]:
    """Score sets of tiles, some at a time."""
    scored = [scorer(weights) for weights in sets]
    return {name: np.concatenate([each[name] for each in scored]) for name in scored[0]}


def bound_draws(values: np.ndarray) -> tuple[float, float] | None:
    """Return the interval of the draws in which a score exists; None if there is none."""
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = find_interval(values)
    return float(low), float(high)
