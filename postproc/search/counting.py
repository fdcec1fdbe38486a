"""Counting many tiles in parallel, and summing the counts per group."""

from collections.abc import Callable, Sequence
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
    """Count the tiles in parallel and sum them per group; workers read the tiles, and give back sums of several.

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
    names, index = index_groups(groups)
    if len(tiles) != len(groups):
        raise ValueError(f"{len(tiles)} tiles of {len(groups)} groups")

    def count_chunk(numbers: Sequence[int]) -> tuple[int, dict[int, np.ndarray]]:
        """Count some tiles: the truth's pixels, and group -> sums, int64 (3, recipes, 255)."""
        buildings, found = 0, dict[int, np.ndarray]()
        for number in numbers:
            blend, truth = tiles[number]
            group = int(index[number])
            check_tile(blend, truth, f"tile {number} of group {names[group]}")
            buildings += int(np.count_nonzero(truth))
            counts = count((blend, truth))
            if group not in found:
                found[group] = np.zeros((3, len(counts), THRESHOLDS), np.int64)
            add_counts(counts, *found[group])
        return buildings, found

    workers = workers or Threads()
    chunks = cut_chunks(range(len(tiles)), workers)
    sums: np.ndarray | None = None
    buildings = 0
    for pixels, found in progress(workers.map(count_chunk, chunks, ordered=False), purpose, len(chunks)):
        buildings += pixels
        for group, own in found.items():
            if sums is None:
                sums = np.zeros((3, len(names), *own.shape[1:]), np.int64)
            sums[:, group] += own
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
