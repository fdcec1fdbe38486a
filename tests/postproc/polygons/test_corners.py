"""Corners are where the best cut of a ring sets them, and lines average its noise out."""

import itertools

import numpy as np
import pytest
import shapely
from shapely import Polygon, affinity, box

from postproc.polygons.corners import SPACING, join_lines, segment_rings

TOLERANCE = 4.0


def segment(outline: Polygon, tolerance: float = TOLERANCE) -> tuple[np.ndarray, np.ndarray]:
    points = shapely.get_coordinates(outline.exterior)
    samples, offsets, corners, places = segment_rings(points, np.array([0, len(points)]), tolerance)
    assert offsets.tolist() == [0, len(samples)]
    assert places.tolist() == [0, len(corners)]
    return samples, corners


def measure_cost(samples: np.ndarray, corners: tuple[int, ...], tolerance: float) -> float:
    """What the corners cost: slowly, with a singular value decomposition a piece."""
    ends = (*corners[1:], len(samples))
    pieces = [samples[start:end] for start, end in zip(corners, ends, strict=True)]
    misfits = [np.linalg.svd(piece - piece.mean(0), compute_uv=False)[1:].sum() ** 2 for piece in pieces]
    return SPACING * sum(misfits) + tolerance**3 * len(corners)


def test_no_other_corners_cost_less() -> None:
    samples, corners = segment(affinity.rotate(Polygon([(0, 0), (9, 0), (9, 3), (3, 3), (3, 6), (0, 6)]), 20), 1.5)
    best = measure_cost(samples, tuple(corners), 1.5)
    numbers = range(1, len(samples))
    others = ((0, *rest) for count in range(6) for rest in itertools.combinations(numbers, count))
    assert best == pytest.approx(min(measure_cost(samples, other, 1.5) for other in others))


@pytest.mark.parametrize("angle", [0, 30])
def test_a_rectangle_has_four_walls(angle: float) -> None:
    outline = affinity.rotate(box(0, 0, 60, 40), angle)
    samples, corners = segment(outline)
    drawn = Polygon(join_lines(samples, corners, TOLERANCE))
    assert len(corners) == 4
    assert drawn.symmetric_difference(outline).area < 0.01 * outline.area


def test_a_bump_costs_no_corner() -> None:
    outline = box(0, 0, 60, 40).union(box(20, 40, 23, 42))
    _, corners = segment(outline)
    assert len(corners) == 4


def test_two_walls_are_no_ring() -> None:
    samples, corners = segment(box(0, 0, 2, 1))
    assert join_lines(samples, corners[:2], TOLERANCE).shape == (0, 2)
