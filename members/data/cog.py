"""Cloud Optimized GeoTIFFs: the pixels of a GeoTIFF in tiles, with overviews, so that a viewer reads what it shows."""

from pathlib import Path
from typing import Literal

import numpy as np
from rasterio.windows import Window

from members.data.raster import open_raster, read_bands

SIDE = 512
"""Of the tiles, px; an image of no more has no overviews."""
STRIP = 4096
"""Side of what is compared at once, px."""


def is_cog(path: Path) -> bool:
    """Tell whether a file says that it is a Cloud Optimized GeoTIFF.

    Raises:
        InputError: it is missing, or no raster.
    """
    with open_raster(path) as raster:
        return raster.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG"


def copy_as_cog(source: Path, target: Path, resampling: Literal["average", "mode"]) -> None:
    """Copy a GeoTIFF as a Cloud Optimized one (OGC 21-026): the same pixels, georeferencing and tags, read back.

    Memory does not grow with the image: what GDAL needs beside it is in files beside the target, while it writes.

    Args:
        source: 8 bits a band.
        target: the copy, in a folder that is there.
        resampling: how overviews are made: "average" of maps, "mode", the most frequent value, of masks.

    Raises:
        InputError: the source is missing, or no raster.
        OSError, RasterioError: the target cannot be written.
    """
    import rasterio.shutil

    options = {"compress": "deflate", "predictor": "yes", "blocksize": SIDE, "bigtiff": "if_safer"}
    with open_raster(source) as raster:
        rasterio.shutil.copy(raster, target, driver="COG", overview_resampling=resampling, **options)
        with open_raster(target) as copy:
            for top in range(0, raster.height, STRIP):
                for left in range(0, raster.width, STRIP):
                    bounds = min(STRIP, raster.width - left), min(STRIP, raster.height - top)
                    window = Window(left, top, *bounds)
                    if not np.array_equal(read_bands(raster, window=window), read_bands(copy, window=window)):
                        raise OSError("what was written does not read back")
