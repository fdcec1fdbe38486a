"""Probability maps of a part by every member of a run, with test-time augmentation."""

import functools
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from ensemble.inference.cluster import spread_work
from ensemble.inference.inputs import choose_members, list_part, read_size
from ensemble.inference.jobs import Job, make_maps
from ensemble.inference.locks import Claims
from ensemble.inference.networks import Load, load_network, load_networks
from ensemble.inference.std import combine_spread
from ensemble.inference.tasks import Plan, cut_chunks, plan_member
from ensemble.inference.views import parse_views
from ensemble.mapfolder.maps import claim_folder
from members.common.console import make_progress, run_command, stderr, stdout
from members.data.run import Run
from members.data.tiles import Tile
from members.training.networks.backend import choose_backend

WAIT = 0.2
"""Seconds between looks at images that another process has claimed."""
MergeName = Literal["mean", "gmean", "power", "max", "min"]


def predict(
    run: Annotated[Path, typer.Option(help="The run whose members predict.")],
    part: Annotated[str, typer.Option(help="valid, test, or with --images a name for new places.")],
    data: Annotated[Path | None, typer.Option(help="The data set of the run, for the parts valid and test.")] = None,
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
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Also write the standard deviation over views and members.")
    ] = False,
    scheduler: Annotated[
        str | None, typer.Option(help="A Dask scheduler, tcp://HOST:PORT, whose workers see the same paths.")
    ] = None,
) -> None:
    """Predict probability maps: RUN/maps/PART/MEMBER/IMAGE_ID.tif, uint8 GeoTIFF, probability = value / 255.

    Maps of the part `valid` are by models that never saw the tile; those of other parts are the mean of all
    folds. Images of any size are read in windows; where one has no data the probability is 0. A stopped
    prediction goes on at the first missing map, and several of them on one folder share the work.
    """
    if scheduler is None:
        choose_backend()
    views = tta, parse_views(tta)
    place = Run(run)
    record = place.read_record()
    tiles = list_part(place, record, part, data, images)
    chosen = choose_members(place, record, members)
    sizes = {tile.image_id: read_size(tile.image) for tile in tiles}
    plans = [plan_member(place, record, each, part, tiles, sizes, views, merge, uncertainty) for each in chosen]
    if scheduler is None:
        check_networks(plans[1:])
    table = Table("member", "maps", "views", "seconds", "folder")
    for plan in plans:
        began = time.monotonic()
        count = predict_member(plan, scheduler)
        seconds = time.monotonic() - began
        table.add_row(plan.manifest.member, f"{count} new of {len(tiles)}", tta, f"{seconds:.1f}", str(plan.folder))
    if uncertainty:
        combine_spread(place, part, chosen, tiles)
    place.log_command()
    stdout.print(table)


def check_networks(plans: Sequence[Plan]) -> None:
    """Load what will be needed, one network at a time: damaged weights are said before another member's hours of work.

    Raises:
        InputError: weights are damaged.
    """
    for plan in plans:
        if plan.list_left():
            for folder in plan.whole.folders:
                load_network(folder)


def predict_member(plan: Plan, scheduler: str | None = None) -> int:
    """Write the missing maps of one member, until none is missing; returns how many were written here.

    Raises:
        InputError: weights are damaged, an image can't be read, a map can't be written, or another predict is at work
            on the folder with other views or images.
    """
    if not plan.list_left():
        return 0
    networks = {}
    if scheduler is None:  # before old maps go: the weights may be damaged
        networks = {job: [load_network(folder) for folder in job.folders] for job, _ in plan.jobs}

    def prepare() -> None:
        if claim_folder(plan.whole.target, plan.manifest):
            stderr.print(f"{plan.folder}: its maps were of other views or images; predicting them anew")
            shutil.rmtree(plan.spread, ignore_errors=True)

    written = 0
    claims = Claims(plan.whole.target, plan.whole.image_ids)
    with claims.share(plan.owns_folder, prepare), make_progress() as progress:
        left = plan.list_left()
        bar = progress.add_task(f"{plan.manifest.member} {plan.folder.parent.name}", total=len(left), note="")
        while left:
            for job, tiles in plan.jobs:
                made = (
                    make_maps(job, networks[job], tiles, claims)
                    if scheduler is None
                    else spread_work(scheduler, predict_chunk, job, cut_chunks(job, tiles), load_network)
                )
                for _ in made:
                    written += 1
                    progress.advance(bar)
            left = plan.list_left()
            if left:  # another process is at them; if it dies they are done here
                progress.update(bar, note=f"{len(left)} at work elsewhere")
                time.sleep(WAIT)
    return written


def predict_chunk(job: Job, tiles: Sequence[Tile], load: Load) -> list[str]:
    """Make the maps of a few images in a worker process, which sees the same files; returns their ids.

    Raises:
        InputError: the weights there are not those that the manifest was written for.
    """
    networks = load_networks(job.folders, job.weights, load)
    return list(make_maps(job, networks, tiles, open_claims(job.target, job.image_ids)))


@functools.lru_cache(maxsize=1)
def open_claims(folder: Path, image_ids: Sequence[str]) -> Claims:
    return Claims(folder, image_ids)


if __name__ == "__main__":
    run_command(predict)
