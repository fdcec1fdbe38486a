"""The command that chooses threshold, morphology, areas and weights, and says how much of the gain is real."""

import contextlib
import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import optuna
import typer

from ensemble.mapfolder.maps import Manifest
from ensemble.mapfolder.valid import read_valid
from ensemble.selection.blend import Blend, read_weights
from ensemble.statistics.counts import index_groups
from ensemble.statistics.crossfit import CrossFit, pool_groups
from ensemble.statistics.metrics import Objective
from members.common.console import make_progress, run_command, stdout, track
from members.common.errors import InputError
from members.common.files import write_json
from members.data.run import Run
from postproc.pipeline.recipe import NEUTRAL_THRESHOLD, Recipe
from postproc.reporting.plots import plot_gains, plot_importance, plot_kernels, plot_thresholds
from postproc.search.curve import trace_recipe
from postproc.search.exact import Choice, Grid, search_kernels
from postproc.study.audit import audit_verdict
from postproc.study.building_steps import TRIALS, fit_thresholds, judge_buildings, open_last, read_counter
from postproc.study.outcome import describe_choice, describe_verdict, print_verdict
from postproc.study.outline_search import fit_outlines
from postproc.study.source import Source
from postproc.study.steps import Fit, find_weights, fit_areas, fit_blends, fit_grid, make_fit
from postproc.study.storage import Address
from postproc.study.trials import DISTRIBUTIONS, Studies, record_grid
from postproc.study.verdict import Verdict, add_step, deal_folds, judge_steps
from postproc.study.weights import Stack, list_ranges
from postproc.submit import describe_blend

WEIGHT_TRIALS = 200


def tune(
    data: Annotated[Path, typer.Option(help="The data set of the run.")],
    run: Annotated[Path, typer.Option(help="The run; its maps of the part valid are what is tuned on.")],
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
            help=f"With --tune-weights: trials of each study, default {WEIGHT_TRIALS}; with building_f1 {TRIALS}. With "
            "neither: try only the N simplest of the 225 kernel settings, default all.",
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
) -> None:
    """Tune threshold, closing, opening, minimum areas, blend weights and outlines; keep only the steps that pay.

    The steps are nested: threshold; and closing and opening, all 225 settings of order, kernel shape and sizes
    with all 255 thresholds, exactly; and holes to fill and objects to drop, exactly on top of the best ten
    kernel settings; and, with --tune-weights, the members' weights, by an Optuna study; and outlines with straight
    walls, drawn as masks again, on top of the steps kept so far and at thresholds near theirs.

    Each step is chosen on all tiles, and again on four fifths of the groups to be scored on the last fifth. It
    is kept where the lower end of the 90 % bootstrap interval of that cross-fitted gain is above 0, and
    RUN/tuned.json holds the recipe of the kept steps. Plots go to RUN/report.

    With --objective building_f1 the steps are others: threshold; and minimum areas; and splits of buildings that
    touch, the last two by Optuna studies, which end early what is surely worse. Buildings are outlined as submit
    does, tile by tile where it joins tiles that touch. It draws the CSV from them, too: there the splits are lost.

    Several tune commands may share one storage, and one that was killed goes on with its trials when started
    again. Kernel settings and weights are trials that optuna-dashboard shows; areas are not.
    """
    place = Run(run)
    if tune_weights and objective == "building_f1":
        raise InputError("--objective building_f1 searches no weights, RUN/blend.json's count; drop --tune-weights")
    manifests, tiles, sizes = read_valid(place, data)
    given = read_weights(place, list(manifests))
    if tune_weights and len(manifests) < 2:
        raise InputError(f"{place.part_folder('valid')}: maps of {len(manifests)} member; --tune-weights takes two")
    groups = tuple(pool_groups([tile.group for tile in tiles]))
    source = Source(place.part_folder("valid"), tuple(manifests), tuple(tiles), sizes, groups, given.tables)
    names, _ = index_groups(groups)
    crossfit = deal_folds(names) if cross_fit else CrossFit(len(names), None)
    address = Address(storage or place.study_file)
    address.reach()

    keeps = crossfit.training_masks
    maps = fingerprint_maps(manifests, given, groups)
    open_studies = functools.partial(Studies, address, place.path.resolve().name, place.read_record().fingerprint, maps)
    plots = place.report_folder
    if objective == "building_f1":
        verdict, study = tune_buildings(source, given, open_studies, keeps, crossfit, trials or TRIALS)
        plot_gains(verdict.steps, objective, plots / "gains.png")
    else:
        verdict, study, kernels = tune_pixels(
            source, given, open_studies, objective, keeps, crossfit, tune_weights, trials
        )
        draw_plots(source, kernels, verdict, study, objective, plots)
    audit = audit_verdict(source, verdict, crossfit)
    write_json(place.tuned_file, describe_verdict(verdict, source.tables, audit, objective, study.study_name))
    place.log_command()
    print_verdict(verdict, audit, objective, len(tiles), len(names))
    kept = verdict.kept
    stdout.print(f"study of {len(study.trials)} trials: {study.study_name} in {address}")
    stdout.print(f"plots: {plots}")
    stdout.print(f"written: {place.tuned_file}, {describe_blend(kept.weights)}, {describe_choice(kept.full)}")


def tune_pixels(
    source: Source,
    given: Mapping[str, int],
    open_studies: Callable[[], Studies],
    objective: Objective,
    keeps: Sequence[np.ndarray],
    crossfit: CrossFit,
    tune_weights: bool,
    trials: int | None,
) -> tuple[Verdict, optuna.Study, Grid]:
    """Judge threshold, morphology, areas, weights and outlines by a score of pixels.

    Args:
        source: the tiles.
        given: the blend as given.
        open_studies: opens the storage, as soon as the tiles are known to be good.
        objective, tune_weights, trials: as for `tune`.
        keeps, crossfit: the training masks, and whose they are.
    """
    grid = search_kernels(source.read(given, "exact search"), source.groups, objective)
    kernels = grid if tune_weights else grid.take(range(len(grid.recipes))[:trials])
    studies = open_studies()
    study = studies.open(objective, DISTRIBUTIONS)
    record_grid(studies, study, kernels, objective)
    fits = {
        "threshold": fit_grid(kernels.take([0]), given, objective, keeps),
        "morphology": fit_grid(kernels, given, objective, keeps),
        "areas": make_fit(fit_areas(source, given, kernels, objective, keeps), [given] * len(keeps)),
    }
    if tune_weights:
        found = search_weights(source, given, studies, kernels, objective, keeps, trials or WEIGHT_TRIALS)
        fits["weights"] = fit_blends(source, found, objective, keeps)
        study = studies.open(f"{objective}-weights", list_ranges(given))
    verdict = judge_steps(take_neutral(kernels, given, objective, len(keeps)), fits, crossfit, objective)
    drawn = fit_outlines(source, verdict.kept, objective, keeps)
    return add_step(verdict, "outlines", drawn, crossfit, objective), study, kernels


def tune_buildings(
    source: Source,
    given: Mapping[str, int],
    open_studies: Callable[[], Studies],
    keeps: Sequence[np.ndarray],
    crossfit: CrossFit,
    budget: int,
) -> tuple[Verdict, optuna.Study]:
    """Judge threshold, areas and splits by the F1 of buildings; the arguments are as for `tune_pixels`."""
    counter = read_counter(source, given)
    thresholds = fit_thresholds(counter, keeps)
    studies = open_studies()
    with show_trials(budget) as report:
        verdict = judge_buildings(counter, given, thresholds, studies, keeps, crossfit, budget, report)
    return verdict, open_last(studies)


def fingerprint_maps(manifests: Mapping[str, Manifest], blend: Blend, groups: Sequence[str]) -> str:
    """Eight hexadecimal digits of what is tuned on: weights, views, images and split of the maps, blend and groups."""
    maps = {name: manifest.model_dump() for name, manifest in sorted(manifests.items())}
    tables = [blend.describe()["tables"]] if blend.tables else []
    content = json.dumps([maps, sorted(blend.items()), sorted(groups), *tables], sort_keys=True)
    return hashlib.blake2b(content.encode(), digest_size=4).hexdigest()


def take_neutral(grid: Grid, weights: Mapping[str, int], objective: Objective, choices: int) -> Fit:
    """The neutral recipe as what each of the choices would be."""
    counts = grid.counts[0, NEUTRAL_THRESHOLD - 1]
    return make_fit([Choice(Recipe(), float(counts.score(objective)), counts)] * choices, [weights] * choices)


def search_weights(
    source: Source,
    given: Mapping[str, int],
    studies: Studies,
    kernels: Grid,
    objective: Objective,
    keeps: Sequence[np.ndarray],
    budget: int,
) -> list[tuple[int, ...]]:
    """Find blend weights, behind a progress bar for each study."""
    maps = [source.read_maps(tile) for tile in track(source.tiles, "reading maps", len(source.tiles))]
    stack = Stack(maps, [source.read_truth(tile) for tile in source.tiles], source.groups, objective)
    with show_trials(budget) as report:
        return find_weights(given, stack, studies, kernels, keeps, budget, report)


@contextlib.contextmanager
def show_trials(budget: int) -> Iterator[Callable[[str, int], None]]:
    """Show a progress bar for each study; what is given is told a study's kind and how many trials it has."""
    with make_progress() as progress:
        tasks: dict[str, Any] = {}

        def report(kind: str, count: int) -> None:
            if kind not in tasks:
                tasks[kind] = progress.add_task(kind, total=budget, note="")
            progress.update(tasks[kind], completed=count)

        yield report


def draw_plots(
    source: Source, kernels: Grid, verdict: Verdict, study: optuna.Study, objective: Objective, folder: Path
) -> None:
    """Write the four plots."""
    weights, recipe = verdict.kept.weights, verdict.kept.full.recipe
    curves = {"threshold alone, blend as given": kernels.counts[0]}
    first = label = next(iter(curves))
    if recipe != Recipe(threshold=recipe.threshold) or weights != verdict.steps[0].fit.weights:
        label = "chosen recipe"
        curves[label] = trace_recipe(source, weights, recipe, objective)
    plot_thresholds(curves, first, (label, recipe.threshold), objective, folder / "threshold.png")
    plot_kernels(kernels, objective, recipe, folder / "kernels.png")
    plot_gains(verdict.steps, objective, folder / "gains.png")
    plot_importance(study, folder / "importance.png")


if __name__ == "__main__":
    run_command(tune)
