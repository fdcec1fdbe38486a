"""Straight walls for ragged rings: the best cut of a ring into pieces, a line through each, their intersections.

A simplification that picks vertices of the ring picks the noise with them; a line fitted to all points between two
corners averages it out, so that the outline has fewer vertices and lies nearer to the true wall.
"""

import math
from typing import NamedTuple

import numpy as np

from members.common.compiled import compiled

SPACING = 2.0  # px between samples: finer ones only see the pixels' stairs
FAR = 2.0  # tolerances: an intersection farther from where the pieces meet joins walls that are nearly parallel
TINY = 1e-6


class Segments(NamedTuple):
    """Rings as even samples, and the corners that cut them into walls.

    Attributes:
        samples: float (s, 2), the rings' samples, not closed; each the mean of the stretch of ring around it, px.
        sample_starts: int64 (r + 1,), where each ring's samples begin.
        corners: int64 (c,), the first sample of each wall, counted from its ring's first one.
        corner_starts: int64 (r + 1,), where each ring's corners begin.
    """

    samples: np.ndarray
    sample_starts: np.ndarray
    corners: np.ndarray
    corner_starts: np.ndarray


@compiled
def segment_rings(points: np.ndarray, starts: np.ndarray, tolerance: float) -> Segments:
    """Sample each ring evenly, and find the corners that cut it into its walls.

    The corners minimise, exactly, the sum of the squared distances between the samples and the lines fitted to the
    pieces, times the spacing, plus `tolerance` cubed for each corner. Perez and Vidal 1994, Optimum polygonal
    approximation of digitized curves, https://doi.org/10.1016/0167-8655(94)90002-7; a penalty instead of a
    number of corners is optimal partitioning, Jackson et al. 2005, https://doi.org/10.1109/LSP.2001.838216,
    pruned as by Killick et al. 2012, https://doi.org/10.1080/01621459.2012.737745.

    Args:
        points: float (m, 2), rings one after the other, each closed by its first point, px.
        starts: int (r + 1,), where each ring begins, as `shapely.to_ragged_array` gives it.
        tolerance: px, more than 0.
    """
    count = len(starts) - 1
    sample_starts, corner_starts = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    for k in range(count):
        sample_starts[k + 1] = sample_starts[k] + _count_samples(points[starts[k] : starts[k + 1]])
    samples, corners = np.empty((sample_starts[-1], 2)), np.empty(sample_starts[-1], np.int64)
    for k in range(count):
        ring = _sample_ring(points[starts[k] : starts[k + 1]])
        found = _find_corners(ring, tolerance**3)
        if len(found) > 2:  # the first sample need not be a corner: once more, from one that was found
            middle = found[len(found) // 2]
            ring = np.concatenate((ring[middle:], ring[:middle]))
            found = _find_corners(ring, tolerance**3)
        for i in range(len(ring)):  # one by one: Numba takes seconds to compile an array's assignment to a slice
            samples[sample_starts[k] + i, 0], samples[sample_starts[k] + i, 1] = ring[i]
        for i in range(len(found)):
            corners[corner_starts[k] + i] = found[i]
        corner_starts[k + 1] = corner_starts[k] + len(found)
    return Segments(samples, sample_starts, corners[: corner_starts[-1]].copy(), corner_starts)


@compiled
def _measure_length(ring: np.ndarray) -> float:
    length = 0.0
    for i in range(1, len(ring)):
        length += math.hypot(ring[i, 0] - ring[i - 1, 0], ring[i, 1] - ring[i - 1, 1])
    return length


@compiled
def _count_samples(ring: np.ndarray) -> int:
    return max(int(_measure_length(ring) / SPACING), 4)


@compiled
def _sample_ring(ring: np.ndarray) -> np.ndarray:
    """Return the means of equal stretches of a closed ring, float (n, 2)."""
    count = _count_samples(ring)
    stretch = _measure_length(ring) / count
    samples = np.zeros((count, 2))
    k, room = 0, stretch
    for i in range(len(ring) - 1):
        x, y = ring[i]
        left = math.hypot(ring[i + 1, 0] - x, ring[i + 1, 1] - y)
        ux, uy = (ring[i + 1, 0] - x) / max(left, TINY), (ring[i + 1, 1] - y) / max(left, TINY)
        while left > TINY and k < count:
            part = min(left, room)
            samples[k, 0] += part * (x + ux * part / 2)
            samples[k, 1] += part * (y + uy * part / 2)
            x, y, left, room = x + ux * part, y + uy * part, left - part, room - part
            if room <= TINY:
                k, room = k + 1, stretch
    return samples / stretch


@compiled
def _find_corners(samples: np.ndarray, penalty: float) -> np.ndarray:
    """Return the first sample of each piece of the best cut of an open chain, int64 (n,); the first is 0."""
    count = len(samples)
    sums = np.zeros((count + 1, 5))  # of x, y, xx, xy, yy before each sample, so that any piece's are a difference
    for i in range(count):
        x, y = samples[i] - samples[0]
        for column, value in enumerate((x, y, x * x, x * y, y * y)):
            sums[i + 1, column] = sums[i, column] + value
    best, before = np.full(count + 1, np.inf), np.zeros(count + 1, np.int64)
    best[0] = 0.0
    starts, costs = np.empty(count, np.int64), np.empty(count)
    n = 0
    for end in range(1, count + 1):
        starts[n] = end - 1
        n += 1
        for k in range(n):
            start = starts[k]
            size = end - start
            x, y = sums[end, 0] - sums[start, 0], sums[end, 1] - sums[start, 1]
            xx = sums[end, 2] - sums[start, 2] - x * x / size
            xy = sums[end, 3] - sums[start, 3] - x * y / size
            yy = sums[end, 4] - sums[start, 4] - y * y / size
            # the squared distances to the best line are the scatter's smaller eigenvalue
            misfit = SPACING * (xx + yy - math.sqrt((xx - yy) ** 2 + 4 * xy * xy)) / 2
            costs[k] = best[start] + misfit
            if costs[k] + penalty < best[end]:
                best[end], before[end] = costs[k] + penalty, start
        kept = 0
        for k in range(n):  # a start that would be no worse with a corner here is never better later
            if costs[k] < best[end]:
                starts[kept] = starts[k]
                kept += 1
        n = kept
    corners = np.empty(count, np.int64)
    n, end = 0, count
    while end > 0:
        end = before[end]
        corners[n] = end
        n += 1
    return corners[:n][::-1].copy()


@compiled
def join_lines(samples: np.ndarray, corners: np.ndarray, tolerance: float) -> np.ndarray:
    """Fit a line to each piece of a ring, and intersect it with the next.

    Args:
        samples: float (m, 2), one ring of `segment_rings`.
        corners: int64 (n,), its corners; the first is 0.
        tolerance: as for `segment_rings`.

    Returns:
        float (n, 2), the ring without its last point; empty where n < 3.
    """
    count = len(corners)
    if count < 3:
        return np.empty((0, 2))
    lines, vertices = np.empty((count, 4)), np.empty((count, 2))
    for k in range(count):
        piece = samples[corners[k] : corners[k + 1] if k + 1 < count else len(samples)]
        x, y = piece[:, 0].mean(), piece[:, 1].mean()
        dx, dy = piece[:, 0] - x, piece[:, 1] - y
        angle = math.atan2(2 * (dx * dy).sum(), (dx * dx).sum() - (dy * dy).sum()) / 2
        lines[k, 0], lines[k, 1], lines[k, 2], lines[k, 3] = x, y, math.cos(angle), math.sin(angle)
    for k in range(count):
        ax, ay, au, av = lines[k - 1]
        bx, by, bu, bv = lines[k]
        x, y = (samples[corners[k]] + samples[corners[k] - 1]) / 2
        cross = au * bv - av * bu
        along = ((bx - ax) * bv - (by - ay) * bu) / cross if abs(cross) > TINY else np.inf
        if math.hypot(ax + along * au - x, ay + along * av - y) <= FAR * tolerance:
            vertices[k, 0], vertices[k, 1] = ax + along * au, ay + along * av
        else:  # halfway between the ends of the two
            a, b = (x - ax) * au + (y - ay) * av, (x - bx) * bu + (y - by) * bv
            vertices[k, 0], vertices[k, 1] = (ax + a * au + bx + b * bu) / 2, (ay + a * av + by + b * bv) / 2
    return vertices
