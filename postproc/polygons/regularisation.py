"""Regularisation: straight walls and right angles, kept only where the outline stays close to its source."""

import math
from collections.abc import Sequence

import numpy as np
import shapely
from shapely import GeometryType, Polygon

from members.common.compiled import compiled
from postproc.polygons.corners import Segments, join_lines, segment_rings
from postproc.polygons.directions import LEAST_AREA, LEAST_DIAGONAL, find_directions, share_directions
from postproc.polygons.gate import Gate, measure_gap
from postproc.polygons.squaring import square_ring

ROW_GAP = 2.0  # buildings that are this near may stand in a row, in units of the tolerance
LEAST_TOLERANCE = 1.0  # px: finer walls would follow the pixels
ROUNDNESS = 0.05  # of a circle: the standard deviation of its radius over the mean; a square has 0.11
ROUND_FILL = 0.2  # of a circle: how much its area may differ from that of its mean radius
ROUND_RADIUS = 8.0  # smaller blobs look round whatever they were, px
DECIMALS = 6  # of a vertex, px


def regularise_outlines(
    outlines: Sequence[Polygon] | np.ndarray, tolerance: float, min_iou: float, max_distance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give outlines straight walls, at right angles where they stay close to what they were.

    Straight walls are those of `segment_rings`. To be squared they follow the direction that most length of the
    outline's walls has, modulo 90 degrees; neighbours in a row share it, long diagonal walls keep theirs. Courtyards
    stay, holes of less than four times the tolerance's square are closed. Circles are not squared. Where
    straight walls fail the gate, finer ones are tried, down to `LEAST_TOLERANCE`.

    Args:
        outlines: n valid polygons as `trace_mask` gives them, px.
        tolerance: a corner is set where it saves the tolerance's cube of squared distance along the walls, px,
            more than 0; squared walls lose steps and bumps of less than four times its square.
        min_iou, max_distance: as for `Gate`; a form passes if it is as close as that to its source.

    Returns:
        straight: Polygon (n,), valid; the source where there is none that passes.
        squared: Polygon (n,), valid; the source where there is none that passes.
        which: int64 (n,), the most regular form that passes: 2 squared, 1 straight, 0 the source.
    """
    sources = np.asarray(outlines, object)
    which = np.zeros(len(sources), np.int64)
    if not len(sources) or tolerance <= 0:
        return sources, sources, which
    gate = Gate(min_iou, max_distance)
    walls = cut_walls(sources, tolerance)
    free = np.full(len(sources), np.nan)
    straight, passed = draw_forms(sources, *walls, free, tolerance, gate)
    which[passed] = 1
    angles, weights = find_directions(*walls, tolerance)
    angles = share_directions(straight, angles, weights, ROW_GAP * tolerance)
    angles[are_round(sources)] = np.nan
    squared, passed = draw_forms(sources, *walls, angles, tolerance, gate)
    which[passed & ~np.isnan(angles)] = 2
    left = np.flatnonzero(which == 0)
    while len(left) and tolerance / 2 >= LEAST_TOLERANCE:
        tolerance /= 2
        walls = cut_walls(sources[left], tolerance)
        straight[left], passed = draw_forms(sources[left], *walls, free[left], tolerance, gate)
        which[left[passed]] = 1
        left = left[~passed]
    return straight, squared, which


def cut_walls(outlines: np.ndarray, tolerance: float) -> tuple[Segments, np.ndarray]:
    """Cut the rings of outlines into walls: return their segments, and int64 (n + 1,), where each outline's begin."""
    _, points, (starts, ring_starts) = shapely.to_ragged_array(outlines)
    return segment_rings(points, starts, tolerance), ring_starts


def draw_forms(
    sources: np.ndarray, segments: Segments, ring_starts: np.ndarray, angles: np.ndarray, tolerance: float, gate: Gate
) -> tuple[np.ndarray, np.ndarray]:
    """Draw outlines with straight walls, loops cut off; the source where what is drawn fails the gate.

    Args:
        sources: Polygon (n,).
        segments, ring_starts: as `cut_walls` gives them.
        angles: as for `draw_rings`.
        tolerance: as for `regularise_outlines`.
        gate: how close the forms must be.

    Returns:
        Polygon (n,), valid, and bool (n,), which pass the gate.
    """
    vertices, lengths, owners, areas, between = draw_rings(segments, ring_starts, angles, tolerance)
    counts = np.bincount(owners, minlength=len(sources))
    made = np.flatnonzero(counts)
    starts = np.concatenate([[0], np.cumsum(lengths)]), np.concatenate([[0], np.cumsum(counts[made])])
    vertices = np.round(vertices, DECIMALS) + 0.0  # so that what lies on the image's border doesn't leave it
    drawn = shapely.from_ragged_array(GeometryType.POLYGON, vertices, starts)
    crossed = np.flatnonzero(~shapely.is_valid(drawn))
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


def are_round(outlines: np.ndarray) -> np.ndarray:
    """Tell which outlines are circles, bool (n,)."""
    points, owners = shapely.get_coordinates(shapely.get_exterior_ring(outlines), return_index=True)
    centres = shapely.get_coordinates(shapely.centroid(outlines))
    radii = np.hypot(*(points - centres[owners]).T)
    counts = np.maximum(np.bincount(owners, minlength=len(outlines)), 1)
    means = np.bincount(owners, weights=radii, minlength=len(outlines)) / counts
    squares = np.bincount(owners, weights=(radii - means[owners]) ** 2, minlength=len(outlines)) / counts
    filled = shapely.area(shapely.polygons(shapely.get_exterior_ring(outlines)))
    # a rectangle's corners are as far from its centre as a circle's, but it fills less of that circle
    full = np.abs(filled / (np.pi * means**2) - 1) < ROUND_FILL
    return full & (np.sqrt(squares) < ROUNDNESS * means) & (means > ROUND_RADIUS)


@compiled
def draw_rings(
    segments: Segments, ring_starts: np.ndarray, angles: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw the rings of each polygon with straight walls, along its direction or each along its own.

    Args:
        segments, ring_starts, tolerance: as for `find_directions`.
        angles: float (n,), radians; NaN leaves each wall its own direction.

    Returns:
        vertices: float (k, 2), rings one after the other, each closed by its first point.
        lengths: int64 (l,), the points of each ring.
        owners: int64 (l,), the polygon of each; one that is too small for walls has none.
        areas: float (n,), of the sampled polygons, without the holes that are closed, px area.
        between: float (n,), the area between the samples and the drawn outline, px area.
    """
    samples, sample_starts, corners, corner_starts = segments
    most = len(sample_starts) - 1
    vertices = np.empty((2 * len(corners) + 3 * len(sample_starts), 2))
    lengths, owners = np.empty(most, np.int64), np.empty(most, np.int64)
    areas, between = np.zeros(len(angles)), np.zeros(len(angles))
    least = LEAST_AREA * tolerance**2
    used = count = 0
    for k in range(len(ring_starts) - 1):
        for r in range(ring_starts[k], ring_starts[k + 1]):
            ring = samples[sample_starts[r] : sample_starts[r + 1]]
            own = corners[corner_starts[r] : corner_starts[r + 1]]
            outer, area = r == ring_starts[k], abs(measure_area(ring))
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
