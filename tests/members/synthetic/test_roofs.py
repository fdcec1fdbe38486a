"""Roofs as arrays that can be read: height over the eaves in steps of the pitch, and where the roof is."""

import numpy as np
import pytest

from members.synthetic.painting import Canvas, Frame
from members.synthetic.roofs import PITCH, Form, Roof, Surface, build_roof, join, paint_building
from members.synthetic.scenes import crop, shrink_buildings

ALONG, ACROSS = np.meshgrid(np.arange(-2.0, 3.0), np.arange(-1.0, 2.0))
FRAME = Frame((slice(0, 3), slice(0, 5)), ALONG, ACROSS, 0.0)
"""Points a metre apart, five along and three across, on a roof of 6 by 4 metres."""


@pytest.mark.parametrize(
    ("form", "rise"),
    [
        ("gable", [[1, 1, 1, 1, 1], [2, 2, 2, 2, 2], [1, 1, 1, 1, 1]]),
        ("hip", [[1, 1, 1, 1, 1], [1, 2, 2, 2, 1], [1, 1, 1, 1, 1]]),
        ("shed", [[3, 3, 3, 3, 3], [2, 2, 2, 2, 2], [1, 1, 1, 1, 1]]),
    ],
)
def test_planes_rise_by_the_pitch_a_metre(form: Form, rise: list[list[int]]) -> None:
    roof = build_roof(FRAME, form, 6.0, 4.0)
    np.testing.assert_allclose(roof.rise / PITCH[form], rise, atol=1e-6)
    assert roof.inside.all()


@pytest.mark.parametrize(
    ("form", "inside"),
    [
        ("flat", [[1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]]),
        ("angle", [[1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 1, 1]]),
        ("court", [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]),
        ("round", [[0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0]]),
    ],
)
def test_forms_cover_their_ground(form: Form, inside: list[list[int]]) -> None:
    np.testing.assert_array_equal(build_roof(FRAME, form, 6.0, 4.0).inside.astype(int), inside)


@pytest.mark.parametrize("form", ["gable", "hip", "shed", "round"])
def test_slopes_are_the_steps_of_the_rise(form: Form) -> None:
    """On points five centimetres apart the rise changes as the slope says, but for the points at a ridge."""
    along, across = np.meshgrid(np.arange(-2.0, 2.0, 0.05), np.arange(-1.5, 1.5, 0.05))
    roof = build_roof(Frame((slice(0, 60), slice(0, 80)), along, across, 0.0), form, 6.0, 4.0)
    for axis, slope in ((1, roof.slope[0]), (0, roof.slope[1])):
        steps = np.diff(roof.rise, axis=axis) / 0.05
        expected = slope[:, 1:] if axis == 1 else slope[1:]
        assert (np.abs(steps - expected) < 0.1).mean() > 0.9


def test_of_two_wings_the_higher_one_is_seen() -> None:
    def make(inside: list[bool], rise: float, slope: float) -> Surface:
        return Surface(np.array(inside), np.full(4, rise), (np.full(4, slope), np.full(4, -slope)))

    both = join(make([True, True, False, False], 1.0, 0.1), make([False, True, True, False], 2.0, 0.2))
    assert both.inside.tolist() == [True, True, True, False]
    assert both.rise.tolist()[:3] == [1, 2, 2]
    assert both.slope[0].tolist()[:3] == [0.1, 0.2, 0.2]
    assert both.slope[1].tolist()[:3] == [-0.1, -0.2, -0.2]


@pytest.mark.parametrize("size", [(6.0, 3.0), (3.0, 6.0)])
def test_the_mask_is_the_roofs_outline_to_the_pixel(size: tuple[float, float]) -> None:
    """A house of 6 by 3 m is 20 by 10 pixels of 0.3 m; the longer side may lie either way."""
    canvas = Canvas(32, (0.0, 1.0), np.random.default_rng(0))
    paint_building(canvas, np.random.default_rng(1), (0, 0), 0.0, size, 3.0, Roof("gable", "tiles", (0.6, 0.3, 0.3)))
    mask = shrink_buildings(crop(canvas.building))
    expected = np.zeros((32, 32), np.uint8)
    expected[11:21, 6:26] = 1
    np.testing.assert_array_equal(mask, expected if size[0] > size[1] else expected.T)
