"""A data set, read once: what is compared and checked of each tile is kept, and what can't be read is listed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from members.audit.prints import Print, take_print
from members.audit.shifts import Edges, measure_edges
from members.common.errors import InputError
from members.common.progress import Progress, silent
from members.data.frames import Frame, take_frame
from members.data.groups import group_images
from members.data.raster import check_bands, open_raster, read_mask, read_rgb
from members.data.tiles import MASK_SUFFIXES, Tile, find_folder, find_unpaired, list_files


@dataclass(frozen=True)
class Labels:
    """What is kept of a mask.

    Attributes:
        pixels: of buildings.
        areas: of each object (4-connected) that does not touch the border, px.
        edges: how well its outlines meet the image's edges.
    """

    pixels: int
    areas: np.ndarray
    edges: Edges


@dataclass(frozen=True)
class Look:
    """What is kept of a tile.

    Attributes:
        tile: its files and its group.
        frame: its size, and where it is.
        bands: "RGB", "grey" or "RGB and alpha".
        taken: its print.
        plain: the share of its pixels that have the most frequent grey value.
        labels: of its mask; None without one.
    """

    tile: Tile
    frame: Frame
    bands: str
    taken: Print
    plain: float
    labels: Labels | None

    @property
    def is_blank(self) -> bool:
        """Tell whether most of the image is of one value, or all of it nearly so."""
        return self.plain >= 0.5 or self.taken.is_flat


@dataclass(frozen=True)
class DataSet:
    """A data set that was read.

    Attributes:
        training: its training tiles that can be read.
        test: its test tiles that can be read, where it has any.
        flaws: what is wrong with files, a line each.
    """

    training: tuple[Look, ...]
    test: tuple[Look, ...]
    flaws: tuple[str, ...]


def read_data(root: Path, group_by: str | None = None, progress: Progress = silent) -> DataSet:
    """Read a data set; broken files do not end it, they are listed.

    Args:
        root: its folder.
        group_by: what its tiles are grouped by, as for `group_images`.
        progress: shows how many tiles have been read.

    Raises:
        InputError: a folder is missing or empty, two files have one id, or the groups can't be told.
    """
    images = list_files(find_folder(root, "training", "images"))
    folder = find_folder(root, "training", "masks")
    masks = list_files(folder, MASK_SUFFIXES)
    flaws = find_unpaired(images, masks, folder)
    groups = group_images(root, images, group_by)
    tiles = [Tile(image_id, path, masks.get(image_id), groups[image_id]) for image_id, path in images.items()]
    test = [Tile(image_id, path, None, image_id) for image_id, path in list_test(root).items()]
    looks = []
    for tile in progress([*tiles, *test], "read", len(tiles) + len(test)):
        look, found = read_tile(tile)
        flaws += found
        looks.append(look)
    return DataSet(
        tuple(look for look in looks[: len(tiles)] if look), tuple(look for look in looks[len(tiles) :] if look),
        tuple(flaws),
    )  # fmt: skip


def list_test(root: Path) -> dict[str, Path]:
    """Map image id -> file of a data set's test part; nothing where it has none."""
    try:
        folder = find_folder(root, "test", "images")
    except InputError:
        return {}
    return list_files(folder)


def read_tile(tile: Tile) -> tuple[Look | None, list[str]]:
    """Read a tile; return what is kept of it, None where it is broken, and what is wrong with its files."""
    flaws = []
    image = mask = frame = kind = None
    try:
        with open_raster(tile.image) as raster:
            frame, kind = take_frame(raster), check_bands(raster)
            image = read_rgb(raster)
    except InputError as error:
        flaws.append(str(error))
    if tile.mask is not None:
        try:
            mask = read_mask(tile.mask)
        except InputError as error:
            flaws.append(str(error))
    if image is not None and mask is not None and image.shape[:2] != mask.shape:
        flaws.append(
            f"{tile.mask}: mask of {mask.shape[1]}x{mask.shape[0]} px for an image of {image.shape[1]}x"
            f"{image.shape[0]} px; they must be equal"
        )
    if flaws or image is None or frame is None:
        return None, flaws
    labels = None if mask is None else take_labels(image, mask)
    bands = {"grey": "grey", "alpha": "RGB and alpha"}.get(str(kind), "RGB")
    return Look(tile, frame, bands, take_print(image), measure_plain(image), labels), []


def take_labels(image: np.ndarray, mask: np.ndarray) -> Labels:
    """Keep what is checked of a mask, bool (h, w), and of its image's edges, uint8 (h, w, 3)."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    left, top, width, height, area = stats[1:].T
    inner = (left > 0) & (top > 0) & (left + width < mask.shape[1]) & (top + height < mask.shape[0])
    return Labels(int(np.count_nonzero(mask)), area[inner], measure_edges(image, mask))


def measure_plain(image: np.ndarray) -> float:
    """Return the share of an image's pixels, uint8 (h, w, 3), that have its most frequent grey value."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return float(np.bincount(grey.ravel()).max() / grey.size)


def count_buildings(looks: Sequence[Look]) -> int:
    """Return the number of building pixels in tiles."""
    return sum(look.labels.pixels for look in looks if look.labels)
