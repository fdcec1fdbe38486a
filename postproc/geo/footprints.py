"""Buildings on the map: outlines in a coordinate reference system, areas in square metres."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from shapely import GeometryType, Polygon

from members.common.errors import InputError
from members.data.frames import Frame
from members.labels.geometry import move_outlines
from postproc.geo.outlining import OutlinedMosaic
from postproc.polygons.buildings import Status

WGS84 = "OGC:CRS84"
"""Longitude and latitude in degrees, in this order, as GeoJSON has them."""


SPECK = 1.0
"""What is smaller on the ground is no building, m²."""
MANY = 0.1
"""The share of outlines from which on specks are worth a word."""


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


def make_footprints(outlined: OutlinedMosaic, crs: str | None) -> list[Footprint]:
    """Put a mosaic's buildings on the map.

    Args:
        outlined: the mosaic and its buildings.
        crs: what their outlines are to be in; None for pixels, where the mosaic has no georeferencing.

    Raises:
        InputError: the mosaic's CRS is not on earth, or has no way to `crs`.
    """
    source = outlined.mosaic.crs
    here = _move_to_map(outlined)
    there = _mend_outlines(here if source is None or crs is None else transform_outlines(here, source, crs))
    areas = [None] * len(here) if source is None else measure_areas(here, source).tolist()
    return [
        Footprint(outline, pieces[0][0], building.status, building.confidence, area)
        for outline, building, pieces, area in zip(there, outlined.buildings, outlined.pieces, areas, strict=True)
    ]


def drop_small(outlined: OutlinedMosaic, min_area_m2: float) -> OutlinedMosaic:
    """Leave out the buildings of a mosaic that are smaller than `min_area_m2` on the ground.

    Raises:
        InputError: the mosaic has no georeferencing, or its CRS is not on earth.
    """
    if min_area_m2 <= 0:
        return outlined
    check_areas(outlined.mosaic.frames, min_area_m2)
    kept = measure_areas(_move_to_map(outlined), str(outlined.mosaic.crs)) >= min_area_m2
    return replace(
        outlined,
        buildings=[building for building, large in zip(outlined.buildings, kept, strict=True) if large],
        pieces=[pieces for pieces, large in zip(outlined.pieces, kept, strict=True) if large],
    )


def advise_specks(areas: np.ndarray) -> list[str]:
    """Say, in a line or none, that many outlines are specks, and which option leaves them out.

    >>> advise_specks(np.array([0.3, 0.5, 80.0]))
    ['2 of 3 outlines are smaller than 1 m²: --min-area-m2 1 leaves them out']
    """
    count = int((areas < SPECK).sum())
    if not count or count < MANY * len(areas):
        return []
    return [f"{count} of {len(areas)} outlines are smaller than 1 m²: --min-area-m2 1 leaves them out"]


def check_areas(frames: Iterable[Frame], min_area_m2: float) -> None:
    """Check that buildings can be left out by their area.

    Raises:
        InputError: there is a minimum, and an image without georeferencing.
    """
    bare = [frame.image_id for frame in frames if frame.crs is None]
    if min_area_m2 > 0 and bare:
        raise InputError(
            f"min_area_m2 {min_area_m2:g}: image {bare[0]} has no georeferencing, so no square metres; "
            "the recipe's min_object drops objects by pixels"
        )


def _move_to_map(outlined: OutlinedMosaic) -> np.ndarray:
    """Return the outlines of a mosaic's buildings, object (n,), in its CRS."""
    pixels = np.array([building.outline for building in outlined.buildings], object)
    return move_outlines(pixels, outlined.mosaic.transform)


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
    from pyproj import CRS

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
        from pyproj import CRS

        name = CRS.from_user_input(source).name
        raise InputError(f"CRS {name}: coordinates out of its range; correct the images' georeferencing")
    return moved


@functools.lru_cache(maxsize=16)  # every mosaic asks for the same ones
def _find_transformer(source: str, target: str) -> Any:
    from pyproj import CRS, Transformer
    from pyproj.exceptions import CRSError

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
