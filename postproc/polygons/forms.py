"""Forms of outlines with straight walls, along one direction or each along its own, where they pass the gate."""

import math

import numpy as np
import shapely
from shapely import GeometryType, Polygon

from members.common.compiled import compiled
from postproc.polygons.corners import Segments, join_lines, segment_rings
from postproc.polygons.directions import LEAST_AREA, LEAST_DIAGONAL
from postproc.polygons.gate import Gate, measure_gap
from postproc.polygons.squaring import square_ring

DECIMALS = 6  # of a vertex, px


def cut_walls(outlines: np.ndarray, tolerance: float) -> tuple[Segments, np.ndarray]:
    """Cut the rings of outlines into walls: return their segments, and int64 (n + 1,), where each outline's begin."""
    _, points, (starts, ring_starts) = shapely.to_ragged_array(outlines)
    return segment_rings(points, starts, tolerance), ring_starts


def draw_forms(
    sources: np.ndarray,
    segments: Segments,
    ring_starts: np.ndarray,
    numbers: np.ndarray,
    angles: np.ndarray,
    tolerance: float,
    gate: Gate,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw outlines with straight walls, loops cut off; the source where what is drawn fails the gate.

    Args:
        sources: Polygon (n,).
        segments, ring_starts: as `cut_walls` gives them, of these and perhaps of others.
        numbers, angles: as for `draw_rings`.
        tolerance: as for `Forms.regularise`.
        gate: how close the forms must be.

    Returns:
        Polygon (n,), valid, and bool (n,), which pass the gate.
    """
    vertices, lengths, owners, areas, between = draw_rings(segments, ring_starts, numbers, angles, tolerance)
    counts = np.bincount(owners, minlength=len(sources))
    made = np.flatnonzero(counts)
    starts = np.concatenate([[0], np.cumsum(lengths)]), np.concatenate([[0], np.cumsum(counts[made])])
    vertices = np.round(vertices, DECIMALS) + 0.0  # so that what lies on the image's border doesn't leave it
    drawn = shapely.from_ragged_array(GeometryType.POLYGON, vertices, starts)
    crossed = np.flatnonzero(~shapely.is_valid(drawn))
    if len(crossed):
        mended = shapely.make_valid(drawn[crossed], method="structure", keep_collapsed=False)
        largest = np.array([max(shapely.get_parts(m), key=shapely.area, default=Polygon()) for m in mended], object)
        between[made[crossed]] += shapely.area(mended) - shapely.area(largest)  # what is cut off counts too
        drawn[crossed] = largest
    fine = (shapely.get_type_id(drawn) == GeometryType.POLYGON) & ~shapely.is_empty(drawn)
    made, drawn = made[fine], drawn[fine]
    forms, passed = sources.copy(), np.zeros(len(sources), bool)
    forms[made] = drawn
    passed[made] = gate.accept(sources[made], drawn, areas[made], between[made])
    return np.where(passed, forms, sources), passed


@compiled
def draw_rings(
    segments: Segments, ring_starts: np.ndarray, numbers: np.ndarray, angles: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw the rings of some polygons with straight walls, along the polygon's direction or each along its own.

    Args:
        segments, ring_starts, tolerance: as for `find_directions`.
        numbers: int64 (n,), which polygons.
        angles: float (n,), radians; NaN leaves each wall its own direction.

    Returns:
        vertices: float (k, 2), rings one after the other, each closed by its first point.
        lengths: int64 (l,), the points of each ring.
        owners: int64 (l,), which of the n is each ring's; a polygon that is too small for walls has none.
        areas: float (n,), of the sampled polygons, without the holes that are closed, px area.
        between: float (n,), the area between the samples and the drawn outline, px area.
    """
    samples, sample_starts, corners, corner_starts = segments
    rings = points = 0
    for k in numbers:
        first, last = ring_starts[k], ring_starts[k + 1]
        rings += last - first
        points += corner_starts[last] - corner_starts[first]
    vertices = np.empty((2 * points + 3 * rings + 3, 2))
    lengths, owners = np.empty(rings, np.int64), np.empty(rings, np.int64)
    areas, between = np.zeros(len(angles)), np.zeros(len(angles))
    least = LEAST_AREA * tolerance**2
    used = count = 0
    for k in range(len(numbers)):
        first = ring_starts[numbers[k]]
        for r in range(first, ring_starts[numbers[k] + 1]):
            ring = samples[sample_starts[r] : sample_starts[r + 1]]
            own = corners[corner_starts[r] : corner_starts[r + 1]]
            outer, area = r == first, abs(measure_area(ring))
            if not outer and area < least:
                continue
            areas[k] += area if outer else -area
            if math.isnan(angles[k]):
                drawn = join_lines(ring, own, tolerance)
            else:
                drawn, _, _ = square_ring(ring, own, angles[k], least, LEAST_DIAGONAL * tolerance)
            if len(drawn) < 3:
                if outer:
                    break
                between[k] += area
                continue
            between[k] += measure_gap(ring, drawn)
            size = len(drawn) + 1
            for i in range(size):
                vertices[used + i, 0], vertices[used + i, 1] = drawn[i % len(drawn)]
            lengths[count], owners[count] = size, k
            used += size
            count += 1
    return vertices[:used], lengths[:count], owners[:count], areas, between


@compiled
def measure_area(ring: np.ndarray) -> float:
    """Return the area inside a ring, its sign that of the sense, px area."""
    area = 0.0
    for i in range(len(ring)):
        area += ring[i - 1, 0] * ring[i, 1] - ring[i, 0] * ring[i - 1, 1]
    return area / 2
