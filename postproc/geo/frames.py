"""Frames: an image's size, and how its pixels become map coordinates."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from rasterio import Affine
from shapely import GeometryType, Polygon

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
    """

    image_id: str
    size: tuple[int, int]
    crs: str | None
    transform: Affine


def read_frame(path: Path) -> Frame:
    """Read the frame of a raster: an image, or a map or mask of one.

    A file that has a CRS without a transform, or a transform without a CRS, is taken as not georeferenced.

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


def draw_border(size: tuple[int, int]) -> Polygon:
    """Return the rectangle of an image of a height and width, in its pixels."""
    return shapely.box(0, 0, size[1], size[0])


def clip_outlines(outlines: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Cut polygons, object (n,), off at an image's border; those that only touch it are left out.

    Returns:
        Polygon (pieces,), and int (pieces,), the number of the outline that each is of, increasing.
    """
    border = draw_border(size)
    over = ~shapely.contains_properly(border, outlines)
    outlines = outlines.copy()
    outlines[over] = shapely.intersection(outlines[over], border)
    parts, owners = shapely.get_parts(outlines, return_index=True)
    areal = (shapely.get_type_id(parts) == GeometryType.POLYGON) & (shapely.area(parts) > 0)
    return parts[areal], owners[areal]
