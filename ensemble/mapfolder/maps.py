"""The probability-map folder: one uint8 GeoTIFF an image, probability = value / 255, and a manifest."""

import contextlib
import hashlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from pydantic import BaseModel, ConfigDict, ValidationError
from rasterio.errors import RasterioError

from members.common.errors import InputError
from members.common.files import read_json, write_json, write_whole
from members.data.raster import allow_ungeoreferenced, open_raster, read_bands

MANIFEST = "manifest.json"
BLOCK = 512
"""Side of the blocks that maps larger than that are stored in, px."""


class Manifest(BaseModel):
    """What the maps of a folder are of, and what they were made with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    member: str
    spec: dict[str, Any]
    tta: str
    merge: str = "mean"
    weights: dict[str, str]
    """fold -> hash of its weights file"""
    split: dict[str, Any]
    images: dict[str, tuple[int, int]]
    """image id -> (height, width) in px"""


def quantise(probability: np.ndarray) -> np.ndarray:
    """Probabilities, float in 0..1, as uint8: 0.0 is 0, 1.0 is 255, rounded half to even between."""
    return np.rint(probability * 255).astype(np.uint8)


def map_path(folder: Path, image_id: str) -> Path:
    """Where the map of an image is."""
    return folder / f"{image_id}.tif"


@contextlib.contextmanager
def open_map(path: Path, source: Path, size: tuple[int, int]) -> Iterator[rasterio.io.DatasetWriter]:
    """Open a map to write it in blocks, with the CRS and transform of its source image; whole or absent.

    Raises:
        InputError: the disk is full, or refuses for another reason.
    """
    with open_raster(source) as image:
        crs, transform = image.crs, image.transform
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "compress": "deflate", "predictor": 2}
    if max(size) > BLOCK:
        profile |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "bigtiff": "if_safer"}
    try:
        with write_whole(path) as temporary:
            with allow_ungeoreferenced():
                raster = rasterio.open(
                    temporary, "w", height=size[0], width=size[1], crs=crs, transform=transform, **profile
                )
            with raster:
                yield raster
            with (
                allow_ungeoreferenced(),
                rasterio.open(temporary) as written,
            ):  # GDAL says nothing where the disk fills up as it closes
                for _, block in written.block_windows():
                    written.read(window=block)
    except (OSError, RasterioError) as error:
        raise refuse_disk(path, error) from None


def refuse_disk(path: Path, error: Exception) -> InputError:
    """What to raise where a file cannot be written."""
    reason = " ".join(str(error.__cause__ or error).split())
    return InputError(
        f"{path}: cannot be written ({reason}); make room and run the same command again, it goes on from here"
    )


def write_map(path: Path, values: np.ndarray, source: Path) -> None:
    """Write a map, uint8 (h, w), as a GeoTIFF with the CRS and transform of its source image."""
    height, width = values.shape
    with open_map(path, source, (height, width)) as raster:
        raster.write(values, 1)


def read_map(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Read a map as uint8 (h, w).

    Raises:
        InputError: it is missing, truncated, not one band of uint8, or not of this (h, w).
    """
    with open_raster(path) as raster:
        if raster.count != 1 or raster.dtypes[0] != "uint8" or raster.shape != tuple(size):
            raise InputError(
                f"{path}: {raster.count} band(s) of {raster.dtypes[0]}, {raster.width}x{raster.height} px; its "
                f"manifest says one of uint8, {size[1]}x{size[0]} px; predict it again"
            )
        return read_bands(raster)[0]


def read_manifest(folder: Path) -> Manifest:
    """Read a map folder's manifest.

    Raises:
        InputError: there is none, or it is damaged.
    """
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder}: no maps here (no {MANIFEST}); run roofstack predict")
    try:
        return Manifest.model_validate(read_json(folder / MANIFEST))
    except ValidationError as error:
        raise InputError(
            f"{folder / MANIFEST}: {error.errors()[0]['msg']}; remove the folder and predict again"
        ) from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a map folder's manifest, before the first map."""
    write_json(folder / MANIFEST, manifest.model_dump())


def list_missing(folder: Path, image_ids: Iterable[str]) -> list[str]:
    """The images whose map is not there yet, in their order."""
    return [image_id for image_id in image_ids if not map_path(folder, image_id).is_file()]


def plan_maps(folder: Path, manifest: Manifest) -> list[str]:
    """The images whose map is still to be made: all, where the maps there are of another manifest.

    Raises:
        InputError: there are maps without a manifest, or it is damaged.
    """
    if (folder / MANIFEST).is_file():
        return list_missing(folder, manifest.images) if read_manifest(folder) == manifest else list(manifest.images)
    if any(folder.glob("*.tif")):
        raise InputError(f"{folder}: maps without a {MANIFEST}, so of unknown origin; move them elsewhere")
    return list(manifest.images)


def claim_folder(folder: Path, manifest: Manifest) -> bool:
    """Prepare a folder for the maps of a manifest; True if maps of another one had to be dropped for it."""
    if stale := (folder / MANIFEST).is_file() and read_manifest(folder) != manifest:
        shutil.rmtree(folder)
    if not (folder / MANIFEST).is_file():
        write_manifest(folder, manifest)
    return stale


def read_maps(folders: Iterable[Path]) -> tuple[dict[str, Manifest], dict[str, tuple[int, int]]]:
    """The manifests of several members' folders, by member, and the images that all of them cover.

    Raises:
        InputError: a manifest is missing, maps are missing, or the members' images, sizes or splits differ.
    """
    manifests: dict[str, Manifest] = {}
    first: Manifest | None = None
    for folder in folders:
        manifest = manifests[folder.name] = read_manifest(folder)
        first = first or manifest
        if missing := list_missing(folder, manifest.images):
            raise InputError(
                f"{folder}: {len(missing)} of {len(manifest.images)} maps are missing ({missing[0]}, ...); "
                "run the same roofstack predict again, it goes on where it stopped"
            )
        if manifest.images != first.images or manifest.split != first.split:
            what = "images" if manifest.images != first.images else "split"
            raise InputError(f"{folder}: not the {what} of {first.member}'s maps; predict both again in one run")
    if first is None:
        raise InputError("no member has maps of this part; run roofstack predict")
    return manifests, first.images


def hash_file(path: Path) -> str:
    """BLAKE2b of a file's bytes, 32 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
