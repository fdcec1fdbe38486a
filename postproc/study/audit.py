"""The audit: what was chosen is applied to the tiles, one at a time and plainly, and counted.

The scores in tuned.json come from here, not from the search; and so does what a step costs: true objects that
are no longer found at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from ensemble.statistics.counts import Counts, count_pixels, index_groups
from ensemble.statistics.crossfit import CrossFit
from members.common.console import track
from members.data.tiles import Tile
from postproc.pipeline.outlines import OutlineRecipe, cut_mask
from postproc.pipeline.recipe import Recipe
from postproc.search.counting import map_threads
from postproc.search.exact import Choice
from postproc.study.source import Source
from postproc.study.steps import Fit
from postproc.study.verdict import Verdict

Setting = tuple[tuple[tuple[str, int], ...], Recipe, OutlineRecipe | None]  # blend weights, recipe


@dataclass(frozen=True)
class Audit:
    """What the chosen recipes do to the tiles.

    Attributes:
        default: counts of the neutral recipe on the blend that is written.
        tuned: counts of the recipe that is written.
        cross_fitted: the same, each group's by the recipe chosen without its fold; None without folds.
        objects: how many objects the truth holds, 4-connected in each tile.
        lost: step -> how many of them it leaves without a pixel of the mask that had one before.
    """

    default: Counts
    tuned: Counts
    cross_fitted: Counts | None
    objects: int
    lost: Mapping[str, int]

    def find_share(self, step: str) -> float:
        """Return the share of true objects that a step loses, 0 to 1."""
        return self.lost[step] / self.objects


def audit_verdict(source: Source, verdict: Verdict, crossfit: CrossFit) -> Audit:
    """Apply the verdict's recipes, and those of its steps, to all tiles."""
    _, index = index_groups(source.groups)
    folds = crossfit.folds
    kept = verdict.kept
    final = describe_setting(kept.weights, kept.full)
    default = final[0], Recipe(), None
    per_fold = [describe_setting(*pair) for pair in zip(kept.fold_weights, kept.per_fold, strict=True)]
    pairs = {step.name: (describe_fit(step.rival), describe_fit(step.fit)) for step in verdict.steps}

    def count(number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return intersection and union of three masks, (3, 2), and objects and those that steps lose, (1 + steps,)."""
        tile = source.tiles[number]
        truth = source.read_truth(tile)
        masks: dict[Setting, np.ndarray] = {}
        chosen = per_fold[folds[index[number]]] if folds is not None else final
        overlaps = [
            ((mask & truth).sum(), (mask | truth).sum())
            for mask in (make_mask(source, tile, setting, masks) for setting in (default, final, chosen))
        ]
        objects, labels = cv2.connectedComponents(truth.astype(np.uint8), connectivity=4)
        losses = [
            len(
                np.setdiff1d(
                    labels[make_mask(source, tile, before, masks) & truth],
                    labels[make_mask(source, tile, after, masks) & truth],
                )
            )
            for before, after in pairs.values()
        ]
        return np.array(overlaps), np.array([objects - 1, *losses])

    objects = np.zeros(1 + len(pairs), np.int64)
    columns = []
    numbers = track(range(len(source.tiles)), "applying what was chosen", len(source.tiles))
    for overlaps, losses in map_threads(count, numbers):
        columns.append(count_pixels(*overlaps.T))
        objects += losses
    counts = Counts.from_tiles(source.groups, columns)
    lost = dict(zip(pairs, objects[1:].tolist(), strict=True))
    return Audit(counts[0], counts[1], counts[2] if folds is not None else None, int(objects[0]), lost)


def describe_setting(weights: Mapping[str, int], choice: Choice) -> Setting:
    """Return a blend and what is chosen for it as one key."""
    return tuple(weights.items()), choice.recipe, choice.outlines


def describe_fit(fit: Fit) -> Setting:
    """Return the setting that a fit chooses on all groups."""
    return describe_setting(fit.weights, fit.full)


def make_mask(source: Source, tile: Tile, setting: Setting, masks: dict[Setting, np.ndarray]) -> np.ndarray:
    """Return the tile's mask, bool (height, width), from `masks` if it is there."""
    if setting not in masks:
        weights, recipe, outlines = setting
        masks[setting] = cut_mask(source.read_blend(tile, dict(weights)), recipe, outlines)
    return masks[setting]
