"""The images without labels that a student learns from: the data set's test tiles, and any others."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from members.audit.neighbours import find_touching
from members.common.errors import InputError
from members.data.drivers import hash_image
from members.data.frames import read_frame
from members.data.raster import Pair, check_tiles
from members.data.tiles import Tile, list_files, list_tiles

TEST = "test."
"""What the ids of test tiles begin with."""


def list_unlabelled(data: Path, places: Sequence[Path], test: bool) -> list[Tile]:
    """List images without labels; their ids say where they are from, so that none is that of a labelled tile.

    Args:
        data: the data set, whose test tiles are taken where it has such a folder.
        places: images, or folders of them.
        test: whether the test tiles are taken.

    Raises:
        InputError: a place has no images, two have one id, or one cannot be read.
    """
    found: dict[str, Path] = {}
    if test and (data / "test").is_dir():
        found = {f"{TEST}{tile.image_id}": tile.image for tile in list_tiles(data, "test")}
    for place in places:
        for stem, path in ({place.stem: place} if place.is_file() else list_files(place)).items():
            image_id = f"images.{stem}"
            if image_id in found:
                raise InputError(f"--images: {found[image_id]} and {path} have one name; rename one")
            found[image_id] = path
    tiles = [Tile(image_id, path, None, image_id) for image_id, path in found.items()]
    check_tiles(tiles)
    return tiles


def part_known(unlabelled: Sequence[Tile], labelled: Sequence[Tile]) -> tuple[list[Tile], list[Tile]]:
    """Part images without labels that show nothing of the labelled tiles from copies of those, or of their ground.

    Some fold of a student is validated on each labelled tile, and shall not see it, not even without its label.

    Returns:
        The unknown ones, and the known ones.
    """
    hashes = {hash_image(tile.image) for tile in labelled}
    frames = [read_frame(tile.image) for tile in (*labelled, *unlabelled)]
    known = {number for number, tile in enumerate(unlabelled) if hash_image(tile.image) in hashes}
    for pair in find_touching(frames):
        if pair.overlap and pair.one < len(labelled) <= pair.other:
            known.add(pair.other - len(labelled))
    parts: tuple[list[Tile], list[Tile]] = ([], [])
    for number, tile in enumerate(unlabelled):
        parts[number in known].append(tile)
    return parts


def cut_pair(image: np.ndarray, target: np.ndarray, side: int) -> list[Pair]:
    """Cut a large image and its target into tiles, so that an epoch sees all of it.

    Args:
        image: uint8 (h, w, 3).
        target: (h, w).
        side: of the tiles, px, at most; those of one image are equally large, give or take 1 px.

    Example:
        >>> [target.shape for _, target in cut_pair(np.zeros((5, 3, 3)), np.zeros((5, 3)), 3)]
        [(3, 3), (2, 3)]
    """
    rows, columns = (-(-length // side) for length in target.shape)

    def cut(pixels: np.ndarray) -> list[np.ndarray]:
        strips = np.array_split(pixels, rows)
        return [piece for strip in strips for piece in np.array_split(strip, columns, axis=1)]

    return list(zip(cut(image), cut(target), strict=True))
