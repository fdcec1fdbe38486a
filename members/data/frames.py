"""Frames: an image's size, and how its pixels become map coordinates."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio import Affine

from members.data.raster import open_raster


@dataclass(frozen=True)
class Frame:
    """An image without its pixels.

    Attributes:
        image_id: the file's stem.
        size: height and width, px.
        crs: the coordinate reference system as WKT; None without georeferencing.
        transform: from pixels (column, row; (0, 0) is the outer corner of the first one) to coordinates of `crs`;
            the identity without georeferencing, so that pixels are the coordinates.
        file: the file's name; where it is known that the frame of an image was read off its map, the image's.
    """

    image_id: str
    size: tuple[int, int]
    crs: str | None
    transform: Affine
    file: str = ""

    @property
    def corners(self) -> np.ndarray:
        """Map coordinates of its four corners, float64 (4, 2), from the first pixel's on around it."""
        (height, width), matrix = self.size, np.array(self.transform).reshape(3, 3)
        return np.array([(0, 0, 1), (width, 0, 1), (width, height, 1), (0, height, 1)]) @ matrix[:2].T


def read_frame(path: Path) -> Frame:
    """Read the frame of a raster: an image, or a map or mask of one.

    A file that has a CRS without a transform, or a transform without a CRS, is taken as not georeferenced.

    Raises:
        InputError: the file is missing, empty, or no raster.
    """
    with open_raster(path) as raster:
        return take_frame(raster)


def take_frame(raster: rasterio.DatasetReader) -> Frame:
    """Return the frame of a raster that is open."""
    path = Path(raster.name)
    if raster.crs is None or raster.transform.is_identity:
        return Frame(path.stem, raster.shape, None, Affine.identity(), path.name)
    return Frame(path.stem, raster.shape, raster.crs.to_wkt(), raster.transform, path.name)
