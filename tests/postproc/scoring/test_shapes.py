"""Measures of outlines against values that can be seen, and against slow references."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import Point, Polygon, affinity, box

from postproc.scoring.shapes import (
    count_vertices,
    measure_c_iou,
    measure_hausdorff,
    measure_iou,
    measure_polis,
    measure_right_angles,
)

SQUARE = box(0, 0, 4, 4)
COURTYARD = Polygon(box(0, 0, 9, 9).exterior, [box(3, 3, 6, 6).exterior])
TRIANGLE = Polygon([(0, 0), (4, 0), (2, 2 * math.sqrt(3))])


def make_polygon(seed: int) -> Polygon:
    """A star-shaped polygon, valid by construction."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.random(rng.integers(5, 12))) * 2 * np.pi
    return Polygon(np.c_[np.cos(angles), np.sin(angles)] * rng.uniform(3, 5, (len(angles), 1))).buffer(1).simplify(0.2)


def measure_polis_slowly(ours: Polygon, theirs: Polygon) -> float:
    def half(one: Polygon, other: Polygon) -> float:
        points = [point for ring in (one.exterior, *one.interiors) for point in ring.coords[:-1]]
        return sum(Point(point).distance(other.boundary) for point in points) / (2 * len(points))

    return half(ours, theirs) + half(theirs, ours)


def test_vertices_of_all_rings_count_once() -> None:
    assert count_vertices([SQUARE, COURTYARD, TRIANGLE]).tolist() == [4, 8, 3]


def test_a_square_moved_by_one() -> None:
    moved = [affinity.translate(SQUARE, 1, 0)]
    assert measure_iou([SQUARE], moved) == pytest.approx(12 / 20)
    assert measure_hausdorff([SQUARE], moved) == pytest.approx(1)
    # of each square's vertices two are 1 from the other square, and two lie on it
    assert measure_polis([SQUARE], moved) == pytest.approx(0.5)


def test_equal_polygons_are_perfect() -> None:
    polygons = [SQUARE, COURTYARD, TRIANGLE]
    assert measure_iou(polygons, polygons) == pytest.approx(1)
    assert measure_polis(polygons, polygons) == pytest.approx(0)
    assert measure_hausdorff(polygons, polygons) == pytest.approx(0)


def test_a_missing_courtyard_is_seen() -> None:
    filled = Polygon(COURTYARD.exterior)
    assert measure_polis([COURTYARD], [filled]) == pytest.approx(4 * 3 / 8 / 2)
    assert measure_hausdorff([COURTYARD], [filled]) == pytest.approx(3)


def test_c_iou_weighs_by_vertices() -> None:
    assert measure_c_iou(0.8, 6, 4) == pytest.approx(0.8 * 0.8)
    assert measure_c_iou(np.array([0.5, 1.0]), np.array([4, 0]), np.array([4, 0])).tolist() == [0.5, 1.0]


def test_right_angles_turn_either_way() -> None:
    ell = Polygon([(0, 0), (4, 0), (4, 2), (2, 2), (2, 4), (0, 4)])
    polygons = [SQUARE, affinity.rotate(ell, 31), COURTYARD, TRIANGLE, Point(0, 0).buffer(5)]
    assert measure_right_angles(polygons).tolist() == [1, 1, 1, 0, 0]


def test_right_angles_within_the_tolerance() -> None:
    skewed = [affinity.skew(SQUARE, 12)]
    assert measure_right_angles(skewed, 10).tolist() == [0]
    assert measure_right_angles(skewed, 13).tolist() == [1]


def test_of_nothing_there_is_nothing() -> None:
    assert all(len(measure([], [])) == 0 for measure in (measure_iou, measure_polis, measure_hausdorff))
    assert len(count_vertices([])) == len(measure_right_angles([])) == 0


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=4))
def test_polis_equals_its_slow_reference(seeds: list[tuple[int, int]]) -> None:
    ours, theirs = ([make_polygon(pair[side]) for pair in seeds] for side in (0, 1))
    slow = [measure_polis_slowly(one, other) for one, other in zip(ours, theirs, strict=True)]
    assert measure_polis(ours, theirs) == pytest.approx(slow)
    assert measure_polis(theirs, ours) == pytest.approx(slow)
