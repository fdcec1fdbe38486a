"""Outlines are chosen and judged as any other step, by the masks that they draw."""

import numpy as np
import pytest

from ensemble.mapfolder.samples import ArraySamples
from ensemble.selection.blend import Blend
from ensemble.statistics.crossfit import CrossFit
from members.common.choices import Objective
from postproc.pipeline.outlines import OutlineRecipe
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe
from postproc.scoring.boundary import find_band
from postproc.tuning.fits import Task
from postproc.tuning.steps.outlines import count_outlines, list_pipelines
from postproc.tuning.tuning import tune_pipeline
from postproc.tuning.verdict import Verdict

Tile = tuple[np.ndarray, np.ndarray]
GROUPS = tuple(f"group {number // 2}" for number in range(20))
ALONE = Blend({"one": 1})


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
    maps, truths = zip(*tiles, strict=True)
    groups = GROUPS[: len(tiles)]
    task = Task(ArraySamples({"one": maps}, truths, groups), groups, objective, CrossFit.deal(groups))
    base = Pipeline(ALONE, Recipe(threshold=120, close=3))
    counts = count_outlines(task, base)
    pipelines = list_pipelines(base)
    expected = np.zeros((2, 2), int)
    for number, (blend, truth) in enumerate(tiles):
        mask = pipelines[5].mask(blend)
        if objective == "boundary_iou":
            mask, truth = find_band(mask), find_band(truth)
        expected[number // 2] += (mask & truth).sum(), (mask | truth).sum()
    found = list(counts.sums.values())
    assert found[0].shape == (2, len(pipelines))
    assert found[0][:, 5].tolist() == expected[:, 0].tolist()
    assert found[1][:, 5].tolist() == expected[:, 1].tolist()


def test_thresholds_stay_in_range_and_the_likeliest_setting_comes_first() -> None:
    base = Pipeline(ALONE, Recipe(threshold=250))
    pipelines = list_pipelines(base)
    assert (pipelines[0].recipe, pipelines[0].outlines) == (base.recipe, OutlineRecipe())
    assert {pipeline.recipe.threshold for pipeline in pipelines} == {250, 234, 255}
    assert len(pipelines) == len({str(pipeline) for pipeline in pipelines})


def judge(tiles: list[Tile]) -> Verdict:
    maps, truths = zip(*tiles, strict=True)
    return tune_pipeline({"one": maps}, truths, GROUPS[: len(tiles)], trials=1).verdict


def test_outlines_of_frayed_walls_are_kept() -> None:
    verdict = judge(draw_tiles(20, fray=True))
    assert verdict.steps[-1].kept
    assert isinstance(verdict.pipeline.outlines, OutlineRecipe)
    assert verdict.kept.score > verdict.neutral + 0.02


def test_outlines_of_exact_masks_gain_nothing_and_are_refused() -> None:
    verdict = judge(draw_tiles(20, fray=False))
    assert not verdict.steps[-1].kept
    assert verdict.pipeline.outlines is None
    assert verdict.kept.score == 1
