"""One probability map: a uint8 GeoTIFF, probability = value / 255, with the CRS and transform of its image.

That of a contact member has three bands: building, border, contact.
"""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window

from members.common.choices import BANDS
from members.common.errors import InputError
from members.common.files import is_damaged, seal, write_whole
from members.data.cog import copy_as_cog, is_cog
from members.data.names import check_name
from members.data.raster import allow_ungeoreferenced, open_raster, read_bands

BLOCK = 512
"""Side of the blocks that maps larger than that are stored in, px."""


BORDER_SHARE = 0.1
"""How much a border counts of what keeps buildings apart."""
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
def open_map(path: Path, source: Path, size: tuple[int, int], bands: int = 1) -> Iterator[rasterio.io.DatasetWriter]:
    """Open a map of a (h, w) and bands to write it in blocks, with its source image's CRS and transform; whole or not.

    Raises:
        InputError: the disk is full, or refuses for another reason.
    """
    with open_raster(source) as image:
        crs, transform = image.crs, image.transform
    profile = {"driver": "GTiff", "dtype": "uint8", "count": bands, "compress": "deflate", "predictor": 2}
    if bands > 1:
        profile |= {"photometric": "minisblack", "interleave": "band"}
    profile |= {"height": size[0], "width": size[1], "crs": crs, "transform": transform}
    if max(size) > BLOCK:
        profile |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "bigtiff": "if_safer"}
    try:
        with write_whole(path) as temporary:
            with allow_ungeoreferenced():
                raster = rasterio.open(temporary, "w", **profile)
            with raster:
                if bands == len(BANDS):
                    raster.descriptions = BANDS
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
    """Write a map, uint8 (h, w) or (bands, h, w), as a GeoTIFF with the CRS and transform of its source image."""
    bands = values.reshape(-1, *values.shape[-2:])
    with open_map(path, source, (bands.shape[1], bands.shape[2]), len(bands)) as raster:
        raster.write(bands)


def optimise_map(path: Path) -> None:
    """Write a map anew as a Cloud Optimized GeoTIFF, which has overviews, unless it is one; its pixels stay.

    Raises:
        InputError: it is missing or damaged, or the disk refuses; the map is as it was.
    """
    if is_cog(path):
        return
    check_seal(path)
    try:
        with write_whole(path) as temporary:
            copy_as_cog(path, temporary, "average")
            seal(temporary)
    except (OSError, RasterioError) as error:
        raise refuse_disk(path, error) from None


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
    """Read a map, or a window of it (rows and columns), as uint8 (h, w); of one with bands the probability of building.

    Raises:
        InputError: it is missing, truncated, not one band or three of uint8, or not of this (h, w).
    """
    with open_checked(path, size) as raster:
        return read_bands(raster, indexes=[1], window=window and Window.from_slices(*window))[0]


def read_bands_of_map(
    path: Path, size: tuple[int, int], window: tuple[slice, slice] | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read a map as `read_map` does, and where buildings are apart in it, as `measure_gaps` says; None of one band."""
    with open_checked(path, size) as raster:
        values, *further = read_bands(raster, window=window and Window.from_slices(*window))
        return values, measure_gaps(*further) if further else None


@contextlib.contextmanager
def open_checked(path: Path, size: tuple[int, int]) -> Iterator[rasterio.DatasetReader]:
    """Open a map to read from, once it is what its manifest says; the arguments are as for `read_map`."""
    check_seal(path)
    with open_raster(path) as raster:
        if raster.count not in (1, len(BANDS)) or raster.dtypes[0] != "uint8" or raster.shape != tuple(size):
            raise InputError(
                f"{path}: {raster.count} band(s) of {raster.dtypes[0]}, {raster.width}x{raster.height} px; its "
                f"manifest says one of uint8, {size[1]}x{size[0]} px; predict it again"
            )
        yield raster


def split_bands(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a map's probability of building, uint8 (h, w), and its gaps, as `read_bands_of_map` does.

    Args:
        values: uint8 (h, w), or (h, w, 3) of a contact member.
    """
    if values.ndim == 2:
        return values, None
    return values[..., 0], measure_gaps(values[..., 1], values[..., 2])


def measure_gaps(border: np.ndarray, contact: np.ndarray) -> np.ndarray:
    """Measure how much keeps buildings apart: (1 - contact) x (1 - 0.1 border), of probabilities.

    As the winners of SpaceNet 4 cut seeds of buildings out of a mask (Weir et al. 2019,
    https://arxiv.org/abs/1903.12239).

    Args:
        border, contact: uint8 (h, w), probability = value / 255.

    Returns:
        uint8 (h, w), value / 255: 255 well inside a building, 0 on a wall that two share.
    """
    apart = (1 - contact / 255) * (1 - BORDER_SHARE * border / 255)
    return np.rint(255 * apart).astype(np.uint8)
