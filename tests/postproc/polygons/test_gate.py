"""What passes the gate is as close to its source as it asks for."""

import numpy as np
import pytest
import shapely
from shapely import Polygon, affinity, box

from postproc.polygons.corners import segment_rings
from postproc.polygons.gate import Gate, are_near, list_rings, measure_gap

SQUARE, MOVED = box(0, 0, 10, 10), box(1, 0, 11, 10)
"""Two squares that share 90 of 110 px: an IoU of 0.818; their corners are 1 px apart."""


@pytest.mark.parametrize(
    ("gate", "passes"), [(Gate(0.81, 1.0), True), (Gate(0.82, 1.0), False), (Gate(0.81, 0.99), False)]
)
def test_iou_and_distance_decide(gate: Gate, passes: bool) -> None:
    sources, forms = np.array([SQUARE]), np.array([MOVED])
    assert gate.accept(sources, forms, np.array([100.0]), np.array([20.0])).tolist() == [passes]


def test_a_fifth_of_the_area_is_the_most_that_may_change() -> None:
    sources, forms = np.array([SQUARE, SQUARE]), np.array([box(0, 0, 10, 11.9), box(0, 0, 10, 12.1)])
    passed = Gate(0.0, 5.0).accept(sources, forms, np.array([100.0, 100.0]), np.array([19.0, 21.0]))
    assert passed.tolist() == [True, False]


def test_rings_are_near_where_each_vertex_is_near_the_other_ring() -> None:
    """A corner of a triangle sticks 3 px out of a square, whose corners all lie on the triangle."""
    house, spire = box(0, 0, 8, 8), Polygon([(0, 0), (8, 0), (8, 8), (4, 11), (0, 8)])
    rings = (*list_rings(np.array([house])), *list_rings(np.array([spire])))
    assert [bool(are_near(*rings, distance)[0]) for distance in (2.9, 3.0)] == [False, True]


def test_the_gap_is_never_less_than_the_area_between() -> None:
    ell = Polygon([(25, 25), (95, 25), (95, 60), (60, 60), (60, 95), (25, 95)])
    ring = shapely.get_coordinates(affinity.rotate(ell, 20))[:-1]
    segments = segment_rings(np.vstack([ring, ring[:1]]), np.array([0, len(ring) + 1]), 4.0)
    for shift in (0.0, 1.5, 4.0):
        moved = segments.samples + np.array([shift, 0.0])
        gap = measure_gap(moved, ring)
        between = Polygon(moved).symmetric_difference(Polygon(ring)).area
        assert gap >= between * 0.95 - len(ring)  # samples cut corners
