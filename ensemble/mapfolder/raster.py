"""One probability map: a uint8 GeoTIFF, probability = value / 255, with the CRS and transform of its image."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window

from members.common.errors import InputError
from members.common.files import is_damaged, seal, write_whole
from members.data.names import check_name
from members.data.raster import allow_ungeoreferenced, open_raster, read_bands

BLOCK = 512
"""Side of the blocks that maps larger than that are stored in, px."""


ROUNDING = 1e-4
"""How far beyond 0 and 1 the rounding of means may carry a probability."""


def quantise(probability: np.ndarray) -> np.ndarray:
    """Return probabilities, float in 0..1, as uint8: 0.0 is 0, 1.0 is 255, rounded half to even between.

    Raises:
        InputError: there are others, or NaN.
    """
    inside = (probability >= -ROUNDING) & (probability <= 1 + ROUNDING)
    if not inside.all():
        wrong = probability[~inside]
        raise InputError(
            f"{wrong.size} of {probability.size} probabilities are none, such as {wrong[0]:.4g}; they are numbers from "
            "0 to 1, so the network is broken: restore its weights, or train it anew"
        )
    return np.rint(probability * 255).astype(np.uint8)


def map_path(folder: Path, image_id: str) -> Path:
    """Return the path of an image's map in a folder of maps."""
    return folder / f"{check_name(image_id, 'image')}.tif"


def find_blocks(folder: Path, image_id: str, digest: str) -> Path:
    """Return the folder that the finished blocks of a large image's map wait in, beside its maps.

    It is named by the image's content, too, so that no map is of two images. The name begins with a dot, so that nobody
    takes it for maps.
    """
    return folder / f".{check_name(image_id, 'image')}.{digest[:16]}"


@contextlib.contextmanager
def open_map(path: Path, source: Path, size: tuple[int, int]) -> Iterator[rasterio.io.DatasetWriter]:
    """Open a map to write it in blocks, with the CRS and transform of its source image; whole or absent.

    Raises:
        InputError: the disk is full, or refuses for another reason.
    """
    with open_raster(source) as image:
        crs, transform = image.crs, image.transform
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "compress": "deflate", "predictor": 2}
    profile |= {"height": size[0], "width": size[1], "crs": crs, "transform": transform}
    if max(size) > BLOCK:
        profile |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "bigtiff": "if_safer"}
    try:
        with write_whole(path) as temporary:
            with allow_ungeoreferenced():
                raster = rasterio.open(temporary, "w", **profile)
            with raster:
                yield raster
            # GDAL says nothing where the disk fills up as it closes
            with allow_ungeoreferenced(), rasterio.open(temporary) as written:
                for _, block in written.block_windows():
                    written.read(window=block)
            seal(temporary)
    except (OSError, RasterioError) as error:
        raise refuse_disk(path, error) from None


def refuse_disk(path: Path, error: Exception) -> InputError:
    """Return what to raise where a file cannot be written."""
    reason = " ".join(str(error.__cause__ or error).split())
    return InputError(
        f"{path}: cannot be written ({reason}); make room and run the same command again, it goes on from here"
    )


def write_map(path: Path, values: np.ndarray, source: Path) -> None:
    """Write a map, uint8 (h, w), as a GeoTIFF with the CRS and transform of its source image."""
    height, width = values.shape
    with open_map(path, source, (height, width)) as raster:
        raster.write(values, 1)


def check_seal(path: Path) -> None:
    """Check that a map's bytes are those that were written; maps of other programs have no seal.

    Raises:
        InputError: they are others.
    """
    with contextlib.suppress(FileNotFoundError):
        status = path.stat()
        if _is_damaged(path, status.st_mtime_ns, status.st_size):
            raise InputError(f"{path}: damaged, not the map that was written; remove it and predict again")


@functools.lru_cache(maxsize=2**16)
def _is_damaged(path: Path, changed: int, size: int) -> bool | None:
    return is_damaged(path)  # once for each file, of which windows may be read by the hundred


def read_map(path: Path, size: tuple[int, int], window: tuple[slice, slice] | None = None) -> np.ndarray:
    """Read a map, or a window of it (rows and columns), as uint8 (h, w).

    Raises:
        InputError: it is missing, truncated, not one band of uint8, or not of this (h, w).
    """
    check_seal(path)
    with open_raster(path) as raster:
        if raster.count != 1 or raster.dtypes[0] != "uint8" or raster.shape != tuple(size):
            raise InputError(
                f"{path}: {raster.count} band(s) of {raster.dtypes[0]}, {raster.width}x{raster.height} px; its "
                f"manifest says one of uint8, {size[1]}x{size[0]} px; predict it again"
            )
        return read_bands(raster, window=window and Window.from_slices(*window))[0]
