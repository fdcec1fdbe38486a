"""From masks to buildings, on everything that a mask can be."""

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter

from members.common.errors import InputError
from postproc.pipeline.outlines import OutlineRecipe, outline_buildings
from postproc.polygons.buildings import Building, rasterize_outlines
from postproc.scoring.shapes import count_vertices


def outline(mask: np.ndarray, value: int = 204, **options: Any) -> list[Building]:
    return outline_buildings(mask, np.full(mask.shape, value, np.uint8), OutlineRecipe(**options))


def overlap(buildings: list[Building]) -> float:
    outlines = np.array([building.outline for building in buildings], object)
    one, other = shapely.STRtree(outlines).query(outlines, predicate="intersects")
    return float(shapely.area(shapely.intersection(outlines[one], outlines[other]))[one < other].max(initial=0))


def test_an_empty_mask_has_no_buildings() -> None:
    assert outline(np.zeros((8, 9), bool)) == []


def test_a_full_mask_is_one_building() -> None:
    (building,) = outline(np.ones((40, 50), bool))
    assert building.outline.equals(shapely.box(0, 0, 50, 40))
    assert building.status == "regularised"
    assert building.confidence == pytest.approx(0.8)


def test_one_pixel_stays_one_pixel() -> None:
    mask = np.zeros((5, 5), bool)
    mask[2, 3] = True
    (building,) = outline(mask)
    assert building.outline.equals(shapely.box(3, 2, 4, 3))


def test_a_relief_splits_what_the_map_does_not() -> None:
    values = np.full((20, 41), 250, np.uint8)
    relief = values.copy()
    relief[:, 18:23] = 40  # a contact of two houses, that the map knows nothing of
    layers, recipe = np.dstack([values, relief]), OutlineRecipe(split_contrast=64)
    mask = np.ones(values.shape, bool)
    assert len(outline_buildings(mask, values, recipe)) == 1
    left, right = outline_buildings(mask, layers, recipe)
    assert left.outline.area + right.outline.area == mask.size
    assert 18 <= left.outline.bounds[2] <= 23
    assert left.confidence == pytest.approx(250 / 255)


def test_objects_at_the_border_stay_inside() -> None:
    mask = np.zeros((40, 40), bool)
    mask[:20, :15] = mask[30:, 22:] = True
    assert [b.outline.bounds for b in outline(mask)] == [(0, 0, 15, 20), (22, 30, 40, 40)]


def test_courtyards_are_kept() -> None:
    mask = np.zeros((80, 80), bool)
    mask[10:70, 10:70] = True
    mask[25:55, 25:55] = False
    mask[35:45, 35:45] = True
    outer, inner = outline(mask)
    assert [len(outer.outline.interiors), len(inner.outline.interiors)] == [1, 0]
    assert overlap([outer, inner]) == 0
    np.testing.assert_array_equal(rasterize_outlines([outer.outline, inner.outline], mask.shape), mask)


def test_diagonal_contacts_stay_apart() -> None:
    mask = np.zeros((40, 40), bool)
    mask[:20, :20] = mask[20:, 20:] = True
    buildings = outline(mask)
    assert len(buildings) == 2
    assert overlap(buildings) == 0


def test_no_tolerance_is_the_traced_outline() -> None:
    mask = gaussian_filter(np.random.default_rng(0).standard_normal((40, 40)), 3) > 0
    buildings = outline(mask, tolerance=0.0)
    assert {building.status for building in buildings} <= {"traced", "simplified"}
    np.testing.assert_array_equal(rasterize_outlines([b.outline for b in buildings], mask.shape), mask)


def test_confidence_is_the_mean_probability_inside() -> None:
    mask = np.zeros((4, 6), bool)
    mask[:, :2] = mask[:, 4:] = True
    blend = np.zeros((4, 6), np.uint8)
    blend[:, :2], blend[:, 4], blend[:, 5] = 51, 102, 204
    assert [b.confidence for b in outline_buildings(mask, blend, OutlineRecipe())] == pytest.approx([0.2, 0.6])


def test_touching_buildings_are_split_by_the_map() -> None:
    mask = np.zeros((40, 64), bool)
    mask[4:36, 2:62] = True
    blend = np.where(mask, 255, 0).astype(np.uint8)
    blend[:, 30:33] = 140
    buildings = outline_buildings(mask, blend, OutlineRecipe(split_contrast=24))
    assert len(buildings) == 2
    assert overlap(buildings) < 1
    assert sum(b.outline.area for b in buildings) == pytest.approx(mask.sum(), rel=0.02)


def test_buildings_that_share_walls_stay_a_coverage() -> None:
    mask = np.zeros((64, 130), bool)
    mask[8:56, 5:125] = True
    mask[8:14, 60:125] = False
    blend = np.where(mask, 255, 0).astype(np.uint8)
    rows = np.arange(64)
    for column in (40, 80):
        cut = column + np.rint(2 * np.sin(rows)).astype(int)
        blend[rows, cut] = blend[rows, cut + 1] = 140
    blend[~mask] = 0
    buildings = outline_buildings(blend > 0, blend, OutlineRecipe(split_contrast=24, split_smoothing=0))
    outlines = np.array([building.outline for building in buildings], object)
    assert len(outlines) == 3
    assert shapely.coverage_is_valid(outlines)
    shared = shapely.intersection(outlines[0], outlines[1]).length
    assert shared > 30
    assert shapely.union_all(outlines).area == pytest.approx(sum(shapely.area(outlines)))


def test_drawn_outlines_of_a_ragged_house_are_nearer_to_it() -> None:
    house = np.zeros((80, 80), bool)
    house[20:60, 15:65] = True
    noise = gaussian_filter(np.random.default_rng(1).standard_normal(house.shape), 2)
    ragged = gaussian_filter(house.astype(float), 3) + 0.1 * noise / noise.std() > 0.5
    buildings = outline_buildings(ragged, np.full(house.shape, 255, np.uint8), OutlineRecipe())
    drawn = rasterize_outlines([building.outline for building in buildings], house.shape)
    assert np.count_nonzero(drawn ^ house) < np.count_nonzero(ragged ^ house)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 16]), st.floats(0, 6))
def test_buildings_are_valid_and_apart(seed: int, contrast: int, tolerance: float) -> None:
    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.standard_normal((48, 48)), rng.uniform(0, 4))
    blend = np.rint(255 * np.clip(0.5 + 0.2 * field / field.std(), 0, 1)).astype(np.uint8)
    buildings = outline_buildings(blend >= 128, blend, OutlineRecipe(split_contrast=contrast, tolerance=tolerance))
    assert all(b.outline.is_valid and not b.outline.is_empty for b in buildings)
    assert all(0.5 <= b.confidence <= 1 for b in buildings)
    assert overlap(buildings) <= 0.5


def test_twenty_thousand_buildings() -> None:
    house = np.zeros((16, 16), bool)
    house[2:14, 3:13] = True
    mask = np.tile(house, (100, 200))
    buildings = outline(mask)
    assert len(buildings) == 20_000
    assert (count_vertices([b.outline for b in buildings]) == 4).all()


@pytest.mark.parametrize("blend", [np.zeros((4, 5), np.uint8), np.zeros((4, 4), np.float32)])
def test_a_map_that_does_not_fit_is_refused(blend: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"outlined with the uint8 map .*, got .*; store probabilities"):
        outline_buildings(np.zeros((4, 4), bool), blend, OutlineRecipe())


@pytest.mark.parametrize("options", [{"tolerance": -1.0}, {"min_iou": 1.1}, {"split_contrast": 256}, {"wall": 3}])
def test_a_recipe_knows_its_ranges(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OutlineRecipe(**options)
