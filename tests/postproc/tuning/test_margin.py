"""The margin of outlines, on masks whose distances are visible, and kept in simulated draws."""

import numpy as np
import pytest
from rasterio import Affine
from rasterio.crs import CRS

from ensemble.statistics.counts import Counts
from members.data.frames import Frame
from postproc.tuning.margin import DISTANCES, Margin, count_beyond, draw_border, measure_pixel


def draw_roof(grow: int = 0) -> np.ndarray:
    mask = np.zeros((40, 40), bool)
    mask[10 - grow : 30 + grow, 10 - grow : 30 + grow] = True
    return mask


def test_equal_masks_lie_on_one_another() -> None:
    counted = count_beyond(draw_roof(), draw_roof(), 0.5)
    assert counted["outline"] == 4 * 19
    assert counted["pixels"].tolist() == counted["metres"].tolist() == [0] * DISTANCES


def test_a_roof_that_is_grown_by_three_pixels() -> None:
    counted = count_beyond(draw_roof(3), draw_roof(), 0.5)
    pixels, metres = counted["pixels"], counted["metres"]
    assert pixels[[0, 5]].tolist() == [76, 76]  # beyond 2.5 px
    assert pixels[6] == 0  # the corners, too, are 3 px from a wall
    assert metres[14] == 76
    assert metres[15] == 0  # 3 px are 1.5 m


def test_missed_buildings_and_the_edge_of_the_tile_count_nothing() -> None:
    truth = draw_roof()
    truth[0:5, 0:5] = True  # missed
    assert count_beyond(draw_roof(), truth)["outline"] == 76
    everywhere = np.ones((5, 5), bool)
    assert not draw_border(everywhere).any()
    nothing = count_beyond(~everywhere, everywhere)
    assert nothing["outline"] == 0
    assert (
        count_beyond(np.ones((40, 40), bool), draw_roof())["pixels"].tolist() == [76] * DISTANCES
    )  # ours has no outline
    assert count_beyond(draw_roof(), draw_roof())["metres"].tolist() == [76] * DISTANCES  # unknown on the ground


def find(grown: list[int], metres: float | None = None) -> Margin:
    tiles = (count_beyond(draw_roof(grow), draw_roof(), metres) for grow in grown)
    return Margin.find(Counts.from_tiles([f"g{number:03d}" for number in range(len(grown))], tiles))


def test_the_least_margin_that_nine_tenths_are_within() -> None:
    assert find([2] * 19) == Margin(19, 2.0, None)
    assert find([2] * 19, 0.25) == Margin(19, 2.0, 0.5)
    assert find([2] * 18 + [5]) == Margin(19, 2.0, None)  # 1 of 19 is beyond: (1 + 1) / 20 is one tenth
    assert find([2] * 17 + [5] * 2) == Margin(19, 5.0, None)
    assert "lie within 2 px (0.5 m) of ours: 90% of them, on average over new places" in str(find([2] * 19, 0.25))


def test_too_few_groups_have_none() -> None:
    margin = find([1] * 8)
    assert margin == Margin(8, None, None)
    assert str(margin) == "no margin of the outlines: it takes 9 groups or more, here are 8"
    assert margin.describe()["words"] == str(margin)
    assert find([1] * 9).pixels == 1


def test_it_is_kept_on_new_places() -> None:
    """Roofs that are grown by 0 to 9 px: of new ones, drawn alike, at least nine tenths are within, on average."""
    rng = np.random.default_rng(0)
    within = [np.mean(np.arange(10) <= (find(rng.integers(0, 10, 30).tolist()).pixels or 0)) for _ in range(60)]
    assert np.mean(within) >= 0.9


def test_a_pixel_on_the_ground() -> None:
    utm = Frame("a", (100, 200), CRS.from_epsg(32645).to_wkt(), Affine(0.5, 0, 350_000, 0, -0.5, 3_050_000))
    assert measure_pixel(utm) == pytest.approx(0.5, rel=1e-3)
    web = Frame("b", (100, 100), CRS.from_epsg(3857).to_wkt(), Affine(1, 0, 9_400_000, 0, -1, 8_399_738))  # 60° north
    assert measure_pixel(web) == pytest.approx(0.5, rel=1e-2)
    assert measure_pixel(Frame("c", (9, 9), None, Affine.identity())) is None
