"""What was chosen, applied to the tiles one at a time and plainly: its scores, and the true objects that it loses.

The scores in tuned.json come from here, not from the search.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from ensemble.selection.blend import Blend
from ensemble.statistics.counts import Counts, TileCounts, count_pixels, index_groups
from postproc.pipeline.pipeline import Pipeline
from postproc.tuning.errors import KINDS, Errors, count_errors
from postproc.tuning.fits import Task
from postproc.tuning.known import recall
from postproc.tuning.margin import Margin, count_beyond, measure_pixel
from postproc.tuning.units import Unit, list_units
from postproc.tuning.verdict import Verdict


@dataclass(frozen=True)
class Losses:
    """What the chosen pipelines do to the tiles.

    Attributes:
        default: counts of the neutral recipe on the blend that is written.
        tuned: counts of the pipeline that is written.
        cross_fitted: the same, each group's by the pipeline chosen without its fold of the first deal; None
            without folds.
        objects: how many objects the truth holds, 4-connected in each tile.
        lost: step -> how many of them it leaves without a pixel of the mask that had one before.
        errors: what the pipeline that is written gets wrong.
        margin: of the outlines of the cross-fitted masks; None without folds.
    """

    default: Counts
    tuned: Counts
    cross_fitted: Counts | None
    objects: int
    lost: Mapping[str, int]
    errors: Errors
    margin: Margin | None = None

    def find_share(self, step: str) -> float:
        """Return the share of true objects that a step loses, 0 to 1."""
        return self.lost[step] / self.objects


def apply_verdict(task: Task, verdict: Verdict) -> Losses:
    """Apply the verdict's pipelines, and those of its steps, to all tiles."""
    _, index = index_groups(task.groups)
    folds = None if task.crossfit.folds is None else task.crossfit.folds[0]
    final, *per_fold = verdict.kept.pipelines
    default = Pipeline(final.blend)
    pairs = {step.name: (step.rival.pipelines[0], step.fit.pipelines[0]) for step in verdict.steps}

    samples, frames, units = task.samples, task.frames, list_units(task)

    def count(unit: Unit) -> list[tuple[TileCounts, TileCounts, np.ndarray]]:
        """Count each tile of a unit: three masks; outlines; errors by kind, true objects and lost, (5 + steps,)."""
        tiles = unit.read(samples)
        drawn: list[tuple[Pipeline, list[np.ndarray]]] = []
        mixed: list[tuple[Blend, list[np.ndarray]]] = []

        def mix(blend: Blend) -> list[np.ndarray]:
            return recall(mixed, blend, lambda: unit.blend(samples, blend))

        def draw(pipeline: Pipeline) -> list[np.ndarray]:
            return recall(drawn, pipeline, lambda: unit.draw(pipeline, mix(pipeline.blend)))

        counted: list[tuple[TileCounts, TileCounts, np.ndarray]] = []
        for position, (number, (_, truth)) in enumerate(zip(unit.numbers, tiles, strict=True)):
            chosen = final if folds is None else per_fold[folds[index[number]]]
            masks = [draw(pipeline)[position] for pipeline in (default, final, chosen)]
            columns = count_pixels(*np.array([((mask & truth).sum(), (mask | truth).sum()) for mask in masks]).T)
            objects, labels = cv2.connectedComponents(truth.astype(np.uint8), connectivity=4)
            met = {
                name: [find_met(labels, objects, draw(pipeline)[position]) for pipeline in pair]
                for name, pair in pairs.items()
            }
            losses = [np.count_nonzero(before & ~after) for before, after in met.values()]
            metres = measure_pixel(frames[number]) if frames else None
            beyond = count_beyond(masks[2], truth, metres)
            counted.append((columns, beyond, np.array([*count_errors(masks[1], truth), objects - 1, *losses])))
        return counted

    columns: dict[int, TileCounts] = {}
    outlines: dict[int, TileCounts] = {}
    sums = np.zeros(len(KINDS) + 1 + len(pairs), np.int64)
    found = task.progress(task.workers.map(count, units), "applying what was chosen", len(units))
    for unit, counted in zip(units, found, strict=True):
        for number, (own, beyond, losses) in zip(unit.numbers, counted, strict=True):
            columns[number], outlines[number] = own, beyond
            sums += losses
    counts = Counts.from_tiles(task.groups, (columns[number] for number in range(len(columns))))
    errors = Errors(dict(zip(KINDS, sums.tolist(), strict=False)))
    objects, *lost = sums[len(KINDS) :].tolist()
    cross_fitted = counts[2] if folds is not None else None
    margin = None
    if folds is not None:
        margin = Margin.find(Counts.from_tiles(samples.groups, (outlines[number] for number in range(len(outlines)))))
    return Losses(counts[0], counts[1], cross_fitted, objects, dict(zip(pairs, lost, strict=True)), errors, margin)


def find_met(labels: np.ndarray, objects: int, mask: np.ndarray) -> np.ndarray:
    """Tell which objects share a pixel with a mask.

    Args:
        labels: int (h, w), 0 = background, the others less than `objects`.
        objects: how many labels there are, 0 among them.
        mask: bool (h, w).

    Returns:
        bool (objects,), False for the background.
    """
    met = np.zeros(objects, bool)
    met[labels[mask]] = True
    met[0] = False
    return met
