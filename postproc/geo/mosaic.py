"""Images that lie side by side on one pixel grid, joined before buildings are traced: no outline ends at a tile border.

Memory is bounded by a block and by what reaches over its sides, however many images there are: each object of
the mask is traced whole, with the block that it begins in.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import shapely
from rasterio import Affine
from shapely.affinity import translate

from postproc.geo.blocks import BLOCK, Window, find_groups, plan_windows
from postproc.geo.frames import Frame, clip_outlines, draw_border, move_outlines
from postproc.polygons.buildings import Building

ALIGNED = 0.01
"""How far two images' pixel grids may differ and still be one, px."""

Reader = Callable[[str], tuple[np.ndarray, np.ndarray]]
"""From an image id to its mask, bool (h, w), and blend, uint8 (h, w)."""

Outliner = Callable[[np.ndarray, np.ndarray], list[Building]]
"""From a mask, bool (h, w), and blend, uint8 (h, w), to the buildings in it."""


@dataclass(frozen=True)
class Mosaic:
    """Images joined into one picture; pixels that no image covers are background.

    Attributes:
        frames: the images.
        corners: row and column of each one's first pixel in the mosaic.
        size: height and width, px.
        crs: their coordinate reference system as WKT; None without georeferencing.
        transform: from the mosaic's pixels (column, row) to coordinates of `crs`.
    """

    frames: tuple[Frame, ...]
    corners: tuple[tuple[int, int], ...]
    size: tuple[int, int]
    crs: str | None
    transform: Affine

    def read(self, window: Window, read: Reader) -> tuple[np.ndarray, np.ndarray]:
        """Return a window's mask, bool (h, w), and blend, uint8 (h, w); where images overlap the greater value."""
        shape = [side.stop - side.start for side in window]
        mask, blend = np.zeros(shape, bool), np.zeros(shape, np.uint8)
        for frame, corner in zip(self.frames, self.corners, strict=True):
            start = [max(side.start, first) for side, first in zip(window, corner, strict=True)]
            stop = [min(side.stop, f + n) for side, f, n in zip(window, corner, frame.size, strict=True)]
            if start[0] >= stop[0] or start[1] >= stop[1]:
                continue
            own_mask, own_blend = read(frame.image_id)
            here = tuple(slice(a - first, b - first) for a, b, first in zip(start, stop, corner, strict=True))
            there = tuple(slice(a - side.start, b - side.start) for a, b, side in zip(start, stop, window, strict=True))
            mask[there] |= own_mask[here]
            np.maximum(blend[there], own_blend[here], out=blend[there])
        return mask, blend


def join_frames(frames: Iterable[Frame]) -> list[Mosaic]:
    """Join the images that touch or overlap on one pixel grid of one CRS; all others are mosaics of their own.

    Returns:
        Mosaics in the order of their first images.
    """
    every = list(frames)
    pairs = []
    for crs in {frame.crs for frame in every if frame.crs is not None}:
        numbers = [number for number, frame in enumerate(every) if frame.crs == crs]
        pairs += [pair for pair in _find_neighbours(every, numbers) if _is_aligned(every[pair[0]], every[pair[1]])]
    groups = defaultdict(list)
    for frame, group in zip(every, find_groups(len(every), pairs), strict=True):
        groups[group].append(frame)
    return [_place_frames(group) for group in groups.values()]


def _find_neighbours(frames: Sequence[Frame], numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of images, by number, whose borders touch or overlap in map coordinates."""
    borders = np.concatenate(
        [move_outlines(np.array([draw_border(frames[n].size)]), frames[n].transform) for n in numbers]
    )
    reach = np.array([ALIGNED * np.hypot(frames[n].transform.a, frames[n].transform.d) for n in numbers])
    found = shapely.STRtree(borders).query(borders, predicate="dwithin", distance=reach)
    return [(numbers[a], numbers[b]) for a, b in found.T if a < b]


def _is_aligned(one: Frame, other: Frame) -> bool:
    """Whether two images' pixels are on one grid: same size and direction, and whole pixels apart."""
    steps = ~one.transform * other.transform
    offset = np.array([steps.c, steps.f])
    drift = np.array([[steps.a - 1, steps.b], [steps.d, steps.e - 1]]) @ other.size[::-1]
    return bool((np.abs(offset - np.rint(offset)) < ALIGNED).all() and (np.abs(drift) < ALIGNED).all())


def _place_frames(frames: Sequence[Frame]) -> Mosaic:
    """Lay aligned images out, the first pixel of the uppermost and that of the leftmost at row and column 0."""
    first = frames[0].transform
    places = [~first * (frame.transform.c, frame.transform.f) for frame in frames]  # (column, row) each
    corners = np.rint(places).astype(int)[:, ::-1]
    origin = corners.min(0)
    size = (corners + [frame.size for frame in frames] - origin).max(0)
    transform = first * Affine.translation(*origin[::-1])
    placed = tuple((int(row), int(column)) for row, column in corners - origin)
    return Mosaic(tuple(frames), placed, (int(size[0]), int(size[1])), frames[0].crs, transform)


def trace_mosaic(mosaic: Mosaic, read: Reader, outline: Outliner, block: int = BLOCK) -> Iterator[Building]:
    """Yield the mosaic's buildings, outlines in its pixels.

    Args:
        mosaic: the joined images.
        read: reads one of them.
        outline: traces a mask; it is given whole objects (4-connected) and only sees those of one block at once.
        block: side of the blocks, px; memory grows with its square, and with the largest object's bounds.
    """
    for window, seeds in plan_windows(mosaic.size, lambda window: mosaic.read(window, read)[0], block):
        mask, blend = mosaic.read(window, read)
        if seeds is not None:
            _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
            mine = np.zeros(labels.max() + 1, bool)
            mine[labels[tuple(seeds.T)]] = True
            mask = mine[labels]
        corner = window[1].start, window[0].start
        for building in outline(mask, blend):
            yield move_building(building, corner)


def move_building(building: Building, corner: tuple[float, float]) -> Building:
    """Move a building by (x, y) px."""
    return replace(building, outline=translate(building.outline, *corner))


def share_buildings(mosaic: Mosaic, buildings: Sequence[Building]) -> list[list[tuple[str, Building]]]:
    """Cut buildings along the images' borders.

    Args:
        mosaic: the joined images.
        buildings: outlines in its pixels.

    Returns:
        For each building its pieces, the greatest first: the image that a piece is in, and the piece in that image's
        pixels. Where images overlap each has its own.
    """
    borders = np.array([draw_border(frame.size) for frame in mosaic.frames])
    tree = shapely.STRtree([translate(b, x, y) for b, (y, x) in zip(borders, mosaic.corners, strict=True)])
    shares = []
    for building in buildings:
        pieces = []
        for number in np.sort(tree.query(building.outline, predicate="intersects")):
            row, column = mosaic.corners[number]
            moved = move_building(building, (-column, -row))
            for outline in clip_outlines(np.array([moved.outline]), mosaic.frames[number].size):
                pieces.append((mosaic.frames[number].image_id, replace(moved, outline=outline)))
        shares.append(sorted(pieces, key=lambda piece: -piece[1].outline.area))
    return shares
