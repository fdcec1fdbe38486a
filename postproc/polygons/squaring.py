"""Squaring of one ring: walls along and across a direction, small steps dropped, each fitted to its points.

The last fit takes the median of a wall's points, which moves the least area and does not follow rounded corners.
"""

import math

import numpy as np

from members.common.compiled import compiled
from postproc.polygons.walls import (
    SX,
    SY,
    TINY,
    UX,
    UY,
    WEIGHT,
    are_codirectional,
    are_parallel,
    build_walls,
    intersect_walls,
    meet_walls,
)

CORNER = 0.12  # share of a wall at either end that the fit leaves out


@compiled
def square_ring(
    points: np.ndarray, corners: np.ndarray, angle: float, least_area: float, least_wall: float
) -> tuple[np.ndarray, float, float]:
    """Turn a ring into straight walls along and across a direction.

    Args:
        points: float (m, 2), a ring without its last point.
        corners: int64 (n,), which of its points begin a straight piece.
        angle: the dominant direction, radians.
        least_area: steps, bumps and notches of a smaller area are dropped, px area.
        least_wall: as for `build_walls`.

    Returns:
        ring: float (k, 2), without its last point; empty where fewer than three walls are left.
        turn: as `fit_walls` returns it; with the direction turned by turn / weight radians the walls fit better.
        weight: as `fit_walls` returns it.
    """
    ring = turn_points(points, math.cos(angle), -math.sin(angle))
    walls, spans = build_walls(ring, corners, least_wall)
    walls, spans = drop_steps(walls, spans, least_area)
    if len(walls) < 3:
        return np.empty((0, 2)), 0.0, 0.0
    turn, weight = fit_walls(ring, walls, spans)
    return turn_points(meet_walls(walls), math.cos(angle), math.sin(angle)), turn, weight


@compiled
def turn_points(points: np.ndarray, cos: float, sin: float) -> np.ndarray:
    """Turn points, float (n, 2), about the origin by the angle of a cosine and a sine."""
    turned = np.empty_like(points)
    for i in range(len(points)):
        x, y = points[i]
        turned[i, 0], turned[i, 1] = x * cos - y * sin, x * sin + y * cos
    return turned


@compiled
def drop_steps(walls: np.ndarray, spans: np.ndarray, least_area: float) -> tuple[np.ndarray, np.ndarray]:
    """Drop the wall that moves the least area, again and again, until each moves `least_area` or four are left.

    Visvalingam and Whyatt's rule, applied to walls instead of vertices: the neighbours of the dropped wall become
    one if they are parallel, and are extended to their intersection otherwise. A wall that runs backwards, which
    would make the ring cross itself, goes first.
    """
    while len(walls) > 4:
        n = len(walls)
        vertices = meet_walls(walls)
        lengths = np.empty(n)
        for i in range(n):
            dx, dy = vertices[i, 0] - vertices[i - 1, 0], vertices[i, 1] - vertices[i - 1, 1]
            lengths[i] = dx * walls[i, UX] + dy * walls[i, UY]
        best, chosen = least_area, -1
        for i in range(n):
            area = _measure_drop(walls, vertices, lengths, i)
            if area < best:
                best, chosen = area, i
        if chosen < 0:
            break
        keep = np.ones(n, np.bool_)
        keep[chosen] = False
        _drop(walls, spans, lengths, chosen, keep)
        walls, spans = walls[keep], spans[keep]
    return walls, spans


@compiled
def _measure_drop(walls: np.ndarray, vertices: np.ndarray, lengths: np.ndarray, i: int) -> float:
    """Return the area that dropping wall i moves, px area; infinite where it cannot be dropped."""
    n = len(walls)
    p, q = (i - 1) % n, (i + 1) % n
    if are_parallel(walls[p, UX], walls[p, UY], walls[q, UX], walls[q, UY]):
        if n < 6:
            return np.inf
        return abs(lengths[i]) * max(min(lengths[p], lengths[q]), 0.0)
    x, y = intersect_walls(walls[p], walls[q])
    before, here, after = vertices[p - 1], vertices[i], vertices[q]
    start = vertices[p]
    if (x - before[0]) * walls[p, UX] + (y - before[1]) * walls[p, UY] <= 0:
        return np.inf
    if (after[0] - x) * walls[q, UX] + (after[1] - y) * walls[q, UY] <= 0:
        return np.inf
    return abs((x - start[0]) * (here[1] - start[1]) - (y - start[1]) * (here[0] - start[0])) / 2


@compiled
def _drop(walls: np.ndarray, spans: np.ndarray, lengths: np.ndarray, i: int, keep: np.ndarray) -> None:
    """Give the edges of wall i to its neighbours; clear `keep` where one of them goes with it."""
    n = len(walls)
    p, q = (i - 1) % n, (i + 1) % n
    if not are_parallel(walls[p, UX], walls[p, UY], walls[q, UX], walls[q, UY]):
        half = spans[i, 1] // 2
        spans[p, 1] += half
        spans[q, 0] -= spans[i, 1] - half
        spans[q, 1] += spans[i, 1] - half
        return
    if are_codirectional(walls[p, UX], walls[p, UY], walls[q, UX], walls[q, UY]):
        stay, go = (p, q) if walls[p, WEIGHT] >= walls[q, WEIGHT] else (q, p)
        for column in (SX, SY, WEIGHT):
            walls[stay, column] += walls[go, column]
    else:  # a spike: its cap goes, and the shorter side
        stay, go = (p, q) if lengths[p] >= lengths[q] else (q, p)
    spans[stay, 1] = spans[p, 1] + spans[i, 1] + spans[q, 1]
    spans[stay, 0] = spans[p, 0]
    keep[go] = False


@compiled
def fit_walls(ring: np.ndarray, walls: np.ndarray, spans: np.ndarray) -> tuple[float, float]:
    """Move each wall to the median of its edges, leaving out those near its ends.

    Returns:
        turn: the weighted sum, over the edges of the walls along the axes, of distance along the wall times distance
            across it, both from the wall's middle.
        weight: the weighted sum of the squared distances along; turn / weight is the walls' slope against the axes.
    """
    n, size = len(walls), len(ring)
    vertices = meet_walls(walls)
    turn = total_weight = 0.0
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
            position = x * ux + y * uy
            if start + margin <= position <= end - margin:
                along[used], across[used] = position, y * ux - x * uy
                weights[used] = abs((b[0] - a[0]) * ux + (b[1] - a[1]) * uy) + TINY
                used += 1
        if used == 0:
            continue
        along, across, weights = along[:used], across[:used], weights[:used]
        total = weights.sum()
        if ux * uy == 0:
            middle, mean = (along * weights).sum() / total, (across * weights).sum() / total
            turn += ((along - middle) * (across - mean) * weights).sum()
            total_weight += ((along - middle) ** 2 * weights).sum()
        offset = _find_median(across, weights)
        walls[k, SX], walls[k, SY], walls[k, WEIGHT] = -uy * offset, ux * offset, 1.0
    return turn, total_weight


@compiled
def _find_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted median; halfway between the two middle values where they share the weight."""
    order = np.argsort(values)
    half, reached = weights.sum() / 2, 0.0
    for i in range(len(order)):
        reached += weights[order[i]]
        if reached > half:
            return values[order[i]]
        if reached == half and i + 1 < len(order):
            return (values[order[i]] + values[order[i + 1]]) / 2
    return values[order[-1]]
