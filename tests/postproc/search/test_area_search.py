"""Areas on top of kernels: the choice is that of trying every one, though most thresholds are only bounded."""

import numpy as np
import pytest

from ensemble.statistics.counts import THRESHOLDS
from members.common.choices import Objective
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.steps import AREAS
from postproc.search.area_search import Branch, choose_areas, count_branches
from postproc.search.counting import Tile
from postproc.search.exact import search_areas, search_kernels

GROUPS = ["a", "b", "c", "a", "b", "c"]


def draw_tiles() -> list[Tile]:
    """Roofs with pin holes among specks; the map is smooth enough for objects to touch holes at many thresholds."""
    rng, tiles = np.random.default_rng(3), []
    for number in range(len(GROUPS)):
        truth = np.zeros((40 + 4 * number, 36), bool)
        if number != 4:  # and one tile without any
            truth[8:30, 6:24] = True
        noise = rng.integers(0, 8, truth.shape) * 12
        specks = rng.random(truth.shape) < 0.04
        blend = np.where(truth ^ specks, 150 + noise, 40 + noise)
        tiles.append((blend.astype(np.uint8), truth))
    return tiles


@pytest.mark.parametrize("objective", ["pooled_iou", "dice", "mean_iou"])
def test_choices_are_those_of_trying_everything(objective: Objective) -> None:
    tiles = draw_tiles()
    grid = search_kernels(tiles, GROUPS, objective, largest=5)
    masks = [np.ones(3, bool), *(np.arange(3) != fold for fold in range(3))]
    choices, ranked = choose_areas(tiles, GROUPS, grid, objective, masks, best=4)
    for choice, recipes, mask in zip(choices, ranked, masks, strict=True):
        tops = [grid.recipes[index] for index in grid.rank(objective, mask)[:4]]
        every = search_areas(tiles, GROUPS, tops, objective)
        expected = every.choose(objective, mask)
        assert (choice.recipe, choice.score) == (expected.recipe, expected.score)
        assert choice.counts.score(objective, mask) == expected.score
        for name, sums in choice.counts.sums.items():
            assert np.array_equal(sums, expected.counts.sums[name])
        assert recipes[0] == expected.recipe.model_copy(update={"threshold": 128})
        assert len(set(recipes)) == 4


def test_bounds_are_never_below_what_lies_between() -> None:
    tiles = draw_tiles()
    recipe = Recipe(close=3)
    branch = Branch(recipe, (1, 60, 100, 140, 150, 151, 200, 255), bounded=True)
    counts = count_branches([branch], tiles, GROUPS)
    every = search_areas(tiles, GROUPS, [recipe])
    tried = {each: number for number, each in enumerate(every.recipes)}
    gaps = [inner for _, inner in branch.gaps]
    assert [inner[0] for inner in gaps] == [2, 61, 101, 141, 152, 201]
    assert sorted([*branch.thresholds, *(t for inner in gaps for t in inner)]) == list(range(1, THRESHOLDS + 1))
    for objective in ("pooled_iou", "mean_iou"):
        bounds = counts.score(objective)[len(branch.thresholds) :]
        exact = every.counts.score(objective)
        for hole, min_hole in enumerate(AREAS):
            for least, min_object in enumerate(AREAS):
                own = exact[tried[recipe.model_copy(update={"min_hole": min_hole, "min_object": min_object})]]
                for inner, bound in zip(gaps, bounds[:, hole, least], strict=True):
                    assert own[np.array(inner) - 1].max() <= bound
