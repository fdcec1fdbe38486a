"""Walls of one ring, compiled: turn its straight pieces to the axes, drop steps, fit, intersect.

A wall is a line with a direction in which the ring runs along it. Its place is the mean of the ring's pieces that
belong to it, kept as sums, so that two walls become one by adding up; the last fit takes the median instead, which
moves the least area and doesn't follow rounded corners. Everything happens in a frame where the building's dominant
direction is the x axis.
"""

import math

import numpy as np
from numba import njit

UX, UY, SX, SY, WEIGHT = range(5)  # columns of `walls`: direction; weighted sums of x and y, and of the weights
PARALLEL = math.sin(math.radians(12))
DIAGONAL = math.radians(25)  # a long wall farther than this from both axes keeps its own direction
CORNER = 0.12  # share of a wall at either end that the fit leaves out
TINY = 1e-6


@njit(nogil=True, cache=True)
def square_ring(
    points: np.ndarray, corners: np.ndarray, angle: float, least_area: float, least_wall: float
) -> tuple[np.ndarray, float, float]:
    """Turn a ring into straight walls along and across a direction.

    Args:
        points: float (m, 2), a ring without its last point.
        corners: int64 (n,), which of its points begin a straight piece.
        angle: the dominant direction, radians.
        least_area: steps, bumps and notches of a smaller area are dropped, px area.
        least_wall: shorter pieces never keep a direction of their own, px.

    Returns:
        ring: float (k, 2), without its last point; empty where fewer than three walls are left.
        turn, lever: by turn / lever radians the direction would follow the ring better.
    """
    cos, sin = math.cos(angle), math.sin(angle)
    ring = np.empty_like(points)
    ring[:, 0] = points[:, 0] * cos + points[:, 1] * sin
    ring[:, 1] = points[:, 1] * cos - points[:, 0] * sin
    walls, spans = raise_walls(ring, corners, least_wall)
    walls, spans = drop_steps(walls, spans, least_area)
    if len(walls) < 3:
        return np.empty((0, 2)), 0.0, 0.0
    turn, lever = fit_walls(ring, walls, spans)
    vertices = meet_walls(walls)
    turned = np.empty_like(vertices)
    turned[:, 0] = vertices[:, 0] * cos - vertices[:, 1] * sin
    turned[:, 1] = vertices[:, 0] * sin + vertices[:, 1] * cos
    return turned, turn, lever


@njit(nogil=True, cache=True)
def raise_walls(ring: np.ndarray, corners: np.ndarray, least_wall: float) -> tuple[np.ndarray, np.ndarray]:
    """Make a wall of each straight piece, and a step between two that are parallel.

    Returns:
        walls: float (n, 5), neighbours never parallel.
        spans: int64 (n, 2), each wall's first point of the ring and the number of pieces; a step has none.
    """
    count, size = len(corners), len(ring)
    walls, spans = np.zeros((2 * count + 2, 5)), np.zeros((2 * count + 2, 2), np.int64)
    n = 0
    for i in range(count):
        start, pieces = corners[i], (corners[(i + 1) % count] - corners[i] + size) % size
        ux, uy = _snap(ring[corners[(i + 1) % count]] - ring[start], least_wall)
        if n > 0 and _is_parallel(walls[n - 1, UX], walls[n - 1, UY], ux, uy):
            if _is_same(walls[n - 1, UX], walls[n - 1, UY], ux, uy) and ux * uy != 0:
                spans[n - 1, 1] += pieces
                _sum_pieces(ring, spans[n - 1], walls[n - 1])
                continue
            n = _add_step(walls, spans, n, ux, uy, ring[start], start)
        walls[n, UX], walls[n, UY] = ux, uy
        spans[n] = start, pieces
        _sum_pieces(ring, spans[n], walls[n])
        n += 1
    if n > 1 and _is_parallel(walls[n - 1, UX], walls[n - 1, UY], walls[0, UX], walls[0, UY]):
        n = _add_step(walls, spans, n, walls[0, UX], walls[0, UY], ring[corners[0]], corners[0])
    return walls[:n].copy(), spans[:n].copy()


@njit(nogil=True, cache=True)
def fold(angle: float) -> float:
    """Return the angle modulo 90 degrees, -pi/4..pi/4."""
    return angle - math.pi / 2 * math.floor(angle / (math.pi / 2) + 0.5)


@njit(nogil=True, cache=True)
def _snap(edge: np.ndarray, least_wall: float) -> tuple[float, float]:
    """The unit vector along an edge, turned to the nearest axis unless it is a long diagonal."""
    length = math.hypot(edge[0], edge[1])
    if abs(fold(math.atan2(edge[1], edge[0]))) > DIAGONAL and length > least_wall:
        return edge[0] / length, edge[1] / length
    if abs(edge[0]) >= abs(edge[1]):
        return (1.0, 0.0) if edge[0] > 0 else (-1.0, 0.0)
    return (0.0, 1.0) if edge[1] > 0 else (0.0, -1.0)


@njit(nogil=True, cache=True)
def _is_parallel(ax: float, ay: float, bx: float, by: float) -> bool:
    return abs(ax * by - ay * bx) < PARALLEL


@njit(nogil=True, cache=True)
def _is_same(ax: float, ay: float, bx: float, by: float) -> bool:
    return ax * bx + ay * by > 0


@njit(nogil=True, cache=True)
def _add_step(walls: np.ndarray, spans: np.ndarray, n: int, ux: float, uy: float, point: np.ndarray, start: int) -> int:
    """Add the step across that leads from the last wall to a parallel one, at the point where they meet."""
    walls[n, UX], walls[n, UY] = -uy, ux
    walls[n, SX], walls[n, SY], walls[n, WEIGHT] = point[0] * TINY, point[1] * TINY, TINY
    spans[n] = start, 0
    return n + 1


@njit(nogil=True, cache=True)
def _sum_pieces(ring: np.ndarray, span: np.ndarray, wall: np.ndarray) -> None:
    """Sum the midpoints of a wall's pieces, each weighted by its length along the wall."""
    wall[SX:] = 0.0
    size = len(ring)
    for i in range(span[0], span[0] + span[1]):
        a, b = ring[i % size], ring[(i + 1) % size]
        weight = abs((b[0] - a[0]) * wall[UX] + (b[1] - a[1]) * wall[UY]) + TINY
        wall[SX] += weight * (a[0] + b[0]) / 2
        wall[SY] += weight * (a[1] + b[1]) / 2
        wall[WEIGHT] += weight


@njit(nogil=True, cache=True)
def meet_walls(walls: np.ndarray) -> np.ndarray:
    """Intersect each wall with the next one, float (n, 2)."""
    n = len(walls)
    vertices = np.empty((n, 2))
    for i in range(n):
        vertices[i] = _intersect(walls[i], walls[(i + 1) % n])
    return vertices


@njit(nogil=True, cache=True)
def _intersect(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    px, py = one[SX] / one[WEIGHT], one[SY] / one[WEIGHT]
    qx, qy = other[SX] / other[WEIGHT], other[SY] / other[WEIGHT]
    cross = one[UX] * other[UY] - one[UY] * other[UX]
    along = ((qx - px) * other[UY] - (qy - py) * other[UX]) / cross
    return px + along * one[UX], py + along * one[UY]


@njit(nogil=True, cache=True)
def drop_steps(walls: np.ndarray, spans: np.ndarray, least_area: float) -> tuple[np.ndarray, np.ndarray]:
    """Drop the wall that moves the least area, again and again, until each moves `least_area` or four are left.

    Visvalingam and Whyatt's rule, for walls in the place of vertices: the neighbours of the dropped wall become
    one if they are parallel, and are drawn to their intersection otherwise. A wall that runs backwards, which
    would make the ring cross itself, goes first.
    """
    while len(walls) > 4:
        n = len(walls)
        vertices = meet_walls(walls)
        lengths = np.empty(n)
        for i in range(n):
            dx, dy = vertices[i, 0] - vertices[i - 1, 0], vertices[i, 1] - vertices[i - 1, 1]
            lengths[i] = dx * walls[i, UX] + dy * walls[i, UY]
        best, place = least_area, -1
        for i in range(n):
            area = _measure_drop(walls, vertices, lengths, i)
            if area < best:
                best, place = area, i
        if place < 0:
            break
        keep = np.ones(n, np.bool_)
        keep[place] = False
        _drop(walls, spans, lengths, place, keep)
        walls, spans = walls[keep], spans[keep]
    return walls, spans


@njit(nogil=True, cache=True)
def _measure_drop(walls: np.ndarray, vertices: np.ndarray, lengths: np.ndarray, i: int) -> float:
    """The area that dropping wall i moves, px area; infinite where it can't be dropped."""
    n = len(walls)
    p, q = (i - 1) % n, (i + 1) % n
    if _is_parallel(walls[p, UX], walls[p, UY], walls[q, UX], walls[q, UY]):
        if n < 6:
            return np.inf
        return abs(lengths[i]) * max(min(lengths[p], lengths[q]), 0.0)
    x, y = _intersect(walls[p], walls[q])
    before, here, after = vertices[p - 1], vertices[i], vertices[q]
    start = vertices[p]
    if (x - before[0]) * walls[p, UX] + (y - before[1]) * walls[p, UY] <= 0:
        return np.inf
    if (after[0] - x) * walls[q, UX] + (after[1] - y) * walls[q, UY] <= 0:
        return np.inf
    return abs((x - start[0]) * (here[1] - start[1]) - (y - start[1]) * (here[0] - start[0])) / 2


@njit(nogil=True, cache=True)
def _drop(walls: np.ndarray, spans: np.ndarray, lengths: np.ndarray, i: int, keep: np.ndarray) -> None:
    """Give what wall i has to its neighbours; `keep` is cleared where one of them goes with it."""
    n = len(walls)
    p, q = (i - 1) % n, (i + 1) % n
    if not _is_parallel(walls[p, UX], walls[p, UY], walls[q, UX], walls[q, UY]):
        half = spans[i, 1] // 2
        spans[p, 1] += half
        spans[q, 0] -= spans[i, 1] - half
        spans[q, 1] += spans[i, 1] - half
        return
    if _is_same(walls[p, UX], walls[p, UY], walls[q, UX], walls[q, UY]):
        stay, go = (p, q) if walls[p, WEIGHT] >= walls[q, WEIGHT] else (q, p)
        walls[stay, SX:] += walls[go, SX:]
    else:  # a spike: its cap goes, and the shorter side
        stay, go = (p, q) if lengths[p] >= lengths[q] else (q, p)
    spans[stay, 1] = spans[p, 1] + spans[i, 1] + spans[q, 1]
    spans[stay, 0] = spans[p, 0]
    keep[go] = False


@njit(nogil=True, cache=True)
def fit_walls(ring: np.ndarray, walls: np.ndarray, spans: np.ndarray) -> tuple[float, float]:
    """Move each wall to the median of its pieces, leaving out those near its ends.

    Returns:
        turn, lever: sums over the walls along the axes; their ratio is the slope against the axes, radians.
    """
    n, size = len(walls), len(ring)
    vertices = meet_walls(walls)
    turn = lever = 0.0
    for k in range(n):
        ux, uy, count = walls[k, UX], walls[k, UY], spans[k, 1]
        start = vertices[k - 1, 0] * ux + vertices[k - 1, 1] * uy
        end = vertices[k, 0] * ux + vertices[k, 1] * uy
        margin = CORNER * (end - start)
        along, across, weights = np.empty(count), np.empty(count), np.empty(count)
        used = 0
        for i in range(spans[k, 0], spans[k, 0] + count):
            a, b = ring[i % size], ring[(i + 1) % size]
            x, y = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
            place = x * ux + y * uy
            if start + margin <= place <= end - margin:
                along[used], across[used] = place, y * ux - x * uy
                weights[used] = abs((b[0] - a[0]) * ux + (b[1] - a[1]) * uy) + TINY
                used += 1
        if used == 0:
            continue
        along, across, weights = along[:used], across[:used], weights[:used]
        total = weights.sum()
        if ux * uy == 0:
            middle, mean = (along * weights).sum() / total, (across * weights).sum() / total
            turn += ((along - middle) * (across - mean) * weights).sum()
            lever += ((along - middle) ** 2 * weights).sum()
        offset = _find_median(across, weights)
        walls[k, SX], walls[k, SY], walls[k, WEIGHT] = -uy * offset, ux * offset, 1.0
    return turn, lever


@njit(nogil=True, cache=True)
def _find_median(values: np.ndarray, weights: np.ndarray) -> float:
    """The weighted median, between the two middle values where they share the weight."""
    order = np.argsort(values)
    half, reached = weights.sum() / 2, 0.0
    for place in range(len(order)):
        reached += weights[order[place]]
        if reached > half:
            return values[order[place]]
        if reached == half and place + 1 < len(order):
            return (values[order[place]] + values[order[place + 1]]) / 2
    return values[order[-1]]
