"""Regularisation: straight walls and right angles, kept only where the outline stays close to its source."""

import math
from collections.abc import Sequence

import numpy as np
import shapely
from numba import njit
from shapely import GeometryType, Polygon

from postproc.polygons.corners import SPACING, join_lines, segment_rings
from postproc.polygons.directions import LEAST_AREA, LEAST_DIAGONAL, find_directions, share_directions
from postproc.polygons.walls import square_ring

LOOKOUT = 6  # walls before and after the last one, among which the nearest is looked for
ROW_GAP = 2.0  # buildings that are this near may stand in a row, in units of the tolerance
AREA_CHANGE = 0.2
LEAST_TOLERANCE = 1.0  # px: finer walls would follow the pixels
ROUNDNESS = 0.05  # of a circle: the standard deviation of its radius over the mean; a square has 0.11
DECIMALS = 6  # of a vertex, px
ROUND_RADIUS = 8.0  # smaller blobs look round whatever they were, px


def regularise_outlines(
    outlines: Sequence[Polygon] | np.ndarray, tolerance: float, min_iou: float, max_distance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give outlines straight walls, at right angles where they stay close to what they were.

    Straight walls are `segment_rings`'. To be squared they follow the direction that the outline's walls have most,
    by length and modulo 90 degrees; neighbours in a row share it, long diagonal walls keep theirs. Courtyards
    stay, holes of less than four times the tolerance's square are closed. Circles are not squared. Where
    straight walls fail the gate, finer ones are tried, down to `LEAST_TOLERANCE`.

    Args:
        outlines: n valid polygons as `trace_mask` gives them, px.
        tolerance: a corner is set where it saves the tolerance's cube of squared distance along the walls, px,
            more than 0; squared walls lose steps and bumps of less than four times its square.
        min_iou: a form passes if its IoU with the source, 0..1, is at least this: estimated from below by the area
            between the two outlines, small holes closed.
        max_distance: and the Hausdorff distance of the outer rings, at their vertices, is at most this, px.

    Returns:
        straight: Polygon (n,), valid; the source where there is none that passes.
        squared: Polygon (n,), valid; the source where there is none that passes.
        which: int64 (n,), the most regular form that passes: 2 squared, 1 straight, 0 the source.
    """
    sources = np.asarray(outlines, object)
    which = np.zeros(len(sources), np.int64)
    if not len(sources) or tolerance <= 0:
        return sources, sources, which
    walls = cut_walls(sources, tolerance)
    free = np.full(len(sources), np.nan)
    straight, fine = draw_forms(sources, walls, free, tolerance, min_iou, max_distance)
    which[fine] = 1
    angles, levers = find_directions(*walls, tolerance)
    angles = share_directions(straight, angles, levers, ROW_GAP * tolerance)
    angles[are_round(sources)] = np.nan
    squared, fine = draw_forms(sources, walls, angles, tolerance, min_iou, max_distance)
    which[fine & ~np.isnan(angles)] = 2
    left = np.flatnonzero(which == 0)
    while len(left) and tolerance / 2 >= LEAST_TOLERANCE:
        tolerance /= 2
        walls = cut_walls(sources[left], tolerance)
        straight[left], fine = draw_forms(sources[left], walls, free[left], tolerance, min_iou, max_distance)
        which[left[fine]] = 1
        left = left[~fine]
    return straight, squared, which


def cut_walls(outlines: np.ndarray, tolerance: float) -> tuple[np.ndarray, ...]:
    """What `segment_rings` makes of outlines' rings, and int64 (n + 1,), where each outline's rings begin."""
    _, points, (rings, polygons) = shapely.to_ragged_array(outlines)
    return (*segment_rings(points, rings, tolerance), polygons)


def draw_forms(
    sources: np.ndarray,
    walls: tuple[np.ndarray, ...],
    angles: np.ndarray,
    tolerance: float,
    min_iou: float,
    max_distance: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the outlines along directions, loops cut off; the source where what is drawn fails the gate.

    Args:
        sources: Polygon (n,).
        walls: samples, offsets, corners, places and polygons, as for `raise_outlines`.
        angles, tolerance: as for `raise_outlines`.
        min_iou, max_distance: as for `regularise_outlines`.

    Returns:
        Polygon (n,), valid, and bool (n,), which pass the gate.
    """
    vertices, lengths, owners, areas, between = raise_outlines(*walls, angles, tolerance)
    counts = np.bincount(owners, minlength=len(sources))
    made = np.flatnonzero(counts)
    offsets = np.concatenate([[0], np.cumsum(lengths)]), np.concatenate([[0], np.cumsum(counts[made])])
    vertices = np.round(vertices, DECIMALS) + 0.0  # so that what lies on the image's border doesn't leave it
    drawn = shapely.from_ragged_array(GeometryType.POLYGON, vertices, offsets)
    crossed = np.flatnonzero(~shapely.is_valid(drawn))
    mended = shapely.make_valid(drawn[crossed], method="structure", keep_collapsed=False)
    largest = np.array([max(shapely.get_parts(m), key=shapely.area, default=Polygon()) for m in mended], object)
    between[made[crossed]] += shapely.area(mended) - shapely.area(largest)  # what is cut off counts too
    drawn[crossed] = largest
    fine = (shapely.get_type_id(drawn) == GeometryType.POLYGON) & ~shapely.is_empty(drawn)
    made, drawn = made[fine], drawn[fine]
    forms, passed = sources.copy(), np.zeros(len(sources), bool)
    forms[made] = drawn
    both, apart = areas[made] + shapely.area(drawn), between[made]
    alike = np.abs(shapely.area(drawn) / areas[made] - 1) <= AREA_CHANGE
    passed[made] = alike & (both - apart >= min_iou * (both + apart))
    left = np.flatnonzero(passed)
    passed[left] = are_near(*list_rings(sources[left]), *list_rings(forms[left]), max_distance)
    return np.where(passed, forms, sources), passed


def list_rings(outlines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of the outer rings, float (m, 2), each closed, and int64 (n + 1,), where each begins."""
    points, owners = shapely.get_coordinates(shapely.get_exterior_ring(outlines), return_index=True)
    return points, np.searchsorted(owners, np.arange(len(outlines) + 1))


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
    full = np.abs(filled / (np.pi * means**2) - 1) < AREA_CHANGE
    return full & (np.sqrt(squares) < ROUNDNESS * means) & (means > ROUND_RADIUS)


@njit(nogil=True, cache=True)
def raise_outlines(
    samples: np.ndarray,
    offsets: np.ndarray,
    corners: np.ndarray,
    places: np.ndarray,
    polygons: np.ndarray,
    angles: np.ndarray,
    tolerance: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw the rings of each polygon with straight walls, along its direction or each along its own.

    Args:
        samples, offsets, corners, places, polygons, tolerance: as for `find_directions`.
        angles: float (n,), radians; NaN leaves each wall its own direction.

    Returns:
        vertices: float (k, 2), rings one after the other, each closed by its first point.
        lengths: int64 (l,), the points of each ring.
        owners: int64 (l,), the polygon of each; one that is too small for walls has none.
        areas: float (n,), of the sampled polygons, without the holes that are closed, px area.
        between: float (n,), the area between the samples and the drawn outline, px area.
    """
    vertices = np.empty((2 * len(corners) + 3 * len(offsets), 2))
    lengths, owners = np.empty(len(offsets) - 1, np.int64), np.empty(len(offsets) - 1, np.int64)
    areas, between = np.zeros(len(angles)), np.zeros(len(angles))
    least = LEAST_AREA * tolerance**2
    used = count = 0
    for k in range(len(polygons) - 1):
        for r in range(polygons[k], polygons[k + 1]):
            ring, own = samples[offsets[r] : offsets[r + 1]], corners[places[r] : places[r + 1]]
            outer, area = r == polygons[k], abs(measure_area(ring))
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
            vertices[used : used + size - 1] = drawn
            vertices[used + size - 1] = drawn[0]
            lengths[count], owners[count] = size, k
            used += size
            count += 1
    return vertices[:used], lengths[:count], owners[:count], areas, between


@njit(nogil=True, cache=True)
def measure_gap(samples: np.ndarray, ring: np.ndarray) -> float:
    """Measure the area between a drawn ring and the samples that it was drawn for, both in the same order, px area.

    It is the sum of the samples' distances to the walls, each times `SPACING`. Each sample looks for the nearest wall
    only near the one that the sample before it found; so the area may come out too large, never too small.
    """
    size = len(ring)
    gap = 0.0
    place, width = 0, size
    for i in range(len(samples)):
        best, nearest = np.inf, place
        for j in range(place - width, place + width + 1):
            distance = measure_square(samples, i, ring, (j - 1) % size, j % size)
            if distance < best:
                best, nearest = distance, j % size
        place, width = nearest, min(size // 2 + 1, LOOKOUT)
        gap += math.sqrt(best) * SPACING
    return gap


@njit(nogil=True, cache=True)
def are_near(
    points: np.ndarray, offsets: np.ndarray, others: np.ndarray, other_offsets: np.ndarray, distance: float
) -> np.ndarray:
    """Tell which pairs of rings have a Hausdorff distance, at their vertices, of at most `distance`, bool (n,).

    Args:
        points, others: float (m, 2) and (k, 2), rings one after the other, each closed, px.
        offsets, other_offsets: int64 (n + 1,), where each ring begins.
        distance: px.
    """
    near = np.empty(len(offsets) - 1, np.bool_)
    for k in range(len(near)):
        one = points[offsets[k] : offsets[k + 1]]
        other = others[other_offsets[k] : other_offsets[k + 1]]
        near[k] = lies_near(one, other, distance) and lies_near(other, one, distance)
    return near


@njit(nogil=True, cache=True)
def lies_near(points: np.ndarray, ring: np.ndarray, distance: float) -> bool:
    """Tell whether each point is within a distance of a closed ring.

    Each looks first where the one before found it, then farther along to either side.
    """
    size, place, square = len(ring) - 1, 0, distance * distance
    for i in range(len(points)):
        found = False
        for step in range(size):
            j = (place + (step + 1) // 2 * (1 if step % 2 else -1)) % size
            if measure_square(points, i, ring, j, j + 1) <= square:
                place, found = j, True
                break
        if not found:
            return False
    return True


@njit(nogil=True, cache=True)
def measure_square(points: np.ndarray, i: int, ring: np.ndarray, start: int, end: int) -> float:
    """The squared distance of a point from the segment between two points of a ring."""
    dx, dy = ring[end, 0] - ring[start, 0], ring[end, 1] - ring[start, 1]
    px, py = points[i, 0] - ring[start, 0], points[i, 1] - ring[start, 1]
    share = min(max((px * dx + py * dy) / max(dx * dx + dy * dy, 1e-12), 0.0), 1.0)
    return (px - share * dx) ** 2 + (py - share * dy) ** 2


@njit(nogil=True, cache=True)
def measure_area(ring: np.ndarray) -> float:
    """The area inside a ring, signed by its sense, px area."""
    area = 0.0
    for i in range(len(ring)):
        area += ring[i - 1, 0] * ring[i, 1] - ring[i, 0] * ring[i - 1, 1]
    return area / 2
