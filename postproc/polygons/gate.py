"""The gate: a regularised outline is kept only where it stays close to what was traced."""

import math
from dataclasses import dataclass

import numpy as np
import shapely

from members.common.compiled import compiled
from postproc.polygons.corners import SPACING

LOOKOUT = 6  # walls before and after the last one, among which the nearest is looked for
AREA_CHANGE = 0.2


@dataclass(frozen=True)
class Gate:
    """How close a form of an outline must be to its source.

    Attributes:
        min_iou: least IoU with the source, 0..1: estimated from below by the area between the two outlines, small
            holes closed.
        max_distance: greatest Hausdorff distance of the outer rings, at their vertices, px.
    """

    min_iou: float
    max_distance: float

    def accept(self, sources: np.ndarray, forms: np.ndarray, areas: np.ndarray, between: np.ndarray) -> np.ndarray:
        """Tell which forms pass.

        Args:
            sources: Polygon (n,), as traced.
            forms: Polygon (n,), as drawn anew.
            areas: float (n,), of the sources, without the holes that are closed, px area.
            between: float (n,), the area between source and form, at least, px area.

        Returns:
            bool (n,).
        """
        drawn = shapely.area(forms)
        alike = np.abs(drawn / areas - 1) <= AREA_CHANGE
        passed = alike & (areas + drawn - between >= self.min_iou * (areas + drawn + between))
        left = np.flatnonzero(passed)
        passed[left] = are_near(*list_rings(sources[left]), *list_rings(forms[left]), self.max_distance)
        return passed


def list_rings(outlines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of the outer rings, float (m, 2), each closed, and int64 (n + 1,), where each begins."""
    points, owners = shapely.get_coordinates(shapely.get_exterior_ring(outlines), return_index=True)
    return points, np.searchsorted(owners, np.arange(len(outlines) + 1))


@compiled
def measure_gap(samples: np.ndarray, ring: np.ndarray) -> float:
    """Measure the area between a drawn ring and the samples that it was drawn for, both in the same order, px area.

    It is the sum of the samples' distances to the nearest wall, each times `SPACING`. That wall is looked for only
    among the neighbours of the previous sample's: the area may come out too large, never too small.
    """
    size = len(ring)
    gap = 0.0
    last, width = 0, size
    for i in range(len(samples)):
        best, nearest = np.inf, last
        for j in range(last - width, last + width + 1):
            distance = measure_square(samples, i, ring, (j - 1) % size, j % size)
            if distance < best:
                best, nearest = distance, j % size
        last, width = nearest, min(size // 2 + 1, LOOKOUT)
        gap += math.sqrt(best) * SPACING
    return gap


@compiled
def are_near(
    points: np.ndarray, starts: np.ndarray, others: np.ndarray, other_starts: np.ndarray, distance: float
) -> np.ndarray:
    """Tell which pairs of rings have a Hausdorff distance, at their vertices, of at most `distance`, bool (n,).

    Args:
        points, others: float (m, 2) and (k, 2), rings one after the other, each closed, px.
        starts, other_starts: int64 (n + 1,), where each ring begins.
        distance: px.
    """
    near = np.empty(len(starts) - 1, np.bool_)
    for k in range(len(near)):
        one = points[starts[k] : starts[k + 1]]
        other = others[other_starts[k] : other_starts[k + 1]]
        near[k] = lies_near(one, other, distance) and lies_near(other, one, distance)
    return near


@compiled
def lies_near(points: np.ndarray, ring: np.ndarray, distance: float) -> bool:
    """Tell whether each point is within a distance of a closed ring.

    For each point the wall that was near the previous one is tried first, then those farther along to either side.
    """
    size, last, square = len(ring) - 1, 0, distance * distance
    for i in range(len(points)):
        found = False
        for step in range(size):
            j = (last + (step + 1) // 2 * (1 if step % 2 else -1)) % size
            if measure_square(points, i, ring, j, j + 1) <= square:
                last, found = j, True
                break
        if not found:
            return False
    return True


@compiled
def measure_square(points: np.ndarray, i: int, ring: np.ndarray, start: int, end: int) -> float:
    """Return the squared distance of a point from the segment between two points of a ring."""
    dx, dy = ring[end, 0] - ring[start, 0], ring[end, 1] - ring[start, 1]
    px, py = points[i, 0] - ring[start, 0], points[i, 1] - ring[start, 1]
    share = min(max((px * dx + py * dy) / max(dx * dx + dy * dy, 1e-12), 0.0), 1.0)
    return (px - share * dx) ** 2 + (py - share * dy) ** 2
