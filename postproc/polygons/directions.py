"""Dominant directions: the one that a building's walls follow, and the one that a row of buildings shares."""

import math

import numpy as np
import scipy
import shapely

from members.common.compiled import compiled
from postproc.polygons.corners import Segments
from postproc.polygons.squaring import square_ring
from postproc.polygons.walls import TINY, fold

LEAST_AREA = 4.0  # details of a smaller area are dropped, in units of the tolerance's square
LEAST_DIAGONAL = 7.0  # shorter walls keep no direction of their own, in units of the tolerance
REFINEMENTS = 2
MOST_WALLS = 128  # a ring of more is no building's, and has no one direction
LOBE = math.radians(15)  # edges that deviate less than this from a direction support it
ROW_ANGLE = math.radians(5)  # neighbours in a row share the direction where theirs differ by no more


@compiled
def find_directions(segments: Segments, ring_starts: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Find each polygon's dominant direction, from its outer ring.

    Args:
        segments: the polygons' rings, as `segment_rings` cuts them.
        ring_starts: int (n + 1,), where each polygon's rings begin; its first one is the outer ring.
        tolerance: as for `segment_rings`.

    Returns:
        angles: float (n,), radians, modulo pi/2; NaN where there are too many walls for a building.
        weights: float (n,), how firmly the walls hold each angle: the squared distances of the walls' pieces from the
            middle of their wall, summed and weighted by the pieces' lengths. Long walls count most.
    """
    angles, weights = np.zeros(len(ring_starts) - 1), np.full(len(ring_starts) - 1, 1e-9)
    for k in range(len(angles)):
        r = ring_starts[k]
        ring = segments.samples[segments.sample_starts[r] : segments.sample_starts[r + 1]]
        corners = segments.corners[segments.corner_starts[r] : segments.corner_starts[r + 1]]
        if len(corners) > MOST_WALLS:
            angles[k] = np.nan
            continue
        angle, _ = find_direction(ring, corners)
        for _ in range(REFINEMENTS):
            _, turn, weight = square_ring(ring, corners, angle, LEAST_AREA * tolerance**2, LEAST_DIAGONAL * tolerance)
            if weight <= 0:
                break
            angle = fold(angle + math.atan2(turn, weight))
            weights[k] = weight
        angles[k] = angle
    return angles, weights


@compiled
def find_direction(points: np.ndarray, corners: np.ndarray) -> tuple[float, float]:
    """Find the direction that most edge length follows, modulo 90 degrees.

    Args:
        points: float (m, 2), a ring.
        corners: int64 (n,), which of its points are corners.

    Returns:
        angle: radians, -pi/4..pi/4.
        support: length of the edges along it or across, px.
    """
    count = len(corners)
    angles, lengths = np.empty(count), np.empty(count)
    for i in range(count):
        start, end = points[corners[i]], points[corners[(i + 1) % count]]
        angles[i] = math.atan2(end[1] - start[1], end[0] - start[0])
        lengths[i] = math.hypot(end[1] - start[1], end[0] - start[0])
    best, support = 0.0, -1.0
    for i in range(count):
        total = shift = 0.0
        for j in range(count):
            apart = fold(angles[j] - angles[i])
            if abs(apart) < LOBE:
                weight = lengths[j] * (1 - (apart / LOBE) ** 2)
                total += weight
                shift += weight * lengths[j] * apart
        if total > support:
            weights = 0.0
            for j in range(count):
                apart = fold(angles[j] - angles[i])
                if abs(apart) < LOBE:
                    weights += lengths[j] ** 2 * (1 - (apart / LOBE) ** 2)
            best, support = angles[i] + shift / max(weights, TINY), total
    return fold(best), support


def share_directions(outlines: np.ndarray, angles: np.ndarray, weights: np.ndarray, gap: float) -> np.ndarray:
    """Give buildings that stand in a row one direction.

    A row is what neighbours form whose directions differ by at most `ROW_ANGLE`, from neighbour to neighbour.

    Args:
        outlines: Polygon (n,).
        angles: float (n,), radians modulo pi/2; NaN is in no row.
        weights: float (n,), how much each angle counts in its row's mean.
        gap: how far apart neighbours may be, px.

    Returns:
        float (n,), radians modulo pi/2: the weighted mean of the building's row, or its own angle where it differs
        from that mean by more than `ROW_ANGLE`.
    """
    reach = shapely.bounds(outlines) + np.array([-gap, -gap, gap, gap])
    one, other = shapely.STRtree(outlines).query(shapely.box(*reach.T))
    apart = np.angle(np.exp(4j * (angles[one] - angles[other]))) / 4
    alike = (np.abs(apart) <= ROW_ANGLE) & (one < other)  # never where one is NaN
    one, other = one[alike], other[alike]
    near = shapely.dwithin(outlines[one], outlines[other], gap)  # of few pairs, as it is dear
    links = scipy.sparse.coo_array((np.ones(near.sum()), (one[near], other[near])), shape=(len(angles),) * 2)
    _, rows = scipy.sparse.csgraph.connected_components(links, directed=False)
    weighted = weights * np.exp(4j * angles)
    sums = np.bincount(rows, weights=weighted.real) + 1j * np.bincount(rows, weights=weighted.imag)
    shared = np.angle(sums)[rows] / 4
    far = np.abs(np.angle(np.exp(4j * (angles - shared)))) / 4 > ROW_ANGLE
    return np.where(far, angles, shared)
