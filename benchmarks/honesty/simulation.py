"""Simulated tunings: what the tool would have said of a step, and what it was worth on tiles that it never saw."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.statistics.counts import Counts
from ensemble.statistics.crossfit import CrossFit
from ensemble.statistics.estimates import draw_groups
from ensemble.statistics.gains import Gain, measure_gain
from honesty.steps import Fit, Fitted

CHANCES = (0.6, 0.7, 0.8, 0.85, 0.9, 0.95)


@dataclass(frozen=True)
class Cell:
    """One row of the table.

    Attributes:
        source: "hot_maps" or "drawn".
        unit: "tiles" or "groups".
        objective, step: what was tuned for, and what was chosen.
        units: how many were tuned on.
        others: how many the choice was scored on.
    """

    source: str
    unit: str
    objective: str
    step: str
    units: int
    others: int


@dataclass(frozen=True)
class Outcome:
    """One simulated tuning.

    Attributes:
        gain: as the tool tells it.
        percentile: the interval of the percentile bootstrap of one deal, as the tool had it before.
        single: the gain of that deal.
        realised: the gain of the choice on all units that it was not made on.
    """

    gain: Gain
    percentile: tuple[float, float]
    single: float
    realised: float


def simulate(fit: Fit, cell: Cell, draws: int, names: Sequence[str]) -> list[Outcome]:
    """Draw units to tune on without replacement, tune, and look what the choice gains on all others."""
    rng = np.random.default_rng([cell.units, len(cell.step), len(cell.objective)])
    outcomes = []
    for _ in range(draws):
        units = np.sort(rng.choice(len(names), cell.units, replace=False))
        others = np.setdiff1d(np.arange(len(names)), units)
        crossfit = CrossFit.deal([names[unit] for unit in units])
        if cell.step in ("outlines", "buildings"):
            crossfit = crossfit.take(1)
        fitted = fit(units, others, crossfit)
        pieces = cell.step in ("morphology", "areas", "outlines", "buildings")
        gain = measure_gain(fitted.before, fitted.after, cell.objective, crossfit, pieces)
        outcomes.append(Outcome(gain, *bound_by_percentile(fitted, cell.objective, crossfit), fitted.realised))
    return outcomes


def bound_by_percentile(fitted: Fitted, metric: str, crossfit: CrossFit) -> tuple[tuple[float, float], float]:
    """Return the percentile interval of the first deal's cross-fitted counts, over draws of units, and its gain."""
    before, after = (crossfit.mix(each)[0] for each in (fitted.before, fitted.after))
    weights = draw_groups(crossfit.groups, 1000)
    low, high = np.quantile(gain_of(before, after, metric, weights), [0.05, 0.95])
    return (float(low), float(high)), float(gain_of(before, after, metric, np.ones(crossfit.groups)))


def gain_of(before: Counts, after: Counts, metric: str, weights: np.ndarray) -> np.ndarray:
    return after.score(metric, weights) - before.score(metric, weights)


def describe_cell(cell: Cell, outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Return coverage and width of both intervals, and what was realised.

    `coverage` allows for the other units' being a sample too: a gain on m of them scatters about that on all that could
    be drawn, so that the interval is widened by sqrt(1 + n / m) before it is asked whether it holds the realised gain.
    `coverage_plain` is without that. Tunings of too few units, of which no interval is told, count in neither.
    """
    realised = np.array([each.realised for each in outcomes])
    wider = np.sqrt(1 + cell.units / cell.others)

    def cover(values: np.ndarray, ends: np.ndarray) -> dict[str, float]:
        middle, reach = ends.mean(axis=1), np.diff(ends, axis=1)[:, 0] / 2
        errors = np.abs(values - middle) - 1e-12
        return {
            "coverage": float((errors <= reach * wider).mean()),
            "coverage_plain": float((errors <= reach).mean()),
            "width": float(2 * reach.mean()),
        }

    told = np.array([each.gain.interval is not None for each in outcomes])
    ours = np.array([each.gain.interval or (np.nan, np.nan) for each in outcomes])
    new = cover(realised[told], ours[told]) if told.any() else dict.fromkeys(("coverage", "coverage_plain", "width"))
    old = cover(realised, np.array([each.percentile for each in outcomes]))
    kept = np.array([each.gain.is_kept("likely") for each in outcomes])
    return {
        **new,
        **{f"percentile_{name}": value for name, value in old.items()},
        "realised": float(realised.mean()),
        "cross_fitted": float(np.mean([each.gain.value for each in outcomes])),
        "kept": float(kept.mean()),
        "kept_and_lost": float((realised[kept] < 0).mean()) if kept.any() else None,
    }


def compare_rules(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    """Return what each rule to keep a step realises on average, how many steps it keeps, and how many of those lose."""
    realised = np.array([each.realised for each in outcomes])
    return {
        name: {
            "realised": round(float((realised * kept).mean()), 5),
            "kept": round(float(kept.mean()), 4),
            "lose": round(float((realised[kept] < 0).mean()), 4) if kept.any() else 0.0,
        }
        for name, kept in list_rules(outcomes)
    }


def list_rules(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every rule with what it keeps, bool (outcomes,)."""
    chances = np.array([each.gain.chance or 0.0 for each in outcomes])
    yield "always", np.ones(len(outcomes), bool)
    yield "gain above 0", np.array([each.gain.value > 0 for each in outcomes])
    yield "percentile interval above 0", np.array([each.percentile[0] > 0 for each in outcomes])
    for chance in CHANCES:
        yield f"chance {chance:.0%}", chances >= chance
    yield "proven", np.array([each.gain.is_kept("proven") for each in outcomes])


def nest(rows: Mapping[Cell, dict[str, float | None]], name: str) -> dict[str, dict]:
    """Return one figure of all cells, by source and unit, objective, step and number of units."""
    nested: dict[str, dict] = {}
    for cell, row in rows.items():
        value = row[name]
        by_step = nested.setdefault(f"{cell.source} {cell.unit}", {}).setdefault(cell.objective, {})
        by_step.setdefault(cell.step, {})[str(cell.units)] = None if value is None else round(value, 4)
    return nested
