"""The command that trains members into a run."""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from members.catalog import find_spec
from members.console import run_command, stderr, stdout
from members.dataset import Tile, check_tiles, list_tiles, read_pair
from members.errors import InputError
from members.run import Run
from members.split import Split, draw_split, plan_split
from members.training.backend import choose_backend
from members.training.spec import MemberSpec, revise_spec


def train(
    members: Annotated[list[str], typer.Argument(help="Member scripts by name, as in members/NAME.py.")],
    data: Annotated[Path, typer.Option(help="Data set: the competition's folders, or images/ and masks/.")],
    run: Annotated[Path, typer.Option(help="The run's folder; members of one run share data and split.")],
    epochs: Annotated[int | None, typer.Option(help="At most; default: the member's.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Tiles a step; default: the member's, 8.")] = None,
    crop: Annotated[
        int | None,
        typer.Option(help="Train on random crops of this side, px, a multiple of 32; default: 256."),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(help="K members on K folds by group; default: the run's, or one hold-out.", min=1),
    ] = None,
    valid_fraction: Annotated[
        float | None,
        typer.Option(help="Tiles held out by group, without folds; default: the run's, or 0.15."),
    ] = None,
    group_by: Annotated[
        str | None, typer.Option(help="Column of tiles.csv that splits go by; default: the run's, or group.")
    ] = None,
    encoder_weights: Annotated[
        str | None, typer.Option(help="imagenet, lite, none, or a file; default: the member's.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of split, weights, order, augmentation; default: the run's, or 42.")
    ] = None,
    restart: Annotated[
        bool,
        typer.Option("--restart/--resume", help="Train anew, or go on with what a stopped run has left."),
    ] = False,
) -> None:
    """Train members and keep the best weights of each.

    Writes RUN/members/MEMBER/foldK: best.weights.h5, spec.json, history.csv. Validation tiles are whole groups
    that the member never trains on. A run that was stopped goes on where it was with the same command.
    """
    choose_backend()
    changes = {
        "epochs": epochs,
        "batch_size": batch_size,
        "crop": crop,
        "encoder_weights": encoder_weights,
    }
    place = Run(run)
    asked = {"seed": seed, "folds": folds, "valid_fraction": valid_fraction, "group_by": group_by}
    recorded = place.read_record().split if place.record_file.is_file() else None
    changes["seed"] = recorded.seed if recorded else seed
    specs = [revise_spec(find_spec(name), **changes) for name in dict.fromkeys(members)]
    if recorded:
        check_split(place, recorded, asked)
    split = recorded or plan_split(**asked)
    tiles = list_tiles(data, group_by=split.group_by)
    check_tiles(tiles)
    pairs = [read_pair(tile) for tile in tiles]
    if recorded:
        place.check_tiles(tiles)
    else:
        split = draw_split([tile.group for tile in tiles], [int(mask.sum()) for _, mask in pairs], split)
    fit_members(specs, tiles, pairs, split, place, data, restart)


def check_split(run: Run, recorded: Split, asked: Mapping[str, object]) -> None:
    """Refuse to add a member to a run under another split than the run's."""
    for name, value in asked.items():
        if value is not None and value != getattr(recorded, name):
            raise InputError(
                f"{run.path}: this run has {name} {getattr(recorded, name)}, not {value}; its members share one "
                "split, so leave the option out or begin another --run"
            )


def fit_members(
    specs: list[MemberSpec],
    tiles: list[Tile],
    pairs: list[tuple],
    split: Split,
    run: Run,
    data: Path,
    restart: bool,
) -> None:
    """Train every fold of every member, one after the other, and print a table of them."""
    from members.training.fit import read_progress, train_fold
    from members.training.network import build_network

    jobs = [(spec, fold, run.member_folder(spec.name, fold)) for spec in specs for fold in range(split.folds)]
    for spec in specs:  # what cannot be trained is said before hours are spent on what can
        started = [read_progress(spec, folder) for other, _, folder in jobs if other is spec and not restart]
        network = build_network(spec, "none" if any(started) else spec.encoder_weights)
        stderr.print(
            f"{spec.name}: {network.count_params():,} parameters, {spec.backbone}, {spec.augment}, {spec.loss}"
        )
    if not run.record_file.is_file():
        run.write_record(data, tiles, split)
    run.log_command()
    table = Table("member", "fold", "tiles", "validated on", "epochs", "best epoch", "valid IoU at 0.5", "minutes")
    for spec, fold, folder in jobs:
        if restart:
            shutil.rmtree(folder, ignore_errors=True)
        held_out = [split.validates(tile.group, fold) for tile in tiles]
        training = [pair for pair, held in zip(pairs, held_out, strict=True) if not held]
        validation = [pair for pair, held in zip(pairs, held_out, strict=True) if held]
        label = f"{spec.name} fold {fold}"
        history = train_fold(spec, training, validation, folder, partial(report, label, spec.epochs))
        best = min(history, key=lambda row: row["val_loss"])
        minutes = sum(row["seconds"] for row in history) / 60
        table.add_row(
            spec.name, str(fold), str(len(training)), str(len(validation)), str(len(history)),
            f"{best['epoch']:.0f}", f"{best['val_iou']:.4f}", f"{minutes:.1f}",
        )  # fmt: skip
    stdout.print(table)
    stdout.print(
        f"weights in {run.path / 'members'}; next: roofstack predict --data {data} --run {run.path} --part valid"
    )


def report(label: str, epochs: int, row: dict[str, float]) -> None:
    """Print one line about an epoch."""
    stderr.print(
        f"{label}  epoch {row['epoch']:.0f}/{epochs}  loss {row['loss']:.4f}  iou {row['iou']:.4f}  "
        f"valid loss {row['val_loss']:.4f}  valid iou {row['val_iou']:.4f}  {row['seconds']:.0f} s",
        highlight=False,
    )


def run_member(spec: MemberSpec) -> None:
    """The command line of one member script."""
    run_command(train, members=[spec.name])
