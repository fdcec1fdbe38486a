"""Where an image lies on earth: its size, and how pixels become map coordinates."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from rasterio import Affine

from members.dataset import open_raster


@dataclass(frozen=True)
class Frame:
    """An image without its pixels.

    Attributes:
        image_id: the file's stem.
        size: height and width, px.
        crs: the coordinate reference system as WKT; None without georeferencing.
        transform: from pixels (column, row; (0, 0) is the outer corner of the first one) to coordinates of `crs`;
            the identity without georeferencing, so that pixels are the coordinates.
    """

    image_id: str
    size: tuple[int, int]
    crs: str | None
    transform: Affine


def read_frame(path: Path) -> Frame:
    """Read the frame of an image, or of a map or mask of it; a file with a transform alone counts as having neither.

    Raises:
        InputError: the file is missing, empty, or no raster.
    """
    with open_raster(path) as raster:
        if raster.crs is None or raster.transform.is_identity:
            return Frame(path.stem, raster.shape, None, Affine.identity())
        return Frame(path.stem, raster.shape, raster.crs.to_wkt(), raster.transform)


def move_outlines(outlines: np.ndarray, transform: Affine) -> np.ndarray:
    """Move every vertex of geometries, object (n,), by an affine transform: (x, y) -> transform * (x, y).

    >>> move_outlines(np.array([shapely.Point(2, 3)]), Affine(0.5, 0, 100, 0, -0.5, 200))[0]
    <POINT (101 198.5)>
    """
    matrix = np.array([[transform.a, transform.b], [transform.d, transform.e]])
    return shapely.transform(outlines, lambda vertices: vertices @ matrix.T + [transform.c, transform.f])
