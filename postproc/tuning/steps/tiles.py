"""The step of tiles' own thresholds: for the mean of per-tile IoU one threshold for all is not the best."""

import functools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ensemble.selection.blend import Blend
from ensemble.selection.calibration import fit_isotonic
from ensemble.statistics.counts import Counts, TileCounts, index_groups
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.tile_cut import TileCut
from postproc.tuning.fits import BlendedTiles, Fit, Task
from postproc.tuning.known import recall
from postproc.tuning.steps.outlines import count_mask


def fit_tile_cuts(task: Task, kept: Fit) -> Fit:
    """Give what the last kept step has chosen for each mask a cut of each tile's own, calibrated on that mask's groups.

    Args:
        task: what is tuned on, and for.
        kept: of the last kept step.
    """
    _, index = index_groups(task.groups)
    pipelines = [
        replace(pipeline, tile_cut=TileCut(table=table))
        for pipeline, table in zip(kept.pipelines, calibrate_masks(task, kept, index), strict=True)
    ]
    choices = []
    for choice, counts, pipeline, mask in zip(
        kept.choices, count_pipelines(task, pipelines), pipelines, task.crossfit.training_masks, strict=False
    ):
        score = float(counts.score(task.objective, mask))
        choices.append(replace(choice, score=score, counts=counts, tile_cut=pipeline.tile_cut))
    return Fit(tuple(choices), kept.blends)


def calibrate_masks(task: Task, kept: Fit, index: np.ndarray) -> list[tuple[float, ...]]:
    """Fit for each mask how often a pixel of each value of a blended map is building, on the mask's groups."""

    counted: list[tuple[Blend, np.ndarray]] = []
    tables = []
    for blend, mask in zip(kept.blends, task.crossfit.training_masks, strict=False):
        own = recall(counted, blend, functools.partial(count_values, task, blend))
        buildings, others = own[mask[index]].sum(axis=0)
        fitted = fit_isotonic(buildings[1:], others[1:])
        lowest = min(buildings[0] / max(buildings[0] + others[0], 1), fitted[0])
        tables.append(tuple(np.append(lowest, fitted).round(6).tolist()))
    return tables


def count_values(task: Task, blend: Blend) -> np.ndarray:
    """Count the building and other pixels of every value of the tiles' blended maps, int (tiles, 2, 256)."""
    tiles = BlendedTiles(task.samples, blend)

    def count(number: int) -> np.ndarray:
        values, truth = tiles[number]
        return np.stack([np.bincount(values[which], minlength=256) for which in (truth, ~truth)])

    return np.stack(list(task.workers.map(count, range(len(tiles)))))


def count_pipelines(task: Task, pipelines: Sequence[Pipeline]) -> list[Counts]:
    """Count the masks of pipelines; those that cut a tile alike are applied to it once."""
    samples = task.samples

    def count(number: int) -> list[TileCounts]:
        maps, truth = samples[number]
        mixed: list[tuple[Blend, np.ndarray]] = []
        known: list[tuple[Pipeline, TileCounts]] = []

        def count_one(pipeline: Pipeline) -> TileCounts:
            values = recall(mixed, pipeline.blend, lambda: pipeline.blend.mix(maps))
            settled = pipeline.settle(values)
            return recall(known, settled, lambda: count_mask(settled.cut(values), truth, task.objective))

        return [count_one(pipeline) for pipeline in pipelines]

    found = task.progress(task.workers.map(count, range(len(samples))), "tiles' own thresholds", len(samples))
    tiles = list(found)
    return [Counts.from_tiles(task.groups, [own[number] for own in tiles]) for number in range(len(pipelines))]
