from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.morphology import closing, opening

from ensemble.statistics.counts import count_maps
from members.common.errors import InputError
from members.common.workers import Threads
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.steps import AREAS, Areas, Morphology, draw_kernel
from postproc.scoring.boundary import find_band
from postproc.search.counting import Tile
from postproc.search.exact import list_kernel_recipes, search_areas, search_kernels, search_step

MaskOf = Callable[[Recipe, int, np.ndarray], np.ndarray]


def make_tile(rng: np.random.Generator, height: int, width: int) -> Tile:
    """A smooth map with noise, touching the border, and a truth that has something to do with it."""
    field = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 2)
    field += 0.05 * rng.normal(0, 1, field.shape)
    blend = np.clip(128 + 400 * field, 0, 255).astype(np.uint8)
    truth = cv2.GaussianBlur(field, (0, 0), 1) > 0.02
    truth[0, 0] = True
    return blend, truth


def mask_with_opencv(recipe: Recipe, threshold: int, blend: np.ndarray) -> np.ndarray:
    _, mask = cv2.threshold(blend, threshold - 1, 1, cv2.THRESH_BINARY)
    for step in recipe.order.split("-"):
        operation = cv2.MORPH_CLOSE if step == "close" else cv2.MORPH_OPEN
        mask = cv2.morphologyEx(mask, operation, draw_kernel(recipe.kernel, getattr(recipe, step)))
    return mask.astype(bool)


def mask_with_scikit_image(recipe: Recipe, threshold: int, blend: np.ndarray) -> np.ndarray:
    mask = blend >= threshold
    for step in recipe.order.split("-"):
        operation = closing if step == "close" else opening
        mask = operation(mask, draw_kernel(recipe.kernel, getattr(recipe, step)), mode="ignore")
    return mask


def count_masks(mask_of: MaskOf, recipe: Recipe, threshold: int, tiles: Sequence[Tile]) -> tuple[list[int], list[int]]:
    masks = [mask_of(recipe, threshold, blend) for blend, _ in tiles]
    intersections = [int((mask & truth).sum()) for mask, (_, truth) in zip(masks, tiles, strict=True)]
    unions = [int((mask | truth).sum()) for mask, (_, truth) in zip(masks, tiles, strict=True)]
    return intersections, unions


def read_tiles(folder: Path, count: int) -> list[Tile]:
    """Maps of both members, blended, with their truth and group."""
    truths = sorted((folder / "hot_buildings/training/masks/img").glob("*.tif"))[::-1]
    tiles = []
    for path in truths[:: len(truths) // count][:count]:
        maps = [folder / "hot_maps/valid" / member / path.name for member in ("lite0", "lite1")]
        first, second, truth = (rasterio.open(name).read(1) for name in (*maps, path))
        blend = np.rint((first.astype(np.float64) + second) / 2).astype(np.uint8)
        tiles.append((blend, truth > 0))
    return tiles


def test_the_grid_holds_every_distinct_recipe_once_and_the_neutral_one_first() -> None:
    recipes = list_kernel_recipes()
    assert len(set(recipes)) == len(recipes) == 225
    assert recipes[0] == Recipe()
    assert all(recipe == recipe.normalise() for recipe in recipes)
    assert len(list_kernel_recipes(3)) == 1 + 2 * (2 + 2)


@pytest.mark.parametrize("mask_of", [mask_with_opencv, mask_with_scikit_image])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (23, 40), (50, 17)])
def test_every_recipe_agrees_with_the_binary_operators_one_at_a_time(mask_of: MaskOf, shape: tuple[int, int]) -> None:
    tile = make_tile(np.random.default_rng(shape), *shape)
    grid = search_kernels([tile], ["a"])
    for number, recipe in enumerate(grid.recipes):
        for threshold in (1, 90 + number % 80, 255):
            intersections, unions = count_masks(mask_of, recipe, threshold, [tile])
            counts = grid.counts[number, threshold - 1]
            assert counts.sums["intersection"].tolist() == intersections, recipe
            assert counts.sums["union"].tolist() == unions, recipe


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20))), st.integers(0, 224), st.data())
def test_no_pixel_values_break_the_agreement(blend: np.ndarray, number: int, data: st.DataObject) -> None:
    truth = data.draw(arrays(np.bool_, blend.shape))
    truth[0, 0] = True
    grid = search_kernels([(blend, truth)], ["a"])
    for threshold in np.unique(np.clip(blend, 1, 255)):
        mask = grid.recipes[number].model_copy(update={"threshold": int(threshold)}).apply(blend)
        counts = grid.counts[number, threshold - 1]
        assert counts.sums["intersection"] == (mask & truth).sum()
        assert counts.sums["union"] == (mask | truth).sum()


def test_real_maps_agree_at_every_recipe(shared_data: Path) -> None:
    tiles = read_tiles(shared_data, 3)
    grid = search_kernels(tiles, ["a", "b", "c"])
    for number, recipe in enumerate(grid.recipes):
        threshold = 1 + (37 * number) % 255
        intersections, unions = count_masks(mask_with_opencv, recipe, threshold, tiles)
        counts = grid.counts[number, threshold - 1]
        assert (counts.sums["intersection"].tolist(), counts.sums["union"].tolist()) == (intersections, unions)
        mean = np.mean([i / u if u else 1 for i, u in zip(intersections, unions, strict=True)])
        assert counts.score("mean_iou") == pytest.approx(mean, abs=2**-32)


def test_larger_kernels_than_the_default_agree_too() -> None:
    tile = make_tile(np.random.default_rng(9), 45, 38)
    grid = search_kernels([tile], ["a"], largest=31)
    for number in range(0, len(grid.recipes), 29):
        intersections, unions = count_masks(mask_with_opencv, grid.recipes[number], 120, [tile])
        counts = grid.counts[number, 119]
        assert (counts.sums["intersection"].tolist(), counts.sums["union"].tolist()) == (intersections, unions)


def test_the_first_recipe_counts_as_the_bare_maps_do() -> None:
    rng = np.random.default_rng(1)
    tiles = [make_tile(rng, 30, 20), make_tile(rng, 9, 31), make_tile(rng, 12, 12)]
    groups = ["b", "a", "b"]
    bare = count_maps([blend for blend, _ in tiles], [truth for _, truth in tiles], groups)
    grid = search_kernels(tiles, groups, largest=3)
    assert np.array_equal(grid.counts.tiles, bare.tiles)
    assert grid.counts[0].sums.keys() == bare.sums.keys()
    for name, values in bare.sums.items():
        assert np.array_equal(grid.counts[0].sums[name], values)
    assert grid.counts.groups == bare.groups == ("a", "b")


def test_neither_order_nor_threads_change_a_bit() -> None:
    rng = np.random.default_rng(2)
    tiles = [make_tile(rng, 20, 20) for _ in range(12)]
    groups = list("abcabcabcabc")
    first = search_kernels(tiles, groups, largest=5, workers=Threads(1)).counts
    second = search_kernels(tiles[::-1], groups[::-1], largest=5, workers=Threads(3)).counts
    for objective in ("pooled_iou", "mean_iou", "dice"):
        assert np.array_equal(first.score(objective), second.score(objective))


def test_the_choice_is_the_best_and_of_equals_the_simplest() -> None:
    house = np.zeros((20, 20), np.uint8)
    house[5:15, 5:15] = 200
    truth = house > 0
    perfect = search_kernels([(house, truth)], ["a"]).choose("pooled_iou")
    assert perfect.score == 1
    assert perfect.recipe == Recipe()
    spiked = house.copy()
    spiked[2:5, 9] = 200
    choice = search_kernels([(spiked, truth)], ["a"]).choose("pooled_iou")
    assert (choice.score, choice.recipe) == (1, Recipe(open=3))
    faint = np.where(truth, 100, 60).astype(np.uint8)
    assert search_kernels([(faint, truth)], ["a"]).choose("mean_iou").recipe == Recipe(threshold=100)


def test_the_choice_agrees_with_trying_everything() -> None:
    rng = np.random.default_rng(4)
    tiles = [make_tile(rng, 24, 24) for _ in range(3)]
    grid = search_kernels(tiles, ["a", "b", "c"], largest=5)
    tried = []
    for recipe in grid.recipes:
        for threshold in range(1, 256):
            candidate = recipe.model_copy(update={"threshold": threshold})
            intersections, unions = count_masks(mask_with_opencv, candidate, threshold, tiles)
            tried.append((-sum(intersections) / sum(unions), candidate.complexity, candidate))
    score, _, expected = min(tried, key=lambda item: item[:2])
    choice = grid.choose("pooled_iou")
    assert (choice.recipe, choice.score) == (expected, -score)
    assert choice.counts.score("pooled_iou") == -score


def test_taking_and_ranking_recipes() -> None:
    rng = np.random.default_rng(5)
    grid = search_kernels([make_tile(rng, 40, 40)], ["a"], largest=5)
    order = grid.rank("dice")
    assert sorted(order) == list(range(len(grid.recipes)))
    scores = [grid.take([index]).choose("dice").score for index in order]
    assert scores == sorted(scores, reverse=True)
    assert grid.take([0]).choose("dice").recipe.normalise().close == 1


def test_bad_input_is_refused() -> None:
    blend, truth = make_tile(np.random.default_rng(7), 8, 8)
    with pytest.raises(InputError, match="truth of all 1 tiles is empty"):
        search_kernels([(blend, truth & False)], ["a"], largest=3)
    with pytest.raises(InputError, match="tile 1 of group b"):
        search_kernels([(blend, truth), (blend, truth[:4])], ["a", "b"], largest=3)
    with pytest.raises(InputError, match="no tile"):
        search_kernels([], [])
    with pytest.raises(ValueError, match="1 tiles of 2 groups"):
        search_kernels([(blend, truth)], ["a", "b"], largest=3)


def test_areas_agree_with_the_recipes_one_at_a_time(shared_data: Path) -> None:
    rng = np.random.default_rng(8)
    tiles = [*read_tiles(shared_data, 2), make_tile(rng, 40, 30)]
    kernels = [Recipe(), Recipe(close=3, open=5, kernel="ellipse", order="open-close")]
    grid = search_areas(tiles, ["a", "b", "a"], kernels)
    assert len(set(grid.recipes)) == len(grid.recipes) == 2 * len(AREAS) ** 2
    assert grid.recipes[0] == Recipe()
    for number in range(0, len(grid.recipes), 5):
        threshold = 1 + (37 * number) % 255
        recipe = grid.recipes[number].model_copy(update={"threshold": threshold})
        masks = [recipe.apply(blend) for blend, _ in tiles]
        intersections = [int((mask & truth).sum()) for mask, (_, truth) in zip(masks, tiles, strict=True)]
        unions = [int((mask | truth).sum()) for mask, (_, truth) in zip(masks, tiles, strict=True)]
        counts = grid.counts[number, threshold - 1]
        assert counts.sums["intersection"].tolist() == [intersections[0] + intersections[2], intersections[1]]
        assert counts.sums["union"].tolist() == [unions[0] + unions[2], unions[1]]


def test_boundary_iou_agrees_with_the_masks_one_at_a_time(shared_data: Path) -> None:
    tiles = [*read_tiles(shared_data, 1), make_tile(np.random.default_rng(10), 60, 90)]

    def score(recipe: Recipe) -> float:
        intersection = union = 0
        for blend, truth in tiles:
            band, truth_band = find_band(recipe.apply(blend)), find_band(truth)
            intersection += (band & truth_band).sum()
            union += (band | truth_band).sum()
        return intersection / union

    grid = search_kernels(tiles, ["a", "b"], "boundary_iou")
    areas = search_areas(tiles, ["a", "b"], [grid.recipes[number] for number in (0, 100)], "boundary_iou")
    for each in (grid, areas):
        scores = each.counts.score("boundary_iou")
        for number in range(0, len(each.recipes), 13):
            threshold = 60 + (37 * number) % 140
            recipe = each.recipes[number].model_copy(update={"threshold": threshold})
            assert scores[number, threshold - 1] == score(recipe)
    choice = grid.choose("boundary_iou")
    assert choice.score == score(choice.recipe)


def test_a_step_without_code_of_its_own_is_counted_by_its_grey_operator() -> None:
    rng = np.random.default_rng(11)
    tiles, groups = [make_tile(rng, 30, 25) for _ in range(3)], ["a", "b", "a"]
    compiled = search_step(Areas, [Recipe(close=3), Recipe()], tiles, groups)

    class Plain(Areas):
        """The same step, so that the compiled counting does not know it."""

    plain = search_step(Plain, [Recipe(close=3), Recipe()], tiles, groups)
    assert plain.recipes == compiled.recipes
    for name, values in compiled.counts.sums.items():
        assert np.array_equal(plain.counts.sums[name], values)
    morphology = search_step(Morphology, [Recipe()], tiles, groups)
    assert morphology.recipes == list_kernel_recipes()
