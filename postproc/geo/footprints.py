"""Buildings on the map: outlines in a coordinate reference system, areas in square metres."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from shapely import GeometryType, Polygon

from members.common.errors import InputError
from postproc.geo.frames import move_outlines
from postproc.geo.mosaic import Mosaic
from postproc.polygons.buildings import Building, Status

WGS84 = "OGC:CRS84"
"""Longitude and latitude in degrees, in this order, as GeoJSON has them."""


@dataclass(frozen=True)
class Footprint:
    """A building on the map.

    Attributes:
        outline: valid polygon in map coordinates, its exterior counterclockwise; in an image's pixels without
            georeferencing.
        image_id: the image that it, or its greatest part, is in.
        status: as in `Building`.
        confidence: as in `Building`.
        area_m2: geodesic area; None without georeferencing.
    """

    outline: Polygon
    image_id: str
    status: Status
    confidence: float
    area_m2: float | None


def place_buildings(
    mosaic: Mosaic, buildings: Sequence[Building], image_ids: Sequence[str], crs: str | None
) -> list[Footprint]:
    """Place a mosaic's buildings on the map.

    Args:
        mosaic: the joined images.
        buildings: outlines in its pixels.
        image_ids: which image each is in.
        crs: what to place them in; None for pixels, where the mosaic has no georeferencing.

    Raises:
        InputError: the mosaic's CRS is not on earth, or has no way to `crs`.
    """
    pixels = np.array([building.outline for building in buildings], object)
    here = move_outlines(pixels, mosaic.transform)
    there = _mend_outlines(here if mosaic.crs is None or crs is None else transform_outlines(here, mosaic.crs, crs))
    areas = [None] * len(here) if mosaic.crs is None else measure_areas(here, mosaic.crs).tolist()
    return [
        Footprint(outline, image_id, building.status, building.confidence, area)
        for outline, image_id, building, area in zip(there, image_ids, buildings, areas, strict=True)
    ]


def measure_areas(outlines: np.ndarray, crs: str) -> np.ndarray:
    """Measure areas on the ellipsoid (Karney 2013, doi:10.1007/s00190-012-0578-z), whatever the CRS does to them.

    Args:
        outlines: polygons in `crs`, object (n,).
        crs: WKT, or a name such as EPSG:3857.

    Returns:
        float64 (n,), m²; holes are no area.

    Raises:
        InputError: the CRS is not on earth.
    """
    system = CRS.from_user_input(crs)
    geod, globe = system.get_geod(), system.geodetic_crs
    if geod is None or globe is None:
        raise InputError(f"CRS {system.name}: not on earth, so it has no square metres; give the images a proper one")
    degrees = shapely.orient_polygons(transform_outlines(outlines, crs, globe.to_wkt()))
    return np.array([abs(geod.geometry_area_perimeter(outline)[0]) for outline in degrees])


def transform_outlines(outlines: np.ndarray, source: str, target: str) -> np.ndarray:
    """Transform polygons from one CRS to another, x or longitude first in both.

    Raises:
        InputError: there is no way, or it fails for a vertex.
    """
    transformer = _find_transformer(source, target)
    moved = shapely.transform(outlines, transformer.transform, interleaved=False)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        name = CRS.from_user_input(source).name
        raise InputError(f"CRS {name}: coordinates out of its range; correct the images' georeferencing")
    return moved


@functools.lru_cache(maxsize=16)  # a mosaic each asks for the same ones
def _find_transformer(source: str, target: str) -> Transformer:
    try:
        return Transformer.from_crs(source, target, always_xy=True)
    except CRSError as error:
        raise InputError(f"CRS {CRS.from_user_input(source).name}: no way to {target} ({error})") from None


def _mend_outlines(outlines: np.ndarray) -> np.ndarray:
    """Turn exteriors counterclockwise, and mend rings that rounding made cross themselves."""
    outlines = shapely.orient_polygons(outlines)
    for number in np.flatnonzero(~shapely.is_valid(outlines)):
        parts = shapely.get_parts(shapely.make_valid(outlines[number], method="structure"))
        polygons = parts[shapely.get_type_id(parts) == GeometryType.POLYGON]
        outlines[number] = max(polygons, key=lambda part: part.area)
    return outlines
