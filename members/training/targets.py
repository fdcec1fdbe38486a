"""What a network is taught of a tile: a mask, or bits that say building, border, contact."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from rasterio.features import rasterize
from shapely import Polygon

from members.common.choices import BANDS
from members.common.errors import InputError
from members.data.raster import Pair, read_pair
from members.data.tiles import Tile
from members.labels.reading import read_labels

BUILDING, BORDER, CONTACT = (1 << bit for bit in range(len(BANDS)))
BORDER_WIDTH, CONTACT_WIDTH = 3, 9
"""Sides of the squares around a pixel in which a border, or two buildings, are looked for, px."""
LEAST_AGREEMENT, GOOD_AGREEMENT = 0.5, 0.9
"""IoU of outlines with the masks of their tiles, below which they are of other tiles, or are remarked on."""


@dataclass
class TargetReader:
    """Reads tiles with their targets, and notes how well the outlines agree with the masks.

    Attributes:
        path: the file of outlines.
        outlines: image id -> the outlines in it, px.
        bare: the tiles that were read, have buildings in their mask, and no outline.
        shared, together: pixels of mask and outlines, of both and of either.
    """

    path: Path
    outlines: Mapping[str, Sequence[Polygon]]
    bare: list[str] = field(default_factory=list)
    shared: int = 0
    together: int = 0

    @classmethod
    def open(cls, path: Path, tiles: Sequence[Tile]) -> Self:
        """Read a file of outlines into tiles, as `read_labels` does."""
        return cls(path, read_labels(path, tiles))

    def __call__(self, tile: Tile) -> Pair:
        """Read a tile's image, uint8 (h, w, 3), and draw its target, uint8 (h, w)."""
        image, mask = read_pair(tile)
        labels = number_buildings(self.outlines[tile.image_id], mask.shape)
        self.shared += int((mask & (labels > 0)).sum())
        self.together += int((mask | (labels > 0)).sum())
        if mask.any() and not labels.any():
            self.bare.append(tile.image_id)
        return image, draw_target(mask, labels)

    def check(self) -> list[str]:
        """Return what the user ought to know of the outlines of the tiles that were read, a line each.

        Raises:
            InputError: they are not those of the masks.
        """
        iou = self.shared / max(self.together, 1)
        told = f"{self.path}: its outlines agree with the masks to IoU {iou:.3f}"
        if iou < LEAST_AGREEMENT:
            raise InputError(f"{told}; they are to be of the same buildings, so give those that the masks show")
        remarks = [f"{told}; look whether they are shifted, or some are missing"] if iou < GOOD_AGREEMENT else []
        if self.bare:
            count = len(self.bare)
            remarks.append(f"{self.path}: no outline in {count} tiles whose mask has buildings ({self.bare[0]}, ..)")
        return remarks


def number_buildings(outlines: Sequence[Polygon], size: tuple[int, int]) -> np.ndarray:
    """Draw outlines, px, with their numbers: float32 (h, w), 1.. in their order, the later over the earlier, 0 = none.

    A pixel is of a building where its centre lies inside the outline.
    """
    numbered = [(outline, number) for number, outline in enumerate(outlines, 1)]
    if not numbered:
        return np.zeros(size, np.float32)
    return rasterize(numbered, size, dtype="int32").astype(np.float32)  # OpenCV dilates no integers of 32 bits


def draw_target(mask: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Draw what a contact member is taught of a tile.

    Border: both sides of a building's border. Contact: gaps between buildings and walls that they share, as the winners
    of SpaceNet 4 drew them (Weir et al. 2019, https://arxiv.org/abs/1903.12239).

    Args:
        mask: bool (h, w), True = building.
        labels: float32 (h, w), as `number_buildings` gives them.

    Returns:
        uint8 (h, w), bits: 1 where the mask is, 2 within 1 px of a border, 4 where two buildings are within 4 px.
    """
    border = spread(labels, BORDER_WIDTH) != -spread(-labels, BORDER_WIDTH)
    greatest = spread(labels, CONTACT_WIDTH)
    least = -spread(np.where(labels > 0, -labels, -np.inf).astype(np.float32), CONTACT_WIDTH)
    contact = (greatest > 0) & (greatest != least)
    return (mask * BUILDING + border * BORDER + contact * CONTACT).astype(np.uint8)


def spread(labels: np.ndarray, width: int) -> np.ndarray:
    """Return the greatest value in the square of a width around each pixel, cut off at the image's border."""
    return cv2.dilate(labels, np.ones((width, width), np.uint8))


def split_bits(targets: np.ndarray, bands: int) -> np.ndarray:
    """Return the first bits of masks or targets, (.., h, w), as bands: uint8 (.., h, w, bands), 0 or 1."""
    return np.stack([targets.astype(np.uint8) >> bit & 1 for bit in range(bands)], axis=-1)
