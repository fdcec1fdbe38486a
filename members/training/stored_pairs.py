"""Decoded tiles that training goes through again and again, in a file that is mapped instead of in memory."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from members.common.errors import InputError
from members.data.raster import Pair, read_pair, read_size
from members.data.tiles import Tile

SHARE = 0.4
"""Of the computer's memory that decoded tiles may take."""
BYTES = 4
"""Of a pixel: three of the image, one of the mask."""


def measure_memory() -> int:
    """Return how many bytes of memory the computer has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def measure_pairs(tiles: Sequence[Tile]) -> int:
    """Return how many bytes the tiles take, decoded, by what their headers say."""
    return sum(BYTES * height * width for height, width in (read_size(tile.image) for tile in tiles))


def map_pairs(tiles: Sequence[Tile], folder: Path, read: Callable[[Tile], Pair] = read_pair) -> list[Pair]:
    """Decode all tiles into a file and map it: the operating system keeps what is in use in memory, and drops the rest.

    The file has no name any more when this returns, so that it is gone with the process, however that ends.

    Args:
        tiles: with masks.
        folder: on the disk that has room for it; it need not be there yet.
        read: reads a tile, its pixels as many bytes as `read_pair`'s.

    Returns:
        A view each, equal to what `read` reads: image, uint8 (h, w, 3), and mask, bool (h, w), or target.

    Raises:
        InputError: the disk has no room, or a tile is damaged.
    """
    size = measure_pairs(tiles)
    existing = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.is_dir())
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            os.posix_fallocate(file.fileno(), 0, size)  # else a full disk would end the process by a signal
            stored = np.asarray(np.memmap(file, np.uint8, "r+", shape=(size,)))
    except OSError as error:
        raise InputError(
            f"{existing}: no room for {size / 2**30:.1f} GiB of decoded tiles ({error.strerror}); make some, or give "
            "--run on another disk"
        ) from None
    pairs, start = [], 0
    for tile in tiles:
        image, mask = read(tile)
        views = []
        for values in (image, mask):
            part = stored[start : start + values.size].reshape(values.shape)
            part[...] = values
            views.append(part.view(values.dtype))
            start += values.size
        pairs.append((views[0], views[1]))
    return pairs
