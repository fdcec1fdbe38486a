"""Outlines in an image's pixels: moved to map coordinates and back, and cut off at its border."""

import numpy as np
import shapely
from rasterio import Affine
from shapely import GeometryType, Polygon


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
