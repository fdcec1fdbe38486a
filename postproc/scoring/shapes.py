"""Measures of building outlines, one polygon beside its truth, over arrays of them at once.

Every function takes sequences of valid polygons, not empty, and pairs the i-th of one with the i-th of the other.
Lengths come out in the unit of the coordinates.
"""

from collections.abc import Sequence

import numpy as np
import shapely
from shapely import Polygon

Polygons = Sequence[Polygon] | np.ndarray

RIGHT_ANGLE_TOLERANCE = 10.0  # degrees


def count_vertices(polygons: Polygons) -> np.ndarray:
    """Count the vertices of all rings; the one that closes a ring is not counted again.

    Args:
        polygons: n polygons.

    Returns:
        int (n,), each at least 3.
    """
    rings, owners = shapely.get_rings(np.asarray(polygons, object), return_index=True)
    counts = shapely.get_num_coordinates(rings) - 1
    return np.bincount(owners, weights=counts, minlength=len(polygons)).astype(int)


def measure_iou(polygons: Polygons, truths: Polygons) -> np.ndarray:
    """Measure the intersection over union of areas.

    Returns:
        float (n,), 0..1.
    """
    ours, theirs = np.asarray(polygons, object), np.asarray(truths, object)
    intersection = shapely.area(shapely.intersection(ours, theirs))
    return intersection / (shapely.area(ours) + shapely.area(theirs) - intersection)


def measure_c_iou(iou: np.ndarray | float, counts: np.ndarray | int, truth_counts: np.ndarray | int) -> np.ndarray:
    """Measure the complexity-aware IoU: IoU times 1 - |N - N'| / (N + N').

    Zorzi et al. 2022, PolyWorld, https://arxiv.org/abs/2111.15491. There N and N' are the vertices of
    a whole image; here whatever was counted, a building or an image. Where both are 0 the factor is 1.

    Args:
        iou: 0..1.
        counts, truth_counts: vertices, as `count_vertices` counts them, or sums of them.

    Returns:
        float, of the arguments' common shape, 0..1.
    """
    counts, truth_counts = np.asarray(counts, float), np.asarray(truth_counts, float)
    difference = np.abs(counts - truth_counts) / np.maximum(counts + truth_counts, 1)
    return np.asarray(iou) * (1 - difference)


def measure_polis(polygons: Polygons, truths: Polygons) -> np.ndarray:
    """Measure the PoLiS distance: the mean distance from each outline's vertices to the other outline.

    Both directions count one half. Courtyards belong to an outline. Avbelj, Müller and Bamler 2015, A metric for
    polygon comparison and building extraction evaluation, https://doi.org/10.1109/LGRS.2014.2330695.

    Returns:
        float (n,), 0 or more.
    """
    ours, theirs = np.asarray(polygons, object), np.asarray(truths, object)
    return (_measure_vertex_distance(ours, theirs) + _measure_vertex_distance(theirs, ours)) / 2


def measure_hausdorff(polygons: Polygons, truths: Polygons) -> np.ndarray:
    """Measure the Hausdorff distance of the outlines: the largest of the distances that `measure_polis` averages.

    Returns:
        float (n,), 0 or more.
    """
    ours, theirs = shapely.boundary(np.asarray(polygons, object)), shapely.boundary(np.asarray(truths, object))
    return shapely.hausdorff_distance(ours, theirs)


def measure_right_angles(polygons: Polygons, tolerance: float = RIGHT_ANGLE_TOLERANCE) -> np.ndarray:
    """Measure which share of each polygon's vertices turns by a right angle, to either side.

    Args:
        polygons: n polygons.
        tolerance: how far from 90 degrees still counts, degrees, inclusive.

    Returns:
        float (n,), 0..1.
    """
    points, owners, before, after = _split_rings(np.asarray(polygons, object))
    arriving, leaving = points - points[before], points[after] - points
    cross = arriving[:, 0] * leaving[:, 1] - arriving[:, 1] * leaving[:, 0]
    turn = np.degrees(np.arctan2(np.abs(cross), np.sum(arriving * leaving, axis=1)))
    right = np.bincount(owners, weights=np.abs(turn - 90) <= tolerance, minlength=len(polygons))
    return right / np.maximum(np.bincount(owners, minlength=len(polygons)), 1)


def _measure_vertex_distance(sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the mean distance from each source's vertices to the target's outline, float (n,)."""
    points, owners, _, _ = _split_rings(sources)
    distances = shapely.distance(shapely.points(points), shapely.boundary(targets)[owners])
    sums = np.bincount(owners, weights=distances, minlength=len(sources))
    return sums / np.maximum(np.bincount(owners, minlength=len(sources)), 1)


def _split_rings(polygons: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the vertices of all rings, (m, 2), and of each its polygon, the vertex before it and the one after it."""
    rings, owners = shapely.get_rings(polygons, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    last = np.append(ring[1:] != ring[:-1], True) if len(ring) else np.zeros(0, bool)
    points, ring = points[~last], ring[~last]
    positions = np.arange(len(ring))
    starts = np.searchsorted(ring, np.arange(len(rings)))
    ends = np.searchsorted(ring, np.arange(len(rings)), side="right") - 1
    before = np.where(positions == starts[ring], ends[ring], positions - 1)
    after = np.where(positions == ends[ring], starts[ring], positions + 1)
    return points, owners[ring], before, after
