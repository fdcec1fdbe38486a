"""Rings are squared as one would by hand."""

import numpy as np
import pytest

from postproc.polygons.squaring import square_ring

ELL = np.array([(0, 0), (20, 0), (20, 8), (8, 8), (8, 16), (0, 16)], float)
SKEWED = np.array([(-0.5, 0.5), (20.5, -0.5), (19.5, 8.5), (8.5, 7.5), (7.5, 16.5), (0.5, 15.5)])
"""Each wall of `ELL` turned about its middle."""


def turn(points: np.ndarray, degrees: float) -> np.ndarray:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turned: np.ndarray = points @ np.array([[cos, sin], [-sin, cos]])
    return turned


@pytest.mark.parametrize("degrees", [0, 30])
def test_a_skewed_ell_becomes_an_ell(degrees: float) -> None:
    ring, _, _ = square_ring(turn(SKEWED, degrees), np.arange(6), np.radians(degrees), 4.0, 7.0)
    assert ring == pytest.approx(np.roll(turn(ELL, degrees), -1, axis=0), abs=1e-9)


@pytest.mark.parametrize(("least_area", "vertices"), [(7.0, 8), (9.0, 4)])
def test_a_bump_goes_where_its_area_is_small(least_area: float, vertices: int) -> None:
    """A bump 4 wide and 2 deep on the lower side of a house."""
    house = np.array([(0, 0), (8, 0), (8, -2), (12, -2), (12, 0), (20, 0), (20, 10), (0, 10)], float)
    ring, _, _ = square_ring(house, np.arange(8), 0.0, least_area, 7.0)
    assert len(ring) == vertices
    if vertices == 4:
        assert ring[:, 0].tolist() == [20, 20, 0, 0]
        assert ring[:, 1].tolist() == [0, 10, 10, 0]


def test_walls_say_how_far_the_direction_is_off() -> None:
    """A house at 2 degrees, its walls of 20 edges each, squared along 0: turn / weight is the slope that is left."""
    corners = turn(np.array([(0, 0), (40, 0), (40, 20), (0, 20)], float), 2.0)
    shares = np.linspace(0, 1, 20, endpoint=False)[:, None]
    ring = np.concatenate([a + shares * (b - a) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)])
    _, off, weight = square_ring(ring, np.arange(0, 80, 20), 0.0, 4.0, 7.0)
    assert np.degrees(np.arctan2(off, weight)) == pytest.approx(2.0, abs=0.01)
