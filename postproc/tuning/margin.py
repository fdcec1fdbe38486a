"""The margin of outlines: within how far of ours the true ones lie in new places (conformal dilation).

Mossina and Friedrich 2025 (arXiv:2503.05618) dilate a mask until it holds the true one; here outlines are what is
dilated, and groups are what new places are drawn like.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import shapely

from ensemble.statistics.counts import Counts
from ensemble.statistics.metrics import divide
from ensemble.statistics.risk import control_on_average, count_needed
from members.common.errors import InputError
from members.data.frames import Frame
from postproc.geo.footprints import measure_areas

SHARE = 0.9
"""Of the true outlines that the margin holds."""
STEPS: Mapping[str, float] = {"pixels": 0.5, "metres": 0.1}
DISTANCES = 257  # 0 to 128 px, and to 25.6 m
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclass(frozen=True)
class Margin:
    """Within how far of ours the true outlines lie in new places, those of buildings of which a pixel is found.

    Attributes:
        groups: on how many it rests.
        pixels: on average over new groups at least `SHARE` of the outlines' pixels are as near; None where that takes
            more groups, or more than 128 px.
        metres: the same on the ground; None likewise, or where tiles are not georeferenced.
    """

    groups: int
    pixels: float | None
    metres: float | None

    @classmethod
    def find(cls, counts: Counts) -> "Margin":
        """Find the least margin by conformal risk control, of tiles' counts by `count_beyond`."""
        found: dict[str, float | None] = {}
        for unit, step in STEPS.items():
            losses = divide(counts.sums[unit], counts.sums["outline"], of_nothing=0).T[::-1]  # the widest is the safest
            chosen = control_on_average(losses, 1 - SHARE)
            found[unit] = None if chosen is None else round((DISTANCES - 1 - chosen) * step, 1)
        return cls(len(counts.groups), **found)

    def describe(self) -> dict[str, Any]:
        """Return the margin as tuned.json holds it."""
        known = {"groups": self.groups, "pixels": self.pixels, "metres": self.metres}
        return {"share": SHARE, **known, "words": str(self)}

    def __str__(self) -> str:
        if self.groups < (needed := count_needed(1 - SHARE, None)):
            return f"no margin of the outlines: it takes {needed} groups or more, here are {self.groups}"
        if self.pixels is None:
            most = (DISTANCES - 1) * STEPS["pixels"]
            return f"no margin of the outlines: more than {1 - SHARE:.0%} may lie more than {most:g} px from ours"
        metres = "" if self.metres is None else f" ({self.metres:g} m)"
        return (
            f"the true outlines of buildings that are found lie within {self.pixels:g} px{metres} of ours: {SHARE:.0%} "
            f"of them, on average over new places drawn like the {self.groups} groups here"
        )


def count_beyond(mask: np.ndarray, truth: np.ndarray, metres: float | None = None) -> dict[str, np.ndarray]:
    """Count the pixels of one tile's true outlines that lie farther from the mask's outlines than each distance.

    Args:
        mask: bool (h, w).
        truth: bool (h, w); of its 4-connected buildings those count that share a pixel with the mask.
        metres: a pixel's side on the ground; None where that is not known.

    Returns:
        `outline`, int (1,), all pixels; and of them those beyond 0, 0.5, .. px and 0, 0.1, .. m, int (257,) each.
    """
    _, labels = cv2.connectedComponents(truth.astype(np.uint8), connectivity=4)
    touched = np.isin(labels, np.unique(labels[mask & truth])) & truth
    ours, true = draw_border(mask), draw_border(touched)
    distances = np.full(np.count_nonzero(true), np.inf)
    if ours.any():
        distances = cv2.distanceTransform((~ours).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[true]
    scales = {"pixels": 1.0, "metres": metres}
    beyond = {
        unit: np.full(DISTANCES, len(distances)) if scale is None else _count_above(distances * scale, STEPS[unit])
        for unit, scale in scales.items()
    }
    return {"outline": np.array([len(distances)]), **beyond}


def _count_above(distances: np.ndarray, step: float) -> np.ndarray:
    """Count the distances above 0, 1, .. 256 steps, int64 (257,)."""
    limits = np.arange(DISTANCES) * step + 1e-6  # the distances are float32
    return len(distances) - np.searchsorted(np.sort(distances), limits, side="right")


def draw_border(mask: np.ndarray) -> np.ndarray:
    """Return the pixels of a mask, bool (h, w), beside one that is not of it; beyond the tile nobody knows.

    >>> draw_border(np.array([[1, 1, 1, 0]], bool)).astype(int)
    array([[0, 0, 1, 0]])
    """
    return mask & (cv2.erode(mask.astype(np.uint8), CROSS) == 0)


def measure_pixel(frame: Frame) -> float | None:
    """Return the side of a frame's pixel on the ground, m, by the area of the whole; None where it is not known."""
    if frame.crs is None:
        return None
    height, width = frame.size
    corners = [frame.transform @ corner for corner in ((0, 0), (width, 0), (width, height), (0, height))]
    try:
        (area,) = measure_areas(np.array([shapely.Polygon(corners)], object), frame.crs)
    except InputError:
        return None
    return float(np.sqrt(area / (height * width)))
