"""The step of outlines: polygons are no flat operator, so each setting is drawn as a mask and counted."""

import functools
from dataclasses import replace
from itertools import product

import numpy as np

from ensemble.statistics.counts import Counts, TileCounts, count_pixels, index_groups
from ensemble.statistics.metrics import METRICS
from members.common.choices import Objective
from postproc.pipeline.outlines import OutlineRecipe
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe
from postproc.scoring.boundary import find_band
from postproc.search.grid import Choice
from postproc.tuning.fits import Fit, Task
from postproc.tuning.known import recall
from postproc.tuning.units import Unit, list_units

NEARBY = (0, -16, 16)  # thresholds are tried at these distances from the flat recipe's
TOLERANCES = (6.0, 3.0, 4.0, 5.0)  # px, the default first
SPLIT_CONTRASTS = (0.0, 32.0)
SETTINGS = tuple(
    OutlineRecipe(tolerance=tolerance, split_contrast=contrast)
    for contrast, tolerance in product(SPLIT_CONTRASTS, TOLERANCES)
)


def list_pipelines(base: Pipeline) -> list[Pipeline]:
    """Return what is tried on top of a flat recipe: thresholds near its own, with each outlining; likely ones first."""
    return [replace(base, recipe=cut, outlines=outlines) for outlines, cut in product(SETTINGS, list_cuts(base))]


def list_cuts(base: Pipeline) -> list[Recipe]:
    """Return the flat recipe at its own threshold, and at those near it."""
    near = dict.fromkeys(min(max(base.recipe.threshold + step, 1), 255) for step in NEARBY)
    return [base.recipe.model_copy(update={"threshold": threshold}) for threshold in near]


def fit_outlines(task: Task, kept: Fit) -> Fit:
    """Choose outlines on top of what the last kept step has chosen, for each mask of the first deal on its own."""
    counted: list[tuple[Pipeline, Counts]] = []
    choices = []
    for base, mask in zip(kept.pipelines, task.crossfit.take(1).training_masks, strict=False):
        counts = recall(counted, base, functools.partial(count_outlines, task, base))
        scores = counts.score(task.objective, mask)
        best = int(np.argmax(scores))  # of equals the first, which is the likelier
        chosen = list_pipelines(base)[best]
        choice = Choice(chosen.recipe, float(scores[best]), counts[best], chosen.outlines, tile_cut=chosen.tile_cut)
        choices.append(choice)
    return Fit(tuple(choices), kept.blends[: len(choices)])


def count_outlines(task: Task, base: Pipeline) -> Counts:
    """Count every setting on top of a flat recipe; the counts' choices are (settings,)."""
    samples, blend, objective = task.samples, base.blend, task.objective
    cuts, units = list_cuts(base), list_units(task)

    def count(share: tuple[Unit, Recipe]) -> list[list[TileCounts]]:
        """Count each tile of a unit by each setting on one cut."""
        unit, cut = share
        tiles = unit.read(samples)
        masks = unit.draw_settings(replace(base, recipe=cut), SETTINGS, unit.blend(samples, blend))
        return [
            [count_mask(mask, truth, objective) for mask, (_, truth) in zip(own, tiles, strict=True)] for own in masks
        ]

    # a share a cut, so that a large unit keeps all workers busy
    shares = list(product(units, cuts))
    names, index = index_groups(task.groups)
    sums: dict[str, np.ndarray] = {}
    what = f"outlines, {len(cuts) * len(SETTINGS)} settings"
    found = task.progress(task.workers.map(count, shares), what, len(shares))
    for number, ((unit, _), masks) in enumerate(zip(shares, found, strict=True)):
        for setting, tiles in enumerate(masks):
            choice = setting * len(cuts) + number % len(cuts)
            for tile, columns in zip(unit.numbers, tiles, strict=True):
                for name, value in columns.items():  # into the group at once: tiles may be many
                    if name not in sums:
                        sums[name] = np.zeros((len(names), len(SETTINGS) * len(cuts)), np.int64)
                    sums[name][index[tile], choice] += value
    return Counts(names, np.bincount(index, minlength=len(names)), sums)


def count_mask(mask: np.ndarray, truth: np.ndarray, objective: Objective) -> TileCounts:
    """Count one mask, bool (h, w), against the truth: pixels, or bands for `boundary_iou`."""
    if objective == "boundary_iou":
        mask, truth = find_band(mask), find_band(truth)
    met, either = np.array(np.count_nonzero(mask & truth)), np.array(np.count_nonzero(mask | truth))
    if objective == "boundary_iou":
        return dict(zip(METRICS[objective].columns, (met, either), strict=True))
    return count_pixels(met, either)
