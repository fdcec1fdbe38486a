"""A mask of any size in blocks, no object torn apart: memory depends on a block and on the largest object alone."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from members.common.graphs import find_groups

BLOCK = 4096
"""Side of the blocks, px."""

Window = tuple[slice, slice]


def plan_windows(
    size: tuple[int, int], read_mask: Callable[[Window], np.ndarray], block: int = BLOCK
) -> Iterator[tuple[Window, np.ndarray | None]]:
    """Yield windows that together hold every object of a mask whole, and once.

    Objects are 4-connected. Each belongs to the block that its first part is in, and that block's window reaches as
    far as its objects do.

    Args:
        size: of the mask, height and width, px.
        read_mask: reads a window of it, bool (h, w).
        block: side of the blocks, px.

    Yields:
        A window, and a pixel of each of its objects, int (n, 2) as row and column in the window; None instead of the
        pixels where the window is the whole mask. What else is in the window belongs to others.
    """
    rows, columns = (range(0, side, block) for side in size)
    if len(rows) == len(columns) == 1:
        yield (slice(0, size[0]), slice(0, size[1])), None
        return
    owners, bounds, seeds, pairs = [], [], [], []
    count = 0
    above: dict[int, np.ndarray] = {}  # each block column's last row of labels
    for number, top in enumerate(rows):
        left_side = None
        for left in columns:
            window = slice(top, min(top + block, size[0])), slice(left, min(left + block, size[1]))
            labels, found, first = _label_objects(read_mask(window))
            labels[labels > 0] += count
            owners += [number * len(columns) + left // block] * len(found)
            bounds.append(found + np.array([top, left, top, left]))
            seeds.append(first + np.array([top, left]))
            for side, other in ((labels[0], above.get(left)), (labels[:, 0], left_side)):
                if other is not None:
                    both = (side > 0) & (other > 0)
                    pairs += list(set(zip((side[both] - 1).tolist(), (other[both] - 1).tolist(), strict=True)))
            above[left], left_side = labels[-1].copy(), labels[:, -1].copy()
            count += len(found)
    yield from _gather_windows(
        np.array(owners), np.concatenate(bounds), np.concatenate(seeds), find_groups(count, pairs)
    )


def _gather_windows(
    owners: np.ndarray, bounds: np.ndarray, seeds: np.ndarray, groups: np.ndarray
) -> Iterator[tuple[Window, np.ndarray]]:
    """Yield each block's window and a pixel of each of its objects; the parts of one group are an object."""
    _, first = np.unique(groups, return_index=True)  # parts come block by block
    whole = bounds[first]
    np.minimum.at(whole[:, :2], groups, bounds[:, :2])
    np.maximum.at(whole[:, 2:], groups, bounds[:, 2:])
    for owner in np.unique(owners[first]):
        mine = owners[first] == owner
        (top, left), (bottom, right) = whole[mine, :2].min(0), whole[mine, 2:].max(0)
        yield (slice(int(top), int(bottom)), slice(int(left), int(right))), seeds[first[mine]] - [top, left]


def _label_objects(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label objects from 1, int32 (h, w); their bounds, (n, 4) top, left, bottom, right; a pixel of each, (n, 2)."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    left, top, width, height = stats[1:, :4].T
    rows = zip(top, left, width, strict=True)
    across = [x + int(np.argmax(labels[y, x : x + w] == label)) for label, (y, x, w) in enumerate(rows, 1)]
    seeds = np.column_stack([top, np.array(across, int)])
    return labels, np.column_stack([top, left, top + height, left + width]).astype(int), seeds
