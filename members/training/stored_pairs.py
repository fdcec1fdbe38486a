"""Decoded tiles that training goes through again and again, in a file that is mapped instead of in memory."""

import contextlib
import math
import os
import shutil
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


LIMITS = tuple(map(Path, ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")))
"""Where Linux says what a container may take, in either version of control groups."""


def measure_memory() -> int:
    """Return how many bytes of memory the computer has, or the container may take."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in LIMITS:
        with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
            memory = min(memory, int(path.read_text()))
    return memory


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
        A view each, not to be written to, of what `read` reads: image, uint8 (h, w, 3), and mask, bool (h, w), or
        target.

    Raises:
        InputError: the disk has no room, or a tile is damaged.
    """
    existing = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.is_dir())
    need, room = measure_pairs(tiles), shutil.disk_usage(existing).free
    cure = "make some, or give --run on another disk"
    if need > room:
        raise InputError(
            f"{existing}: {need / 2**30:.1f} GiB of decoded tiles, and room for {room / 2**30:.1f} GiB; {cure}"
        )
    shapes: list[tuple[tuple[tuple[int, ...], np.dtype], ...]] = []
    with tempfile.TemporaryFile(dir=existing) as file:
        for tile in tiles:
            image, mask = read(tile)
            try:
                file.write(image.tobytes() + mask.tobytes())  # a full disk is an error here, and a crash where mapped
            except OSError as error:
                raise InputError(f"{existing}: no room for decoded tiles ({error.strerror}); {cure}") from None
            shapes.append(tuple((part.shape, part.dtype) for part in (image, mask)))
        stored = np.asarray(np.memmap(file, np.uint8, "r"))
    pairs, start = [], 0
    for shape in shapes:
        views: list[np.ndarray] = []
        for one, kind in shape:
            views.append(stored[start : start + math.prod(one)].reshape(one).view(kind))
            start += math.prod(one)
        pairs.append((views[0], views[1]))
    return pairs
