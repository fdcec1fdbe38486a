"""Folders of tiles and masks: finding, reading and checking them. No framework, nothing is written.

Two layouts are read: the Kaggle competition's (`training/images/img`, `training/masks/img`, `test/images/img`)
and any two folders `images` and `masks` with equal file stems. A tile's id is its file stem.
"""

import contextlib
import csv
import hashlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from members.common.console import warn
from members.common.errors import InputError

IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
MASK_SUFFIXES = (".tif", ".tiff", ".png")
MIN_SIDE = 32

warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)


@dataclass(frozen=True)
class Tile:
    """One image of a data set, its mask where there is one, and the group that no split may tear apart."""

    image_id: str
    image: Path
    mask: Path | None
    group: str


def list_files(folder: Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> dict[str, Path]:
    """Map file stem -> path for the rasters in a folder, sorted by stem; hidden and other files are skipped.

    Raises:
        InputError: no such folder, no raster in it, or two rasters with one stem.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in suffixes:
            continue
        if path.stem in files:
            raise InputError(
                f"{folder}: {files[path.stem].name} and {path.name} share one stem; a stem is an id, so remove one"
            )
        files[path.stem] = path
    if not files:
        raise InputError(f"{folder}: empty folder, no {'/'.join(suffixes)} file in it; point at a folder of tiles")
    return dict(sorted(files.items()))


def find_folder(root: Path, part: str, kind: str) -> Path:
    """The folder of a part's `images` or `masks`, in either layout.

    Raises:
        InputError: none of the places exists.
    """
    places = [root / part / kind / "img", root / part / kind]
    if part == "training":
        places.append(root / kind)
    for place in places:
        if place.is_dir():
            return place
    looked = " nor ".join(str(place.relative_to(root)) for place in places)
    raise InputError(f"{root}: no folder of {part} {kind} ({looked}); see the README for the layouts")


def read_groups(root: Path, image_ids: Iterable[str], group_by: str | None = None) -> dict[str, str]:
    """Each tile's group, from column `group_by` ("group" by default) of tiles.csv or groups.csv under `root`.

    Without either file each tile is its own group.

    Raises:
        InputError: the column is missing, a tile has no row, or a column is asked for and there is no file.
    """
    table = next((root / name for name in ("tiles.csv", "groups.csv") if (root / name).is_file()), None)
    if table is None:
        if group_by is not None:
            raise InputError(f"{root}: --group-by {group_by} needs a tiles.csv or groups.csv there; add one")
        return {image_id: image_id for image_id in image_ids}
    column = group_by or "group"
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:  # spreadsheets write a byte order mark
            reader = csv.DictReader(lines)
            columns = reader.fieldnames or ()
            groups = {row.get("image_id"): row.get(column) for row in reader}
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: not a readable CSV file ({error}); save it as UTF-8") from None
    for needed in ("image_id", column):
        if needed not in columns:
            raise InputError(f"{table}: no column {needed} among {', '.join(columns) or 'none'}; add it")
    for image_id in image_ids:
        if not groups.get(image_id):
            raise InputError(f"{table}: no {column} for {image_id}; every tile needs a row")
    return {image_id: str(groups[image_id]) for image_id in image_ids}


def list_tiles(root: Path, part: str = "training", group_by: str | None = None) -> list[Tile]:
    """The tiles of a part, sorted by id: "training" with masks and groups, "test" without.

    Raises:
        InputError: a folder is missing or empty, ids are not unique, or images and masks don't pair up.
    """
    images = list_files(find_folder(root, part, "images"))
    if part != "training":
        return [Tile(image_id, image, None, image_id) for image_id, image in images.items()]
    groups = read_groups(root, images, group_by)
    folder = find_folder(root, part, "masks")
    masks = list_files(folder, MASK_SUFFIXES)
    for image_id, image in images.items():
        if image_id not in masks:
            raise InputError(f"{image}: image without a mask; add {folder / image_id}.tif or remove the image")
    for image_id, mask in masks.items():
        if image_id not in images:
            raise InputError(f"{mask}: mask without an image; add the image or remove the mask")
    return [Tile(image_id, image, masks[image_id], groups[image_id]) for image_id, image in images.items()]


@contextlib.contextmanager
def open_raster(path: Path) -> Iterator[rasterio.DatasetReader]:
    """Open a raster to read from.

    Raises:
        InputError: the file is missing, has zero bytes, or is no raster.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: zero bytes; restore the file or remove it")
    # GDAL's quick way through a PNG fills what a truncated file lacks with whatever was in memory, and says nothing
    with rasterio.Env(GDAL_PNG_WHOLE_IMAGE_OPTIM="NO"):
        try:
            raster = rasterio.open(path)
        except RasterioError as error:
            raise InputError(f"{path}: not a readable raster ({error}); restore the file or remove it") from None
        with raster:
            yield raster


def read_bands(raster: rasterio.DatasetReader, **options: object) -> np.ndarray:
    """Read bands of a raster that `open_raster` opened, as (bands, h, w).

    Raises:
        InputError: the file is truncated or damaged.
    """
    try:
        return raster.read(**options)
    except RasterioError as error:
        reason = error.__cause__ or error  # rasterio's own message only points at GDAL's
        raise InputError(f"{raster.name}: truncated or damaged ({reason}); restore the file or remove it") from None


def check_bands(raster: rasterio.DatasetReader) -> str | None:
    """What has to be done to make a raster RGB: None, "grey" (repeat the band) or "alpha" (drop the fourth).

    Raises:
        InputError: not 8 bits, a palette, a band count other than 1, 3 or 3 + alpha, or a side under 32 px.
    """
    path, count = raster.name, raster.count
    if any(kind != "uint8" for kind in raster.dtypes):
        raise InputError(
            f"{path}: {raster.dtypes[0]} samples; images have 8 bits a band (gdal_translate -ot Byte -scale)"
        )
    if ColorInterp.palette in raster.colorinterp:
        raise InputError(f"{path}: a palette image; images are grey or RGB (gdal_translate -expand rgb)")
    if min(raster.height, raster.width) < MIN_SIDE:
        raise InputError(f"{path}: {raster.width}x{raster.height} px; tiles have at least {MIN_SIDE} px a side")
    if count == 4 and raster.colorinterp[3] == ColorInterp.alpha:
        return "alpha"
    if count not in (1, 3):
        raise InputError(
            f"{path}: {count} bands; images have 1 (grey), 3 (RGB) or 3 and alpha (gdal_translate -b 1 -b 2 -b 3)"
        )
    return "grey" if count == 1 else None


def read_image(path: Path) -> np.ndarray:
    """Read an image as uint8 RGB (h, w, 3); grey is repeated, a fourth band that is alpha is dropped.

    Raises:
        InputError: the file is missing, empty, truncated, or not an image that `check_bands` admits.
    """
    with open_raster(path) as raster:
        mend = check_bands(raster)
        bands = read_bands(raster, indexes=[1, 1, 1] if mend == "grey" else [1, 2, 3])
    return np.ascontiguousarray(bands.transpose(1, 2, 0))


def read_mask(path: Path) -> np.ndarray:
    """Read a mask as bool (h, w), True = building.

    Raises:
        InputError: more than one band, or values other than {0, 1} or {0, 255}.
    """
    with open_raster(path) as raster:
        if raster.count != 1:
            raise InputError(f"{path}: {raster.count} bands; a mask has one")
        mask = read_bands(raster)[0]
    values = np.unique(mask)
    if not (np.isin(values, (0, 1)).all() or np.isin(values, (0, 255)).all()):
        shown = ", ".join(str(value) for value in values[:6]) + (", ..." if values.size > 6 else "")
        raise InputError(f"{path}: values {shown}; a mask has values {{0, 1}} or {{0, 255}}; threshold it first")
    return mask > 0


def read_pair(tile: Tile) -> tuple[np.ndarray, np.ndarray]:
    """A training tile's image, uint8 (h, w, 3), and mask, bool (h, w).

    Raises:
        InputError: either is unreadable, or their sizes differ.
    """
    if tile.mask is None:
        raise InputError(f"{tile.image}: image without a mask; only training tiles have masks")
    image, mask = read_image(tile.image), read_mask(tile.mask)
    if image.shape[:2] != mask.shape:
        raise InputError(
            f"{tile.mask}: mask of {mask.shape[1]}x{mask.shape[0]} px for an image of "
            f"{image.shape[1]}x{image.shape[0]} px; they must be equal"
        )
    return image, mask


def check_tiles(tiles: Sequence[Tile]) -> None:
    """Check every tile's header before long work starts; says once how many are grey or carry alpha.

    Raises:
        InputError: a tile is not an image that `check_bands` admits.
    """
    mends = []
    for tile in tiles:
        with open_raster(tile.image) as raster:
            mends.append(check_bands(raster))
    if grey := mends.count("grey"):
        warn(f"{grey} of {len(tiles)} images are grey; the band is repeated to RGB")
    if alpha := mends.count("alpha"):
        warn(f"{alpha} of {len(tiles)} images have a fourth band that is alpha; it is dropped")


def fingerprint_tiles(tiles: Sequence[Tile]) -> str:
    """A hash of all tiles' ids, groups and bytes of image and mask, whatever their order or place on disk."""
    digest = hashlib.blake2b(digest_size=16)
    for tile in sorted(tiles, key=lambda tile: tile.image_id):
        digest.update(f"{tile.image_id}\0{tile.group}\0".encode())  # a tile that changes groups may leak
        for path in (tile.image, tile.mask):
            if path is not None:
                digest.update(hashlib.blake2b(path.read_bytes(), digest_size=16).digest())
    return digest.hexdigest()
