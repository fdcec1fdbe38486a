"""Buildings of one image: outlines in pixels, and the mask that they cover."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from shapely import Polygon

from postproc.polygons.drawing import draw_polygons

Status = Literal["regularised", "simplified", "traced"]


@dataclass(frozen=True)
class Building:
    """One building.

    Attributes:
        outline: valid polygon, courtyards as its interiors, in pixels: x to the right, y down, so that the pixel in
            row r and column c is the square from (c, r) to (c + 1, r + 1).
        status: which form of the outline this is, the most regular that passed the gate.
        confidence: mean probability of the mask's pixels that it was traced from, 0..1.
    """

    outline: Polygon
    status: Status
    confidence: float


def rasterize_outlines(outlines: Iterable[Polygon], size: tuple[int, int]) -> np.ndarray:
    """Draw outlines as a mask: a pixel is building where its centre lies inside one.

    Args:
        outlines: valid polygons in pixels, as in `Building`; they may overlap, and reach beyond the image.
        size: height and width, px.

    Returns:
        bool (height, width).

    >>> rasterize_outlines([Polygon([(1, 0), (3, 0), (3, 2), (1, 2)])], (2, 4)).astype(int)
    array([[0, 1, 1, 0],
           [0, 1, 1, 0]])
    """
    mask = np.zeros(size, bool)
    draw_polygons([outline for outline in outlines if not outline.is_empty], mask)
    return mask
