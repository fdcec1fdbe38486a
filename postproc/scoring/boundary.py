"""Bands along the outlines of buildings, for boundary IoU (Cheng et al. 2021, arXiv:2103.16562).

A mask's band is its pixels within a distance of its outline: the mask minus its erosion. Both the map and its
grey erosion are cut at every threshold by their histograms, so the band is counted at all of them at once. As
in the authors' code, the distance is 2 % of the picture's diagonal and counts along rows, columns and
diagonals alike, and the picture's border is an outline too.
"""

import math
from collections.abc import Iterable

import cv2
import numpy as np
from numba import njit

DISTANCE = 0.02  # of the diagonal


def find_distance(shape: tuple[int, ...]) -> int:
    """Return how far bands reach in a picture of (height, width), in pixels, 1 or more."""
    return max(1, round(DISTANCE * math.hypot(*shape)))


def erode(picture: np.ndarray) -> np.ndarray:
    """Return the picture, uint8 (height, width), without its band: its smallest value within the distance."""
    distance = find_distance(picture.shape)
    kernel = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    return cv2.erode(picture, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)


def find_band(mask: np.ndarray) -> np.ndarray:
    """Return the band of a mask, bool (height, width)."""
    return mask & (erode(mask.view(np.uint8)) == 0)


def count_bands(pictures: Iterable[np.ndarray], recipes: int, truth: np.ndarray) -> np.ndarray:
    """Count the bands of the pictures' masks at every threshold.

    Args:
        pictures: uint8 (height, width) each, one a recipe. Taken one at a time.
        recipes: how many there are.
        truth: bool (height, width).

    Returns:
        int32 (recipes, 2, 256): summed from 255 down to a threshold of 1 or more they are the pixels of a mask's
        band outside and inside of the truth's; all of [:, 1] sums up to the truth's band.
    """
    counts = np.empty((recipes, 2, 256), np.int32)
    truth_band = find_band(truth)
    for picture, picture_counts in zip(pictures, counts, strict=True):
        count_difference(picture, erode(picture), truth_band, picture_counts)
    return counts


@njit(nogil=True, cache=True)
def count_difference(above: np.ndarray, below: np.ndarray, truth_band: np.ndarray, counts: np.ndarray) -> None:
    """Fill counts with the values of `above` minus those of `below`, and the truth's band at value 0."""
    counts[:] = 0
    for y in range(above.shape[0]):
        for x in range(above.shape[1]):
            kind = int(truth_band[y, x])
            counts[kind, above[y, x]] += 1
            counts[kind, below[y, x]] -= 1
            counts[1, 0] += kind
