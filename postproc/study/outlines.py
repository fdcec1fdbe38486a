"""The step of outlines: polygons are no flat operator, so each setting is drawn as a mask and counted."""

from itertools import product

import numpy as np

from ensemble.selection.blend import Blend
from ensemble.statistics.counts import Counts
from ensemble.statistics.metrics import NEUTRAL_THRESHOLD
from postproc.pipeline.outlines import OutlineRecipe
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe
from postproc.search.counting import Tile, collect_counts, count_recipe
from postproc.search.grid import Choice
from postproc.study.fits import Fit, Task

NEARBY = (0, -16, 16)  # thresholds are tried at these distances from the flat recipe's
TOLERANCES = (6.0, 3.0, 4.0, 5.0)  # px, the default first
SPLIT_LEVELS = (0, 192)
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
    pipelines = list_pipelines(base)

    def count(tile: Tile) -> np.ndarray:
        values, truth = tile
        drawn = [pipeline.mask(values) for pipeline in pipelines]
        # a mask is a map of 0 and 255, which any threshold cuts to itself
        pictures = [np.where(mask, np.uint8(255), np.uint8(0)) for mask in drawn]
        return np.concatenate([count_recipe(picture, truth, Recipe(), task.objective) for picture in pictures])

    tiles = task.read(base.blend, f"outlines, {len(pipelines)} settings")
    return collect_counts(count, tiles, task.groups, task.objective)[:, NEUTRAL_THRESHOLD - 1]
