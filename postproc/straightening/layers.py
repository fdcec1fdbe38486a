"""Layers of outlines: through pixels of a chosen size and back, so that rows keep their attributes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from rasterio import Affine
from shapely import GeometryType
from shapely.affinity import translate

from members.common.errors import InputError
from members.common.graphs import find_groups
from members.common.progress import Progress, silent
from members.common.workers import Threads, Workers, cut_chunks
from members.labels.geometry import move_outlines
from postproc.formats.columns import AREA, STATUS, free_name
from postproc.geo.footprints import measure_areas, transform_outlines
from postproc.pipeline.outlines import OutlineRecipe, find_touching, reshape_outlines
from postproc.polygons.buildings import rasterize_outlines
from postproc.polygons.tracing import trace_labels

if TYPE_CHECKING:
    import geopandas

LARGEST = 2**26
"""Pixels of a window: what would need more keeps its outline."""
KEPT = "kept"
"""The status of an outline that was not straightened at all."""
ROW = 16.0
"""Outlines that are this near are straightened together, as rows share a direction, px."""


@dataclass(frozen=True)
class Straightened:
    """A layer with straight walls.

    Attributes:
        table: a row a polygon, with the attributes of the row that it came from, and `status` and `area_m2`.
        remarks: what was mended or left as it was, a line each.
    """

    table: "geopandas.GeoDataFrame"
    remarks: tuple[str, ...]


def straighten_layer(
    table: "geopandas.GeoDataFrame",
    recipe: OutlineRecipe,
    resolution: float,
    progress: Progress = silent,
    workers: Workers | None = None,
) -> Straightened:
    """Give the polygons of a layer straight walls; those that share one keep sharing it.

    They are drawn in pixels, each with a number of its own, and outlined from these, as buildings of a mask are.

    Args:
        table: polygons and multipolygons; other geometries are dropped. Without a CRS its coordinates are pixels of an
            image, y down.
        recipe: how they are outlined; its splits are not used.
        resolution: side of the pixels, in metres on the ground; in units of the layer without a CRS.
        progress: is shown the outlines.
        workers: who draws and outlines; by default a thread a core.

    Raises:
        InputError: there is no polygon.
    """
    parts, remarks = take_polygons(table)
    geometries = parts.geometry.to_numpy()
    metric = find_metric(parts)
    if metric is not None:
        geometries = transform_outlines(geometries, parts.crs.to_wkt(), metric)
    west, south, _, north = shapely.total_bounds(geometries)
    flip, top = (1, south) if metric is None else (-1, north)  # rows go down
    to_pixels = Affine.scale(1 / resolution, flip / resolution) @ Affine.translation(-west, -top)
    outlines, statuses = straighten(move_outlines(geometries, to_pixels), recipe, progress, workers)
    if kept := statuses.count(KEPT):
        remarks.append(f"{kept} outlines stay as they were: too thin for a pixel of {resolution:g}, or too large")
    moved = move_outlines(outlines, ~to_pixels)
    if metric is not None:
        moved = transform_outlines(moved, metric, parts.crs.to_wkt())
    moved = shapely.orient_polygons(moved)
    added: dict[str, Any] = {STATUS: statuses}
    if metric is not None:
        added[AREA] = measure_areas(moved, parts.crs.to_wkt()).round(3)
    columns = {free_name(name, parts): values for name, values in added.items()}
    return Straightened(parts.set_geometry(moved).assign(**columns), tuple(remarks))


def find_metric(table: "geopandas.GeoDataFrame") -> str | None:
    """Find a CRS in metres for a table, as WKT; None where it has no CRS itself.

    Raises:
        InputError: it lies nowhere that its CRS tells of.
    """
    if table.crs is None:
        return None
    try:
        return str(table.estimate_utm_crs().to_wkt())
    except RuntimeError:
        west, south, east, north = table.total_bounds
        raise InputError(
            f"a layer from {west:g}, {south:g} to {east:g}, {north:g} lies nowhere in {table.crs.name}; correct its "
            "CRS (GeoJSON is longitude and latitude, whatever it holds: write pixels or metres as .gpkg)"
        ) from None


def take_polygons(table: "geopandas.GeoDataFrame") -> tuple["geopandas.GeoDataFrame", list[str]]:
    """Return a table's polygons, valid and in two dimensions, one a row, and what was done to get them.

    Raises:
        InputError: there is none.
    """
    before = table.geometry.to_numpy()
    remarks = []
    if flat := int(shapely.has_z(before).sum()):
        remarks.append(f"{flat} outlines with heights: these are dropped")
    if broken := int((~shapely.is_valid(before) & ~shapely.is_missing(before)).sum()):
        remarks.append(f"{broken} outlines with rings that cross themselves are mended")
    mended = shapely.make_valid(shapely.force_2d(before), method="structure", keep_collapsed=False)
    parts = table.set_geometry(mended, crs=table.crs).explode(ignore_index=True)
    areal = parts[(parts.geom_type == "Polygon") & ~parts.is_empty].reset_index(drop=True)
    if not len(areal):
        kinds = ", ".join(sorted(set(map(str, table.geom_type)))) or "no rows"
        raise InputError(f"a layer of {kinds}; buildings are polygons")
    if others := int((~np.isin(shapely.get_type_id(before), (GeometryType.POLYGON, GeometryType.MULTIPOLYGON))).sum()):
        remarks.append(f"{others} rows are no polygons: these are dropped")
    if len(areal) + others != len(table):
        remarks.append(f"{len(table) - others} rows have {len(areal)} polygons: each is a row of its own")
    return areal, remarks


def straighten(
    outlines: np.ndarray, recipe: OutlineRecipe, progress: Progress = silent, workers: Workers | None = None
) -> tuple[np.ndarray, list[str]]:
    """Straighten polygons in pixels, those that are near one another together.

    Args:
        outlines: valid Polygon (n,), px; where they overlap the smaller one has the ground.
        recipe: as for `straighten_layer`.
        progress, workers: as for `straighten_layer`.

    Returns:
        Polygon (n,), and the status of each, as in `Building` or `KEPT`.
    """
    workers = workers or Threads()
    rows = [members.tolist() for members in _find_near(outlines, ROW)]

    def work(row: Sequence[int]) -> tuple[np.ndarray, list[str]]:
        return straighten_row(outlines[row], recipe)

    def chunk(some: Sequence[Sequence[int]]) -> list[tuple[np.ndarray, list[str]]]:
        return [work(row) for row in some]

    chunks = cut_chunks(rows, workers)
    found = progress(workers.map(chunk, chunks), "outlines", len(chunks))
    result, statuses = outlines.copy(), np.empty(len(outlines), object)
    for some, made in zip(chunks, found, strict=True):
        for row, (straight, own) in zip(some, made, strict=True):
            result[row], statuses[row] = straight, own
    return result, statuses.tolist()


def straighten_row(outlines: np.ndarray, recipe: OutlineRecipe) -> tuple[np.ndarray, list[str]]:
    """Straighten polygons that are near one another, as `straighten` does."""
    traced = np.full(len(outlines), None, object)
    touching = np.zeros(len(outlines), bool)
    for group in _find_near(outlines, 1.0):
        traced[group], touching[group] = trace_outlines(outlines[group])
    found = np.flatnonzero(~shapely.is_missing(traced))
    result, statuses = outlines.copy(), np.full(len(outlines), KEPT, object)
    shared = touching[found]
    result[found], made = reshape_outlines(traced[found], recipe, shared if shared.any() else None)
    statuses[found] = made
    return result, statuses.tolist()


def trace_outlines(outlines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw polygons as labels and trace them, pixel by pixel.

    Returns:
        Polygon (n,), the largest piece of each; None of what has no pixel, or where there would be too many. And which
        share a wall, bool (n,).
    """
    left, top, right, bottom = shapely.total_bounds(outlines)
    column, row = int(np.floor(left)) - 1, int(np.floor(top)) - 1
    height, width = int(np.ceil(bottom)) + 1 - row, int(np.ceil(right)) + 1 - column
    traced, touching = np.full(len(outlines), None, object), np.zeros(len(outlines), bool)
    if height * width > LARGEST:
        return traced, touching
    order = np.argsort(-shapely.area(outlines), kind="stable")
    labels = np.zeros((height, width), np.int32)
    for number in order.tolist():
        x_min, y_min, x_max, y_max = outlines[number].bounds
        x, y = int(np.floor(x_min)), int(np.floor(y_min))
        drawn = rasterize_outlines(
            [translate(outlines[number], -x, -y)], (int(np.ceil(y_max)) - y, int(np.ceil(x_max)) - x)
        )
        part = labels[y - row :, x - column :][: drawn.shape[0], : drawn.shape[1]]
        part[drawn] = number + 1
    pieces, owners = trace_labels(labels)
    for piece, owner in sorted(zip(pieces, owners - 1, strict=True), key=lambda pair: pair[0].area):
        traced[owner] = piece
    found = np.flatnonzero(~shapely.is_missing(traced))
    traced[found] = move_outlines(traced[found], Affine.translation(column, row))
    touching[: labels.max(initial=0)] = find_touching(labels)
    return traced, touching


def _find_near(outlines: np.ndarray, distance: float) -> list[np.ndarray]:
    """Group polygons that are within a distance of one another, px: the numbers of each group, int (n,)."""
    pairs = shapely.STRtree(outlines).query(outlines, predicate="dwithin", distance=distance)
    groups = find_groups(len(outlines), pairs.T)
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
