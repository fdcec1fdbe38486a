"""Reading and checking the pixels of tiles and masks; nothing is written."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from members.common.errors import InputError
from members.common.workers import WARNING_FILTERS
from members.data.drivers import find_driver

if TYPE_CHECKING:
    from members.data.tiles import Tile

MIN_SIDE = 32
MOST = 2**30
"""Values of a raster that are read at once, at most: a file of a few bytes may say that it has any number."""
CACHE = 256 * 2**20
"""Bytes of pixels that GDAL keeps in memory while a raster is open, at most."""
Pair = tuple[np.ndarray, np.ndarray]
"""A tile's image, uint8 (h, w, 3), and its mask, bool (h, w)."""


@contextlib.contextmanager
def allow_ungeoreferenced() -> Iterator[None]:
    """Open rasters in peace that lie nowhere on the earth, as PNG and JPEG files do; rasterio warns of each.

    One thread at a time: the filters of warnings are the process's.
    """
    with WARNING_FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


@contextlib.contextmanager
def open_raster(path: Path) -> Iterator[rasterio.DatasetReader]:
    """Open a raster to read from.

    Raises:
        InputError: the file is missing, has zero bytes, or is no raster of the kind that its ending says.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: zero bytes; restore the file or remove it")
    driver = find_driver(path)
    # GDAL's quick way through a PNG fills what a truncated file lacks with whatever was in memory, and says nothing
    with rasterio.Env(GDAL_PNG_WHOLE_IMAGE_OPTIM="NO", **limit_cache()):
        try:
            with allow_ungeoreferenced():
                raster = rasterio.open(path, driver=driver)
        except RasterioError as error:
            raise InputError(f"{path}: not a readable raster ({error}); restore the file or remove it") from None
        with raster:
            yield raster


def limit_cache() -> dict[str, int]:
    """Return the option that bounds GDAL's cache, unless the user set it: a twentieth of all memory is its default."""
    return {} if "GDAL_CACHEMAX" in os.environ else {"GDAL_CACHEMAX": CACHE}


def read_size(path: Path) -> tuple[int, int]:
    """Read the height and width of a raster, px.

    Raises:
        InputError: the file is missing, has zero bytes, or is no raster.
    """
    with open_raster(path) as raster:
        return raster.height, raster.width


def read_bands(raster: rasterio.DatasetReader, **options: object) -> np.ndarray:
    """Read bands of a raster that `open_raster` opened, as (bands, h, w).

    Raises:
        InputError: the file is truncated or damaged, or too large to be read whole.
    """
    if "window" not in options and raster.height * raster.width * raster.count > MOST:
        raise InputError(
            f"{raster.name}: {raster.width}x{raster.height} px, {raster.count} band(s): more than {MOST:,} values at "
            "once; cut it into tiles (predict alone reads large images, in windows)"
        )
    try:
        return raster.read(**options)
    except RasterioError as error:
        reason = error.__cause__ or error  # rasterio's own message only points at GDAL's
        raise InputError(f"{raster.name}: truncated or damaged ({reason}); restore the file or remove it") from None


def check_bands(raster: rasterio.DatasetReader) -> str | None:
    """Tell what makes a raster RGB: None, "grey" (repeat the band) or "alpha" (drop the fourth).

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
        return read_rgb(raster)


def read_rgb(raster: rasterio.DatasetReader) -> np.ndarray:
    """Read a raster that `open_raster` opened as `read_image` does.

    Raises:
        InputError: it is truncated, or not an image that `check_bands` admits.
    """
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
            raise InputError(
                f"{path}: {raster.count} bands; a mask has one; roofstack prepare takes it in colours, too"
            )
        mask = read_bands(raster)[0]
    values = np.unique(mask)
    if not (np.isin(values, (0, 1)).all() or np.isin(values, (0, 255)).all()):
        shown = ", ".join(str(value) for value in values[:6]) + (", ..." if values.size > 6 else "")
        raise InputError(f"{path}: values {shown}; a mask has values {{0, 1}} or {{0, 255}}; threshold it first")
    return mask > 0


def read_pair(tile: Tile) -> Pair:
    """Read a training tile's image, uint8 (h, w, 3), and mask, bool (h, w).

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


def check_tiles(tiles: Sequence[Tile]) -> list[str]:
    """Check every tile's header before long work starts.

    Returns:
        What the caller ought to know, a line each: how many tiles are grey, and how many carry alpha.

    Raises:
        InputError: a tile is not an image that `check_bands` admits.
    """
    mends = []
    for tile in tiles:
        with open_raster(tile.image) as raster:
            mends.append(check_bands(raster))
    remarks = []
    if grey := mends.count("grey"):
        remarks.append(f"{grey} of {len(tiles)} images are grey; the band is repeated to RGB")
    if alpha := mends.count("alpha"):
        remarks.append(f"{alpha} of {len(tiles)} images have a fourth band that is alpha; it is dropped")
    return remarks
