"""A contact sheet of what a network sees of its tiles."""

import cv2
import numpy as np

from members.data.raster import Pair
from members.training.augment import augment_tile
from members.training.spec import MemberSpec

OUTLINE = (255, 0, 0)
GAP = 4


def draw_sheet(spec: MemberSpec, pairs: list[Pair], indices: list[int], epochs: int) -> np.ndarray:
    """Draw rows of tiles: as they are, then as the member's policy gives them in each epoch.

    Args:
        spec: whose policy, crop and seed are used.
        pairs: all training tiles, as buildings may be pasted from any: uint8 (h, w, 3) with bool (h, w).
        indices: those to draw.
        epochs: columns after the first.

    Returns:
        uint8 RGB, tiles of `spec.crop` px a side with white gaps of 4 px.
    """
    rows = []
    for index in indices:
        seen = [
            augment_tile(pairs, index, spec.augment, spec.crop, (spec.seed, epoch), spec.scale)
            for epoch in range(epochs)
        ]
        plain = augment_tile(pairs, index, "none", spec.crop, (spec.seed, 0))
        row = [frame(outline_buildings(*pair)) for pair in (plain, *seen)]
        rows.append(np.hstack(row))
    return np.vstack(rows)


def outline_buildings(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Copy an image, uint8 (h, w, 3), and outline the buildings of its mask, bool (h, w), in red."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.ascontiguousarray(image).copy(), contours, -1, OUTLINE, 2)


def frame(image: np.ndarray) -> np.ndarray:
    """Add a white gap at an image's right and bottom."""
    return np.pad(image, [(0, GAP), (0, GAP), (0, 0)], constant_values=255)
