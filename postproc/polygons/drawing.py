"""Drawing of polygons as masks, compiled: the pixels that GDAL's rasterize burns, without its cost for each call.

A pixel is inside where its centre is, by the parity of the edges to its left, in floating point as GDAL has it
(`GDALdllImageFilledPolygon` in alg/llrasterize.cpp, MIT licence), so that ties fall to the same side: a
courtyard whose upper wall runs through the centres of pixels does not have them.
"""

import math
from collections.abc import Sequence

import numpy as np
import shapely
from shapely import Polygon

from members.common.compiled import compiled


def draw_polygons(polygons: Sequence[Polygon] | np.ndarray, mask: np.ndarray) -> None:
    """Set the pixels whose centres are inside a polygon.

    Args:
        polygons: n valid polygons in pixels, x to the right, y down; they may overlap, and reach beyond the mask.
        mask: bool (height, width); pixels outside all polygons stay as they are.
    """
    if len(polygons):
        oriented = shapely.orient_polygons(np.asarray(polygons, object))
        _, points, (ring_starts, starts) = shapely.to_ragged_array(oriented)
        _draw(points, ring_starts, starts, mask)


@compiled
def _draw(points: np.ndarray, ring_starts: np.ndarray, starts: np.ndarray, mask: np.ndarray) -> None:
    """Draw polygons, whose rings' points are closed, one after the other; courtyards turn against the outer ring."""
    height = len(mask)
    most = 1
    for k in range(len(starts) - 1):
        most = max(most, ring_starts[starts[k + 1]] - ring_starts[starts[k]])
    crossings = np.empty(most)
    for k in range(len(starts) - 1):
        first, last = ring_starts[starts[k]], ring_starts[starts[k + 1]]
        if first == last:
            continue
        low, high = points[first, 1], points[first, 1]
        for i in range(first, last):
            low, high = min(low, points[i, 1]), max(high, points[i, 1])
        # the rows of the centres, and one more on either side: the test of the edges decides
        for y in range(max(0, math.floor(low) - 1), min(height - 1, math.ceil(high) + 1) + 1):
            _draw_line(points, ring_starts[starts[k] : starts[k + 1] + 1], y, crossings, mask[y])


@compiled
def _draw_line(points: np.ndarray, ring_starts: np.ndarray, y: int, crossings: np.ndarray, line: np.ndarray) -> None:
    """Draw what a polygon covers of a line."""
    middle = y + 0.5
    count = 0
    for r in range(len(ring_starts) - 1):
        for i in range(ring_starts[r] + 1, ring_starts[r + 1]):
            x1, y1, x2, y2 = points[i - 1, 0], points[i - 1, 1], points[i, 0], points[i, 1]
            if (y1 < middle and y2 < middle) or (y1 > middle and y2 > middle):
                continue
            if y1 == y2:
                if y1 == middle and r > 0 and x1 > x2:  # the courtyard begins below
                    _fill(line, math.floor(x2 + 0.5), math.floor(x1 + 0.5))
                continue
            if y1 > y2:
                x1, y1, x2, y2 = x2, y2, x1, y1
            if y1 <= middle < y2:
                crossings[count] = (middle - y1) * (x2 - x1) / (y2 - y1) + x1
                count += 1
    for i in range(1, count):  # insertion: there are few
        value, j = crossings[i], i - 1
        while j >= 0 and crossings[j] > value:
            crossings[j + 1] = crossings[j]
            j -= 1
        crossings[j + 1] = value
    for i in range(0, count - 1, 2):
        _fill(line, math.floor(crossings[i] + 0.5), math.floor(crossings[i + 1] + 0.5))


@compiled
def _fill(line: np.ndarray, start: int, end: int) -> None:
    for x in range(max(start, 0), min(end, len(line))):
        line[x] = True
