"""How a run scores on its validation tiles, section by section, and beside another run."""

from collections.abc import Sequence

import numpy as np

from ensemble.mapfolder.samples import RunSamples
from ensemble.statistics.counts import Counts, count_pixels
from ensemble.statistics.estimates import LEVEL, draw_groups, find_interval
from ensemble.statistics.metrics import METRICS, MetricName
from members.common.progress import Progress, silent
from members.common.tables import ResultTable
from members.common.workers import Threads
from postproc.pipeline.pipeline import Pipeline
from postproc.search.exact import search_kernels
from postproc.tuning.fits import BlendedTiles
from postproc.webpage import charts
from postproc.webpage.measures import (
    TileMeasures,
    bin_doubts,
    calibrate_bins,
    count_curve,
    find_by_size,
    score_groups,
)
from postproc.webpage.page import Section

COMPARED: tuple[MetricName, ...] = ("pooled_iou", "mean_iou", "dice")


def tell_scores(
    samples: RunSamples, pipeline: Pipeline, tiles: Sequence[TileMeasures], progress: Progress = silent
) -> list[Section]:
    """Tell how the run scores: over the threshold and kernels, calibration, groups, and sizes of buildings."""
    curve = Section("Threshold", "Every threshold on the blended maps, without closing, opening or areas, in sample.")
    words = "pooled IoU over the threshold; the cut of calibrated maps lies at IoU/(1 + IoU)"
    curve.add_chart(
        charts.draw_threshold(count_curve(tiles, samples.groups), pipeline.recipe.threshold, "pooled_iou"), words
    )
    kernels = Section("Closing and opening", "The best of all thresholds, orders and shapes in each cell, in sample.")
    grid = search_kernels(BlendedTiles(samples, pipeline.blend), samples.groups, progress=progress, workers=Threads())
    words = "gain over the neutral recipe, points of pooled IoU, by the kernels of closing and opening; framed: chosen"
    kernels.add_chart(charts.draw_kernels(grid, "pooled_iou", pipeline.recipe), words)
    calibration = Section(
        "Calibration", "How often pixels of a probability are building; on the diagonal it is what it says."
    )
    calibration.add_chart(
        charts.draw_calibration(calibrate_bins(tiles)), "share of building pixels over the probability"
    )
    groups = Section("Groups", "Masks as the run makes them now; in sample as far as it was tuned on these tiles.")
    found, most = score_groups(tiles, samples.groups), charts.MOST_GROUPS
    if len(found) > most:
        groups.add_notes([f"the {most // 2} worst and the {most // 2} best of {len(found)} groups"])
    groups.add_chart(charts.draw_groups_scores(found), "pooled IoU and building F1 of each group")
    truth = (
        "True buildings are the components of the masks: houses that touch are one."
        if samples.labels is None
        else f"True buildings are those of {samples.labels.name}."
    )
    sizes = Section("Sizes", truth)
    sizes.add_chart(charts.draw_sizes(find_by_size(tiles)), "share of true buildings that are found, by their area")
    doubts = []
    if bins := bin_doubts(tiles):
        doubts = [Section("Uncertainty", "How often pixels are wrong where views and members disagree.")]
        doubts[0].add_chart(charts.draw_doubts(bins), "share of wrong pixels over their standard deviation")
    return [curve, kernels, calibration, *doubts, groups, sizes]


def compare_runs(
    names: tuple[str, str], groups: Sequence[str], tiles: tuple[Sequence[TileMeasures], Sequence[TileMeasures]]
) -> Section:
    """Compare two runs on the same tiles, with intervals over their groups."""
    found = [
        Counts.from_tiles(groups, [count_pixels(np.array(tile.intersection), np.array(tile.union)) for tile in own])
        for own in tiles
    ]
    draws = draw_groups(len(found[0].groups))
    section = Section(
        f"Against {names[1]}", "Masks as each run makes them; both in sample as far as they were tuned here."
    )
    rows = []
    for metric in COMPARED:
        here, there = (float(each.score(metric)) for each in found)
        low, high = find_interval(found[0].score(metric, draws) - found[1].score(metric, draws), len(found[0].groups))
        rows.append(
            (METRICS[metric].label, f"{here:.4f}", f"{there:.4f}", f"{here - there:+.4f}", f"{low:+.4f} .. {high:+.4f}")
        )
    header = (
        "score",
        *names,
        "difference",
        f"{LEVEL:.0%} interval over groups",
    )
    section.add_table(ResultTable("both runs", header, rows))
    return section
