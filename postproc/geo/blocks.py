"""A mask of any size in blocks, no object torn apart: memory depends on a block and on the largest object alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from members.common.graphs import find_groups
from members.common.workers import Threads, Workers
from members.data.mosaic import Window

BLOCK = 4096
"""Side of the blocks, px."""


@dataclass(frozen=True)
class BlockObjects:
    """The parts of objects that are in one block.

    Attributes:
        bounds: int (n, 4), top, left, bottom, right of each, in the mask.
        seeds: int (n, 2), row and column of a pixel of each.
        top, bottom, left, right: the block's sides, int; 0 = background, else 1 + the part's number.
    """

    bounds: np.ndarray
    seeds: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    left: np.ndarray
    right: np.ndarray


def list_windows(size: tuple[int, int], block: int = BLOCK) -> list[Window]:
    """List the blocks of a mask of a height and width, row by row."""
    rows, columns = ([slice(start, min(start + block, side)) for start in range(0, side, block)] for side in size)
    return [(row, column) for row in rows for column in columns]


def read_whole(size: tuple[int, int], read_mask: Callable[[Window], np.ndarray]) -> np.ndarray:
    """Read a whole mask, bool (h, w), block by block."""
    mask = np.empty(size, bool)
    for window in list_windows(size):
        mask[window] = read_mask(window)
    return mask


def plan_windows(
    size: tuple[int, int],
    read_mask: Callable[[Window], np.ndarray],
    block: int = BLOCK,
    workers: Workers | None = None,
) -> Iterator[tuple[Window, np.ndarray | None]]:
    """Yield windows, one a block, that together hold every object of a mask whole, and once.

    Objects are 4-connected. Each belongs to the block that its first part is in, and that block's window reaches as
    far as its objects do.

    Args:
        size: of the mask, height and width, px.
        read_mask: reads a window of it, bool (h, w).
        block: side of the blocks, px.
        workers: who reads the mask, block by block; by default a thread a core.

    Yields:
        A window, and a pixel of each of its objects, int (n, 2) as row and column in the window; None instead of the
        pixels where the window is the whole mask. What else is in the window belongs to others.
    """
    windows = list_windows(size, block)
    if len(windows) == 1:
        yield windows[0], None
        return

    def find(window: Window) -> BlockObjects:
        return _find_objects(read_mask(window), window)

    found: list[BlockObjects] = []
    pairs: list[tuple[int, int]] = []
    count, starts = 0, list[int]()
    neighbours: dict[int, tuple[int, np.ndarray]] = {}  # each block column's last row of parts, as yet
    before = 0, np.zeros(0, int)
    for window, own in zip(windows, (workers or Threads()).map(find, windows), strict=True):
        left = window[1].start
        pairs += _pair_parts(neighbours.get(left), (count, own.top))
        pairs += _pair_parts(before if left > 0 else None, (count, own.left))
        neighbours[left], before = (count, own.bottom), (count, own.right)
        starts.append(count)
        count += len(own.seeds)
        found.append(own)
    owners = np.repeat(np.arange(len(windows)), np.diff([*starts, count]))
    bounds, seeds = (np.concatenate(each) for each in zip(*((own.bounds, own.seeds) for own in found), strict=True))
    yield from _gather_windows(windows, owners, bounds, seeds, find_groups(count, pairs))


def _pair_parts(one: tuple[int, np.ndarray] | None, other: tuple[int, np.ndarray]) -> set[tuple[int, int]]:
    """Pair the parts that meet along two blocks' sides, each given with the number of its block's first part."""
    if one is None:
        return set()
    both = (one[1] > 0) & (other[1] > 0)
    first, second = (start - 1 + side[both].astype(int) for start, side in (one, other))
    return set(zip(first.tolist(), second.tolist(), strict=True))


def _gather_windows(
    windows: Sequence[Window], owners: np.ndarray, bounds: np.ndarray, seeds: np.ndarray, groups: np.ndarray
) -> Iterator[tuple[Window, np.ndarray]]:
    """Yield each block's window and a pixel of each of its objects; the parts of one group are an object."""
    _, first = np.unique(groups, return_index=True)  # parts come block by block
    whole = bounds[first]
    np.minimum.at(whole[:, :2], groups, bounds[:, :2])
    np.maximum.at(whole[:, 2:], groups, bounds[:, 2:])
    order = np.argsort(owners[first], kind="stable")
    ends = np.searchsorted(owners[first][order], np.arange(len(windows) + 1))
    for window, start, end in zip(windows, ends[:-1], ends[1:], strict=True):
        mine = np.sort(order[start:end])
        if len(mine) == 0:
            yield window, np.zeros((0, 2), int)
            continue
        (top, left), (bottom, right) = whole[mine, :2].min(0), whole[mine, 2:].max(0)
        yield (slice(int(top), int(bottom)), slice(int(left), int(right))), seeds[first[mine]] - [top, left]


def _find_objects(mask: np.ndarray, window: Window) -> BlockObjects:
    """Find the parts of objects in a block's mask, bool (h, w)."""
    labels, bounds, seeds = _label_objects(mask)
    corner = np.array([window[0].start, window[1].start])
    sides = (side.copy() for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]))
    return BlockObjects(bounds + np.tile(corner, 2), seeds + corner, *sides)


def _label_objects(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label objects from 1, int32 (h, w); their bounds, (n, 4) top, left, bottom, right; a pixel of each, (n, 2)."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    left, top, width, height = stats[1:, :4].T
    rows = zip(top, left, width, strict=True)
    across = [x + int(np.argmax(labels[y, x : x + w] == label)) for label, (y, x, w) in enumerate(rows, 1)]
    seeds = np.column_stack([top, np.array(across, int)])
    return labels, np.column_stack([top, left, top + height, left + width]).astype(int), seeds
