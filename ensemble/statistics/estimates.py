"""What a score is worth: its value with a bootstrap interval over groups.

Tiles of a group resemble one another, so groups are drawn, not tiles (Davison and Hinkley 1997, Bootstrap Methods and
their Application, section 3.8, doi:10.1017/CBO9780511802843). Percentiles of draws of few groups lie too near together;
they are taken further out, as far as Student's t is wider than the normal distribution (Hesterberg 2015,
doi:10.1080/00031305.2015.1089789, section 5).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.statistics.counts import Counts, index_groups
from ensemble.statistics.crossfit import SEED, pool_groups
from ensemble.statistics.metrics import MetricName

DRAWS, LEVEL = 2000, 0.90
ROWS = 250  # sets of tiles that are scored at a time, to bound the memory

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


def draw_groups(groups: int, draws: int = DRAWS, seed: int = SEED) -> np.ndarray:
    """Draw bootstrap samples of whole groups: int64 (draws, groups), how often each was drawn."""
    return np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=draws)


def find_interval(values: np.ndarray, groups: int, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and the upper end of the expanded percentile interval over the first axis, the draws.

    Args:
        values: float64 (draws, ...).
        groups: how many each draw is of; draws of one group are all alike.
        level: share of the draws between the ends, if the groups were many.
    """
    from scipy.special import ndtr, stdtrit  # the numbers of scipy.stats, which takes far longer to load

    if groups < 2:
        return values.min(axis=0), values.max(axis=0)
    tail = float(ndtr(np.sqrt(groups / (groups - 1)) * stdtrit(groups - 1, (1 - level) / 2)))
    low, high = np.quantile(values, [tail, 1 - tail], axis=0)
    return low, high


def estimate_score(counts: Counts, metric: MetricName) -> Estimate:
    """Score counts whose choices are made, with the interval over groups."""
    return estimate_mean_score([counts], metric)


def estimate_mean_score(deals: Sequence[Counts], metric: MetricName) -> Estimate:
    """Score the same groups by the choices of several deals, as by `CrossFit.mix`: the mean over the deals."""
    value = float(np.mean([counts.score(metric) for counts in deals]))
    groups = len(deals[0].groups)
    if groups < 2:
        return Estimate(value, None)
    draws = draw_groups(groups)
    return Estimate(value, bound_draws(np.mean([counts.score(metric, draws) for counts in deals], axis=0), groups))


def estimate_scores(scorer: Scorer, groups: Sequence[str], chosen: np.ndarray | None = None) -> dict[str, Estimate]:
    """Score tiles together, with the 90 % interval over 2,000 draws of whole groups.

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
    return {name: Estimate(float(values[0]), bound_draws(drawn[name], len(names))) for name, values in together.items()}


def score_sets(scorer: Scorer, sets: Iterator[np.ndarray]) -> dict[str, np.ndarray]:
    """Score sets of tiles, some at a time."""
    scored = [scorer(weights) for weights in sets]
    return {name: np.concatenate([each[name] for each in scored]) for name in scored[0]}


def bound_draws(values: np.ndarray, groups: int) -> tuple[float, float] | None:
    """Return the interval of the draws in which a score exists; None if there is none."""
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = find_interval(values, groups)
    return float(low), float(high)
