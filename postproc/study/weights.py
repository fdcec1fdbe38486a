"""Blend weights: Optuna trials that pick them along with closing and opening, scored without a loop over thresholds."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.trial import FrozenTrial

from ensemble.selection.blend import Picks, divide_sums, reduce_weights
from ensemble.statistics.counts import THRESHOLDS, Counts, index_groups
from members.common.choices import Objective
from members.common.compiled import compiled
from members.common.workers import Threads, Workers
from postproc.pipeline.recipe import Recipe
from postproc.search.counting import add_counts, count_recipe, name_columns
from postproc.search.grid import Choice, Grid
from postproc.study.kernel_study import KERNEL_RANGES, list_params, read_recipe
from postproc.study.trials import Evaluation, Params

LARGEST_WEIGHT = 10
CACHE_BYTES = 2**28


class StackedTiles(Protocol):
    """All members' maps, uint8 (members, height, width), of each tile, and its truth, bool (height, width)."""

    def __len__(self) -> int:
        """Return the number of tiles."""

    def __getitem__(self, number: int, /) -> tuple[np.ndarray, np.ndarray]:
        """Return one tile's maps and truth."""


class Stack:
    """All members' maps of all tiles, to be blended again and again.

    Args:
        tiles: the maps and truth of each.
        groups: the group of each tile.
        objective: what is maximised.
        workers: who counts; by default a thread a core.
    """

    def __init__(
        self, tiles: StackedTiles, groups: Sequence[str], objective: Objective, workers: Workers | None = None
    ) -> None:
        self.tiles, self.workers = tiles, workers or Threads()
        self.objective = objective
        self.groups, self.index = index_groups(groups)
        self.group_sizes = np.bincount(self.index, minlength=len(self.groups))
        size = 3 * len(self.groups) * THRESHOLDS * np.int64().nbytes
        self.collect = functools.lru_cache(max(16, CACHE_BYTES // size))(self._collect)

    def choose(self, weights: Picks, recipe: Recipe, training_mask: np.ndarray) -> Choice:
        """Return the recipe's best threshold on the blend, in the groups of a training mask, bool (groups,)."""
        counts = self.collect(reduce_weights(weights), recipe)
        return Grid((recipe,), counts).choose(self.objective, training_mask)

    def evaluate(self, params: Params, members: Sequence[str], training_mask: np.ndarray) -> Iterator[Evaluation]:
        """Yield the score of a trial's setting at its best threshold; nothing where no member has a weight."""
        weights = read_weights(params, members)
        if any(weights):
            choice = self.choose(weights, read_recipe(params), training_mask)
            yield Evaluation(value=choice.score, attributes={"threshold": choice.recipe.threshold})

    def _collect(self, weights: Picks, recipe: Recipe) -> Counts:
        """Count one setting at every threshold; their choices are (1, 255)."""
        factors, rounded = np.array(weights), divide_sums(sum(weights))
        tiles, objective = self.tiles, self.objective

        def count(number: int) -> np.ndarray:
            maps, truth = tiles[number]
            return count_recipe(blend_stack(maps, factors, rounded), truth, recipe, objective)

        sums = np.zeros((3, len(self.groups), 1, THRESHOLDS), np.int64)
        for counts, group in zip(self.workers.map(count, range(len(tiles))), self.index, strict=True):
            add_counts(counts, *sums[:, group])
        return Counts(self.groups, self.group_sizes, name_columns(sums, objective))


@compiled
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


def make_ranges(given: Mapping[str, int]) -> dict[str, BaseDistribution]:
    """Return the ranges of a trial that picks weights too; the given blend's weights are within them."""
    weights = IntDistribution(0, max(LARGEST_WEIGHT, *reduce_weights(list(given.values()))))
    return {**KERNEL_RANGES, **{f"weight {member}": weights for member in given}}


def make_first(given: Mapping[str, int], best: Recipe) -> list[dict[str, Any]]:
    """Return the settings of the given blend that a study begins with.

    The neutral recipe and the best threshold alone are one setting; then come a closing and opening by 3x3, and
    the best of the enumerated grid.
    """
    recipes = dict.fromkeys((Recipe(), Recipe(close=3, open=3), best.model_copy(update={"threshold": 128})))
    weights = dict(zip((f"weight {member}" for member in given), reduce_weights(list(given.values())), strict=True))
    return [list_params(recipe) | weights for recipe in recipes]


def read_weights(params: Params, members: Sequence[str]) -> Picks:
    """Return the weights of a trial's parameters."""
    return tuple(params[f"weight {member}"] for member in members)


def find_best(trials: Sequence[FrozenTrial], members: Sequence[str]) -> Picks:
    """Return the weights of the best trial, whatever the trials' order; of equals the more even, then smaller ones."""

    def rank(trial: FrozenTrial) -> tuple[Any, ...]:
        weights = reduce_weights(read_weights(trial.params, members))
        return -float(trial.value or 0), max(weights) - min(weights), weights, read_recipe(trial.params).complexity

    return reduce_weights(read_weights(min(trials, key=rank).params, members))
