"""The commands that check folders of maps, and take in maps of other programs."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rasterio.errors import RasterioError

from ensemble.mapfolder.maps import (
    MANIFEST,
    Manifest,
    claim_folder,
    hash_file,
    list_missing,
    map_path,
    quantise,
    read_manifest,
    read_map,
    write_map,
)
from members.common.console import make_app, stdout, track
from members.common.errors import InputError
from members.data.raster import open_raster, read_bands
from members.data.run import Run, RunRecord
from members.data.tiles import list_files, list_tiles

IMPORTED = "imported"
SUFFIXES = (".npy", ".png", ".tif", ".tiff")
Sources = dict[str, tuple[Path, tuple[int, int]]]

app = make_app(no_args_is_help=True, help="Check folders of probability maps, or import maps of other programs.")


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="One member's maps, or a part's folder of several.")],
) -> None:
    """Read every map and say what is missing, damaged, foreign, or not what its manifest says.

    Exit code 1 if anything is.
    """
    folders = [folder] if (folder / MANIFEST).is_file() else sorted(folder.glob("*/"))
    if not folders:
        raise InputError(f"{folder}: no maps here (no {MANIFEST}, nor folders that have one); run roofstack predict")
    manifests: dict[str, Manifest] = {}
    problems: list[str] = []
    for each in folders:
        try:
            manifests[each.name] = read_manifest(each)
        except InputError as error:
            problems.append(str(error))
        else:
            problems += find_problems(each, manifests[each.name])
    problems += compare_manifests(folder, manifests)
    for problem in problems:
        stdout.print(problem)
    maps = sum(len(manifest.images) for manifest in manifests.values())
    stdout.print(f"{maps} maps of {', '.join(manifests) or 'no member'}: {len(problems) or 'no'} problem(s)")
    if problems:
        raise typer.Exit(1)


def find_problems(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong with one member's maps, a line each."""
    missing = list_missing(folder, manifest.images)
    if missing:
        yield f"{folder}: missing: {', '.join(missing)}; run the same roofstack predict again"
    expected = {map_path(folder, image_id) for image_id in manifest.images} | {folder / MANIFEST}
    visible = [path for path in folder.iterdir() if not path.name.startswith(".")]  # others are at work, or were killed
    if foreign := sorted(path.name for path in visible if path not in expected):
        yield f"{folder}: foreign: {', '.join(foreign)}; not in {MANIFEST}, so move them elsewhere"
    for image_id, size in manifest.images.items():
        if image_id not in missing:
            try:
                read_map(map_path(folder, image_id), size)
            except InputError as error:
                yield str(error)
    run = Run.of_maps(folder)
    for fold, expected_hash in manifest.weights.items():
        weights = run.fold(folder.resolve().name, fold).weights_file if run else None
        if weights and weights.is_file() and hash_file(weights) != expected_hash:
            yield f"{folder}: made with other weights than {weights}; run roofstack predict again"


def compare_manifests(folder: Path, manifests: Mapping[str, Manifest]) -> Iterator[str]:
    """Yield which members' maps can't be blended with the first one's."""
    members = list(manifests.items())
    for name, manifest in members[1:]:
        first, other = members[0]
        for what in ("images", "split"):
            if getattr(manifest, what) != getattr(other, what):
                yield f"{folder / name}: not the {what} of {first}'s maps; predict or import both again in one run"


@app.command("import")
def import_maps(
    run: Annotated[Path, typer.Option(help="The run that takes the maps in.")],
    part: Annotated[str, typer.Option(help="What they are of: valid, test, or a part that a member has maps of.")],
    member: Annotated[str, typer.Option(help="The name to give to what made them.")],
    source: Annotated[
        Path, typer.Option("--from", help="Folder of IMAGE_ID.npy (float 0..1, or uint8), .png or .tif.")
    ],
) -> None:
    """Take in another program's probability maps as those of one more member.

    There must be one file an image of the part, of the image's size. Floats are probabilities from 0 to 1;
    of 8-bit values 255 is the probability 1. Maps of the part valid must be by models that did not see the tile.
    """
    place = Run(run)
    record = place.read_record()
    target = place.map_folder(part, member)
    if not member.replace("_", "").isalnum() or member in place.list_members():
        raise InputError(f"--member {member}: a trained member's name, or not letters, digits and '_'; give another")
    if target.is_dir() and IMPORTED not in read_manifest(target).weights:
        raise InputError(f"{target}: maps that were not imported; give another --member, or move them elsewhere")
    sources = list_sources(place, record, part, member)
    files = list_files(source, SUFFIXES)
    if missing := [image_id for image_id in sources if image_id not in files]:
        raise InputError(f"{source}: no map of {', '.join(missing[:3])} ({len(missing)} missing); each image needs one")
    if foreign := [image_id for image_id in files if image_id not in sources]:
        raise InputError(f"{source}: {foreign[0]} is no image of {part} ({len(foreign)} foreign); move them elsewhere")
    digest = hashlib.blake2b(digest_size=16)
    for image_id, (_, size) in sources.items():  # everything is checked before anything is written
        digest.update(read_foreign(files[image_id], size).tobytes())
    manifest = Manifest(
        member=member,
        spec={},
        tta=IMPORTED,
        weights={IMPORTED: digest.hexdigest()},
        split=record.split.model_dump(mode="json"),
        images={image_id: size for image_id, (_, size) in sources.items()},
    )
    claim_folder(target, manifest)  # earlier imports go, so that a stop half-way leaves no mixture
    for image_id, (image, size) in track(sources.items(), "import", len(sources)):
        write_map(map_path(target, image_id), read_foreign(files[image_id], size), image)
    place.log_command()
    stdout.print(f"{len(sources)} maps of {part} imported: {target}")


def list_sources(run: Run, record: RunRecord, part: str, member: str) -> Sources:
    """Each image of a part with a file that has its place on earth, and its (height, width).

    Raises:
        InputError: the part is unknown, or the run's data are not where they were.
    """
    others = [name for name in run.list_mapped_members(part) if name != member]
    if others:
        folder = run.map_folder(part, others[0])
        return {i: (map_path(folder, i), size) for i, size in read_manifest(folder).images.items()}
    if part == "test":
        tiles = list_tiles(Path(record.data), "test")
    elif part == "valid":
        tiles = list_tiles(Path(record.data), group_by=record.split.group_by)
        run.check_tiles(tiles)
        tiles = [tile for tile in tiles if tile.group in record.split.valid_groups]
    else:
        raise InputError(f"--part {part}: no member has maps of it; valid, test, or a part that was predicted")
    sources: Sources = {}
    for tile in tiles:
        with open_raster(tile.image) as raster:
            sources[tile.image_id] = tile.image, raster.shape
    return sources


def read_foreign(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Read another program's map as uint8 (h, w).

    Raises:
        InputError: it is unreadable, of another size, not floats in 0..1 nor uint8, or holds NaN.
    """
    try:
        if path.suffix == ".npy":
            values = np.load(path, allow_pickle=False)
        else:
            with open_raster(path) as raster:
                values = read_bands(raster)
    except InputError:
        raise
    except (ValueError, OSError, EOFError, RasterioError) as error:
        raise InputError(f"{path}: not a readable array ({error}); export it again") from None
    shape = values.shape
    values = values.reshape([side for side in shape if side != 1]) if values.ndim > 2 else values
    if values.shape != tuple(size):
        raise InputError(
            f"{path}: shape {shape}; the image is {size[0]} high and {size[1]} wide, and a map has one band"
        )
    if values.dtype == np.uint8:
        return values
    if not np.issubdtype(values.dtype, np.floating):
        raise InputError(f"{path}: {values.dtype} values; a map has floats from 0 to 1, or uint8")
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        wrong = values[~((values >= 0) & (values <= 1))]
        raise InputError(f"{path}: {wrong.size} values such as {wrong[0]}; floats are probabilities from 0 to 1")
    return quantise(values.astype(np.float64))
