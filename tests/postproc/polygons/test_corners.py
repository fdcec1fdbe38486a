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
    segments = segment_rings(points, np.array([0, len(points)]), tolerance)
    assert segments.sample_starts.tolist() == [0, len(segments.samples)]
    assert segments.corner_starts.tolist() == [0, len(segments.corners)]
    return segments.samples, segments.corners


def measure_misfits(samples: np.ndarray) -> dict[tuple[int, int], float]:
    """The squared distances of each piece's samples to its line, slowly: by a singular value decomposition."""
    pieces = {(i, j): samples[i:j] for i, j in itertools.combinations(range(len(samples) + 1), 2)}
    return {
        ends: np.linalg.svd(piece - piece.mean(0), compute_uv=False)[1:].sum() ** 2 for ends, piece in pieces.items()
    }


def test_no_other_corners_cost_less() -> None:
    samples, corners = segment(affinity.rotate(Polygon([(0, 0), (9, 0), (9, 3), (3, 3), (3, 6), (0, 6)]), 20), 1.5)
    misfits = measure_misfits(samples)

    def measure_cost(starts: tuple[int, ...]) -> float:
        pieces = zip(starts, (*starts[1:], len(samples)), strict=True)
        return SPACING * sum(misfits[piece] for piece in pieces) + 1.5**3 * len(starts)

    numbers = range(1, len(samples))
    others = ((0, *rest) for count in range(6) for rest in itertools.combinations(numbers, count))
    assert measure_cost(tuple(corners.tolist())) == pytest.approx(min(map(measure_cost, others)))


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
