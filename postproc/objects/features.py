"""What tells a true building from a false one: its form, and the map in it and around it."""

from collections.abc import Sequence

import cv2
import numpy as np
import shapely
from shapely import Polygon

from ensemble.selection.layers import split_layers
from postproc.polygons.buildings import Building
from postproc.polygons.drawing import draw_polygons

FEATURES = (
    "area",
    "perimeter",
    "elongation",
    "rectangularity",
    "convexity",
    "vertices",
    "regularity",
    "probability",
    "std",
    "border_probability",
    "ring_probability",
    "ring_relief",
    "at_border",
)
"""What is measured of each building, in this order."""
LEVELS = {"traced": 0, "simplified": 1, "regularised": 2}
RING = 4
"""Width of the ring around a building, px."""


def measure_objects(buildings: Sequence[Building], values: np.ndarray) -> np.ndarray:
    """Measure the buildings of a map.

    Args:
        buildings: as `outline_buildings` gives them, in pixels.
        values: the blended map, uint8 (h, w) or (h, w, 2), as for `outline_buildings`.

    Returns:
        float32 (n, 13), a column each of `FEATURES`: logarithm of the area, px; perimeter over that of a square of this
        area; long over short side of the smallest rectangle around it, and its share of that rectangle's area and
        of its convex hull's; logarithm of the vertices; how regular its status says it is, 0 to 2; mean and standard
        deviation of the probability inside, 0..1, its mean on the inner border, 1 px wide, and in a ring of 4 px
        around it; mean of the relief in the ring, 0..1; and 1 where it reaches the border of the map.
    """
    if not buildings:
        return np.zeros((0, len(FEATURES)), np.float32)
    outlines = np.array([building.outline for building in buildings], object)
    levels = [LEVELS[building.status] for building in buildings]
    inside = [measure_pixels(outline, *split_layers(values)) for outline in outlines]
    return np.column_stack([measure_forms(outlines), levels, inside]).astype(np.float32)


def measure_forms(outlines: np.ndarray) -> np.ndarray:
    """Measure the forms of outlines, Polygon (n,): float64 (n, 6), the first six of `FEATURES`."""
    areas = np.maximum(shapely.area(outlines), 1.0)
    sides = []
    for outline in shapely.oriented_envelope(outlines):
        corners = shapely.get_coordinates(outline)
        lengths = np.hypot(*np.diff(corners, axis=0).T)[:2] if len(corners) > 2 else np.ones(2)
        sides.append(np.sort(np.maximum(lengths, 1.0)))
    short, long = np.array(sides).T
    hulls = np.maximum(shapely.area(shapely.convex_hull(outlines)), areas)
    vertices = shapely.get_num_coordinates(outlines) - 1 - shapely.get_num_interior_rings(outlines)
    perimeters = shapely.length(outlines) / (4 * np.sqrt(areas))
    return np.column_stack(
        [np.log(areas), perimeters, long / short, areas / (short * long), areas / hulls, np.log(vertices)]
    )


def measure_pixels(outline: Polygon, probabilities: np.ndarray, relief: np.ndarray) -> list[float]:
    """Measure the map in and around one outline: the last six of `FEATURES`.

    Args:
        outline: in pixels.
        probabilities, relief: uint8 (h, w).
    """
    height, width = probabilities.shape
    left, top, right, bottom = shapely.bounds(outline)
    columns = slice(max(int(left) - RING, 0), min(int(np.ceil(right)) + RING, width))
    rows = slice(max(int(top) - RING, 0), min(int(np.ceil(bottom)) + RING, height))
    own = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
    draw_polygons([shapely.transform(outline, lambda points: points - (columns.start, rows.start))], own)
    if not own.any():
        own[own.shape[0] // 2, own.shape[1] // 2] = True  # smaller than a pixel
    pixels = own.astype(np.uint8)
    ring = (cv2.dilate(pixels, np.ones((2 * RING + 1, 2 * RING + 1), np.uint8)) > 0) & ~own
    edge = own & ~(cv2.erode(pixels, np.ones((3, 3), np.uint8), borderValue=0) > 0)
    values, around = probabilities[rows, columns], relief[rows, columns]
    at_border = left <= 0 or top <= 0 or right >= width or bottom >= height
    ringed = ring.any()
    return [
        values[own].mean() / 255,
        values[own].std() / 255,
        values[edge].mean() / 255,
        values[ring].mean() / 255 if ringed else 0.0,
        around[ring].mean() / 255 if ringed else 0.0,
        float(at_border),
    ]
