"""Bands along the outlines of buildings, for boundary IoU (Cheng et al. 2021, arXiv:2103.16562).

A mask's band is what its erosion takes away: its pixels within a distance of its outline. As in the authors' code that
distance is 2 % of the image's diagonal, a diagonal step is as long as one along a row, and the image's border is an
outline too. Eroding a map and then cutting it at a threshold gives the same as cutting it and then eroding the mask, so
one erosion and two histograms count the bands at all thresholds.
"""

import math
from collections.abc import Iterable

import cv2
import numpy as np

from members.common.compiled import compiled

DISTANCE = 0.02  # of the diagonal


def find_distance(shape: tuple[int, ...]) -> int:
    """Return how far the band of an image of (height, width) reaches, in pixels, 1 or more."""
    return max(1, round(DISTANCE * math.hypot(*shape)))


def erode(values: np.ndarray) -> np.ndarray:
    """Erode a mask or a map, uint8 (height, width): each pixel takes the smallest value within the distance."""
    distance = find_distance(values.shape)
    kernel = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    return cv2.erode(values, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)


def find_band(mask: np.ndarray) -> np.ndarray:
    """Return the band of a mask, bool (height, width)."""
    return mask & (erode(mask.view(np.uint8)) == 0)


def count_bands(maps: Iterable[np.ndarray], recipes: int, truth: np.ndarray) -> np.ndarray:
    """Count the bands of maps' masks at every threshold.

    Args:
        maps: uint8 (height, width) each, one a recipe. Taken one at a time.
        recipes: how many there are.
        truth: bool (height, width).

    Returns:
        int32 (recipes, 2, 256). Summed from 255 down to a threshold, 1 or more: the pixels of the mask's band outside
        (0) and inside (1) of the truth's band. Summed down to 0, the latter are the truth's whole band.
    """
    counts = np.empty((recipes, 2, 256), np.int32)
    truth_band = find_band(truth)
    for values, map_counts in zip(maps, counts, strict=True):
        count_difference(values, erode(values), truth_band, map_counts)
    return counts


@compiled
def count_difference(values: np.ndarray, eroded: np.ndarray, truth_band: np.ndarray, counts: np.ndarray) -> None:
    """Fill one map's `counts`, int32 (2, 256), outside and inside of the truth's band.

    They are the histogram of the values minus that of the eroded values, plus the truth's band at value 0.
    """
    counts[:] = 0
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            kind = int(truth_band[y, x])
            counts[kind, values[y, x]] += 1
            counts[kind, eroded[y, x]] -= 1
            counts[1, 0] += kind
