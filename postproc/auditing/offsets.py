"""How far a mask lies from where the map of its tile has buildings."""

from dataclasses import dataclass

import cv2
import numpy as np

REACH = 12
"""Offsets that are tried in each direction, px."""
ALIKE = 0.02
"""Correlation that an offset may lack to be as good as the best one."""
VAGUE = 4
"""Distance from the best offset to one as good, from which nothing can be said, px."""
FEW = 200
"""Pixels of buildings, and of what is none, below which nothing can be said."""
CORRELATED = 0.5
"""Correlation that the best offset has, at least."""


@dataclass(frozen=True)
class Offset:
    """How far a mask lies from its map.

    Attributes:
        down: px; negative is upwards.
        right: px; negative is to the left.
        correlation: of map and mask after the mask is moved back; 0 to 1.
    """

    down: float
    right: float
    correlation: float

    @property
    def length(self) -> float:
        """The distance, px."""
        return float(np.hypot(self.down, self.right))


def find_offset(values: np.ndarray, mask: np.ndarray) -> Offset | None:
    """Find how far a mask, bool (h, w), lies from its map, uint8 (h, w); None where that can't be told.

    It can't where the mask is empty or full within its outer 12 px, where map and mask have little in common, where
    distant offsets fit as well, as along a long wall, or where none fits better than the longest that are tried.
    """
    inner = mask[REACH:-REACH, REACH:-REACH].astype(np.float32)
    if min(mask.shape) <= 3 * REACH or not FEW < inner.sum() < inner.size - FEW or values.min() == values.max():
        return None
    fit = cv2.matchTemplate(values.astype(np.float32), inner, cv2.TM_CCOEFF_NORMED)
    row, column = (int(place) for place in np.unravel_index(int(fit.argmax()), fit.shape))
    rows, columns = np.nonzero(fit >= fit.max() - ALIKE)
    at_the_end = not (0 < row < 2 * REACH and 0 < column < 2 * REACH)  # the best may lie beyond
    vague = max(abs(rows - row).max(), abs(columns - column).max()) > VAGUE
    if at_the_end or vague or fit.max() < CORRELATED:
        return None
    down, right = row + _find_vertex(fit[:, column], row), column + _find_vertex(fit[row], column)
    return Offset(REACH - down, REACH - right, float(fit.max()))


def _find_vertex(values: np.ndarray, top: int) -> float:
    """Return how far the vertex of the parabola through the highest value and its neighbours lies from it."""
    if not 0 < top < len(values) - 1:
        return 0.0
    before, here, after = values[top - 1 : top + 2]
    bend = before - 2 * here + after
    return float((before - after) / (2 * bend)) if bend < 0 else 0.0
