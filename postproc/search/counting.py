"""Counting many tiles in parallel, and summing the counts per group."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from ensemble.statistics.counts import THRESHOLDS, Counts, check_tile, check_truth, index_groups
from ensemble.statistics.metrics import IOU_UNIT, METRICS
from members.common.choices import Objective
from members.common.compiled import compiled
from postproc.pipeline.recipe import Recipe
from postproc.scoring.boundary import count_bands

Tile = tuple[np.ndarray, np.ndarray]
Item = TypeVar("Item")
Result = TypeVar("Result")


def collect_counts(
    count: Callable[[Tile], np.ndarray],
    tiles: Iterable[Tile],
    groups: Sequence[str],
    objective: Objective,
    workers: int | None = None,
) -> Counts:
    """Count the tiles in parallel and sum them per group.

    Args:
        count: returns a tile's int32 (recipes, 2, 256), pixels of the truth's background and building by grey value, or
            of bands where the objective is `boundary_iou`.
        tiles: map and truth of each.
        groups: the group of each tile.
        objective: what is to be scored.
        workers: threads; by default one a core.

    Returns:
        Counts whose choices are (recipes, 255).
    """
    names, index = index_groups(groups)
    sums: np.ndarray | None = None
    buildings = 0

    def check(tiles: Iterable[Tile]) -> Iterator[Tile]:
        nonlocal buildings
        for number, ((blend, truth), group) in enumerate(zip(tiles, index, strict=True)):
            check_tile(blend, truth, f"tile {number} of group {names[group]}")
            buildings += int(np.count_nonzero(truth))
            yield blend, truth

    for counts, group in zip(map_threads(count, check(tiles), workers), index, strict=True):
        if sums is None:
            sums = np.zeros((3, len(names), len(counts), THRESHOLDS), np.int64)
        add_counts(counts, *sums[:, group])
    check_truth(buildings, len(groups))
    return Counts(names, np.bincount(index, minlength=len(names)), name_columns(sums, objective))


def name_columns(sums: np.ndarray | None, objective: Objective) -> dict[str, np.ndarray]:
    """Name the sums of `add_counts`, int64 (3, ...): they are of pixels, or of bands, which count as pixels do."""
    columns = METRICS["boundary_iou"].columns if objective == "boundary_iou" else ("intersection", "union", "iou_sum")
    return {} if sums is None else dict(zip(columns, sums, strict=False))


def count_recipe(blend: np.ndarray, truth: np.ndarray, recipe: Recipe, objective: Objective) -> np.ndarray:
    """Count one tile at all thresholds of a recipe, its own left out: int32 (1, 2, 256)."""
    picture = recipe.apply_grey(blend)
    return count_bands([picture], 1, truth) if objective == "boundary_iou" else count_picture(picture, truth)[None]


def count_picture(picture: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Count the truth's background and building pixels by a picture's values, uint8 (h, w): int32 (2, 256)."""
    counts = np.zeros((2, THRESHOLDS + 1), np.int32)
    count_values(picture, truth, counts)
    return counts


@compiled
def count_values(picture: np.ndarray, truth: np.ndarray, counts: np.ndarray) -> None:
    """Add the picture's values to counts, int32 (2, 256), of the truth's background and building."""
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            counts[int(truth[y, x]), picture[y, x]] += 1


def map_threads(work: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None) -> Iterator[Result]:
    """Yield work(item) in the items' order; only a few items are read ahead."""
    workers = workers or len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) > workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


@compiled
def add_counts(counts: np.ndarray, intersection: np.ndarray, union: np.ndarray, iou_sum: np.ndarray) -> None:
    """Add one tile's histograms, int32 (recipes, 2, 256), to the int64 (recipes, 255) sums of its group."""
    inside, outside = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for recipe in range(len(counts)):
        background, building = counts[recipe]
        for value in range(254, -1, -1):
            outside[value] = outside[value + 1] + background[value + 1]
            inside[value] = inside[value + 1] + building[value + 1]
        truth = inside[0] + building[0]
        for index in range(THRESHOLDS):
            either = outside[index] + truth
            ratio = 1.0 if either == 0 else inside[index] / either
            intersection[recipe, index] += inside[index]
            union[recipe, index] += either
            iou_sum[recipe, index] += int(np.rint(ratio * IOU_UNIT))
