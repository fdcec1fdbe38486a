"""Walls are built from a ring's pieces, and meet in its corners."""

import math

import numpy as np
import pytest

from postproc.polygons.walls import UX, UY, build_walls, fold, meet_walls

SQUARE = np.array([(0, 0), (10, 0), (10, 10), (0, 10)], float)


def list_directions(walls: np.ndarray) -> list[tuple[float, float]]:
    return [(x, y) for x, y in walls[:, [UX, UY]].tolist()]


@pytest.mark.parametrize(("degrees", "expected"), [(30, 30), (50, -40), (-100, -10), (180, 0)])
def test_angles_fold_into_a_right_angle(degrees: float, expected: float) -> None:
    assert math.degrees(fold(math.radians(degrees))) == pytest.approx(expected)


def test_a_square_has_four_walls_that_meet_in_its_corners() -> None:
    walls, spans = build_walls(SQUARE, np.arange(4), 5.0)
    assert list_directions(walls) == [(1, 0), (0, 1), (-1, 0), (0, -1)]
    assert spans.tolist() == [[0, 1], [1, 1], [2, 1], [3, 1]]
    assert meet_walls(walls) == pytest.approx(np.roll(SQUARE, -1, axis=0))


def test_slanted_pieces_are_turned_to_the_axes_about_their_middle() -> None:
    slanted = SQUARE + np.array([(0, 1), (0, -1), (0, 1), (0, -1)])
    walls, _ = build_walls(slanted, np.arange(4), 5.0)
    assert meet_walls(walls) == pytest.approx(np.roll(SQUARE, -1, axis=0), abs=1e-4)


def test_between_two_parallel_pieces_there_is_a_step() -> None:
    stairs = np.array([(0, 0), (10, 0.2), (20, 3), (20, 12), (0, 12)], float)  # 0.2 / 10, then 2.8 / 10: both across
    walls, spans = build_walls(stairs, np.arange(5), 50.0)
    assert list_directions(walls) == [(1, 0), (0, 1), (1, 0), (0, 1), (-1, 0), (0, -1)]
    assert spans.tolist() == [[0, 1], [1, 0], [1, 1], [2, 1], [3, 1], [4, 1]]
    expected = [(10, 0.1), (10, 1.6), (20, 1.6), (20, 12), (0, 12), (0, 0.1)]
    assert meet_walls(walls) == pytest.approx(np.array(expected), abs=1e-4)


def test_only_a_long_diagonal_keeps_its_direction() -> None:
    cut = np.array([(0, 0), (10, 0), (10, 6), (6, 10), (0, 10)], float)
    diagonal = (-math.sqrt(0.5), math.sqrt(0.5))
    assert list_directions(build_walls(cut, np.arange(5), 5.0)[0])[2] == pytest.approx(diagonal)
    assert diagonal not in list_directions(build_walls(cut, np.arange(5), 6.0)[0])
