"""The exact joint search: every closing, opening, order, kernel and threshold, without trying them one by one.

Flat grey-level operators commute with thresholding (Maragos and Schafer 1987, doi:10.1109/TASSP.1987.1165259):
the map closed and opened as a grey picture and then cut at t is, bit for bit, the mask cut at t and then
closed and opened. So one grey pass per pair of kernels and a histogram of its values under the truth give
the scores at all 255 thresholds, and counts per group give those of any fold or bootstrap draw.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ensemble.statistics.counts import THRESHOLDS, Counts
from ensemble.statistics.metrics import Objective
from postproc.pipeline.outlines import OutlineRecipe
from postproc.pipeline.recipe import KERNEL_SHAPES, NEUTRAL_THRESHOLD, Order, Recipe, draw_kernel
from postproc.scoring.boundary import count_bands
from postproc.search.component_tree import count_areas, drop_objects, fill_holes
from postproc.search.counting import Tile, collect_counts
from postproc.search.flat_operators import count_chains
from postproc.search.layout import OUTSIDE, find_shape, lay_out, measure_kernels, sort_words

LARGEST_KERNEL = 15
AREAS = (0, 4, 8, 16, 32, 64, 128, 256, 512)  # px
ORDERS: tuple[Order, ...] = ("close-open", "open-close")


@dataclass(frozen=True)
class Choice:
    """A recipe, its score where it was chosen, its counts per group without further choices, and its outlines."""

    recipe: Recipe
    score: float
    counts: Counts
    outlines: OutlineRecipe | None = None


@dataclass(frozen=True)
class Grid:
    """Recipes, and the counts for each of them at every threshold.

    Attributes:
        recipes: in their normal form, from simple to complex, their thresholds left at the default.
        counts: its choices are (recipes, 255).
    """

    recipes: tuple[Recipe, ...]
    counts: Counts

    def take(self, places: Sequence[int]) -> "Grid":
        """Return the grid of some of the recipes; `take([0])` of a whole grid leaves the threshold alone."""
        return Grid(tuple(self.recipes[place] for place in places), self.counts[np.asarray(places)])

    def choose(self, objective: Objective, weights: np.ndarray | None = None) -> Choice:
        """Return the best recipe with its threshold; of equals the least complex.

        Args:
            objective: what is maximised.
            weights: (groups,), how often each group counts; without it each counts once.
        """
        scores = self.counts.score(objective, weights)
        places, indices = np.nonzero(scores == scores.max())
        order = np.lexsort((indices, np.abs(indices + 1 - NEUTRAL_THRESHOLD), places))
        _, first = np.unique(places[order], return_index=True)  # of a recipe's equal thresholds only that can win
        ties = zip(places[order[first]], indices[order[first]], strict=True)
        place, index = min(ties, key=lambda tie: self._cut(*tie).complexity)
        return Choice(self._cut(place, index), float(scores.max()), self.counts[place, index])

    def _cut(self, place: int, index: int) -> Recipe:
        return self.recipes[place].model_copy(update={"threshold": int(index) + 1})

    def rank(self, objective: Objective, weights: np.ndarray | None = None) -> list[int]:
        """Return the places of the recipes, best first, each at its own best threshold."""
        best = self.counts.score(objective, weights).max(axis=-1)
        return np.argsort(-best, kind="stable").tolist()


def find_kernels(grid: Grid, recipes: Sequence[Recipe]) -> list[int]:
    """Return the places of the grid's recipes that are one of `recipes` but for the areas."""
    bare = [recipe.model_copy(update={"min_hole": 0, "min_object": 0}) for recipe in grid.recipes]
    return [place for place, recipe in enumerate(bare) if recipe in recipes]


def list_kernel_recipes(largest: int = LARGEST_KERNEL) -> tuple[Recipe, ...]:
    """Return every distinct recipe of order, kernel, closing and opening, from simple to complex.

    Args:
        largest: size of the largest kernel, odd, 3 or more; 15 makes 225 recipes.
    """
    sizes = range(1, largest + 1, 2)
    recipes = {
        Recipe(order=order, kernel=kernel, close=close, open=opening).normalise()
        for order, kernel, close, opening in product(ORDERS, KERNEL_SHAPES, sizes, sizes)
    }
    return tuple(sorted(recipes, key=lambda recipe: recipe.complexity))


def search_kernels(
    tiles: Iterable[Tile],
    groups: Sequence[str],
    objective: Objective = "pooled_iou",
    largest: int = LARGEST_KERNEL,
    workers: int | None = None,
) -> Grid:
    """Score the whole grid of order, kernel, closing, opening and threshold.

    Memory is that of the result, 1.4 MB a group, and of a few tiles at a time (`pool_groups` bounds the former).

    Args:
        tiles: maps, uint8 (height, width), each with its truth, bool of the same shape. Read one at a time,
            shortly before they are scored; sizes may differ.
        groups: the group of each tile.
        objective: `boundary_iou` counts bands, several times slower; the counts for all others are the same.
        largest: size of the largest kernel, odd, 3 or more.
        workers: threads; by default one a core.

    Returns:
        The grid; it depends neither on the order of the tiles nor on the threads.

    Raises:
        InputError: there is no tile, a map or truth of a wrong type or shape, or no building in any truth.
        ValueError: `tiles` and `groups` are not equally many.
    """
    recipes = list_kernel_recipes(largest)

    def count_outlines(tile: Tile) -> np.ndarray:
        blend, truth = tile
        return count_bands((recipe.close_and_open(blend) for recipe in recipes), len(recipes), truth)

    count = count_outlines if objective == "boundary_iou" else plan_chains(recipes, largest)
    return Grid(recipes, collect_counts(count, tiles, groups, len(recipes), workers))


def plan_chains(recipes: Sequence[Recipe], largest: int) -> Callable[[Tile], np.ndarray]:
    """Return the function that counts a tile, int32 (recipes, 2, 256), for closings and openings up to `largest`."""
    sizes = range(1, largest + 1, 2)
    radius = len(sizes) - 1
    kernels = {kernel: measure_kernels([draw_kernel(kernel, size) for size in sizes]) for kernel in KERNEL_SHAPES}
    places = {chain: np.full((len(sizes), len(sizes)), -1) for chain in product(KERNEL_SHAPES, (0, 255))}
    for place, recipe in enumerate(recipes):
        close, opening = recipe.close // 2, recipe.open // 2
        if recipe.order == "close-open":
            places[recipe.kernel, 0][close, opening] = place
        else:
            places[recipe.kernel, 255][opening, close] = place

    def count(tile: Tile) -> np.ndarray:
        blend, truth = tile
        shape = find_shape(blend, radius)
        planes = {0: lay_out(blend, radius, 0), 255: lay_out(~blend, radius, 0)}
        classes = lay_out(truth, radius, OUTSIDE)
        words = sort_words(classes)
        counts = np.empty((len(recipes), 2, THRESHOLDS + 1), np.int32)
        for (kernel, flip), rows in places.items():
            count_chains(planes[flip], shape, classes, words, kernels[kernel], rows, flip, counts)
        return counts

    return count


def search_areas(
    tiles: Iterable[Tile],
    groups: Sequence[str],
    recipes: Sequence[Recipe],
    objective: Objective = "pooled_iou",
    workers: int | None = None,
) -> Grid:
    """Score every minimum area of holes and of objects out of `AREAS`, and every threshold, on top of `recipes`.

    Memory is that of the result, 0.5 MB a recipe and group, and of a few tiles at a time.

    Args:
        tiles: as for `search_kernels`, the same or others.
        groups: the group of each tile.
        recipes: what comes before, such as the best ten of the kernels' grid; their areas are replaced.
        objective: as for `search_kernels`.
        workers: threads; by default one a core.

    Returns:
        The grid of recipes x minimum hole areas x minimum object areas.

    Raises:
        InputError: as `search_kernels`.
        ValueError: `tiles` and `groups` are not equally many.
    """
    with_areas = [
        recipe.model_copy(update={"min_hole": hole, "min_object": least}).normalise()
        for recipe, hole, least in product(recipes, AREAS, AREAS)
    ]
    places = sorted(range(len(with_areas)), key=lambda place: with_areas[place].complexity)
    areas = np.array(AREAS)

    def filter_areas(blend: np.ndarray) -> Iterator[np.ndarray]:
        for recipe in recipes:
            for filled in fill_holes(recipe.close_and_open(blend), areas):
                yield from drop_objects(filled, areas)

    def count(tile: Tile) -> np.ndarray:
        blend, truth = tile
        if objective == "boundary_iou":
            return count_bands(filter_areas(blend), len(places), truth)[places]
        counts = np.empty((len(recipes), len(AREAS), len(AREAS), 2, THRESHOLDS + 1), np.int32)
        for recipe, recipe_counts in zip(recipes, counts, strict=True):
            count_areas(recipe.close_and_open(blend), truth, areas, areas, recipe_counts)
        return counts.reshape(-1, 2, THRESHOLDS + 1)[places]

    counts = collect_counts(count, tiles, groups, len(places), workers)
    return Grid(tuple(with_areas[place] for place in places), counts)
