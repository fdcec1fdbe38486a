"""The search for outlines: polygons are no flat operator, so each setting is drawn as a mask and counted."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from ensemble.statistics.counts import Counts
from ensemble.statistics.metrics import Objective
from postproc.pipeline.outlines import OutlineRecipe, draw_outlines
from postproc.pipeline.recipe import NEUTRAL_THRESHOLD, Recipe
from postproc.search.counting import Tile, collect_counts
from postproc.search.curve import count_recipe
from postproc.search.exact import Choice
from postproc.study.source import Source
from postproc.study.steps import Fit, make_fit

NEARBY = (0, -16, 16)  # thresholds are tried at these distances from the flat recipe's
TOLERANCES = (6.0, 3.0, 4.0, 5.0)  # px, the default first
SPLIT_LEVELS = (0, 192)
SETTINGS = tuple(
    OutlineRecipe(tolerance=tolerance, split_level=level) for level, tolerance in product(SPLIT_LEVELS, TOLERANCES)
)


def list_settings(recipe: Recipe) -> list[tuple[Recipe, OutlineRecipe]]:
    """Return what is tried on top of a flat recipe: thresholds near its own, with each outlining; likely ones first."""
    near = dict.fromkeys(min(max(recipe.threshold + step, 1), 255) for step in NEARBY)
    return [(recipe.model_copy(update={"threshold": cut}), outlines) for outlines, cut in product(SETTINGS, near)]


def fit_outlines(source: Source, kept: Fit, objective: Objective, keeps: Sequence[np.ndarray]) -> Fit:
    """Choose outlines on top of what the last kept step has chosen, for each of `keeps` on top of its own.

    Args:
        source: the tiles.
        kept: the last kept step, flat.
        objective: what is maximised.
        keeps: the training masks, in the order of the fit's choices.
    """
    bases = [(kept.full.recipe, kept.weights)]
    bases += [(choice.recipe, weights) for choice, weights in zip(kept.per_fold, kept.fold_weights, strict=True)]
    counted: dict[tuple[Recipe, tuple[tuple[str, int], ...]], Counts] = {}
    choices = []
    for (recipe, weights), keep in zip(bases, keeps, strict=True):
        base = recipe, tuple(weights.items())
        if base not in counted:
            counted[base] = count_outlines(source, weights, recipe, objective)
        scores = counted[base].score(objective, keep)
        best = int(np.argmax(scores))  # of equals the first, which is the likelier
        cut, outlines = list_settings(recipe)[best]
        choices.append(Choice(cut, float(scores[best]), counted[base][best], outlines))
    return make_fit(choices, [weights for _, weights in bases])


def count_outlines(source: Source, weights: Mapping[str, int], recipe: Recipe, objective: Objective) -> Counts:
    """Count every setting on top of a flat recipe; their choices are (settings,)."""
    settings = list_settings(recipe)

    def count(tile: Tile) -> np.ndarray:
        blend, truth = tile
        masks = {cut: cut.apply(blend) for cut, _ in settings}
        drawn = [draw_outlines(masks[cut], blend, outlines) for cut, outlines in settings]
        # a mask is a map of 0 and 255, which any threshold cuts to itself
        pictures = [np.where(mask, np.uint8(255), np.uint8(0)) for mask in drawn]
        return np.concatenate([count_recipe(picture, truth, Recipe(), objective) for picture in pictures])

    tiles = source.read(weights, f"outlines, {len(settings)} settings")
    return collect_counts(count, tiles, source.groups, len(settings), None)[:, NEUTRAL_THRESHOLD - 1]
