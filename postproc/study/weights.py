"""Blend weights: Optuna trials that pick them along with closing and opening, scored without a loop over thresholds."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numba import njit
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.trial import FrozenTrial

from ensemble.selection.blend import Blend
from ensemble.selection.greedy import Picks, divide_sums, reduce_weights
from ensemble.statistics.counts import THRESHOLDS, Counts, index_groups
from ensemble.statistics.metrics import Objective
from postproc.pipeline.recipe import Recipe
from postproc.search.counting import add_counts, count_recipe, map_threads, name_columns
from postproc.search.grid import Choice, Grid
from postproc.study.fits import Task
from postproc.study.trials import DISTRIBUTIONS, Studies, list_complete, read_recipe, run_trials

LARGEST_WEIGHT = 10
CACHE_BYTES = 2**28


class Stack:
    """All members' maps of all tiles in memory, one byte a pixel and member, to be blended again and again.

    Args:
        maps: uint8 (members, height, width) of each tile.
        truths: bool (height, width) of each tile.
        groups: the group of each tile.
        objective: what is maximised.
    """

    def __init__(
        self, maps: Sequence[np.ndarray], truths: Sequence[np.ndarray], groups: Sequence[str], objective: Objective
    ) -> None:
        self.maps, self.truths, self.objective = maps, truths, objective
        self.groups, self.index = index_groups(groups)
        self.tiles = np.bincount(self.index, minlength=len(self.groups))
        size = 3 * len(self.groups) * THRESHOLDS * np.int64().nbytes
        self.collect = functools.lru_cache(max(16, CACHE_BYTES // size))(self._collect)

    def choose(self, weights: Picks, recipe: Recipe, keep: np.ndarray) -> Choice:
        """Return the recipe's best threshold on the blend, in the groups that count: keep, (groups,)."""
        counts = self.collect(reduce_weights(weights), recipe)
        return Grid((recipe,), counts).choose(self.objective, keep)

    def _collect(self, weights: Picks, recipe: Recipe) -> Counts:
        """Count one setting at every threshold; their choices are (1, 255)."""
        sums = np.zeros((3, len(self.groups), 1, THRESHOLDS), np.int64)
        factors = np.array(weights)
        rounded = divide_sums(sum(weights))

        def count(number: int) -> np.ndarray:
            blend = blend_stack(self.maps[number], factors, rounded)
            return count_recipe(blend, self.truths[number], recipe, self.objective)

        for counts, group in zip(map_threads(count, range(len(self.maps))), self.index, strict=True):
            add_counts(counts, *sums[:, group])
        return Counts(self.groups, self.tiles, name_columns(sums, self.objective))


@njit(nogil=True, cache=True)
def blend_stack(maps: np.ndarray, weights: np.ndarray, rounded: np.ndarray) -> np.ndarray:
    """Blend uint8 (members, height, width) by integer weights as `blend_maps` does; rounded[s] is s / sum(weights)."""
    members, height, width = maps.shape
    blend = np.empty((height, width), np.uint8)
    sums = np.empty(width, np.uint32)
    for y in range(height):
        sums[:] = 0
        for member in range(members):
            for x in range(width):
                sums[x] += weights[member] * maps[member, y, x]
        for x in range(width):
            blend[y, x] = rounded[sums[x]]
    return blend


def list_ranges(given: Mapping[str, int]) -> dict[str, BaseDistribution]:
    """Return the distributions of a trial that picks weights too; the given blend's are within them."""
    weights = IntDistribution(0, max(LARGEST_WEIGHT, *reduce_weights(list(given.values()))))
    return DISTRIBUTIONS | {f"weight {member}": weights for member in given}


def list_given(given: Mapping[str, int], best: Recipe) -> list[dict[str, Any]]:
    """Return the settings of the given blend that a study begins with.

    The neutral recipe and the best threshold alone are one setting; then come a closing and opening by 3x3, and
    the best of the enumerated grid.
    """
    recipes = dict.fromkeys((Recipe(), Recipe(close=3, open=3), best.model_copy(update={"threshold": 128})))
    weights = dict(zip((f"weight {member}" for member in given), reduce_weights(list(given.values())), strict=True))
    return [{name: getattr(recipe, name) for name in DISTRIBUTIONS} | weights for recipe in recipes]


def read_weights(params: Mapping[str, Any], members: Sequence[str]) -> Picks:
    """Return the weights of a trial's parameters."""
    return tuple(params[f"weight {member}"] for member in members)


def find_best(trials: Sequence[FrozenTrial], members: Sequence[str]) -> Picks:
    """Return the weights of the best trial, whatever the trials' order; of equals the more even, then smaller ones."""

    def rank(trial: FrozenTrial) -> tuple[Any, ...]:
        weights = reduce_weights(read_weights(trial.params, members))
        return -float(trial.value or 0), max(weights) - min(weights), weights, read_recipe(trial.params).complexity

    return reduce_weights(read_weights(min(trials, key=rank).params, members))


def find_blends(
    task: Task, given: Blend, grid: Grid, open_studies: Callable[[], Studies], budget: int
) -> tuple[list[Blend], str]:
    """Find blend weights by a study for each training mask.

    Args:
        task: what is tuned on, and for.
        given: the blend as given.
        grid: of the first flat step on the given blend.
        open_studies: opens where the studies go.
        budget: trials of each study.

    Returns:
        A blend for each training mask, and the name of the study of all groups.
    """
    stack = read_stack(task, given)
    members, ranges, found = tuple(given.weights), list_ranges(given.weights), []
    studies = open_studies()
    for number, mask in enumerate(task.crossfit.training_masks):
        kind = f"{task.objective}-weights" + (f"-without-fold{number - 1}" if number else "")

        def score(params: Mapping[str, Any], mask: np.ndarray = mask) -> Choice | None:
            weights = read_weights(params, members)
            return stack.choose(weights, read_recipe(params), mask) if any(weights) else None

        study = studies.open(kind, ranges)
        first = list_given(given.weights, grid.choose(task.objective, mask).recipe)
        for _ in task.progress(run_trials(studies, study, ranges, first, budget, score), kind, budget):
            pass
        best = find_best(list_complete(study), members)
        found.append(Blend(dict(zip(members, best, strict=True)), given.tables))
    return found, studies.open(f"{task.objective}-weights", ranges).study_name


def read_stack(task: Task, blend: Blend) -> Stack:
    """Read all tiles, their maps calibrated as the blend says."""
    maps, truths = [], []
    for values, truth in task.progress(task.samples, "reading maps", len(task.samples)):
        maps.append(
            np.stack([blend.calibrate(member, each) for member, each in zip(blend.weights, values, strict=True)])
        )
        truths.append(truth)
    return Stack(maps, truths, task.groups, task.objective)
