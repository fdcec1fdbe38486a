"""Masks as pictures, one an image: 0 and 255, GeoTIFF (Cloud Optimized on request) or PNG."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from members.common.files import check_folder, write_target
from members.data.cog import copy_as_cog
from members.data.frames import Frame
from members.data.mosaic import Window
from members.data.raster import allow_ungeoreferenced, open_raster, read_bands
from postproc.formats.submission import hash_mask
from postproc.geo.blocks import list_windows


def check_masks(folder: Path, frames: Mapping[str, Frame]) -> None:
    """Check that masks can be written into a folder, which is made where it is missing.

    Raises:
        InputError: they cannot.
    """
    check_folder(folder)


@contextlib.contextmanager
def open_masks(folder: Path, frames: Mapping[str, Frame]) -> Iterator[Callable[[str, None], None]]:
    """Yield a function that has nothing left to do: `write_mask` has written each image's file."""
    yield lambda image_id, written: None


def write_mask(folder: Path, frame: Frame, read_mask: Callable[[Window], np.ndarray], note: str) -> None:
    """Write a mask as IMAGE_ID.tif with the frame's georeferencing, or as IMAGE_ID.png without.

    A GeoTIFF has the note as its tag ImageDescription, and needs the memory of one block; a PNG that of the whole mask.

    Raises:
        InputError: it cannot be written.
    """
    from rasterio.errors import RasterioError

    path = folder / f"{frame.image_id}{'.png' if frame.crs is None else '.tif'}"
    with write_target(path, RasterioError) as temporary:
        _write_picture(temporary, frame, read_mask, note)


def write_cog(folder: Path, frame: Frame, read_mask: Callable[[Window], np.ndarray], note: str) -> None:
    """Write a mask as `write_mask` does, but always as IMAGE_ID.tif, and a Cloud Optimized GeoTIFF with overviews."""
    from rasterio.errors import RasterioError

    with write_target(folder / f"{frame.image_id}.tif", RasterioError) as temporary:
        plain = temporary.with_name(f"{temporary.stem}-plain.tif")
        try:
            _write_picture(plain, frame, read_mask, note)
            copy_as_cog(plain, temporary, "mode")
        finally:
            plain.unlink(missing_ok=True)


def _write_picture(path: Path, frame: Frame, read_mask: Callable[[Window], np.ndarray], note: str) -> None:
    """Write a mask, and read it back.

    Raises:
        OSError, RasterioError: it cannot be written.
    """
    import rasterio
    from rasterio import windows

    blocks = list_windows(frame.size)
    profile = {"height": frame.size[0], "width": frame.size[1], "count": 1, "dtype": "uint8"}
    if path.suffix == ".png":
        profile |= {"driver": "PNG"}
    else:
        profile |= {"driver": "GTiff", "compress": "deflate"}
        if frame.crs is not None:
            profile |= {"crs": frame.crs, "transform": frame.transform}
        if len(blocks) > 1:
            profile |= {"tiled": True, "blockxsize": 512, "blockysize": 512, "bigtiff": "if_safer"}
    digests = []
    with allow_ungeoreferenced(), rasterio.open(path, "w", **profile) as raster:
        for block in blocks:
            mask = read_mask(block)
            raster.write(mask * np.uint8(255), 1, window=windows.Window.from_slices(*block))
            digests.append(hash_mask(mask))
        if note and path.suffix == ".tif":
            raster.update_tags(TIFFTAG_IMAGEDESCRIPTION=note)
    with open_raster(path) as raster:  # GDAL says nothing where the disk fills up as it closes
        for block, digest in zip(blocks, digests, strict=True):
            if hash_mask(read_bands(raster, window=windows.Window.from_slices(*block))[0] == 255) != digest:
                raise OSError("what was written does not read back")
