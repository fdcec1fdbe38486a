"""The command that tells all of a run on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from members.common.console import DATA, JSON, print_result, run_command, track
from members.common.errors import InputError
from members.common.files import check_target
from members.common.workers import Threads

if TYPE_CHECKING:
    from ensemble.mapfolder.samples import RunSamples
    from members.data.run import Run
    from postproc.pipeline.pipeline import Pipeline
    from postproc.reporting.gallery import Card
    from postproc.reporting.measures import TileMeasures
    from postproc.reporting.page import Page, Section


def report(
    run: Annotated[Path, typer.Option(help="The run to tell of.")],
    data: Annotated[Path | None, DATA] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Another run on the same validation tiles, to compare with.")
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="HTML", help="Default: RUN/report/index.html.")] = None,
    json: Annotated[bool, JSON] = False,
) -> None:
    """Tell all of a run on one page: an HTML file that needs no network and no server.

    The verdict and what to do next; members and blend; the steps of tuning, kept and refused, with why; the score over
    the threshold; closing and opening; how far maps are calibrated; scores by group and by size of building; the worst,
    median and best tiles, layer by layer; and how it was made. Of stages that were not run there is nothing.
    """
    from members.data.run import Run
    from postproc.reporting.page import write_page

    source = Run(run)
    target = output or source.report_folder / "index.html"
    if output is not None:
        check_target(output, (".html",))
    page = make_page(source, data, None if against is None else Run(against))
    write_page(target, page)
    content = {"verdict": page.verdict, "written": str(target)}
    print_result(json, content, page.verdict, f"written: {target}, {target.stat().st_size / 1e6:.1f} MB")


def make_page(run: Run, data: Path | None, against: Run | None = None) -> Page:
    """Make the page of a run.

    Raises:
        InputError: there is no run, it has no maps of its validation tiles, its data are not where they were, or a file
            of a stage is damaged.
    """
    from postproc.reporting.page import Page
    from postproc.reporting.story import (
        read_histories,
        read_stage,
        tell_blend,
        tell_members,
        tell_origin,
        tell_steps,
        tell_verdict,
    )

    samples, pipeline = open_samples(run, data)
    tuned = read_stage(run.tuned_file, "run roofstack tune again")
    blended = read_stage(run.blend_file, "run roofstack blend again")
    tiles = measure(samples, pipeline)
    sections = [tell_members(run, read_histories(run))]
    sections += [tell_blend(blended)] if blended else []
    sections += [tell_steps(tuned)] if tuned else []
    sections += tell_scores(samples, pipeline, tiles)
    if against is not None:
        sections.insert(0, compare_runs(run, samples, tiles, against))
    sections.append(tell_origin(run))
    return Page(
        f"roofstack: {run.path.resolve().name}",
        tell_verdict(tuned, len(samples), len(set(samples.groups))),
        list(tuned.get("advice", ())) if tuned else ["roofstack tune, on these validation tiles"],
        sections,
        make_cards(samples, pipeline, tiles),
    )


def open_samples(run: Run, data: Path | None) -> tuple[RunSamples, Pipeline]:
    """Return a run's validation tiles, and how their maps become masks: as tuned, or by threshold 128 alone."""
    from ensemble.mapfolder.samples import RunSamples
    from postproc.pipeline.pipeline import Pipeline

    root = run.find_data(data)
    pipeline = Pipeline.of_run(run, "valid", "tuned" if run.tuned_file.is_file() else "default")
    return RunSamples(run, root, members=pipeline.blend.members), pipeline


def measure(samples: RunSamples, pipeline: Pipeline) -> list[TileMeasures]:
    """Measure a run's validation tiles behind a progress bar."""
    from postproc.reporting.measures import measure_tiles

    return measure_tiles(samples, pipeline, track)


def tell_scores(samples: RunSamples, pipeline: Pipeline, tiles: Sequence[TileMeasures]) -> list[Section]:
    """Tell how the run scores: over the threshold and kernels, calibration, groups, and sizes of buildings."""
    from postproc.reporting import charts
    from postproc.reporting.measures import calibrate_bins, count_curve, find_by_size, score_groups
    from postproc.reporting.page import Section
    from postproc.search.exact import search_kernels
    from postproc.tuning.fits import BlendedTiles

    curve = Section("Threshold", "Every threshold on the blended maps, without closing, opening or areas, in sample.")
    words = "pooled IoU over the threshold; the cut of calibrated maps lies at IoU/(1 + IoU)"
    curve.add_chart(
        charts.draw_threshold(count_curve(tiles, samples.groups), pipeline.recipe.threshold, "pooled_iou"), words
    )
    kernels = Section("Closing and opening", "The best of all thresholds, orders and shapes in each cell, in sample.")
    grid = search_kernels(BlendedTiles(samples, pipeline.blend), samples.groups, progress=track, workers=Threads())
    words = "gain over the neutral recipe in points of pooled IoU, by the kernels of closing and opening"
    kernels.add_chart(charts.draw_kernels(grid, "pooled_iou", pipeline.recipe), words)
    calibration = Section(
        "Calibration", "How often pixels of a probability are building; on the diagonal it is what it says."
    )
    calibration.add_chart(
        charts.draw_calibration(calibrate_bins(tiles)), "share of building pixels over the probability"
    )
    groups = Section("Groups", "Masks as the run makes them now; in sample as far as it was tuned on these tiles.")
    groups.add_chart(
        charts.draw_groups_scores(score_groups(tiles, samples.groups)), "pooled IoU and building F1 of each group"
    )
    truth = (
        "True buildings are the components of the masks: houses that touch are one."
        if samples.labels is None
        else f"True buildings are those of {samples.labels.name}."
    )
    sizes = Section("Sizes", truth)
    sizes.add_chart(charts.draw_sizes(find_by_size(tiles)), "share of true buildings that are found, by their area")
    return [curve, kernels, calibration, groups, sizes]


def compare_runs(run: Run, samples: RunSamples, tiles: Sequence[TileMeasures], against: Run) -> Section:
    """Compare two runs on the same validation tiles, group by group.

    Raises:
        InputError: the other run has other validation tiles.
    """
    import numpy as np

    from ensemble.statistics.counts import Counts, count_pixels
    from ensemble.statistics.estimates import LEVEL, draw_groups, find_interval
    from ensemble.statistics.metrics import METRICS
    from members.common.tables import ResultTable
    from postproc.reporting.page import Section

    others, pipeline = open_samples(against, samples.data)
    if [tile.image_id for tile in others.tiles] != [tile.image_id for tile in samples.tiles]:
        raise InputError(f"--against {against.path}: a run with other validation tiles; only the same can be compared")
    found = [
        Counts.from_tiles(
            samples.groups, [count_pixels(np.array(tile.intersection), np.array(tile.union)) for tile in own]
        )
        for own in (tiles, measure(others, pipeline))
    ]
    draws = draw_groups(len(found[0].groups))
    section = Section(
        f"Against {against.path.resolve().name}",
        "Masks as each run makes them; both in sample as far as they were tuned here.",
    )
    rows = []
    for metric in ("pooled_iou", "mean_iou", "dice"):
        here, there = (float(each.score(metric)) for each in found)
        low, high = find_interval(found[0].score(metric, draws) - found[1].score(metric, draws), len(found[0].groups))
        rows.append(
            (METRICS[metric].label, f"{here:.4f}", f"{there:.4f}", f"{here - there:+.4f}", f"{low:+.4f} .. {high:+.4f}")
        )
    header = (
        "score",
        run.path.resolve().name,
        against.path.resolve().name,
        "difference",
        f"{LEVEL:.0%} interval over groups",
    )
    section.add_table(ResultTable("both runs", header, rows))
    return section


def make_cards(samples: RunSamples, pipeline: Pipeline, tiles: Sequence[TileMeasures]) -> list[Card]:
    """Draw the worst, the median and the best tiles."""
    import numpy as np

    from ensemble.selection.layers import blend_sample
    from members.data.raster import read_image
    from postproc.reporting.gallery import Card, choose_tiles, paint_layers
    from postproc.reporting.panels import ImageResult

    def make(choice: tuple[int, str]) -> Card:
        number, kind = choice
        _, truth = samples[number]
        tile, measures = samples.tiles[number], tiles[number]
        values = blend_sample(samples, number, pipeline.blend)
        result = ImageResult.of_map(read_image(tile.image), truth, values, pipeline)
        words = f"{int(measures.found.sum())} of {len(measures.found)} buildings found, {measures.buildings} drawn"
        return Card(tile.image_id, tile.group, kind, measures.iou, measures.building_f1, words, paint_layers(result))

    wrong = np.array([tile.union - tile.intersection for tile in tiles])
    chosen = choose_tiles(np.array([tile.iou for tile in tiles]), wrong)
    return list(track(Threads().map(make, chosen), "pictures", len(chosen)))


if __name__ == "__main__":
    run_command(report)
