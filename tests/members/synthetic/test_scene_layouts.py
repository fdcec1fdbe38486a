"""Houses stand on their plots, and each kind of neighbourhood is built up as its name says."""

import numpy as np
import pytest

from members.synthetic.layouts import fill_suburb_plot, fill_town_plot, lay_scene, paint_thing, park_cars
from members.synthetic.painting import STEP, Canvas
from members.synthetic.styles import KINDS, ROOFS, Kind, draw_neighbourhood

SIZE = 96  # 28.8 m


def make_canvas(seed: int = 0) -> Canvas:
    return Canvas(SIZE, (0.5, 1.0), np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(4))
def test_a_house_stands_within_its_plot(seed: int) -> None:
    rng, canvas = np.random.default_rng(seed), make_canvas()
    if seed % 2:
        length, depth = 20.0, 22.0
        fill_suburb_plot(canvas, draw_neighbourhood("suburb", rng), rng, (0, 0), 0.0, (length, depth))
    else:
        length, depth = 14.0, 15.0
        fill_town_plot(canvas, draw_neighbourhood("town", rng), rng, (0, 0), 0.0, (length, depth))
    rows, columns = np.nonzero(canvas.building)
    assert len(rows) * STEP**2 > 50  # square metres
    assert np.abs((columns + 0.5) * STEP - canvas.reach).max() < length / 2 + 1
    assert np.abs((rows + 0.5) * STEP - canvas.reach).max() < depth / 2 + 1


def test_towns_are_denser_than_suburbs_and_these_than_farmland() -> None:
    built: dict[Kind, float] = {}
    for kind in KINDS:
        shares = []
        for seed in range(4):
            rng, canvas = np.random.default_rng(seed), make_canvas(seed)
            lay_scene(canvas, draw_neighbourhood(kind, rng), rng)
            assert canvas.colour.min() >= 0
            shares.append((canvas.building > 0).mean())
        built[kind] = float(np.mean(shares))
    assert 0.6 > built["town"] > built["suburb"] > built["rural"] > 0


def test_no_kerb_no_cars() -> None:
    canvas = make_canvas()
    ground = canvas.frame((0, 0), 0.0, canvas.reach)
    kerbs = np.abs(ground.across) < 0.1
    park_cars(canvas, np.random.default_rng(0), ground, kerbs & False)
    assert canvas.height.max() == 0
    park_cars(canvas, np.random.default_rng(0), ground, kerbs)
    rows = np.flatnonzero(canvas.height.any(axis=1))
    assert np.abs((rows + 0.5) * STEP - canvas.reach).max() < 2  # all stand along the kerb


def test_a_thing_is_a_sheet_a_car_or_a_container() -> None:
    heights = set()
    for seed in range(20):
        canvas = make_canvas()
        paint_thing(canvas, np.random.default_rng(seed), (0, 0), 0.0)
        assert not canvas.building.any()
        heights.add(round(float(canvas.height.max()), 1))
    assert {1.4, 2.6} < heights  # cars and containers; sheets hang at any height below 1.8 m


@pytest.mark.parametrize("kind", KINDS)
def test_a_neighbourhood_has_four_roofs_of_its_kind(kind: Kind) -> None:
    style = draw_neighbourhood(kind, np.random.default_rng(0))
    assert len(style.roofs) == 4
    assert {(roof.form, roof.material) for roof in style.roofs} <= set(ROOFS[kind])
    assert style.paved or style.road == style.soil
