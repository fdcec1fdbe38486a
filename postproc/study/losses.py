"""What was chosen, applied to the tiles one at a time and plainly: its scores, and the true objects that it loses.

The scores in tuned.json come from here, not from the search.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from ensemble.mapfolder.samples import Sample
from ensemble.statistics.counts import Counts, count_pixels, index_groups
from postproc.pipeline.pipeline import Pipeline
from postproc.search.counting import map_threads
from postproc.study.fits import Task
from postproc.study.verdict import Verdict


@dataclass(frozen=True)
class Losses:
    """What the chosen pipelines do to the tiles.

    Attributes:
        default: counts of the neutral recipe on the blend that is written.
        tuned: counts of the pipeline that is written.
        cross_fitted: the same, each group's by the pipeline chosen without its fold; None without folds.
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


def apply_verdict(task: Task, verdict: Verdict) -> Losses:
    """Apply the verdict's pipelines, and those of its steps, to all tiles."""
    _, index = index_groups(task.groups)
    folds = task.crossfit.folds
    final, *per_fold = verdict.kept.pipelines
    default = Pipeline(final.blend)
    pairs = {step.name: (step.rival.pipelines[0], step.fit.pipelines[0]) for step in verdict.steps}

    def count(numbered: tuple[int, Sample]) -> tuple[np.ndarray, np.ndarray]:
        """Return intersection and union of three masks, (3, 2), and objects and those that steps lose, (1 + steps,)."""
        number, (maps, truth) = numbered
        masks: dict[str, np.ndarray] = {}

        def make_mask(pipeline: Pipeline) -> np.ndarray:
            key = json.dumps(pipeline.describe())
            if key not in masks:
                masks[key] = pipeline.mask(pipeline.blend.mix(maps))
            return masks[key]

        chosen = final if folds is None else per_fold[folds[index[number]]]
        overlaps = [((mask & truth).sum(), (mask | truth).sum()) for mask in map(make_mask, (default, final, chosen))]
        objects, labels = cv2.connectedComponents(truth.astype(np.uint8), connectivity=4)
        losses = [
            len(np.setdiff1d(labels[make_mask(before) & truth], labels[make_mask(after) & truth]))
            for before, after in pairs.values()
        ]
        return np.array(overlaps), np.array([objects - 1, *losses])

    tiles = task.progress(enumerate(task.samples), "applying what was chosen", len(task.samples))
    columns, objects = [], np.zeros(1 + len(pairs), np.int64)
    for overlaps, losses in map_threads(count, tiles):
        columns.append(count_pixels(*overlaps.T))
        objects += losses
    counts = Counts.from_tiles(task.groups, columns)
    lost = dict(zip(pairs, objects[1:].tolist(), strict=True))
    return Losses(counts[0], counts[1], counts[2] if folds is not None else None, int(objects[0]), lost)
