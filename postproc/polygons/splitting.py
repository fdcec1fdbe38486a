"""Splitting of buildings that touch, along the valleys of a relief, or at the necks of their shape."""

import cv2
import numpy as np

from postproc.polygons.immersion import LEVELS, find_pieces
from postproc.polygons.labelling import label_components

FINE = 256
"""Steps of a relief to one of a map, and to a pixel of distance."""
LARGEST_SMOOTHING = 4.0
"""Standard deviation, px."""
REACH = 4 * round(LARGEST_SMOOTHING)
"""How far pixels around a mask may change where it is cut, px."""


def split_by_relief(
    mask: np.ndarray, relief: np.ndarray, contrast: float, smoothing: float = 4.0, least: int = 256
) -> np.ndarray:
    """Cut components between peaks of a relief that stand high enough above the pass between them.

    Args:
        mask: bool (height, width), True = building.
        relief: uint8 (height, width): a probability map, or one that falls where buildings touch.
        contrast: how much the lower of two peaks stands above the pass, at least [1/255], more than 0.
        smoothing: standard deviation of a Gaussian, before [px], 0 = none, at most `LARGEST_SMOOTHING`.
        least: pixels of a piece, at least; smaller ones join a neighbour.

    Returns:
        int32 (height, width), 0 = background, 1..n = buildings, each 4-connected, from top to bottom.
    """
    fine = relief.astype(np.uint16) * FINE
    if smoothing > 0:
        fine = cv2.GaussianBlur(fine, (0, 0), smoothing)
    return find_pieces(fine, label_components(mask), max(round(contrast * FINE), 1), least)


def split_by_distance(labels: np.ndarray, depth: float) -> np.ndarray:
    """Cut buildings at necks: along the valleys of the distance to the outside.

    Two bulges are two buildings if the neck between them is narrower than the smaller bulge by more than `depth` on
    each side.

    Args:
        labels: int32 (height, width), 0 = background.
        depth: px, more than 0.

    Returns:
        int32 (height, width), 0 = background, 1..n = buildings, each 4-connected, from top to bottom.
    """
    inside = labels > 0
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        wall = labels[one] != labels[other]
        inside[one] &= ~wall
        inside[other] &= ~wall
    distance = cv2.distanceTransform(inside.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    fine = np.minimum(np.rint(distance * FINE), LEVELS - 1).astype(np.uint16)
    return find_pieces(fine, labels.astype(np.int32), round(depth * FINE) + 1, 0)
