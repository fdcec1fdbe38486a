"""The step of outlines: polygons are no flat operator, so each setting is drawn as a mask and counted."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from ensemble.selection.blend import Blend
from ensemble.statistics.counts import Counts, TileCounts, count_pixels
from ensemble.statistics.metrics import METRICS
from members.common.choices import Objective
from postproc.pipeline.outlines import OutlineRecipe
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe
from postproc.scoring.boundary import find_band
from postproc.search.grid import Choice
from postproc.tuning.fits import Fit, Task
from postproc.tuning.units import Unit, list_units

NEARBY = (0, -16, 16)  # thresholds are tried at these distances from the flat recipe's
TOLERANCES = (6.0, 3.0, 4.0, 5.0)  # px, the default first
SPLIT_LEVELS = (0, 192)
SHARE = 4  # tiles of a unit that are read for all settings at once
SETTINGS = tuple(
    OutlineRecipe(tolerance=tolerance, split_level=level) for level, tolerance in product(SPLIT_LEVELS, TOLERANCES)
)


def list_pipelines(base: Pipeline) -> list[Pipeline]:
    """Return what is tried on top of a flat recipe: thresholds near its own, with each outlining; likely ones first."""
    near = dict.fromkeys(min(max(base.recipe.threshold + step, 1), 255) for step in NEARBY)
    cuts = [base.recipe.model_copy(update={"threshold": threshold}) for threshold in near]
    return [Pipeline(base.blend, cut, outlines) for outlines, cut in product(SETTINGS, cuts)]


def fit_outlines(task: Task, kept: Fit) -> Fit:
    """Choose outlines on top of what the last kept step has chosen, for each training mask on top of its own."""
    counted: list[tuple[Blend, Recipe, Counts]] = []
    choices = []
    for base, mask in zip(kept.pipelines, task.crossfit.training_masks, strict=True):
        known = [counts for blend, recipe, counts in counted if (blend, recipe) == (base.blend, base.recipe)]
        counts = known[0] if known else count_outlines(task, base)
        if not known:
            counted.append((base.blend, base.recipe, counts))
        scores = counts.score(task.objective, mask)
        best = int(np.argmax(scores))  # of equals the first, which is the likelier
        chosen = list_pipelines(base)[best]
        choices.append(Choice(chosen.recipe, float(scores[best]), counts[best], chosen.outlines))
    return Fit(tuple(choices), kept.blends)


def count_outlines(task: Task, base: Pipeline) -> Counts:
    """Count every setting on top of a flat recipe; the counts' choices are (settings,)."""
    samples, blend, objective, pipelines = task.samples, base.blend, task.objective, list_pipelines(base)

    def count(share: tuple[Unit, Sequence[Pipeline]]) -> list[list[TileCounts]]:
        """Count some of the settings for each tile of a unit."""
        unit, some = share
        tiles = unit.read(samples)
        values = [blend.mix(maps) for maps, _ in tiles]
        drawn = zip(*(unit.draw(pipeline, values) for pipeline in some), strict=True)
        return [
            [count_mask(mask, truth, objective) for mask in masks]
            for masks, (_, truth) in zip(drawn, tiles, strict=True)
        ]

    shares = [(unit, some) for unit in list_units(task) for some in share_out(pipelines, len(unit.numbers))]
    counted: list[list[TileCounts]] = [[] for _ in task.groups]
    found = task.progress(task.workers.map(count, shares), f"outlines, {len(pipelines)} settings", len(shares))
    for (unit, _), tiles in zip(shares, found, strict=True):
        for number, columns in zip(unit.numbers, tiles, strict=True):
            counted[number] += columns
    joined = ({name: np.array([each[name] for each in own]) for name in own[0]} for own in counted)
    return Counts.from_tiles(task.groups, joined)


def share_out(pipelines: Sequence[Pipeline], tiles: int) -> list[Sequence[Pipeline]]:
    """Cut settings into runs, more of them for a unit of more tiles, so that a large one keeps all workers busy."""
    size = max(1, SHARE * len(pipelines) // max(tiles, SHARE))
    return [pipelines[start : start + size] for start in range(0, len(pipelines), size)]


def count_mask(mask: np.ndarray, truth: np.ndarray, objective: Objective) -> TileCounts:
    """Count one mask, bool (h, w), against the truth: pixels, or bands for `boundary_iou`."""
    if objective == "boundary_iou":
        mask, truth = find_band(mask), find_band(truth)
        columns = METRICS[objective].columns
        return dict(zip(columns, (np.sum(mask & truth), np.sum(mask | truth)), strict=True))
    return count_pixels(np.sum(mask & truth), np.sum(mask | truth))
