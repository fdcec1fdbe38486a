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

from ensemble.statistics.counts import THRESHOLDS
from members.common.choices import Objective
from members.common.progress import Progress, silent
from members.common.workers import Workers
from postproc.operators.component_tree import count_areas, drop_objects, fill_holes
from postproc.operators.flat_operators import count_chains
from postproc.operators.layout import OUTSIDE, Kernels, find_shape, lay_out, measure_kernels, sort_words
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.steps import AREAS, KERNEL_SHAPES, LARGEST_KERNEL, Areas, Kernel, Morphology, Step, draw_kernel
from postproc.scoring.boundary import count_bands
from postproc.search.counting import Tile, Tiles, collect_counts, count_picture
from postproc.search.grid import Grid

Counter = Callable[[Tile], np.ndarray]
"""From a tile to int32 (recipes, 2, 256): pixels of the truth's background and building by grey value, or of bands."""


def search_step(
    step: type[Step],
    bases: Sequence[Recipe],
    tiles: Tiles,
    groups: Sequence[str],
    objective: Objective = "pooled_iou",
    workers: Workers | None = None,
    progress: Progress = silent,
    purpose: str = "counting",
) -> Grid:
    """Score every setting of a flat step, and every threshold, on top of recipes.

    Memory is that of the result, 6 kB a recipe and group, and of a few tiles at a time (`pool_groups` bounds the
    number of groups). Closings and openings on the bare map, and areas, are counted by compiled code that shares work
    between settings; any other step by its grey operator, one setting after the other.

    Args:
        step: which; its parameters in `bases` are replaced.
        bases: what comes before, such as the neutral recipe, or the best ten of the step before.
        tiles: maps, uint8 (height, width), each with its truth, bool of the same shape: a list, or what reads one
            where it is asked for; sizes may differ.
        groups: the group of each tile.
        objective: `boundary_iou` counts bands, several times slower; the counts for all others are the same.
        workers: who counts; by default a thread a core.
        progress: watches the work.
        purpose: what is shown of it.

    Returns:
        The grid; it depends neither on the order of the tiles nor on the threads.

    Raises:
        InputError: there is no tile, a map or truth of a wrong type or shape, or no building in any truth.
        ValueError: `tiles` and `groups` are not equally many.
    """
    if step is Morphology and tuple(bases) == (Recipe(),):
        return search_kernels(tiles, groups, objective, LARGEST_KERNEL, workers, progress, purpose)
    if step is Areas:
        return search_areas(tiles, groups, bases, objective, workers, progress, purpose)
    settings = {base.model_copy(update=setting).normalise() for base in bases for setting in step.list_settings()}
    recipes = tuple(sorted(settings, key=lambda recipe: recipe.complexity))
    count = plan_pictures(recipes, objective)
    return Grid(recipes, collect_counts(count, tiles, groups, objective, workers, progress, purpose))


def plan_pictures(recipes: Sequence[Recipe], objective: Objective) -> Counter:
    """Return the function that counts a tile by the recipes' grey operators, one after the other."""

    def count(tile: Tile) -> np.ndarray:
        blend, truth = tile
        return count_pictures((recipe.apply_grey(blend) for recipe in recipes), len(recipes), truth, objective)

    return count


def count_pictures(pictures: Iterable[np.ndarray], recipes: int, truth: np.ndarray, objective: Objective) -> np.ndarray:
    """Count one tile's pictures, uint8 (h, w), one a recipe and taken one at a time: int32 (recipes, 2, 256)."""
    if objective == "boundary_iou":
        return count_bands(pictures, recipes, truth)
    return np.stack([count_picture(picture, truth) for picture in pictures])


def list_kernel_recipes(largest: int = LARGEST_KERNEL) -> tuple[Recipe, ...]:
    """Return every distinct recipe of order, kernel, closing and opening, from simple to complex.

    Args:
        largest: size of the largest kernel, odd, 3 or more; 15 makes 225 recipes.
    """
    recipes = {Recipe(**setting).normalise() for setting in Morphology.list_kernels(largest)}
    return tuple(sorted(recipes, key=lambda recipe: recipe.complexity))


def search_kernels(
    tiles: Tiles,
    groups: Sequence[str],
    objective: Objective = "pooled_iou",
    largest: int = LARGEST_KERNEL,
    workers: Workers | None = None,
    progress: Progress = silent,
    purpose: str = "counting",
) -> Grid:
    """Score the whole grid of order, kernel, closing, opening and threshold, as `search_step` does.

    Args:
        tiles, groups, objective, workers, progress, purpose: as for `search_step`.
        largest: size of the largest kernel, odd, 3 or more.
    """
    recipes = list_kernel_recipes(largest)
    banded = objective == "boundary_iou"
    count = plan_pictures(recipes, objective) if banded else plan_chains(recipes, largest)
    return Grid(recipes, collect_counts(count, tiles, groups, objective, workers, progress, purpose))


@dataclass(frozen=True)
class ChainPlan:
    """Which closings and openings are made of a tile.

    Attributes:
        radius: of the largest kernel.
        kernels: shape -> what `measure_kernels` says of its sizes.
        rows: kernel shape, and 0 for close-open or 255 for open-close -> int64 (radius + 1, radius + 1), the number of
            the recipe by the radius of what comes first and then of what comes second, or -1.
    """

    radius: int
    kernels: dict[Kernel, Kernels]
    rows: dict[tuple[Kernel, int], np.ndarray]


def plan_rows(recipes: Sequence[Recipe], largest: int = LARGEST_KERNEL) -> ChainPlan:
    """Plan closings and openings up to a size, odd, px."""
    sizes = range(1, largest + 1, 2)
    kernels = {kernel: measure_kernels([draw_kernel(kernel, size) for size in sizes]) for kernel in KERNEL_SHAPES}
    rows = {chain: np.full((len(sizes), len(sizes)), -1) for chain in product(KERNEL_SHAPES, (0, 255))}
    for number, recipe in enumerate(recipes):
        close, opening = recipe.close // 2, recipe.open // 2
        if recipe.order == "close-open":
            rows[recipe.kernel, 0][close, opening] = number
        else:
            rows[recipe.kernel, 255][opening, close] = number
    return ChainPlan(len(sizes) - 1, kernels, rows)


def plan_chains(recipes: Sequence[Recipe], largest: int) -> Counter:
    """Return the function that counts a tile, int32 (recipes, 2, 256), for closings and openings up to `largest`."""
    plan = plan_rows(recipes, largest)
    radius = plan.radius

    def count(tile: Tile) -> np.ndarray:
        blend, truth = tile
        shape = find_shape(blend, radius)
        planes = {0: lay_out(blend, radius, 0), 255: lay_out(~blend, radius, 0)}
        classes = lay_out(truth, radius, OUTSIDE)
        words = sort_words(classes)
        counts = np.empty((len(recipes), 2, THRESHOLDS + 1), np.int32)
        for (kernel, flip), rows in plan.rows.items():
            count_chains(planes[flip], shape, classes, words, plan.kernels[kernel], rows, flip, counts)
        return counts

    return count


def search_areas(
    tiles: Tiles,
    groups: Sequence[str],
    recipes: Sequence[Recipe],
    objective: Objective = "pooled_iou",
    workers: Workers | None = None,
    progress: Progress = silent,
    purpose: str = "counting",
) -> Grid:
    """Score every minimum area of holes and of objects out of `AREAS`, and every threshold, as `search_step` does.

    Args:
        tiles, groups, objective, workers, progress, purpose: as for `search_step`.
        recipes: what comes before; their areas are replaced.

    Returns:
        The grid of recipes x minimum hole areas x minimum object areas.
    """
    with_areas = [
        recipe.model_copy(update={"min_hole": hole, "min_object": least}).normalise()
        for recipe, hole, least in product(recipes, AREAS, AREAS)
    ]
    order = sorted(range(len(with_areas)), key=lambda number: with_areas[number].complexity)
    areas = np.array(AREAS)

    def filter_areas(blend: np.ndarray) -> Iterator[np.ndarray]:
        for recipe in recipes:
            for filled in fill_holes(recipe.take(Morphology).apply_grey(blend), areas):
                yield from drop_objects(filled, areas)

    def count(tile: Tile) -> np.ndarray:
        blend, truth = tile
        if objective == "boundary_iou":
            return count_pictures(filter_areas(blend), len(order), truth, objective)[order]
        counts = np.empty((len(recipes), len(AREAS), len(AREAS), 2, THRESHOLDS + 1), np.int32)
        for recipe, recipe_counts in zip(recipes, counts, strict=True):
            count_areas(recipe.take(Morphology).apply_grey(blend), truth, areas, areas, recipe_counts)
        return counts.reshape(-1, 2, THRESHOLDS + 1)[order]

    counted = collect_counts(count, tiles, groups, objective, workers, progress, purpose)
    return Grid(tuple(with_areas[number] for number in order), counted)
