"""Mosaics: images that lie side by side on one pixel grid, joined so that no building ends at a tile's border."""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from rasterio import Affine

from members.common.graphs import find_groups
from members.data.frames import Frame

ALIGNED = 0.01
"""How far two images' pixel grids may differ and still be one, px."""

Window = tuple[slice, slice]
"""Rows and columns of a picture."""
Reader = Callable[[str, Window], tuple[np.ndarray, np.ndarray]]
"""From an image id and a window of it to the mask, bool (h, w), and blend, uint8 (h, w) or (h, w, layers), there."""


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
        """Return a window's mask, bool (h, w), and blend, as `read` does; where images overlap the greater value."""
        rows, columns = window
        shape = rows.stop - rows.start, columns.stop - columns.start
        mask, blend = np.zeros(shape, bool), None
        tops, lefts, bottoms, rights = self._bounds
        reached = (tops < rows.stop) & (bottoms > rows.start) & (lefts < columns.stop) & (rights > columns.start)
        for number in np.flatnonzero(reached).tolist():
            frame, (row, column) = self.frames[number], self.corners[number]
            top, bottom = max(rows.start, row), min(rows.stop, row + frame.size[0])
            left, right = max(columns.start, column), min(columns.stop, column + frame.size[1])
            in_image = slice(top - row, bottom - row), slice(left - column, right - column)
            in_window = slice(top - rows.start, bottom - rows.start), slice(left - columns.start, right - columns.start)
            image_mask, image_blend = read(frame.image_id, in_image)
            mask[in_window] |= image_mask
            if blend is None:
                blend = np.zeros((*shape, *image_blend.shape[2:]), np.uint8)
            np.maximum(blend[in_window], image_blend, out=blend[in_window])
        return mask, np.zeros(shape, np.uint8) if blend is None else blend

    @functools.cached_property
    def _bounds(self) -> np.ndarray:
        """Return top, left, bottom and right of every image, int (4, images)."""
        corners = np.array(self.corners)
        return np.concatenate([corners, corners + [frame.size for frame in self.frames]], axis=1).T


def join_frames(frames: Iterable[Frame]) -> list[Mosaic]:
    """Join the images that touch or overlap on one pixel grid of one CRS; all others are mosaics of their own.

    Returns:
        Mosaics in the order of their first images.
    """
    images = list(frames)
    pairs = []
    for crs in {frame.crs for frame in images if frame.crs is not None}:
        numbers = [number for number, frame in enumerate(images) if frame.crs == crs]
        pairs += [pair for pair in _find_neighbours(images, numbers) if _is_aligned(images[pair[0]], images[pair[1]])]
    groups = defaultdict(list)
    for frame, group in zip(images, find_groups(len(images), pairs), strict=True):
        groups[group].append(frame)
    return [_lay_out(group) for group in groups.values()]


def _find_neighbours(frames: Sequence[Frame], numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Find the pairs of images, by number, whose borders touch or overlap in map coordinates."""
    borders = shapely.polygons([frames[n].corners for n in numbers])
    reach = np.array([ALIGNED * np.hypot(frames[n].transform.a, frames[n].transform.d) for n in numbers])
    found = shapely.STRtree(borders).query(borders, predicate="dwithin", distance=reach)
    return [(numbers[a], numbers[b]) for a, b in found.T if a < b]


def _is_aligned(one: Frame, other: Frame) -> bool:
    """Tell whether two images' pixels are on one grid: same size and direction, and whole pixels apart."""
    steps = ~one.transform * other.transform
    offset = np.array([steps.c, steps.f])
    drift = np.array([[steps.a - 1, steps.b], [steps.d, steps.e - 1]]) @ other.size[::-1]
    return bool((np.abs(offset - np.rint(offset)) < ALIGNED).all() and (np.abs(drift) < ALIGNED).all())


def _lay_out(frames: Sequence[Frame]) -> Mosaic:
    """Lay aligned images out: the uppermost begins at row 0, the leftmost at column 0."""
    first = frames[0].transform
    offsets = [~first * (frame.transform.c, frame.transform.f) for frame in frames]  # (column, row) each
    corners = np.rint(offsets).astype(int)[:, ::-1]
    origin = corners.min(0)
    size = (corners + [frame.size for frame in frames] - origin).max(0)
    transform = first * Affine.translation(*origin[::-1])
    moved = tuple((int(row), int(column)) for row, column in corners - origin)
    return Mosaic(tuple(frames), moved, (int(size[0]), int(size[1])), frames[0].crs, transform)
