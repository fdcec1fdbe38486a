"""The command that trains members into a run."""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from members.common.choices import Precision
from members.common.console import JSON, print_result, run_command, stderr, warn
from members.common.errors import InputError
from members.common.tables import ResultTable
from members.training.networks.backend import choose_backend, describe_devices, load_backend
from members.training.options import (
    BATCH_SIZE,
    CROP,
    DRY_RUN,
    ENCODER_WEIGHTS,
    EPOCHS,
    FOLD,
    PRECISION,
    RESTART,
    TIME_BUDGET,
)
from members.training.training_set import TrainingSet, choose_labels, measure_areas, open_fold, read_pairs

SCORE = "valid IoU at 0.5"
COLUMNS = ("member", "fold", "tiles", "validated on", "epochs", "best epoch", SCORE, "minutes")

if TYPE_CHECKING:
    from members.data.run import FoldFolder, Run
    from members.data.split import Split
    from members.training.spec import MemberSpec


def train(
    members: Annotated[
        list[str],
        typer.Argument(help="Members by name, as in members/NAME.py, or scripts by their paths: ./my_unet.py."),
    ],
    data: Annotated[Path, typer.Option(help="Data set: the competition's folders, or images/ and masks/.")],
    run: Annotated[Path, typer.Option(help="The run's folder; members of one run share data and split.")],
    epochs: Annotated[int | None, EPOCHS] = None,
    batch_size: Annotated[int | None, BATCH_SIZE] = None,
    crop: Annotated[int | None, CROP] = None,
    folds: Annotated[
        int | None,
        typer.Option(help="K members on K folds by group; default: the run's, or one hold-out.", min=1),
    ] = None,
    valid_fraction: Annotated[
        float | None,
        typer.Option(help="Tiles held out by group, without folds; default: the run's, or 0.15."),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            help="What splits go by: a column of tiles.csv, a pattern of the file names with one group, such as "
            "'(.+)_[0-9]+_[0-9]+', or squares on the ground, such as 500m; default: the run's, or group."
        ),
    ] = None,
    encoder_weights: Annotated[str | None, ENCODER_WEIGHTS] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of split, weights, order, augmentation; default: the run's, or 42.")
    ] = None,
    precision: Annotated[Precision | None, PRECISION] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Outlines of the buildings for contact members, any vector file; default: buildings.gpkg, .geojson, "
            ".parquet or .fgb in --data."
        ),
    ] = None,
    fold: Annotated[int | None, FOLD] = None,
    leave_out: Annotated[
        str | None,
        typer.Option(help="COLUMN=VALUE of tiles.csv, such as region=banepa_np: validate on all of it, train on none."),
    ] = None,
    inner_valid: Annotated[
        bool | None,
        typer.Option(
            "--inner-valid/--outer-valid",
            help="Stop early by a share of the training groups, or by the held-out ones; default: the run's, or outer.",
        ),
    ] = None,
    time_budget: Annotated[str | None, TIME_BUDGET] = None,
    restart: Annotated[bool, RESTART] = False,
    dry_run: Annotated[bool, DRY_RUN] = False,
    json: Annotated[bool, JSON] = False,
) -> None:
    """Train members and keep the best weights of each.

    Writes RUN/members/MEMBER/foldK: best.weights.h5, spec.json, history.csv. Validation tiles are whole groups
    that the member never trains on. A run that was stopped goes on where it was with the same command.
    """
    from members.audit.proposal import propose_from_tiles, tell_ungrouped
    from members.data.groups import find_group_table
    from members.data.raster import check_tiles
    from members.data.run import Run
    from members.data.split import assign_folds, plan_split, remark_on_groups
    from members.data.tiles import list_tiles
    from members.training.catalog import find_spec
    from members.training.spec import check_encoder_weights, revise_spec

    deadline = math.inf if time_budget is None else time.monotonic() + parse_duration(time_budget)
    choose_backend()
    target = Run(run)
    asked = {
        "seed": seed,
        "folds": folds,
        "valid_fraction": valid_fraction,
        "group_by": group_by,
        "leave_out": leave_out,
        "inner_valid": inner_valid,
    }
    recorded = target.read_record().split if target.has_record() else None
    changes = {
        "epochs": epochs,
        "batch_size": batch_size,
        "crop": crop,
        "encoder_weights": encoder_weights,
        "precision": precision,
        "seed": recorded.seed if recorded else seed,
    }
    specs = [revise_spec(find_spec(name), **changes) for name in dict.fromkeys(members)]
    specs = [spec.model_copy(update={"student": None}) for spec in specs]  # which `distill` trains
    for spec in specs:
        if restart or spec.name not in target.list_members():
            check_encoder_weights(spec.backbone, spec.encoder_weights)
    if recorded:
        check_split(target, recorded, asked)
    split = recorded or plan_split(**asked)
    tiles = list_tiles(data, group_by=split.group_by)
    for remark in check_tiles(tiles):
        warn(remark)
    outlines = choose_labels(specs, data, labels)
    pairs = read_pairs(tiles, run, outlines)
    if recorded:
        target.check_tiles(tiles)
    else:
        areas = measure_areas(pairs)
        if not any(areas):
            raise InputError(f"{data}: no building in any of {len(areas)} masks; check how they were drawn")
        split = assign_folds(data, tiles, areas, split)
    folds_now = split.choose_folds(fold)
    if not recorded:
        if split.group_by is None and find_group_table(data) is None:
            warn(tell_ungrouped(data, propose_from_tiles(tiles, lambda number: pairs[number][0])))
        if few := remark_on_groups(split):
            warn(few)
    training = TrainingSet(data, tiles, pairs, split, outlines)
    if dry_run:
        rehearse(specs, training, target, folds_now, restart, json)
    else:
        fit_members(specs, training, target, folds_now, restart, deadline, json)


def parse_duration(text: str) -> float:
    """Convert "8.5h", "90m" or "600s" to seconds.

    Raises:
        InputError: it is none of those.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([hms])", text)
    if not found:
        raise InputError(f"--time-budget {text}: not a duration; a number and h, m or s, such as 8.5h")
    return float(found[1]) * {"h": 3600, "m": 60, "s": 1}[found[2]]


def check_split(run: Run, recorded: Split, asked: Mapping[str, object]) -> None:
    """Refuse to add a member to a run under another split than the run's."""
    for name, value in asked.items():
        if value is not None and value != getattr(recorded, name):
            raise InputError(
                f"{run.path}: this run has {name} {getattr(recorded, name)}, not {value}; its members share one "
                "split, so leave the option out or begin another --run"
            )


def rehearse(
    specs: Sequence[MemberSpec], data: TrainingSet, run: Run, folds: Sequence[int], restart: bool, as_json: bool
) -> None:
    """Print what would be trained, and about how long it takes."""
    load_backend()
    from dataclasses import asdict

    from members.training.rehearsal import plan_folds, tabulate_plan

    jobs = [(spec, fold, run.fold(spec.name, fold)) for spec in specs for fold in folds]
    check_folds(jobs, run, restart)
    plans = plan_folds(jobs, data, restart)
    print_result(as_json, {"dry_run": True, "folds": list(map(asdict, plans))}, tabulate_plan(plans))


def check_folds(jobs: Sequence[tuple[MemberSpec, int, FoldFolder]], run: Run, restart: bool) -> None:
    """Check that folds that were begun are of the run's data and split.

    Raises:
        InputError: they are not.
    """
    if run.has_record() and not restart:
        for spec, fold, _ in jobs:
            run.check_fold(spec.name, fold, run.read_record())


def fit_members(
    specs: Sequence[MemberSpec],
    data: TrainingSet,
    run: Run,
    folds: Sequence[int],
    restart: bool,
    deadline: float,
    as_json: bool = False,
) -> None:
    """Train folds of every member, one after the other, and print a table of them, or the same as JSON."""
    load_backend()
    from members.training.checkpoint import read_progress
    from members.training.display import show_epoch, show_steps
    from members.training.fit import train_fold
    from members.training.networks.network import build_network

    jobs = [(spec, fold, run.fold(spec.name, fold)) for spec in specs for fold in folds]
    check_folds(jobs, run, restart)
    plans = [f"on {describe_devices()}"]
    for spec in specs:  # what cannot be trained is said before hours are spent on what can
        started = [read_progress(spec, folder) for other, _, folder in jobs if other is spec and not restart]
        network = build_network(spec, "none" if any(started) else spec.encoder_weights)
        plans.append(
            f"{spec.name}: {network.count_params():,} parameters, {spec.backbone}, {spec.augment}, {spec.loss}"
        )
    stderr.print("\n".join(plans))
    record = run.read_record() if run.has_record() else run.write_record(data.folder, data.tiles, data.split)
    run.log_command()
    rows = []
    for spec, fold, folder in jobs:
        training, validation = data.take_fold(fold)
        label = f"{spec.name} fold {fold}"
        steps = max(len(training) // spec.batch_size, 1)
        stderr.print(
            f"{label}: {len(training)} tiles, {steps} steps an epoch, {steps * spec.epochs:,} in {spec.epochs} epochs"
        )
        with open_fold(folder, record, restart, data.list_sources(spec, fold, folder)):
            history = train_fold(
                spec,
                training,
                validation,
                folder,
                deadline,
                partial(show_epoch, label, spec.epochs),
                [show_steps(spec, steps)],
            )
        if not history or folder.state_file.is_file():
            stderr.print(f"{label}: the time is up after {len(history)} epochs; the same command goes on from there")
        if not history:
            continue
        best = min(history, key=lambda row: row["val_loss"])
        minutes = sum(row["seconds"] for row in history) / 60
        sizes = len(training), len(validation), len(history)
        row = spec.name, fold, *sizes, int(best["epoch"]), best["val_iou"], round(minutes, 1)
        rows.append(dict(zip(COLUMNS, row, strict=True)))
    cells = [[f"{row[name]:.4f}" if name == SCORE else str(row[name]) for name in COLUMNS] for row in rows]
    print_result(
        as_json,
        {"weights": str(run.members_folder), "folds": rows},
        ResultTable("", COLUMNS, cells),
        f"weights in {run.members_folder}; next: roofstack predict --data {data.folder} --run {run.path} --part valid",
    )


def run_member(script: str) -> NoReturn:
    """Run the command line of one member script, given its `__file__`: `train` with the member of that name or path."""
    from members.training.catalog import list_names

    name = Path(script).stem
    run_command(train, [name if name in list_names() else script, *sys.argv[1:]])
