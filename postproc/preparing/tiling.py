"""Images cut into tiles, and tiles into groups of neighbours."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from members.common.errors import InputError
from members.data.frames import Frame
from members.data.raster import MIN_SIDE

BLOCK = 4
"""Tiles along the side of the square that is a group, where there are few images."""
FEW = 10
"""Images, of which fewer are torn apart into groups; of more each is a group."""


@dataclass(frozen=True)
class Cut:
    """One tile of an image.

    Attributes:
        image_id: of the tile.
        source: of the image.
        window: rows and columns of the image.
        block: row and column of the square of tiles that it is in.
    """

    image_id: str
    source: str
    window: tuple[slice, slice]
    block: tuple[int, int]


Draw = Callable[[Cut], np.ndarray]
"""From a tile to its mask, bool (h, w)."""


def cut_frame(frame: Frame, side: int | None, overlap: int = 0) -> Iterator[Cut]:
    """Yield the tiles of an image from top to bottom; the last ones of a row or column reach back as far as needed.

    Args:
        frame: of the image.
        side: of the tiles, px; None leaves the image as it is, and so does one that is larger than the image.
        overlap: of neighbours, px.

    Raises:
        InputError: tiles would be too small, or overlap by more than half.
    """
    if side is None:
        yield Cut(frame.image_id, frame.image_id, (slice(0, frame.size[0]), slice(0, frame.size[1])), (0, 0))
        return
    if side < MIN_SIDE or not 0 <= overlap <= side // 2:
        raise InputError(
            f"--tile {side} --overlap {overlap}: tiles have {MIN_SIDE} px a side or more, and overlap by half at most"
        )
    rows, columns = (list_starts(length, side, overlap) for length in frame.size)
    for row, top in enumerate(rows):
        for column, left in enumerate(columns):
            window = slice(top, min(top + side, frame.size[0])), slice(left, min(left + side, frame.size[1]))
            yield Cut(f"{frame.image_id}_{row}_{column}", frame.image_id, window, (row // BLOCK, column // BLOCK))


def list_starts(length: int, side: int, overlap: int) -> list[int]:
    """List where tiles begin along an axis of a length, all px.

    >>> list_starts(100, 40, 0), list_starts(100, 40, 10), list_starts(30, 40, 0)
    ([0, 40, 60], [0, 30, 60], [0])
    """
    last = max(length - side, 0)
    return [*range(0, last, side - overlap), last]


def name_group(cut: Cut, images: int) -> str:
    """Return the group of a tile: its image, or, of few images, the square of tiles that it is in."""
    return cut.source if images >= FEW else f"{cut.source}_{cut.block[0]}_{cut.block[1]}"
