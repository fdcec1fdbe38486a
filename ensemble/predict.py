"""Probability maps of a part by every member of a run, with test-time augmentation."""

import dataclasses
import functools
import re
import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rasterio.windows import Window
from rich.table import Table

from ensemble.claims import Claims
from ensemble.cluster import spread_work
from ensemble.jobs import BATCH, Job, make_maps
from ensemble.maps import MANIFEST, Manifest, claim_folder, hash_file, plan_maps, read_manifest
from ensemble.tta import VIEW_SETS, Predict, View, bears_view, parse_views
from ensemble.uncertainty import combine_spread, spread_folder
from members.console import make_progress, run_command, stderr, stdout, warn
from members.dataset import Tile, check_tiles, list_files, list_tiles, open_raster, read_bands
from members.errors import InputError
from members.run import Run, RunRecord
from members.training.backend import choose_backend
from members.training.spec import MemberSpec, read_spec

if TYPE_CHECKING:
    import keras

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
    parse_views(tta)
    place = Run(run)
    record = place.read_record()
    tiles = list_part(record, part, data, images)
    check_tiles(tiles)
    check_ends(tiles)
    if part == "valid":
        place.check_tiles(tiles)
        tiles = [tile for tile in tiles if tile.group in record.split.valid_groups]
    names = [name for text in members or () for name in text.split(",")]
    chosen = choose_members(place, record, names)
    table = Table("member", "maps", "views", "seconds", "folder")
    for member in chosen:
        began = time.monotonic()
        count = predict_member(place, record, member, part, tiles, tta, merge, uncertainty, scheduler)
        folder = str(place.map_folder(part, member))
        table.add_row(member, f"{count} new of {len(tiles)}", tta, f"{time.monotonic() - began:.1f}", folder)
    if uncertainty:
        combine_spread(place, part, chosen, tiles)
    place.log_command()
    stdout.print(table)


def check_ends(tiles: Sequence[Tile]) -> None:
    """Read the last pixel of every image: a truncated file is said before an hour of predicting, not in its midst.

    Raises:
        InputError: one cannot be read.
    """
    for tile in tiles:
        with open_raster(tile.image) as raster:
            read_bands(raster, indexes=1, window=Window(raster.width - 1, raster.height - 1, 1, 1))


def list_part(record: RunRecord, part: str, data: Path | None, images: Path | None) -> list[Tile]:
    """The tiles that a part is among: the training tiles for valid, the test folder, or any images.

    Raises:
        InputError: the options don't name one part, or there are no such images.
    """
    ours = part in ("valid", "test")
    if not re.fullmatch(r"\w[\w.-]*", part):
        raise InputError(f"--part {part}: it names a folder, by letters, digits, '.', '-' and '_' alone")
    if images is not None and data is None and not ours:
        files = {images.stem: images} if images.is_file() else list_files(images)
        return [Tile(image_id, path, None, image_id) for image_id, path in files.items()]
    if data is None or images is not None or not ours:
        raise InputError("give --data with --part valid or test, or --images with a --part name of your own")
    return list_tiles(data, "test") if part == "test" else list_tiles(data, group_by=record.split.group_by)


def choose_members(run: Run, record: RunRecord, names: Sequence[str] | None) -> list[str]:
    """The members to predict with: those named, or all that are trained.

    Raises:
        InputError: one is not in the run, or not all of its folds are trained.
    """
    trained = run.list_members()
    for name in names or ():
        if name not in trained:
            raise InputError(f"{run.path}: no trained member {name}; there are {', '.join(trained) or 'none'}")
    chosen = list(dict.fromkeys(names or trained))
    for name in chosen:
        for fold in range(record.split.folds):
            folder = run.member_folder(name, fold)
            if not (folder / "best.weights.h5").is_file():
                raise InputError(f"{folder}: not trained yet; run roofstack train {name} first")
            if (folder / "last").is_dir():
                warn(f"{folder}: training is not finished; predicting with the best weights so far")
    if not chosen:
        raise InputError(f"{run.path}: no trained members; run roofstack train first")
    return chosen


def predict_member(
    run: Run,
    record: RunRecord,
    member: str,
    part: str,
    tiles: Sequence[Tile],
    tta: str,
    merge: str = "mean",
    uncertainty: bool = False,
    scheduler: str | None = None,
) -> int:
    """Write the missing maps of one member, until none is missing; returns how many were written here."""
    folders = [run.member_folder(member, fold) for fold in range(record.split.folds)]
    spec = read_spec(folders[0] / "spec.json")
    views = parse_views(tta)
    manifest = Manifest(
        member=member,
        spec=spec.model_dump(mode="json"),
        tta=tta if tta in VIEW_SETS else ",".join(view.name for view in views),
        merge=merge,
        weights={str(fold): hash_file(folder / "best.weights.h5") for fold, folder in enumerate(folders)},
        split=record.split.model_dump(mode="json"),
        images={tile.image_id: read_size(tile.image) for tile in tiles},
    )
    whole = Job(
        folders=tuple(folder.resolve() for folder in folders),
        weights=tuple(manifest.weights.values()),
        target=run.map_folder(part, member).resolve(),
        spread=spread_folder(run, part, member).resolve() if uncertainty else None,
        views=choose_views(spec, views),
        merge=merge,
        multiple=spec.size_multiple,
        image_ids=tuple(manifest.images),
    )
    missing = plan_maps(whole.target, manifest)
    if not missing and all(map(whole.is_done, manifest.images)):
        return 0
    jobs = list_jobs(whole, record, part, tiles)
    if scheduler is None:  # before old maps go: the weights may be damaged
        networks = {job.folders: [load_network(folder).predict_on_batch for folder in job.folders] for job, _ in jobs}

    def is_ours() -> bool:
        return (whole.target / MANIFEST).is_file() and read_manifest(whole.target) == manifest

    def prepare() -> None:
        if claim_folder(whole.target, manifest):
            target = run.map_folder(part, member)
            stderr.print(f"{target}: its maps were of other weights, views or images; predicting them anew")
            shutil.rmtree(spread_folder(run, part, member), ignore_errors=True)

    written = 0
    claims = Claims(whole.target, whole.image_ids)
    with claims.share(is_ours, prepare), make_progress() as progress:
        left = [tile.image_id for tile in tiles if not whole.is_done(tile.image_id)]
        bar = progress.add_task(f"{member} {part}", total=len(left), note="")
        while left:
            for job, wanted in jobs:
                made = (
                    make_maps(job, networks[job.folders], wanted, claims)
                    if scheduler is None
                    else spread_work(scheduler, predict_chunk, job, cut_chunks(job, wanted), load_network)
                )
                for _ in made:
                    written += 1
                    progress.advance(bar)
            left = [image_id for image_id in left if not whole.is_done(image_id)]
            if left:  # another process is at them; if it dies they are done here
                progress.update(bar, note=f"{len(left)} at work elsewhere")
                time.sleep(WAIT)
    return written


def choose_views(spec: MemberSpec, views: Sequence[View]) -> tuple[View, ...]:
    """The views that a member was trained to bear; says which are left out.

    Raises:
        InputError: none is.
    """
    borne = tuple(view for view in views if bears_view(spec, view))
    foreign = [view.name for view in views if view not in borne]
    if not borne:
        raise InputError(f"{spec.name}: not trained to bear any of the views {', '.join(foreign)}; give --tta others")
    if foreign:
        shown = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
        warn(f"{spec.name}: not trained to bear {shown}; {len(foreign)} of {len(views)} views are left out")
    return borne


def list_jobs(whole: Job, record: RunRecord, part: str, tiles: Sequence[Tile]) -> list[tuple[Job, list[Tile]]]:
    """The work on a part: each fold on the tiles that it did not see, or all folds together on all."""
    if part != "valid":
        return [(whole, list(tiles))]
    folds = range(len(whole.folders))
    return [
        (
            dataclasses.replace(whole, folders=(whole.folders[fold],), weights=(whole.weights[fold],)),
            [tile for tile in tiles if record.split.validates(tile.group, fold)],
        )
        for fold in folds
    ]


def cut_chunks(job: Job, tiles: Sequence[Tile]) -> list[list[Tile]]:
    """The tiles without a map, a batch at a time: what is sent to a worker at once."""
    wanted = [dataclasses.replace(tile, image=tile.image.resolve()) for tile in tiles if not job.is_done(tile.image_id)]
    return [wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)]


def predict_chunk(job: Job, tiles: Sequence[Tile], load: Callable[[Path], Any]) -> list[str]:
    """Make the maps of a few images in a worker process, which sees the same files; returns their ids.

    Raises:
        InputError: the weights there are not those that the manifest was written for.
    """
    networks = load_networks(job.folders, job.weights, load)
    return list(make_maps(job, networks, tiles, open_claims(job.target, job.image_ids)))


@functools.lru_cache(maxsize=1)  # a worker holds one member at a time
def load_networks(folders: Sequence[Path], weights: Sequence[str], load: Callable[[Path], Any]) -> list[Predict]:
    for folder, expected in zip(folders, weights, strict=True):
        if (found := hash_file(folder / "best.weights.h5")) != expected:
            raise InputError(
                f"{folder / 'best.weights.h5'}: hash {found}, but the manifest of the maps says {expected}; "
                "the member was trained on meanwhile, so predict again"
            )
    return [load(folder).predict_on_batch for folder in folders]


@functools.lru_cache(maxsize=1)
def open_claims(folder: Path, image_ids: Sequence[str]) -> Claims:
    return Claims(folder, image_ids)


def load_network(folder: Path) -> "keras.Model":
    """The network of a trained fold, with its best weights.

    Raises:
        InputError: the weights are damaged or do not fit the spec beside them.
    """
    choose_backend()
    from members.training.network import build_network

    network = build_network(read_spec(folder / "spec.json"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns that layers keep random weights
            network.load_weights(folder / "best.weights.h5")
    except (ValueError, OSError, KeyError, UserWarning) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{folder / 'best.weights.h5'}: damaged or of another network ({reason}); retrain") from None
    return network


def read_size(path: Path) -> tuple[int, int]:
    """Height and width of an image, px."""
    with open_raster(path) as raster:
        return raster.height, raster.width


if __name__ == "__main__":
    run_command(predict)
