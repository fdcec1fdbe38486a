"""Outlines are chosen and judged as any other step, by the masks that they draw."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pytest

from ensemble.statistics.counts import Objective
from postproc.pipeline.outlines import OutlineRecipe, draw_outlines
from postproc.pipeline.recipe import Recipe
from postproc.scoring.boundary import find_band
from postproc.search.exact import Choice, search_kernels
from postproc.study.outline_search import count_outlines, fit_outlines, list_settings
from postproc.study.steps import fit_grid, list_keeps, make_fit
from postproc.study.verdict import Verdict, add_step, deal_folds, judge_steps

Tile = tuple[np.ndarray, np.ndarray]
GROUPS = tuple(f"group {number // 2}" for number in range(20))
ALONE = {"one": 1}


class Tiles:
    """Tiles in memory, with what the search asks of a Source."""

    def __init__(self, tiles: Sequence[Tile]):
        self.tiles, self.groups = tiles, GROUPS[: len(tiles)]

    def read(self, weights: Mapping[str, int], purpose: str) -> Iterator[Tile]:
        yield from self.tiles


def draw_tiles(count: int, fray: bool) -> list[Tile]:
    """A house of straight walls a tile; its map's walls are frayed, pixel by pixel, or exact."""
    rng, tiles = np.random.default_rng(0), []
    for _ in range(count):
        truth = np.zeros((48, 48), bool)
        top, left = rng.integers(4, 14, 2)
        truth[top : top + 26, left : left + 20] = True
        mask = truth.copy()
        if fray:
            rim = np.zeros_like(truth)
            rim[top - 1 : top + 27, left - 1 : left + 21] = True
            rim[top + 1 : top + 25, left + 1 : left + 19] = False
            mask = np.where(rim, rng.random(truth.shape) < 0.5, truth)
        tiles.append((np.where(mask, 200, 40).astype(np.uint8), truth))
    return tiles


@pytest.mark.parametrize("objective", ["pooled_iou", "boundary_iou"])
def test_counts_are_those_of_the_drawn_masks(objective: Objective) -> None:
    tiles = draw_tiles(4, fray=True)
    recipe = Recipe(threshold=120, close=3)
    evidence = count_outlines(Tiles(tiles), ALONE, recipe, objective)
    settings = list_settings(recipe)
    assert evidence.intersection.shape == (2, len(settings))
    cut, outlines = settings[5]
    expected = np.zeros((2, 2), int)
    for number, (blend, truth) in enumerate(tiles):
        mask = draw_outlines(cut.apply(blend), blend, outlines)
        if objective == "boundary_iou":
            mask, truth = find_band(mask), find_band(truth)
        expected[number // 2] += (mask & truth).sum(), (mask | truth).sum()
    assert evidence.intersection[:, 5].tolist() == expected[:, 0].tolist()
    assert evidence.union[:, 5].tolist() == expected[:, 1].tolist()


def test_thresholds_stay_in_range_and_the_likeliest_setting_comes_first() -> None:
    recipe = Recipe(threshold=250)
    settings = list_settings(recipe)
    assert settings[0] == (recipe, OutlineRecipe())
    assert {cut.threshold for cut, _ in settings} == {250, 234, 255}
    assert len(settings) == len(set(settings))


def judge(tiles: list[Tile], objective: Objective = "pooled_iou") -> Verdict:
    source = Tiles(tiles)
    grid = search_kernels(tiles, source.groups, largest=3)
    folds = deal_folds(grid.evidence.groups)
    keeps = list_keeps(len(folds), folds)
    evidence = grid.evidence[0, 127]
    neutral = make_fit(
        [Choice(Recipe(), float(evidence.score(objective)), evidence)] * len(keeps), [ALONE] * len(keeps)
    )
    verdict = judge_steps(neutral, {"threshold": fit_grid(grid.take([0]), ALONE, objective, keeps)}, folds, objective)
    return add_step(verdict, "outlines", fit_outlines(source, verdict.kept, objective, keeps), folds, objective)


def test_outlines_of_frayed_walls_are_kept() -> None:
    verdict = judge(draw_tiles(20, fray=True))
    assert verdict.steps[-1].kept
    assert isinstance(verdict.kept.whole.outlines, OutlineRecipe)
    assert verdict.kept.whole.score > verdict.neutral + 0.02


def test_outlines_of_exact_masks_gain_nothing_and_are_refused() -> None:
    verdict = judge(draw_tiles(20, fray=False))
    assert not verdict.steps[-1].kept
    assert verdict.kept.whole.outlines is None
    assert verdict.kept.whole.score == 1
