"""Counting many tiles in parallel, and summing the counts per group."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np

from ensemble.statistics.counts import THRESHOLDS, Counts, check_tile, check_truth, index_groups
from ensemble.statistics.metrics import IOU_UNIT, METRICS
from members.common.choices import Objective
from members.common.compiled import compiled
from members.common.progress import Progress, silent
from members.common.workers import Threads, Workers, cut_chunks
from postproc.pipeline.recipe import Recipe
from postproc.scoring.boundary import count_bands

Tile = tuple[np.ndarray, np.ndarray]


class Tiles(Protocol):
    """Maps, uint8 (h, w), each with its truth, bool (h, w): a list, or what reads one where it is asked for."""

    def __len__(self) -> int:
        """Return the number of tiles."""

    def __getitem__(self, number: int, /) -> Tile:
        """Return one tile's map and truth."""


def collect_counts(
    count: Callable[[Tile], np.ndarray],
    tiles: Tiles,
    groups: Sequence[str],
    objective: Objective,
    workers: Workers | None = None,
    progress: Progress = silent,
    purpose: str = "counting",
) -> Counts:
    """Count the tiles in parallel and sum them per group.

    Args:
        count: returns a tile's int32 (recipes, 2, 256), pixels of the truth's background and building by grey value, or
            of bands where the objective is `boundary_iou`.
        tiles: map and truth of each.
        groups: the group of each tile.
        objective: what is to be scored.
        workers: who counts; by default a thread a core.
        progress: watches the work.
        purpose: what is shown of it.

    Returns:
        Counts whose choices are (recipes, 255).

    Raises:
        InputError: there is no tile, a map or truth of a wrong type or shape, or no building in any truth.
        ValueError: `tiles` and `groups` are not equally many.
    """

    def measure(tile: Tile) -> tuple[np.ndarray, ...]:
        counts = count(tile)
        sums = np.zeros((3, len(counts), THRESHOLDS), np.int64)
        add_counts(counts, *sums)
        return np.count_nonzero(tile[1]) * np.ones(1, np.int64), *sums

    names, index = index_groups(groups)
    buildings, *sums = sum_tiles(measure, tiles, groups, workers, progress, purpose)
    check_truth(int(buildings.sum()), len(groups))
    return Counts(names, np.bincount(index, minlength=len(names)), name_columns(sums, objective))


def sum_tiles(
    measure: Callable[[Tile], tuple[np.ndarray, ...]],
    tiles: Tiles,
    groups: Sequence[str],
    workers: Workers | None = None,
    progress: Progress = silent,
    purpose: str = "counting",
) -> list[np.ndarray]:
    """Sum what is measured of tiles per group; workers read the tiles, and give back sums of several.

    Args:
        measure: returns int64 arrays, of the same shapes for every tile.
        tiles, groups, workers, progress, purpose: as for `collect_counts`.

    Returns:
        The sum of each of those arrays, int64 (groups, ...), the groups sorted by their names.
    """
    names, index = index_groups(groups)
    if len(tiles) != len(groups):
        raise ValueError(f"{len(tiles)} tiles of {len(groups)} groups")

    def measure_chunk(numbers: Sequence[int]) -> dict[int, list[np.ndarray]]:
        found: dict[int, list[np.ndarray]] = {}
        for number in numbers:
            blend, truth = tiles[number]
            group = int(index[number])
            check_tile(blend, truth, f"tile {number} of group {names[group]}")
            add_arrays(found.setdefault(group, []), measure((blend, truth)))
        return found

    workers = workers or Threads()
    chunks = cut_chunks(range(len(tiles)), workers)
    sums: list[np.ndarray] = []
    for found in progress(workers.map(measure_chunk, chunks, ordered=False), purpose, len(chunks)):
        for group, arrays in found.items():
            if not sums:
                sums = [np.zeros((len(names), *each.shape), np.int64) for each in arrays]
            for whole, each in zip(sums, arrays, strict=True):
                whole[group] += each
    return sums


def add_arrays(sums: list[np.ndarray], arrays: Sequence[np.ndarray]) -> None:
    """Add arrays to sums, which may be none yet."""
    if not sums:
        sums += arrays
        return
    for whole, each in zip(sums, arrays, strict=True):
        whole += each


def name_columns(sums: Iterable[np.ndarray], objective: Objective) -> dict[str, np.ndarray]:
    """Name the sums of `add_counts`, three arrays: they are of pixels, or of bands, which count as pixels do."""
    columns = METRICS["boundary_iou"].columns if objective == "boundary_iou" else ("intersection", "union", "iou_sum")
    return dict(zip(columns, sums, strict=False))


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
