"""Probability maps of a part by every member of a run, with test-time augmentation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from members.common.choices import EngineName, MergeName
from members.common.console import DATA, JSON, SCHEDULER, print_result, run_command, stderr, track, warn
from members.common.errors import InputError
from members.common.tables import ResultTable
from members.common.workers import open_workers
from members.training.networks.backend import choose_backend

if TYPE_CHECKING:
    from ensemble.inference.tasks import Request, Task
    from ensemble.inference.views import View


def predict(
    run: Annotated[Path, typer.Option(help="The run whose members predict.")],
    part: Annotated[str, typer.Option(help="valid, test, or with --images a name for images of your own.")],
    data: Annotated[Path | None, DATA] = None,
    images: Annotated[Path | None, typer.Option(help="An image or a folder of images, for any other part.")] = None,
    tta: Annotated[
        str,
        typer.Option(help="Views to merge: none, flips, d4, d4_scale, or a list such as e,h,scale0.75,gamma0.8."),
    ] = "d4",
    merge: Annotated[MergeName, typer.Option(help="How views are merged; gmean is geometric, power of squares.")] = (
        "mean"
    ),
    members: Annotated[
        list[str] | None, typer.Option(help="Only these, by commas or by repeating it; default: all.")
    ] = None,
    context: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=256,
            help="Pixels of the images that touch an image, of its part and fold, shown around it; default: the "
            "member's stride, 0: none.",
        ),
    ] = None,
    engine: Annotated[
        EngineName,
        typer.Option(help="What computes the networks; auto: the fastest here whose maps are the same to 1 of 255."),
    ] = "auto",
    int8: Annotated[
        bool, typer.Option("--int8", help="Networks of 8 bits, as roofstack export --int8 made and kept them.")
    ] = False,
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Also write the standard deviation over views and members.")
    ] = False,
    cog: Annotated[
        bool, typer.Option("--cog", help="Maps as Cloud Optimized GeoTIFFs, with overviews; the pixels are the same.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Drop maps that are in the way: of other views, weights or images.")
    ] = False,
    scheduler: Annotated[str | None, SCHEDULER] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say which maps would be made, and about how long that takes; write nothing."),
    ] = False,
    json: Annotated[bool, JSON] = False,
) -> None:
    """Predict probability maps: RUN/maps/PART/MEMBER/IMAGE_ID.tif, uint8 GeoTIFF, probability = value / 255.

    Maps of the part `valid` are by models that never saw the tile; those of other parts are the mean of all
    folds. Images of any size are read in windows; where one has no data the probability is 0. A stopped
    prediction goes on at the first missing map, and several of them on one folder share the work. Maps that are
    there stay: an image that is new or has changed gets its map, and other views or weights are refused.
    """
    from ensemble.inference.engines.choice import choose_engine
    from ensemble.inference.inputs import choose_members, list_part, read_views
    from ensemble.inference.sharing import check_networks, predict_member
    from ensemble.inference.std import combine_std
    from ensemble.inference.tasks import Request, plan_member
    from ensemble.mapfolder.raster import map_path, optimise_map
    from members.data.run import Run

    name = name_engine(engine, int8)
    if scheduler is None and name == "keras":
        choose_backend()
    views = read_views(tta)
    folder = Run(run)
    record = folder.read_record()
    tiles, remarks = list_part(folder, record, part, data, images)
    warn_all(remarks)
    chosen, remarks = choose_members(folder, record, members)
    warn_all(remarks)
    options = {"merge": merge, "std": uncertainty, "engine": name, "replace": replace, "context": context}
    request = Request.of_tiles(folder, record, part, tiles, views, **options)
    tasks = [plan_member(request, member) for member in chosen]
    for task in tasks:
        warn_all(describe_left_out(task, views))
    if dry_run:
        rehearse(tasks, request, json)
        return
    if engine == "auto" and not int8 and scheduler is None:
        tasks = [choose_engine(task, stderr.print) for task in tasks]
    if scheduler is None:
        check_networks(tasks[1:])
    rows: list[dict[str, Any]] = []
    folder.open_log()
    with open_workers(scheduler) as workers:
        for task in tasks:
            warn_all(task.describe_changes())
            began = time.monotonic()
            count = predict_member(task, workers if scheduler else None, track)
            seconds = time.monotonic() - began
            rows.append(
                {
                    "member": task.manifest.member,
                    "new": count,
                    "images": len(tiles),
                    "views": task.manifest.tta,
                    "engine": task.full.engine,
                    "seconds": round(seconds, 1),
                    "folder": str(task.folder),
                }
            )
    if uncertainty:
        combine_std(folder, part, chosen, tiles)
    if cog:
        folders = [folder.map_folder(part, member) for member in chosen]
        folders += [folder.uncertainty_folder(part)] if uncertainty else []
        paths = [map_path(each, tile.image_id) for each in folders for tile in tiles]
        for path in track(paths, "overviews", len(paths)):
            optimise_map(path)
    folder.log_command()
    header = ("member", "maps", "views", "engine", "seconds", "folder")
    cells = [
        (row["member"], f"{row['new']} new of {row['images']}", tta, *(str(row[key]) for key in header[3:]))
        for row in rows
    ]
    table = ResultTable("", header, cells)
    print_result(json, {"part": part, "members": rows}, table)


def rehearse(tasks: Sequence[Task], request: Request, as_json: bool) -> None:
    """Print which maps would be made, and about how long it takes."""
    choose_backend()
    from dataclasses import asdict

    from ensemble.inference.rehearsal import plan_maps
    from members.common.progress import tell_time

    for task in tasks:
        warn_all(task.describe_changes())
    plans = [plan_maps(task) for task in tasks]
    rows = [(plan.member, f"{plan.new} of {plan.images}", plan.views, tell_time(plan.seconds)) for plan in plans]
    total = tell_time(sum(plan.seconds for plan in plans))
    note = f"{total} in all by Keras in one process, other engines may be faster; no map is made or dropped: --dry-run"
    table = ResultTable("", ("member", "maps to make", "views", "about"), rows, (note,))
    print_result(as_json, {"dry_run": True, "part": request.part, "members": list(map(asdict, plans))}, table)


def name_engine(engine: EngineName, int8: bool) -> str:
    """Return the engine that the options ask for; for auto that which others are compared with.

    Raises:
        InputError: it is not installed, or does not compute with 8 bits.
    """
    if int8 and engine not in ("auto", "openvino"):
        raise InputError(f"--int8 with --engine {engine}: OpenVINO computes with 8 bits; leave --engine out")
    from ensemble.inference.engines.table import find_engine

    name = "int8" if int8 else "keras" if engine == "auto" else engine
    return find_engine(name).name


def warn_all(remarks: Sequence[str]) -> None:
    """Print remarks as warnings."""
    for remark in remarks:
        warn(remark)


def describe_left_out(task: Task, views: Sequence[View]) -> list[str]:
    """Say which views a member does not support, in one remark or none."""
    left_out = [view.name for view in views if view not in task.full.views]
    if not left_out:
        return []
    shown = ", ".join(left_out[:3]) + (", ..." if len(left_out) > 3 else "")
    return [
        f"{task.manifest.member}: not trained to support {shown}; {len(left_out)} of {len(views)} views are left out"
    ]


if __name__ == "__main__":
    run_command(predict)
