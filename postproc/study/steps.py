"""The nested steps: what each of them chooses, on all groups, and on all but a fold's for each fold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.statistics.counts import Counts
from ensemble.statistics.metrics import Objective
from postproc.search.exact import Choice, Grid, find_kernels, search_areas, search_kernels
from postproc.study.source import Source

BEST = 10  # kernel settings that areas are searched on


@dataclass(frozen=True)
class Fit:
    """What one step chooses.

    Attributes:
        full: the choice on all groups; its counts are of all groups too, as are those of the others.
        weights: member -> integer weight of the blend that `full` is of.
        per_fold: per_fold[k] is chosen on all groups but those of fold k; empty without cross-fitting.
        fold_weights: the blends that they are of.
    """

    full: Choice
    weights: Mapping[str, int]
    per_fold: tuple[Choice, ...]
    fold_weights: tuple[Mapping[str, int], ...]

    @property
    def counts(self) -> list[Counts]:
        """Counts of the choices on each training mask."""
        return [choice.counts for choice in (self.full, *self.per_fold)]


def make_fit(choices: Sequence[Choice], blends: Sequence[Mapping[str, int]]) -> Fit:
    """Return the fit of a choice, with its blend, for each training mask."""
    return Fit(choices[0], blends[0], tuple(choices[1:]), tuple(blends[1:]))


def fit_grid(grid: Grid, weights: Mapping[str, int], objective: Objective, keeps: Sequence[np.ndarray]) -> Fit:
    """Choose from one grid."""
    return make_fit([grid.choose(objective, keep) for keep in keeps], [weights] * len(keeps))


def fit_areas(
    source: Source, weights: Mapping[str, int], kernels: Grid, objective: Objective, keeps: Sequence[np.ndarray]
) -> list[Choice]:
    """Choose minimum areas on top of the best ten kernel settings, which each choice ranks for itself.

    Returns:
        A choice for each of `keeps`.
    """
    tops = [[kernels.recipes[place] for place in kernels.rank(objective, keep)[:BEST]] for keep in keeps]
    wanted = sorted(set().union(*tops), key=lambda recipe: recipe.complexity)
    candidates: list[list[Choice]] = [[] for _ in keeps]
    passes = range(0, len(wanted), BEST)  # bounds the memory
    for number, start in enumerate(passes):
        tiles = source.read(weights, f"areas, pass {number + 1} of {len(passes)}")
        grid = search_areas(tiles, source.groups, wanted[start : start + BEST], objective)
        for top, keep, found in zip(tops, keeps, candidates, strict=True):
            if places := find_kernels(grid, top):
                found.append(grid.take(places).choose(objective, keep))
    return [min(found, key=lambda choice: (-choice.score, choice.recipe.complexity)) for found in candidates]


def fit_blends(
    source: Source, found: Sequence[tuple[int, ...]], objective: Objective, keeps: Sequence[np.ndarray]
) -> Fit:
    """Choose all but the weights exactly, on the blend that each of `keeps` has found."""
    choices: dict[int, Choice] = {}
    for distinct in dict.fromkeys(found):
        weights = dict(zip(source.members, distinct, strict=True))
        places = [place for place, each in enumerate(found) if each == distinct]
        purpose = "exact search, blend " + ":".join(map(str, distinct))
        grid = search_kernels(source.read(weights, purpose), source.groups, objective)
        fitted = fit_areas(source, weights, grid, objective, [keeps[place] for place in places])
        choices |= dict(zip(places, fitted, strict=True))
    blends = [dict(zip(source.members, weights, strict=True)) for weights in found]
    return make_fit([choices[place] for place in range(len(keeps))], blends)
