"""Regularisation: straight walls and right angles, kept only where the outline stays close to its source."""

import math
from collections.abc import Sequence

import numpy as np
import shapely
from numba import njit
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely import GeometryType, Polygon

from postproc.shapes import measure_hausdorff, measure_iou
from postproc.walls import find_direction, fold, square_ring, thin_ring

LEAST_AREA = 4.0  # details of a smaller area are dropped, in units of the tolerance's square
LEAST_DIAGONAL = 7.0  # shorter walls keep no direction of their own, in units of the tolerance
STRAIGHT = 0.8  # Douglas and Peucker's tolerance, before the walls are turned, in units of the tolerance
REFINEMENTS = 3
ROW_GAP = 2.0  # buildings that are this near may stand in a row, in units of the tolerance
ROW_ANGLE = math.radians(5)  # and share the direction where theirs differ by no more
MOST_POINTS = 20_000  # a longer ring is no building's, and its walls are not worth the time
AREA_CHANGE = 0.2
ROUNDNESS = 0.05  # of a circle: the standard deviation of its radius over the mean; a square has 0.11
ROUND_RADIUS = 8.0  # smaller blobs look round whatever they were, px


def regularise_outlines(
    outlines: Sequence[Polygon] | np.ndarray, tolerance: float, min_iou: float, max_distance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Give outlines straight walls at right angles, as far as they stay close to what they were.

    The walls follow the direction that the outline's edges have most, by length and modulo 90 degrees; neighbours
    in a row share it. Long diagonal walls keep their direction. Courtyards stay, holes of less than four
    times the tolerance's square are closed. Circles are left alone.

    Args:
        outlines: n valid polygons as `trace_mask` gives them, px.
        tolerance: half the side of a square detail that is just kept, px, more than 0.
        min_iou: an outline is accepted if it has at least this IoU with its source, 0..1.
        max_distance: and at most this Hausdorff distance from it, px.

    Returns:
        Polygon (n,), and bool (n,), where they were accepted; the others are the sources.
    """
    sources = np.asarray(outlines, object)
    if not len(sources) or tolerance <= 0:
        return sources, np.zeros(len(sources), bool)
    _, points, (rings, polygons) = shapely.to_ragged_array(sources)
    angles, levers = find_directions(points, rings, polygons, tolerance)
    angles = share_directions(sources, angles, levers, ROW_GAP * tolerance)
    vertices, lengths, owners = square_outlines(points, rings, polygons, angles, tolerance)
    counts = np.bincount(owners, minlength=len(sources))
    made = np.flatnonzero(counts)
    squared = shapely.from_ragged_array(
        GeometryType.POLYGON,
        vertices,
        (np.concatenate([[0], np.cumsum(lengths)]), np.concatenate([[0], np.cumsum(counts[made])])),
    )
    fine = shapely.is_valid(squared) & ~are_round(sources[made])
    made, squared = made[fine], squared[fine]
    fine = pass_gate(squared, close_holes(sources[made], LEAST_AREA * tolerance**2), min_iou, max_distance)
    accepted = np.zeros(len(sources), bool)
    accepted[made[fine]] = True
    regular = sources.copy()
    regular[made[fine]] = squared[fine]
    return regular, accepted


def pass_gate(outlines: np.ndarray, sources: np.ndarray, min_iou: float, max_distance: float) -> np.ndarray:
    """Tell which valid outlines are close to their sources, in area, IoU and Hausdorff distance; bool (n,)."""
    close = np.abs(shapely.area(outlines) / shapely.area(sources) - 1) <= AREA_CHANGE
    close[close] = measure_iou(outlines[close], sources[close]) >= min_iou
    close[close] = measure_hausdorff(outlines[close], sources[close]) <= max_distance
    return close


def close_holes(outlines: np.ndarray, least_area: float) -> np.ndarray:
    """Return the outlines without holes of a smaller area, px area."""
    if not len(outlines):
        return outlines
    rings, owners = shapely.get_rings(outlines, return_index=True)
    outer = np.diff(owners, prepend=-1) > 0
    keep = outer | (shapely.area(shapely.polygons(rings)) >= least_area)
    return np.array(
        [shapely.Polygon(own[0], own[1:]) for own in np.split(rings[keep], np.flatnonzero(outer[keep])[1:])],
        object,
    )


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


def share_directions(outlines: np.ndarray, angles: np.ndarray, levers: np.ndarray, gap: float) -> np.ndarray:
    """Give neighbours that stand in a row one direction.

    Args:
        outlines: Polygon (n,).
        angles: float (n,), radians modulo pi/2.
        levers: float (n,), how much each angle weighs.
        gap: how far apart neighbours may be, px.

    Returns:
        float (n,): the weighted mean of the row, or the own angle where that is far from it.
    """
    one, other = shapely.STRtree(outlines).query(outlines, predicate="dwithin", distance=gap)
    apart = np.angle(np.exp(4j * (angles[one] - angles[other]))) / 4
    alike = np.abs(apart) <= ROW_ANGLE
    links = coo_array((np.ones(alike.sum()), (one[alike], other[alike])), shape=(len(angles),) * 2)
    _, rows = connected_components(links, directed=False)
    weighted = levers * np.exp(4j * angles)
    sums = np.bincount(rows, weights=weighted.real) + 1j * np.bincount(rows, weights=weighted.imag)
    shared = np.angle(sums)[rows] / 4
    far = np.abs(np.angle(np.exp(4j * (angles - shared)))) / 4 > ROW_ANGLE
    return np.where(far, angles, shared)


@njit(nogil=True, cache=True)
def find_directions(
    points: np.ndarray, rings: np.ndarray, polygons: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Find each polygon's dominant direction, from its outer ring.

    Args:
        points: float (m, 2), rings: int (r + 1,), polygons: int (n + 1,), as `shapely.to_ragged_array` gives them.
        tolerance: as for `regularise_outlines`.

    Returns:
        angles: float (n,), radians, modulo pi/2.
        levers: float (n,), the sum of squares that an angle rests on.
    """
    angles, levers = np.zeros(len(polygons) - 1), np.full(len(polygons) - 1, 1e-9)
    for k in range(len(angles)):
        first = polygons[k]
        ring = points[rings[first] : rings[first + 1] - 1]
        if len(ring) > MOST_POINTS:
            continue
        corners = thin_ring(ring, STRAIGHT * tolerance)
        angle, _ = find_direction(ring, corners)
        for _ in range(REFINEMENTS):
            _, turn, lever = square_ring(ring, corners, angle, LEAST_AREA * tolerance**2, LEAST_DIAGONAL * tolerance)
            if lever <= 0:
                break
            angle = fold(angle + math.atan2(turn, lever))
            levers[k] = lever
        angles[k] = angle
    return angles, levers


@njit(nogil=True, cache=True)
def square_outlines(
    points: np.ndarray, rings: np.ndarray, polygons: np.ndarray, angles: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Square the rings of each polygon along its direction.

    Args:
        points, rings, polygons, tolerance: as for `find_directions`.
        angles: float (n,), radians.

    Returns:
        vertices: float (k, 2), rings one after the other, each closed by its first point.
        lengths: int64 (l,), the points of each ring.
        owners: int64 (l,), the polygon of each; one that could not be squared has none.
    """
    vertices = np.empty((1024, 2))
    lengths, owners = np.empty(len(rings) - 1, np.int64), np.empty(len(rings) - 1, np.int64)
    least = LEAST_AREA * tolerance**2
    used = count = 0
    for k in range(len(polygons) - 1):
        for number in range(polygons[k], polygons[k + 1]):
            outer = number == polygons[k]
            ring = points[rings[number] : rings[number + 1] - 1]
            if outer and len(ring) > MOST_POINTS:
                break
            if not outer and abs(measure_area(ring)) < least:
                continue
            corners = thin_ring(ring, STRAIGHT * tolerance)
            squared, _, _ = square_ring(ring, corners, angles[k], least, LEAST_DIAGONAL * tolerance)
            if len(squared) < 3:
                if outer:
                    break
                squared = ring
            size = len(squared) + 1
            while used + size > len(vertices):
                vertices = np.concatenate((vertices, np.empty_like(vertices)))
            vertices[used : used + size - 1] = squared
            vertices[used + size - 1] = squared[0]
            lengths[count], owners[count] = size, k
            used += size
            count += 1
    return vertices[:used], lengths[:count], owners[:count]


@njit(nogil=True, cache=True)
def measure_area(ring: np.ndarray) -> float:
    """The area inside a ring, signed by its sense, px area."""
    area = 0.0
    for i in range(len(ring)):
        area += ring[i - 1, 0] * ring[i, 1] - ring[i, 0] * ring[i - 1, 1]
    return area / 2
