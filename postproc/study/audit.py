"""The audit: what was chosen is applied to the tiles, one at a time and plainly, and counted.

The scores in tuned.json come from here, not from the search; and so does what a step costs: true objects that
are no longer found at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from ensemble.statistics.counts import Evidence, fix_iou, index_groups
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
        default: evidence of the neutral recipe on the blend that is written.
        tuned: evidence of the recipe that is written.
        honest: the same, each group's by the recipe chosen without its fold; None without folds.
        objects: how many objects the truth holds, 4-connected in each tile.
        lost: step -> how many of them it leaves without a pixel of the mask that had one before.
    """

    default: Evidence
    tuned: Evidence
    honest: Evidence | None
    objects: int
    lost: Mapping[str, int]

    def find_share(self, step: str) -> float:
        """Return the share of true objects that a step loses, 0 to 1."""
        return self.lost[step] / self.objects


def audit_verdict(source: Source, verdict: Verdict, folds: np.ndarray | None) -> Audit:
    """Apply the verdict's recipes, and those of its steps, to all tiles."""
    names, index = index_groups(source.groups)
    kept = verdict.kept
    final = describe_setting(kept.weights, kept.whole)
    default = final[0], Recipe(), None
    honest = [describe_setting(*pair) for pair in zip(kept.other_weights, kept.others, strict=True)]
    pairs = {step.name: (describe_fit(step.rival), describe_fit(step.fit)) for step in verdict.steps}

    def count(number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return intersection and union of three masks, (3, 2), and objects and those that steps lose, (1 + steps,)."""
        tile = source.tiles[number]
        truth = source.read_truth(tile)
        masks: dict[Setting, np.ndarray] = {}
        chosen = honest[folds[index[number]]] if folds is not None else final
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

    counts = np.zeros((2, len(names), 3), np.int64)
    iou_sum = np.zeros((len(names), 3), np.int64)
    objects = np.zeros(1 + len(pairs), np.int64)
    numbers = track(range(len(source.tiles)), "applying what was chosen", len(source.tiles))
    for (overlaps, losses), group in zip(map_threads(count, numbers), index, strict=True):
        counts[:, group] += overlaps.T
        iou_sum[group] += fix_iou(*overlaps.T)
        objects += losses
    evidence = Evidence(names, np.bincount(index, minlength=len(names)), counts[0], counts[1], iou_sum)
    lost = dict(zip(pairs, objects[1:].tolist(), strict=True))
    return Audit(evidence[0], evidence[1], evidence[2] if folds is not None else None, int(objects[0]), lost)


def describe_setting(weights: Mapping[str, int], choice: Choice) -> Setting:
    """Return a blend and what is chosen for it as one key."""
    return tuple(weights.items()), choice.recipe, choice.outlines


def describe_fit(fit: Fit) -> Setting:
    """Return the setting that a fit chooses on all groups."""
    return describe_setting(fit.weights, fit.whole)


def make_mask(source: Source, tile: Tile, setting: Setting, masks: dict[Setting, np.ndarray]) -> np.ndarray:
    """Return the tile's mask, bool (height, width), from `masks` if it is there."""
    if setting not in masks:
        weights, recipe, outlines = setting
        masks[setting] = cut_mask(source.read_blend(tile, dict(weights)), recipe, outlines)
    return masks[setting]
