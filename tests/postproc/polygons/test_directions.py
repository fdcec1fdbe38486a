"""A building has the direction of most of its walls, and a row of buildings has one."""

import math

import numpy as np
import pytest
import shapely
from shapely import Polygon, affinity, box

from postproc.polygons.corners import Segments, segment_rings
from postproc.polygons.directions import MOST_WALLS, find_direction, find_directions, share_directions


def segment(outline: Polygon) -> Segments:
    points = shapely.get_coordinates(outline.exterior)
    segments: Segments = segment_rings(points, np.array([0, len(points)]), 4.0)
    return segments


@pytest.mark.parametrize("degrees", [0, 20, -44])
def test_a_house_has_the_direction_of_its_walls(degrees: int) -> None:
    house = affinity.rotate(box(0, 0, 60, 40), degrees)
    angles, weights = find_directions(segment(house), np.array([0, 1]), 4.0)
    assert math.degrees(angles[0]) == pytest.approx(degrees, abs=0.3)
    assert weights[0] > 0


def test_the_longest_walls_outvote_a_cut_corner() -> None:
    outline = np.array(
        [(0, 0), (30, 0), (30, 12), (22, 20), (0, 20)], float
    )  # 45 degrees between (30, 12) and (22, 20)
    angle, support = find_direction(outline, np.arange(5))
    assert (angle, support) == (0, 30 + 12 + 22 + 20)


def test_what_has_too_many_walls_has_no_direction() -> None:
    ring = np.stack([np.arange(200.0), np.zeros(200)], axis=1)
    corners = np.arange(MOST_WALLS + 1)
    segments = Segments(ring, np.array([0, 200]), corners, np.array([0, len(corners)]))
    angles, _ = find_directions(segments, np.array([0, 1]), 4.0)
    assert np.isnan(angles).all()


def test_three_houses_in_a_row_share_one_direction() -> None:
    """The weighted mean of 10, 11 and 12 degrees; the shed behind and the house far away keep their own."""
    row = [box(0, 0, 9, 9), box(11, 0, 20, 9), box(22, 0, 31, 9)]
    houses = np.array([*row, box(11, 11, 20, 20), box(90, 0, 99, 9)], object)
    angles = np.radians([10.0, 11.0, 12.0, 40.0, 13.0])
    shared = share_directions(houses, angles, np.array([1.0, 1.0, 2.0, 1.0, 1.0]), gap=3.0)
    assert np.degrees(shared) == pytest.approx([11.25, 11.25, 11.25, 40.0, 13.0], abs=0.01)


def test_directions_are_alike_across_the_right_angle() -> None:
    """44 and -44 degrees are two degrees apart; a house without a direction shares none."""
    houses = np.array([box(0, 0, 9, 9), box(11, 0, 20, 9), box(22, 0, 31, 9)], object)
    shared = share_directions(houses, np.radians([44.0, -44.0, np.nan]), np.ones(3), gap=3.0)
    assert np.degrees(shared[:2]) % 90 == pytest.approx([45.0, 45.0])
    assert np.isnan(shared[2])
