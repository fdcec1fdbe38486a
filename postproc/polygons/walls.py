"""The walls of one ring: a table of lines, built from the ring's straight pieces and intersected with one another.

A wall is a line, and the direction in which the ring runs along it. The line goes through the mean of the ring's pieces
that belong to the wall; the mean is kept as sums, so that two walls become one by adding up. All coordinates are
turned so that the building's dominant direction is the x axis. Everything here is compiled.
"""

import math

import numpy as np

from members.common.compiled import compiled

UX, UY, SX, SY, WEIGHT = range(5)  # columns of `walls`: direction; weighted sums of x and y, and of the weights
PARALLEL = math.sin(math.radians(12))
DIAGONAL = math.radians(25)  # a long wall farther than this from both axes keeps its own direction
TINY = 1e-6


@compiled
def build_walls(ring: np.ndarray, corners: np.ndarray, least_wall: float) -> tuple[np.ndarray, np.ndarray]:
    """Build a wall of each straight piece, and a step between two that are parallel.

    Args:
        ring: float (m, 2), without its last point.
        corners: int64 (n,), which of its points begin a straight piece.
        least_wall: shorter pieces never keep a direction of their own, px.

    Returns:
        walls: float (n, 5), neighbours never parallel.
        spans: int64 (n, 2), the index of each wall's first point in the ring, and the number of its edges; a step has
            none.
    """
    count, size = len(corners), len(ring)
    walls, spans = np.zeros((2 * count + 2, 5)), np.zeros((2 * count + 2, 2), np.int64)
    n = 0
    for i in range(count):
        start, pieces = corners[i], (corners[(i + 1) % count] - corners[i] + size) % size
        ux, uy = _snap(ring[corners[(i + 1) % count]] - ring[start], least_wall)
        if n > 0 and are_parallel(walls[n - 1, UX], walls[n - 1, UY], ux, uy):
            if are_codirectional(walls[n - 1, UX], walls[n - 1, UY], ux, uy) and ux * uy != 0:
                spans[n - 1, 1] += pieces
                _sum_pieces(ring, spans[n - 1], walls[n - 1])
                continue
            n = _add_step(walls, spans, n, ux, uy, ring[start], start)
        walls[n, UX], walls[n, UY] = ux, uy
        spans[n, 0], spans[n, 1] = start, pieces
        _sum_pieces(ring, spans[n], walls[n])
        n += 1
    if n > 1 and are_parallel(walls[n - 1, UX], walls[n - 1, UY], walls[0, UX], walls[0, UY]):
        n = _add_step(walls, spans, n, walls[0, UX], walls[0, UY], ring[corners[0]], corners[0])
    return walls[:n].copy(), spans[:n].copy()


@compiled
def fold(angle: float) -> float:
    """Return the angle modulo 90 degrees, -pi/4..pi/4."""
    return angle - math.pi / 2 * math.floor(angle / (math.pi / 2) + 0.5)


@compiled
def _snap(edge: np.ndarray, least_wall: float) -> tuple[float, float]:
    """Return the unit vector along an edge, turned to the nearest axis unless it is a long diagonal."""
    length = math.hypot(edge[0], edge[1])
    if abs(fold(math.atan2(edge[1], edge[0]))) > DIAGONAL and length > least_wall:
        return edge[0] / length, edge[1] / length
    if abs(edge[0]) >= abs(edge[1]):
        return (1.0, 0.0) if edge[0] > 0 else (-1.0, 0.0)
    return (0.0, 1.0) if edge[1] > 0 else (0.0, -1.0)


@compiled
def are_parallel(ax: float, ay: float, bx: float, by: float) -> bool:
    """Tell whether two directions are parallel, in the same sense or not."""
    return abs(ax * by - ay * bx) < PARALLEL


@compiled
def are_codirectional(ax: float, ay: float, bx: float, by: float) -> bool:
    """Tell whether two parallel directions have the same sense."""
    return ax * bx + ay * by > 0


@compiled
def _add_step(walls: np.ndarray, spans: np.ndarray, n: int, ux: float, uy: float, point: np.ndarray, start: int) -> int:
    """Add a wall across, through a point: the step from the last wall to one that is parallel to it."""
    walls[n, UX], walls[n, UY] = -uy, ux
    walls[n, SX], walls[n, SY], walls[n, WEIGHT] = point[0] * TINY, point[1] * TINY, TINY
    spans[n, 0], spans[n, 1] = start, 0
    return n + 1


@compiled
def _sum_pieces(ring: np.ndarray, span: np.ndarray, wall: np.ndarray) -> None:
    """Set a wall's sums: its edges' midpoints, each weighted by the edge's length along the wall."""
    wall[SX:] = 0.0
    size = len(ring)
    for i in range(span[0], span[0] + span[1]):
        a, b = ring[i % size], ring[(i + 1) % size]
        weight = abs((b[0] - a[0]) * wall[UX] + (b[1] - a[1]) * wall[UY]) + TINY
        wall[SX] += weight * (a[0] + b[0]) / 2
        wall[SY] += weight * (a[1] + b[1]) / 2
        wall[WEIGHT] += weight


@compiled
def meet_walls(walls: np.ndarray) -> np.ndarray:
    """Intersect each wall with the next one, float (n, 2)."""
    n = len(walls)
    vertices = np.empty((n, 2))
    for i in range(n):
        vertices[i, 0], vertices[i, 1] = intersect_walls(walls[i], walls[(i + 1) % n])
    return vertices


@compiled
def intersect_walls(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return the point where two walls, not parallel, meet."""
    px, py = one[SX] / one[WEIGHT], one[SY] / one[WEIGHT]
    qx, qy = other[SX] / other[WEIGHT], other[SY] / other[WEIGHT]
    cross = one[UX] * other[UY] - one[UY] * other[UX]
    along = ((qx - px) * other[UY] - (qy - py) * other[UX]) / cross
    return px + along * one[UX], py + along * one[UY]
