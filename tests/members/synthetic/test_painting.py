"""What is painted on the canvas: who hides whom, where shadows fall, and what is no building."""

import numpy as np
import pytest

from members.synthetic.painting import (
    STEP,
    Canvas,
    jitter,
    paint_car,
    paint_container,
    paint_hedge,
    paint_slab,
    paint_tarp,
    paint_tree,
)
from members.synthetic.roofs import Roof, locate, paint_building

GREY = (0.5, 0.5, 0.5)


def make_canvas(azimuth: float = 0.0, elevation: float = np.pi / 4) -> Canvas:
    """A canvas of 32 pixels, 9.6 m, with its margin."""
    return Canvas(32, (azimuth, elevation), np.random.default_rng(0))


def test_a_frame_has_metres_along_and_across_a_turned_object() -> None:
    canvas = make_canvas()
    frame = canvas.frame((2.0, 1.0), np.pi / 2, 3.0)
    middle = np.hypot(frame.along, frame.across).argmin()
    row, column = np.unravel_index(middle, frame.along.shape)
    assert (column + frame.window[1].start) * STEP - canvas.reach == pytest.approx(2.0, abs=STEP)
    assert (row + frame.window[0].start) * STEP - canvas.reach == pytest.approx(1.0, abs=STEP)
    # turned by a quarter, along the object is down the picture, and across it is to the left
    assert frame.along[row + 4, column] - frame.along[row, column] == pytest.approx(4 * STEP, abs=1e-5)
    assert frame.across[row, column + 4] - frame.across[row, column] == pytest.approx(-4 * STEP, abs=1e-5)


def test_locate_is_the_way_back_from_a_frame() -> None:
    assert locate((2.0, 1.0), np.pi / 2, 3.0, 1.0) == pytest.approx((1.0, 4.0))


def test_what_is_lower_is_hidden_whichever_is_painted_first() -> None:
    for heights in ((1.0, 3.0), (3.0, 1.0)):
        canvas = make_canvas()
        for height in heights:
            paint_slab(canvas, (0, 0), 0.0, (4, 4), (height / 4,) * 3, height)
        assert canvas.height.max() == 3
        assert canvas.colour[0, canvas.side // 2, canvas.side // 2] == pytest.approx(0.75, rel=0.3)


@pytest.mark.parametrize("azimuth", [0.0, np.pi])
def test_a_shadow_falls_away_from_the_sun_as_far_as_the_wall_is_high(azimuth: float) -> None:
    """A wall of 3 m under a sun at 45 degrees, in the east or in the west."""
    canvas = make_canvas(azimuth)
    paint_slab(canvas, (0, 0), 0.0, (1.0, 6.0), GREY, 3.0)
    columns = np.flatnonzero(canvas.cast_shadows()[canvas.side // 2])
    metres = (columns + 0.5) * STEP - canvas.reach
    near, far = sorted(np.abs(metres[[0, -1]]))
    assert (metres < 0).all() if azimuth == 0 else (metres > 0).all()
    assert near == pytest.approx(0.5, abs=STEP)
    assert far == pytest.approx(0.5 + 3.0 - 0.25, abs=2 * STEP)  # what is 25 cm lower than the ray is in the sun still


def test_the_slope_to_the_sun_is_the_brighter_one() -> None:
    canvas = make_canvas()
    frame = canvas.frame((0, 0), 0.0, 2.0)
    ridge = frame.along < 0
    canvas.paint(frame, np.ones(ridge.shape, bool), GREY, 1.0, (np.where(ridge, 0.6, -0.6), 0.0))
    light = canvas.light[frame.window]
    assert light[~ridge].min() > 1 > light[ridge].max()


def test_what_is_no_building_leaves_the_mask_as_it_is() -> None:
    canvas, rng = make_canvas(), np.random.default_rng(0)
    paint_car(canvas, rng, (0, 0), 0.0)
    paint_container(canvas, rng, (0, 0), 0.0)
    paint_tarp(canvas, rng, (0, 0), 0.0)
    paint_hedge(canvas, (0, 0), 0.0, 6.0, GREY)
    assert canvas.height.max() > 2
    assert not canvas.building.any()


def test_a_tree_hides_a_roof_and_not_its_mask() -> None:
    canvas, rng = make_canvas(), np.random.default_rng(0)
    paint_building(canvas, rng, (0, 0), 0.0, (6.0, 4.0), 2.5, Roof("flat", "concrete", GREY))
    mask, colour = canvas.building.copy(), canvas.colour.copy()
    paint_tree(canvas, rng, (0, 0), 3.0, (0.2, 0.3, 0.1), palm=False)
    assert (canvas.colour != colour).any(axis=0)[mask > 0].mean() > 0.5
    np.testing.assert_array_equal(canvas.building, mask)


def test_a_jittered_colour_is_like_the_colour() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([jitter(rng, (0.2, 0.4, 0.6), 0.1) for _ in range(500)])
    np.testing.assert_allclose(drawn.mean(axis=0), (0.2, 0.4, 0.6), rtol=0.02)
    assert drawn.min() >= 0.03
    assert drawn.max() <= 0.97
