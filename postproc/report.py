"""The command that tells all of a run on one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from members.common.console import DATA, JSON, print_result, run_command, track
from members.common.errors import InputError
from members.common.files import check_target
from members.common.workers import Threads

if TYPE_CHECKING:
    import numpy as np

    from ensemble.mapfolder.samples import RunSamples
    from members.data.run import Run
    from postproc.pipeline.pipeline import Pipeline
    from postproc.webpage.gallery import Card
    from postproc.webpage.measures import TileMeasures
    from postproc.webpage.page import Page, Section


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

    The verdict and what to do next; members and blend; what is promised; the steps of tuning, kept and refused, with
    why; the score over the threshold; closing and opening; how far maps are calibrated, and standard deviations tell
    what is wrong; scores by group and by size of building; a map of outlines; what an audit has found; how it was made;
    and the worst, median and best tiles, layer by layer. Of stages that were not run there is nothing.

    The page is of one size whatever the run's: of large ones it shows a part, and says what is left out.
    """
    from members.data.run import Run
    from postproc.webpage.page import write_page

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
    from postproc.webpage.page import Page
    from postproc.webpage.scores import tell_scores
    from postproc.webpage.story import (
        read_histories,
        read_stage,
        tell_blend,
        tell_members,
        tell_origin,
        tell_promise,
        tell_steps,
        tell_verdict,
    )

    samples, pipeline = open_samples(run, data)
    tuned = read_stage(run.tuned_file, "run roofstack tune again")
    blended = read_stage(run.blend_file, "run roofstack blend again")
    read_std = find_std(run, samples)
    tiles = measure(samples, pipeline, read_std)
    sections = [tell_members(run, read_histories(run))]
    sections += [tell_blend(blended)] if blended else []
    promise = tell_promise(tuned) if tuned else None
    sections += [promise] if promise else []
    sections += [tell_steps(tuned)] if tuned else []
    sections += tell_scores(samples, pipeline, tiles, track)
    ground, audited = tell_ground(samples, pipeline, tiles), tell_findings(run, samples, pipeline)
    sections += [section for section in (ground, audited) if section]
    if against is not None:
        sections.insert(0, compare_with(run, samples, tiles, against))
    sections.append(tell_origin(run))
    return Page(
        f"roofstack: {run.path.resolve().name}",
        tell_verdict(tuned, len(samples), len(set(samples.groups))),
        list(tuned.get("advice", ())) if tuned else ["roofstack tune, on these validation tiles"],
        sections,
        make_cards(samples, pipeline, tiles, read_std),
    )


def open_samples(run: Run, data: Path | None) -> tuple[RunSamples, Pipeline]:
    """Return a run's validation tiles, and how their maps become masks: as tuned, or by threshold 128 alone."""
    from ensemble.mapfolder.samples import RunSamples
    from postproc.pipeline.pipeline import Pipeline

    root = run.find_data(data)
    pipeline = Pipeline.of_run(run, "valid", "tuned" if run.tuned_file.is_file() else "default")
    return RunSamples(run, root, members=pipeline.blend.members), pipeline


def find_std(run: Run, samples: RunSamples) -> Callable[[int], np.ndarray | None]:
    """Return what reads a validation tile's standard deviation by its number: None of each unless all have one."""
    from ensemble.mapfolder.raster import map_path, read_map

    paths = [map_path(run.uncertainty_folder("valid"), tile.image_id) for tile in samples.tiles]
    if not all(path.is_file() for path in paths):
        return lambda number: None
    return lambda number: read_map(paths[number], samples.sizes[samples.tiles[number].image_id])


def measure(
    samples: RunSamples, pipeline: Pipeline, read_std: Callable[[int], np.ndarray | None] = lambda number: None
) -> list[TileMeasures]:
    """Measure a run's validation tiles behind a progress bar."""
    from postproc.webpage.measures import measure_tiles

    return measure_tiles(samples, pipeline, track, read_std=read_std)


def tell_ground(samples: RunSamples, pipeline: Pipeline, tiles: Sequence[TileMeasures]) -> Section | None:
    """Draw outlines, ours and the true ones, where they lie; None where no tile is georeferenced."""
    from ensemble.mapfolder.raster import map_path
    from members.data.frames import read_frame
    from postproc.webpage.page import Section
    from postproc.webpage.survey import survey

    frames = [read_frame(map_path(samples.folder / samples.members[0], tile.image_id)) for tile in samples.tiles]
    ground = survey(samples, pipeline, tiles, frames, track)
    if ground is None:
        return None
    words = (
        "Outlines as submit draws them (orange) and true ones (blue); filled is ours that is mostly no building by the "
        "labels, and true that is mostly not found. Click one to read more."
    )
    section = Section("Map", f"{words} {ground.left_out}".strip())
    section.add_ground(ground)
    return section


def tell_findings(run: Run, samples: RunSamples, pipeline: Pipeline) -> Section | None:
    """Tell what an audit of the run has found; None where none was made."""
    from ensemble.mapfolder.manifest import find_difference
    from ensemble.mapfolder.samples import read_truth
    from ensemble.selection.blend import read_blend
    from ensemble.selection.layers import split_layers
    from members.audit.tiles import list_test
    from members.data.raster import read_image
    from members.data.tiles import list_tiles
    from postproc.auditing.story import list_findings, read_audit, tell_audit

    content = read_audit(run.audit_file)
    if content is None:
        return None
    known = list_test(samples.data)
    tiles = {tile.image_id: tile for tile in list_tiles(samples.data)}
    known |= {image_id: tile.image for image_id, tile in tiles.items()}

    def read_values(image_id: str) -> np.ndarray:
        values = read_blend(samples.folder, pipeline.blend, image_id, samples.sizes[image_id])
        return split_layers(values)[0]

    outdated = any(
        find_difference(content.get("maps"), member, manifest, images=True)
        for member, manifest in samples.manifests.items()
    )
    findings = list_findings(content, run.audit_file, known.keys())
    return tell_audit(
        findings, lambda name: read_image(known[name]), lambda name: read_truth(tiles[name]), read_values, outdated
    )


def compare_with(run: Run, samples: RunSamples, tiles: Sequence[TileMeasures], against: Run) -> Section:
    """Compare two runs on the same validation tiles.

    Raises:
        InputError: the other run has other validation tiles.
    """
    from postproc.webpage.scores import compare_runs

    others, pipeline = open_samples(against, samples.data)
    if [tile.image_id for tile in others.tiles] != [tile.image_id for tile in samples.tiles]:
        raise InputError(f"--against {against.path}: a run with other validation tiles; only the same can be compared")
    names = run.path.resolve().name, against.path.resolve().name
    return compare_runs(names, samples.groups, (tiles, measure(others, pipeline)))


def make_cards(
    samples: RunSamples,
    pipeline: Pipeline,
    tiles: Sequence[TileMeasures],
    read_std: Callable[[int], np.ndarray | None],
) -> list[Card]:
    """Draw the worst, the median and the best tiles."""
    import numpy as np

    from ensemble.selection.layers import blend_sample
    from members.data.raster import read_image
    from postproc.reporting.panels import ImageResult
    from postproc.webpage.gallery import Card, choose_tiles, paint_layers

    def make(choice: tuple[int, str]) -> Card:
        number, kind = choice
        _, truth = samples[number]
        tile, measures = samples.tiles[number], tiles[number]
        values = blend_sample(samples, number, pipeline.blend)
        result = ImageResult.of_map(read_image(tile.image), truth, values, pipeline)
        words = f"{int(measures.found.sum())} of {len(measures.found)} buildings found, {measures.buildings} drawn"
        return Card(
            tile.image_id,
            tile.group,
            kind,
            measures.iou,
            measures.building_f1,
            words,
            paint_layers(result, read_std(number)),
        )

    wrong = np.array([tile.union - tile.intersection for tile in tiles])
    chosen = choose_tiles(np.array([tile.iou for tile in tiles]), wrong)
    return list(track(Threads().map(make, chosen), "pictures", len(chosen)))


if __name__ == "__main__":
    run_command(report)
