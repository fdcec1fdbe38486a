"""Counting many tiles in parallel, and summing the counts per group."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numba import njit

from ensemble.statistics.counts import THRESHOLDS, Counts, check_tile, check_truth, index_groups
from ensemble.statistics.metrics import IOU_UNIT

Tile = tuple[np.ndarray, np.ndarray]
Item = TypeVar("Item")
Result = TypeVar("Result")


def collect_counts(
    count: Callable[[Tile], np.ndarray],
    tiles: Iterable[Tile],
    groups: Sequence[str],
    recipes: int,
    workers: int | None,
) -> Counts:
    """Count the tiles in parallel and sum them; the counts' choices are (recipes, 255).

    Args:
        count: returns the int32 (recipes, 2, 256) pixels of the truth's background and building by grey value.
        tiles: as for `search_kernels`.
        groups: the group of each tile.
        recipes: how many there are.
        workers: threads; by default one a core.
    """
    names, index = index_groups(groups)
    sums = np.zeros((3, len(names), recipes, THRESHOLDS), np.int64)
    buildings = 0

    def check(tiles: Iterable[Tile]) -> Iterator[Tile]:
        for number, ((blend, truth), group) in enumerate(zip(tiles, index, strict=True)):
            check_tile(blend, truth, f"tile {number} of group {names[group]}")
            yield blend, truth

    for counts, group in zip(map_threads(count, check(tiles), workers), index, strict=True):
        buildings += int(counts[0, 1].sum())
        add_counts(counts, *sums[:, group])
    check_truth(buildings, len(groups))
    return Counts(names, np.bincount(index, minlength=len(names)), name_columns(sums))


def name_columns(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Name the sums of `add_counts`, int64 (3, ...): of pixels, or of bands, which count as pixels do."""
    intersection, union, iou_sum = sums
    bands = {"band_intersection": intersection, "band_union": union}
    return {"intersection": intersection, "union": union, "iou_sum": iou_sum, **bands}


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


@njit(nogil=True, cache=True)
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
