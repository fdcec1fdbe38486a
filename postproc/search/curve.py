"""Curves: the score of one recipe at every threshold, areas and all, in one pass."""

from collections.abc import Mapping

import numpy as np
from numba import njit

from ensemble.statistics.counts import THRESHOLDS, Counts
from ensemble.statistics.metrics import Objective
from postproc.pipeline.recipe import Recipe
from postproc.scoring.boundary import count_bands
from postproc.search.component_tree import drop_objects, fill_holes
from postproc.search.counting import Tile, collect_counts
from postproc.study.source import Source


def trace_recipe(source: Source, weights: Mapping[str, int], recipe: Recipe, objective: Objective) -> Counts:
    """Count a recipe at all thresholds, its own left out; their choices are (255,)."""

    def count(tile: Tile) -> np.ndarray:
        return count_recipe(*tile, recipe, objective)

    tiles = source.read(weights, "every threshold of the recipe")
    return collect_counts(count, tiles, source.groups, 1, None)[0]


def count_recipe(blend: np.ndarray, truth: np.ndarray, recipe: Recipe, objective: Objective) -> np.ndarray:
    """Count one tile: int32 (1, 2, 256), pixels of the truth's background and building by grey value, or of bands."""
    picture = recipe.close_and_open(blend)
    if recipe.min_hole > 0:
        picture = fill_holes(picture, np.array([recipe.min_hole]))[0]
    if recipe.min_object > 0:
        picture = drop_objects(picture, np.array([recipe.min_object]))[0]
    if objective == "boundary_iou":
        return count_bands([picture], 1, truth)
    counts = np.zeros((1, 2, THRESHOLDS + 1), np.int32)
    count_values(picture, truth, counts[0])
    return counts


@njit(nogil=True, cache=True)
def count_values(picture: np.ndarray, truth: np.ndarray, counts: np.ndarray) -> None:
    """Add the picture's values to counts, int32 (2, 256), of the truth's background and building."""
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            counts[int(truth[y, x]), picture[y, x]] += 1
