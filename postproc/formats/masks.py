"""Masks as pictures, one an image: 0 and 255, GeoTIFF or PNG."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from members.common.files import check_folder, write_target
from members.data.frames import Frame
from members.data.raster import allow_ungeoreferenced, open_raster, read_bands
from postproc.formats.submission import hash_mask
from postproc.geo.blocks import Window, list_windows


def check_masks(folder: Path, frames: Mapping[str, Frame]) -> None:
    """Check that masks can be written into a folder; it is made where the folder around it is there.

    Raises:
        InputError: they cannot.
    """
    check_folder(folder if folder.exists() else folder.parent)


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
    import rasterio
    from rasterio import windows
    from rasterio.errors import RasterioError

    blocks = list_windows(frame.size)
    profile = {"height": frame.size[0], "width": frame.size[1], "count": 1, "dtype": "uint8"}
    if frame.crs is None:
        path = folder / f"{frame.image_id}.png"
        profile |= {"driver": "PNG"}
    else:
        path = folder / f"{frame.image_id}.tif"
        profile |= {"driver": "GTiff", "compress": "deflate", "crs": frame.crs, "transform": frame.transform}
        if len(blocks) > 1:
            profile |= {"tiled": True, "blockxsize": 512, "blockysize": 512, "bigtiff": "if_safer"}
    digests = []
    with write_target(path, RasterioError) as temporary:
        with allow_ungeoreferenced(), rasterio.open(temporary, "w", **profile) as raster:
            for block in blocks:
                mask = read_mask(block)
                raster.write(mask * np.uint8(255), 1, window=windows.Window.from_slices(*block))
                digests.append(hash_mask(mask))
            if note and frame.crs is not None:
                raster.update_tags(TIFFTAG_IMAGEDESCRIPTION=note)
        with open_raster(temporary) as raster:  # GDAL says nothing where the disk fills up as it closes
            for block, digest in zip(blocks, digests, strict=True):
                if hash_mask(read_bands(raster, window=windows.Window.from_slices(*block))[0] == 255) != digest:
                    raise OSError("what was written does not read back")
