"""The command that chooses threshold, morphology, areas and weights, and says how much of the gain is real."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from members.common.choices import BUILDING_TRIALS, WEIGHT_TRIALS, KeepName, Objective
from members.common.console import DATA, JSON, SCHEDULER, print_result, run_command, track
from members.common.errors import InputError
from members.common.passwords import hide_passwords
from members.common.workers import open_workers

if TYPE_CHECKING:
    import optuna

    from ensemble.mapfolder.manifest import Manifest
    from ensemble.mapfolder.samples import RunSamples
    from ensemble.selection.blend import Blend
    from members.data.run import Run
    from postproc.study.studies import StoredStudies
    from postproc.tuning.promise import Goal
    from postproc.tuning.tuning import Tuning


def tune(
    run: Annotated[Path, typer.Option(help="The run; its maps of the part valid are what is tuned on.")],
    data: Annotated[Path | None, DATA] = None,
    objective: Annotated[
        Objective,
        typer.Option(
            help="What is maximised: IoU or Dice of all pixels, mean IoU of tiles, IoU of boundaries, or F1 of whole "
            "buildings, found at IoU 0.5."
        ),
    ] = "pooled_iou",
    tune_weights: Annotated[
        bool,
        typer.Option(
            "--tune-weights",
            help="Also search the members' weights, from 0 to 10; else RUN/blend.json's, or all alike.",
        ),
    ] = False,
    trials: Annotated[
        int | None,
        typer.Option(
            help=f"With --tune-weights: trials of each study, default {WEIGHT_TRIALS}; with building_f1 "
            f"{BUILDING_TRIALS}. With neither: try only the N simplest of the 225 kernel settings, default all.",
            min=1,
            metavar="N",
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Where the studies are: a journal file, sqlite:///FILE or postgresql://USER@HOST/DATABASE (password "
            "in ~/.pgpass). Default: RUN/study.journal.",
            metavar="ADDRESS",
        ),
    ] = None,
    cross_fit: Annotated[
        bool, typer.Option("--cross-fit/--no-cross-fit", help="Score every choice on groups it was not made on.")
    ] = True,
    keep: Annotated[
        KeepName,
        typer.Option(
            help="How sure it has to be that a step helps on new groups: likely, a chance of 90 % or more, or proven, "
            "the whole 90 % interval of its gain above 0."
        ),
    ] = "likely",
    promise: Annotated[
        str | None,
        typer.Option(
            metavar="MEASURE=SHARE",
            help="recall=0.9 or precision=0.9: choose the threshold that keeps it on new places, whatever it costs.",
        ),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(help="How sure --promise is to hold, such as 0.9; without it, it holds on average."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With building_f1: outlines of the true buildings, any vector file; default: buildings.gpkg, "
            ".geojson, .parquet or .fgb of the data set, else the masks' components.",
        ),
    ] = None,
    scheduler: Annotated[str | None, SCHEDULER] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be tuned and about how long that takes; write nothing.")
    ] = False,
    json: Annotated[bool, JSON] = False,
) -> None:
    """Tune threshold, closing, opening, minimum areas, blend weights and outlines; keep only the steps that pay.

    The steps are nested: threshold; and closing and opening, all 225 settings of order, kernel shape and sizes
    with all 255 thresholds, exactly; and holes to fill and objects to drop, exactly on top of the best ten
    kernel settings; and, with --tune-weights, the members' weights, by an Optuna study; and outlines with straight
    walls, drawn as masks again, on top of the steps kept so far and at thresholds near theirs.

    Each step is chosen on all tiles, and again on four fifths of the groups to be scored on the last fifth. It
    is kept where that cross-fitted gain is likely to be one on new groups too, and RUN/tuned.json holds the recipe of
    the kept steps. Of too few groups nobody can tell, and no step is kept. Plots go to RUN/report.

    With --objective building_f1 the steps are others: threshold; and minimum areas; and splits of buildings that
    touch, the last two by Optuna studies, which end early what is surely worse. Buildings are outlined as submit
    does: tiles of a group that touch are joined, so that a building on a border counts once, and whole; how they fare
    tile by tile is told beside it. It draws the CSV from them, too: there the splits are lost.

    With --promise RUN/tuned.json holds a threshold that keeps it, all members alike, and no other step; the table says
    what is given up for it. It rests on new places being drawn like the groups here; a share of 0.9 takes nine of them.

    Several tune commands may share one storage, and one that was killed goes on with its trials when started
    again. Kernel settings and weights are trials that optuna-dashboard shows; areas are not.
    """
    from ensemble.mapfolder.manifest import trace_maps
    from ensemble.mapfolder.raster import map_path
    from ensemble.mapfolder.samples import RunSamples
    from ensemble.selection.blend import read_weights
    from members.data.frames import read_frame
    from members.data.run import Run

    target = Run(run)
    if tune_weights and objective == "building_f1":
        raise InputError("--objective building_f1 searches no weights, RUN/blend.json's count; drop --tune-weights")
    goal = read_goal(promise, confidence)
    if labels is not None and objective != "building_f1":
        raise InputError(f"--labels {labels}: pixels are scored by masks; give --objective building_f1 with it")
    samples = RunSamples(target, target.find_data(data), labels=labels)
    given = read_weights(target, samples.manifests)
    if tune_weights and len(samples.members) < 2:
        raise InputError(
            f"{target.part_folder('valid')}: maps of {len(samples.members)} member; --tune-weights takes two"
        )
    where = target.study_file if storage is None else storage
    if dry_run:
        cheap = not tune_weights and objective != "building_f1"
        options = {"blend": given, "objective": objective, "cross_fit": cross_fit, "keep": keep, "trials": trials}
        rehearse(samples, options if cheap else None, hide_passwords(str(where)), json)
        return
    truth = samples.labels if objective == "building_f1" else None
    open_studies = plan_studies(target, where, fingerprint_maps(samples.manifests, given, samples.groups, truth))
    target.open_log()
    from postproc.tuning.tuning import tune_pipeline  # only now, as it takes a while to load

    with open_workers(scheduler) as workers:
        kept = None
        if goal is not None:
            from postproc.tuning.promise import make_promise  # only now: it loads all of SciPy's distributions

            kept = make_promise(samples, goal, progress=track, workers=workers)
        tuning = tune_pipeline(
            samples,
            blend=given,
            objective=objective,
            tune_weights=tune_weights,
            trials=trials,
            cross_fit=cross_fit,
            keep=keep,
            studies=open_studies,
            progress=track,
            frames=[read_frame(map_path(samples.folder / samples.members[0], tile.image_id)) for tile in samples.tiles],
            workers=workers,
        )
        study = record_study(tuning, open_studies)
        draw_plots(tuning, study, target.report_folder)
    rest = tuning.describe() | {"study": study.study_name, "maps": trace_maps(samples.manifests)}
    pipeline, words = tuning.pipeline, tuning.remarks
    if kept is not None:
        del rest["margin"], rest["joined"]  # they are of the steps
        pipeline, words = kept.pipeline, [f"{kept}; it stands in place of the steps above"]
        rest["promise"] = kept.describe()
    pipeline.save(target.tuned_file, **rest)
    target.log_command()
    print_result(
        json,
        pipeline.describe() | rest,
        tuning.tabulate(),
        *words,
        *(f"next: {sentence}" for sentence in tuning.advice),
        f"study of {len(study.trials)} trials: {study.study_name} in {hide_passwords(str(where))}",
        f"plots: {target.report_folder}",
        f"written: {target.tuned_file}, {pipeline}",
        f"all of it on one page: roofstack report --run {run}",
        f"next: roofstack submit --run {run} --part test: masks, and outlines, by what is written here",
    )


def rehearse(samples: RunSamples, options: Mapping[str, Any] | None, where: str, as_json: bool) -> None:
    """Print what would be tuned, and about how long it takes, where no study makes that hard to tell."""
    from members.common.progress import tell_time
    from postproc.tuning.rehearsal import MORE, estimate_tuning

    seconds = None if options is None else estimate_tuning(samples, **options)
    groups = len(set(samples.groups))
    lines = [f"{len(samples)} tiles in {groups} groups, maps of {', '.join(samples.members)}; studies in {where}"]
    if options is None:
        lines.append("how long its studies take depends on what they find; --trials bounds them")
    elif seconds is None:
        lines.append("no time can be told: too few tiles, or none of those tried has a building")
    else:
        lines.append(f"about {tell_time(seconds)} on this machine, by {MORE} of the tiles")
    lines.append("nothing is tuned or written: --dry-run")
    content = {"dry_run": True, "tiles": len(samples), "groups": groups, "members": list(samples.members)}
    print_result(as_json, content | {"seconds": seconds}, *lines)


def read_goal(promise: str | None, confidence: float | None) -> Goal | None:
    """Read what is to be promised.

    Raises:
        InputError: it cannot be, or there is a confidence without a promise.
    """
    if promise is None:
        if confidence is not None:
            raise InputError(f"--confidence {confidence:g}: of what? give --promise recall=0.9 or precision=0.9 too")
        return None
    from postproc.tuning.promise import Goal

    return Goal.parse(promise, confidence)


def plan_studies(run: Run, storage: Path | str, maps: str) -> functools.partial[StoredStudies]:
    """Return what opens the studies of a run; before anything else is done a server has to answer, or a file to fit.

    Raises:
        InputError: it does not, or the address is none.
    """
    from postproc.study.storage import Address
    from postproc.study.studies import StoredStudies

    address = Address(storage)
    address.reach()
    open_studies = functools.partial(
        StoredStudies, address, run.path.resolve().name, run.read_record().fingerprint, maps
    )
    if address.path is not None and address.path.exists():
        open_studies()  # which refuses one of other data
    return open_studies


def record_study(tuning: Tuning, open_studies: functools.partial[StoredStudies]) -> optuna.Study:
    """Record what was searched exactly as trials, and return the study of all groups."""
    from postproc.study.kernel_study import record_grid

    studies = open_studies()
    if tuning.grid is None:
        return studies.find(str(tuning.study))
    study = record_grid(studies, tuning.grid, tuning.objective)
    return study if tuning.study is None else studies.find(tuning.study)


def fingerprint_maps(
    manifests: Mapping[str, Manifest], blend: Blend, groups: Sequence[str], labels: Path | None = None
) -> str:
    """Return eight hexadecimal digits of what is tuned on: weights, views, images and split of maps, blend, groups.

    True buildings belong to it where they come from a file of outlines, `labels`.
    """
    from ensemble.mapfolder.manifest import hash_json, trace_maps
    from members.common.files import hash_file

    truth = [] if labels is None else [hash_file(labels)]
    return hash_json([trace_maps(manifests), blend.describe(), sorted(groups), *truth], size=4)


def draw_plots(tuning: Tuning, study: optuna.Study, folder: Path) -> None:
    """Write the plots; those of a former tuning, by another objective, go."""
    from postproc.pipeline.recipe import FLAT_STEPS, Recipe
    from postproc.reporting.figures import save_figure
    from postproc.reporting.plots import plot_gains, plot_importance, plot_step, plot_thresholds

    save_figure(plot_gains(tuning.verdict.steps, tuning.objective), folder / "gains.png")
    step = FLAT_STEPS[0]
    if tuning.grid is None:
        for name in ("threshold", step.label, "importance"):
            (folder / f"{name}.png").unlink(missing_ok=True)
        return
    chosen, blend = tuning.pipeline, tuning.verdict.steps[0].fit.blends[0]
    curves = {"threshold alone, blend as given": tuning.grid.counts[0]}
    first = label = next(iter(curves))
    if chosen.recipe != Recipe(threshold=chosen.recipe.threshold) or chosen.blend != blend:
        label = "chosen recipe"
        curves[label] = tuning.trace_curve(chosen)
    thresholds = plot_thresholds(curves, first, (label, chosen.recipe.threshold), tuning.objective)
    save_figure(thresholds, folder / "threshold.png")
    save_figure(plot_step(tuning.grid, step, tuning.objective, chosen.recipe), folder / f"{step.label}.png")
    save_figure(plot_importance(study), folder / "importance.png")


if __name__ == "__main__":
    run_command(tune)
