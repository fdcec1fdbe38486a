"""What a network is taught of a tile: a mask, bits that say building, border, contact, or probabilities.

Whatever it is, the lowest bit says building: what only looks for buildings need not know more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from shapely import Polygon

from members.common.choices import BANDS
from members.data.raster import Pair, read_pair
from members.data.tiles import Tile
from members.labels.agreement import Agreement, number_buildings
from members.labels.reading import read_labels

BUILDING, BORDER, CONTACT = (1 << bit for bit in range(len(BANDS)))
BORDER_WIDTH, CONTACT_WIDTH = 3, 9
"""Sides of the squares around a pixel in which a border, or two buildings, are looked for, px."""


LEVELS, UNKNOWN = 126, 127
"""Steps of a taught probability, and what stands for none, beside the bit of the building."""


@dataclass(frozen=True)
class TargetReader:
    """Reads tiles with their targets, and notes how well the outlines agree with the masks.

    Attributes:
        outlines: image id -> the outlines in it, px.
        agreement: of the outlines with the masks of the tiles that were read.
    """

    outlines: Mapping[str, Sequence[Polygon]]
    agreement: Agreement

    @classmethod
    def open(cls, path: Path, tiles: Sequence[Tile]) -> Self:
        """Read a file of outlines into tiles, as `read_labels` does."""
        return cls(read_labels(path, tiles), Agreement(path))

    def __call__(self, tile: Tile) -> Pair:
        """Read a tile's image, uint8 (h, w, 3), and draw its target, uint8 (h, w)."""
        image, mask = read_pair(tile)
        labels = number_buildings(self.outlines[tile.image_id], mask.shape)
        self.agreement.add(tile.image_id, mask, labels > 0)
        return image, draw_target(mask, labels)


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


def take_mask(target: np.ndarray) -> np.ndarray:
    """Return the mask, bool (h, w), of a target; a mask is its own."""
    return (target & BUILDING) > 0


def split_bits(targets: np.ndarray, bands: int) -> np.ndarray:
    """Return the first bits of masks or targets, (.., h, w), as bands: uint8 (.., h, w, bands), 0 or 1."""
    return np.stack([targets.astype(np.uint8) >> bit & 1 for bit in range(bands)], axis=-1)


def encode_probabilities(probabilities: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """Make a student's target.

    Args:
        probabilities: of building, (h, w), 0..1.
        known: which pixels are taught, bool (h, w); default: all.

    Returns:
        uint8 (h, w): the lowest bit says building, the others the probability in steps of 1 / 126, or 127 for none.

    Example:
        >>> encode_probabilities(np.array([0, 0.5, 1]), np.array([True, True, False]))
        array([  0, 127, 255], dtype=uint8)
    """
    levels = np.rint(probabilities * LEVELS).astype(np.uint8)
    if known is not None:
        levels[~known] = UNKNOWN
    return levels << 1 | (probabilities >= 0.5)


def decode_probabilities(targets: np.ndarray) -> np.ndarray:
    """Return the probabilities of students' targets, float32 of their shape, 0..1; -1 where none is taught."""
    levels = targets.astype(np.uint8) >> 1
    return np.where(levels == UNKNOWN, -1, levels / np.float32(LEVELS)).astype(np.float32)
