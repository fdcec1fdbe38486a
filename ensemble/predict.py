"""Probability maps of a part by every member of a run, with test-time augmentation."""

import hashlib
import re
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import typer
from rich.table import Table

from ensemble.maps import Manifest, claim_folder, map_path, plan_maps, quantise, write_map
from ensemble.tta import VIEW_SETS, View
from ensemble.windows import WINDOW, predict_windows
from members.console import make_progress, run_command, stderr, stdout, warn
from members.dataset import Tile, check_tiles, list_files, list_tiles, open_raster, read_image
from members.errors import InputError
from members.run import Run, RunRecord
from members.training.augment import pad_tile
from members.training.backend import choose_backend
from members.training.spec import STRIDE, read_spec

if TYPE_CHECKING:
    import keras

BATCH = 8
Tta = Literal["none", "flips", "d4"]


def predict(
    run: Annotated[Path, typer.Option(help="The run whose members predict.")],
    part: Annotated[str, typer.Option(help="valid, test, or with --images a name for new places.")],
    data: Annotated[Path | None, typer.Option(help="The data set of the run, for the parts valid and test.")] = None,
    images: Annotated[Path | None, typer.Option(help="An image or a folder of images, for any other part.")] = None,
    tta: Annotated[Tta, typer.Option(help="Views to average: 1, 4 or 8.")] = "d4",
    members: Annotated[list[str] | None, typer.Option(help="Only these; repeat the option. Default: all.")] = None,
) -> None:
    """Predict probability maps: RUN/maps/PART/MEMBER/IMAGE_ID.tif, uint8 GeoTIFF, probability = value / 255.

    Maps of the part `valid` are by models that never saw the tile; those of other parts are the mean of all
    folds. A stopped prediction goes on at the first missing map.
    """
    choose_backend()
    place = Run(run)
    record = place.read_record()
    tiles = list_part(record, part, data, images)
    check_tiles(tiles)
    for tile in tiles:  # a damaged file is said before an hour of predicting, not in the midst of it
        read_image(tile.image)
    if part == "valid":
        place.check_tiles(tiles)
        tiles = [tile for tile in tiles if tile.group in record.split.valid_groups]
    chosen = choose_members(place, record, members)
    table = Table("member", "maps", "views", "seconds", "folder")
    for member in chosen:
        began = time.monotonic()
        count = predict_member(place, record, member, part, tiles, tta)
        views, folder = str(len(VIEW_SETS[tta])), str(place.map_folder(part, member))
        table.add_row(member, f"{count} new of {len(tiles)}", views, f"{time.monotonic() - began:.1f}", folder)
    place.log_command()
    stdout.print(table)


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


def predict_member(run: Run, record: RunRecord, member: str, part: str, tiles: Sequence[Tile], tta: Tta) -> int:
    """Write the missing maps of one member; returns how many were."""
    folders = [run.member_folder(member, fold) for fold in range(record.split.folds)]
    spec = read_spec(folders[0] / "spec.json")
    views = VIEW_SETS[tta]
    if extra := len(views) - len(bearable := [view for view in views if view in VIEW_SETS[spec.views]]):
        warn(f"{member}: trained to bear the views {spec.views}; {extra} of {len(views)} are left out")
    manifest = Manifest(
        member=member,
        spec=spec.model_dump(),
        tta=tta,
        weights={str(fold): hash_file(folder / "best.weights.h5") for fold, folder in enumerate(folders)},
        split=record.split.model_dump(),
        images={tile.image_id: read_size(tile.image) for tile in tiles},
    )
    target = run.map_folder(part, member)
    missing = set(plan_maps(target, manifest))
    if not missing:
        return 0
    networks = [load_network(folder) for folder in folders]  # before old maps go: the weights may be damaged
    if claim_folder(target, manifest):
        stderr.print(f"{target}: its maps were of other weights, views or images; predicting them anew")
    with make_progress() as progress:
        bar = progress.add_task(f"{member} {part}", total=len(missing), note="")
        for fold in range(len(folders)) if part == "valid" else [None]:
            wanted = [
                tile
                for tile in tiles
                if tile.image_id in missing and (fold is None or record.split.validates(tile.group, fold))
            ]
            used = networks if fold is None else [networks[fold]]
            for tile, probability in predict_tiles(used, wanted, bearable, spec.size_multiple):
                write_map(map_path(target, tile.image_id), quantise(probability), tile.image)
                progress.advance(bar)
    return len(missing)


def predict_tiles(
    networks: Sequence["keras.Model"], tiles: Sequence[Tile], views: Sequence[View], multiple: int = STRIDE
) -> Iterator[tuple[Tile, np.ndarray]]:
    """Yield each tile with its probabilities, float32 (h, w); large images go in windows, small ones in batches."""

    def predict_stack(stack: np.ndarray) -> np.ndarray:
        return average_views(networks, stack, views, multiple)

    waiting: dict[tuple[int, ...], list[tuple[Tile, np.ndarray]]] = {}
    for tile in tiles:
        image = read_image(tile.image)
        if max(image.shape[:2]) > WINDOW:
            yield tile, predict_windows(image, predict_stack, BATCH)
            continue
        same = waiting.setdefault(image.shape, [])
        same.append((tile, image))
        if len(same) == BATCH:
            yield from zip([tile for tile, _ in same], predict_stack(np.stack([i for _, i in same])), strict=True)
            same.clear()
    for same in waiting.values():
        if same:
            yield from zip([tile for tile, _ in same], predict_stack(np.stack([i for _, i in same])), strict=True)


def average_views(
    networks: Sequence["keras.Model"], stack: np.ndarray, views: Sequence[View], multiple: int = STRIDE
) -> np.ndarray:
    """Mean probability over networks and views.

    Args:
        networks: models from RGB 0..255 (n, h, w, 3), h and w multiples of `multiple`, to (n, h, w, 1).
        stack: uint8 (n, h, w, 3) of any h and w; padded by reflection, cropped again.
        views: what to average over.
        multiple: the spec's `size_multiple`, px.

    Returns:
        float32 (n, h, w) in 0..1.
    """
    height, width = stack.shape[1:3]
    padded = [pad_tile(image, 0, multiple) for image in stack]
    total = np.zeros((len(stack), *padded[0].shape[:2]), np.float32)
    for view in views:
        batch = np.stack([view.apply(image) for image in padded]).astype(np.float32)
        for network in networks:
            total += np.stack([view.undo(image[..., 0]) for image in network.predict_on_batch(batch)])
    return total[:, :height, :width] / (len(views) * len(networks))


def load_network(folder: Path) -> "keras.Model":
    """The network of a trained fold, with its best weights.

    Raises:
        InputError: the weights are damaged or do not fit the spec beside them.
    """
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


def hash_file(path: Path) -> str:
    """BLAKE2b of a file's bytes, 32 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def read_size(path: Path) -> tuple[int, int]:
    """Height and width of an image, px."""
    with open_raster(path) as raster:
        return raster.height, raster.width


if __name__ == "__main__":
    run_command(predict)
