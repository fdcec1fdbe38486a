"""Outlines by another library from the same masks, to be scored beside ours."""

import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import shapely

from members.common.errors import InputError
from members.common.progress import Progress, silent
from members.common.workers import Workers
from members.data.frames import Frame
from members.data.mosaic import Mosaic, Reader
from members.labels.geometry import draw_border, move_outlines
from postproc.geo.footprints import drop_small, measure_areas
from postproc.geo.outlining import OutlinedMosaic, cut_buildings, outline_images
from postproc.polygons.buildings import Building
from postproc.polygons.tracing import trace_mask

LIBRARY = "buildingregulariser"
SETTINGS: Mapping[str, Mapping[str, float]] = {
    LIBRARY: {},
    f"{LIBRARY} at 1 m": {"simplify_tolerance": 1.0},
}
"""What the library is asked for: what it does by itself, and about as few vertices as ours."""
REMARK = f"{LIBRARY} has the components of the mask to begin with, its defaults, and a tolerance of 0.5 or 1 m"


def check_library(frames: Mapping[str, Frame]) -> None:
    """Check that the library is installed, and images lie on earth, as its lengths are in metres.

    Raises:
        InputError: one of them is not so.
    """
    if importlib.util.find_spec(LIBRARY) is None:
        raise InputError(f"--against {LIBRARY}: not installed; pip install {LIBRARY}")
    if bare := [image_id for image_id, frame in frames.items() if frame.crs is None]:
        raise InputError(
            f"--against {LIBRARY}: its lengths are in metres, and {bare[0]} has no georeferencing; add it, or leave "
            "--against out"
        )


def outline_by_library(
    frames: Mapping[str, Frame],
    read: Reader,
    min_area_m2: float = 0.0,
    progress: Progress = silent,
    workers: Workers | None = None,
) -> dict[str, list[OutlinedMosaic]]:
    """Outline the buildings of images by the library at each of `SETTINGS`, from the masks' components.

    Args:
        frames: georeferenced images.
        read: reads a window of one of their masks.
        min_area_m2: smaller buildings are left out.
        progress, workers: as for `outline_images`, which traces.
    """
    traced = outline_images(frames.values(), read, trace_buildings, progress, workers)
    return {
        name: [drop_small(each, min_area_m2) for each in square_mosaics(traced, **options)]
        for name, options in SETTINGS.items()
    }


def trace_buildings(mask: np.ndarray, values: np.ndarray) -> list[Building]:
    """Trace the components of a mask, bool (h, w), pixel by pixel: what the library begins with."""
    return [Building(outline, "traced", np.nan) for outline in trace_mask(mask)]


def square_mosaics(traced: Sequence[OutlinedMosaic], **options: float) -> list[OutlinedMosaic]:
    """Have the library straighten traced buildings; what it loses is left out.

    Args:
        traced: buildings as `trace_buildings` finds them, on georeferenced mosaics.
        options: of `buildingregulariser.regularize_geodataframe`, lengths in metres.
    """
    squared = []
    for each in traced:
        outlines = np.array([building.outline for building in each.buildings], object)
        made = square_outlines(outlines, measure_pixel(each.mosaic), **options)
        pairs = zip(each.buildings, made, strict=True)
        buildings = [replace(building, outline=outline) for building, outline in pairs if not outline.is_empty]
        squared.append(OutlinedMosaic(each.mosaic, buildings, cut_buildings(each.mosaic, buildings)))
    return squared


def measure_pixel(mosaic: Mosaic) -> float:
    """Measure the side of a mosaic's pixel on the ground, m: the root of its area, where it is no square."""
    border = move_outlines(np.array([draw_border(mosaic.size)], object), mosaic.transform)
    (area,) = measure_areas(border, str(mosaic.crs))
    return float(np.sqrt(area / (mosaic.size[0] * mosaic.size[1])))


def square_outlines(outlines: np.ndarray, pixel: float, **options: float) -> np.ndarray:
    """Have the library straighten outlines.

    Args:
        outlines: Polygon (n,), px.
        pixel: side of a pixel, m.
        options: as for `square_mosaics`.

    Returns:
        Polygon (n,), px: of an outline that was cut to pieces the largest, of a lost one an empty one.
    """
    import geopandas
    from buildingregulariser import regularize_geodataframe

    squared = np.full(len(outlines), shapely.Polygon(), object)
    if not len(outlines):
        return squared
    scaled = shapely.transform(outlines, lambda vertices: vertices * pixel)
    frame = geopandas.GeoDataFrame({"number": np.arange(len(outlines))}, geometry=scaled)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = regularize_geodataframe(frame, num_cores=1, **options)
    pieces = made.explode(ignore_index=True)
    order = np.argsort(pieces.geometry.area.to_numpy(), kind="stable")
    squared[pieces["number"].to_numpy()[order]] = pieces.geometry.to_numpy()[order]
    return np.asarray(shapely.transform(squared, lambda vertices: vertices / pixel))
