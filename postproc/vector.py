"""Vector files of buildings, read into the pixels of images and written out of them.

GeoJSON (RFC 7946), GeoPackage, GeoParquet, and for reading all else that GDAL knows, Shapefile above all.
"""

from collections.abc import Mapping
from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from shapely import Polygon

from members.errors import InputError
from postproc.frames import Frame, clip_outlines, draw_border, move_outlines

ID = "image_id"
LAYER = "buildings"
PARQUET = (".parquet", ".geoparquet")
GEOJSON = (".geojson", ".json")


def read_outlines(path: Path, frames: Mapping[str, Frame]) -> dict[str, list[Polygon]]:
    """Read a vector file's polygons into the pixels of images, cut off at their borders.

    Invalid rings are mended, parts of multipolygons come one by one, and another CRS is transformed. Outlines in map
    coordinates go to every image that they lie in. In a file without a CRS, and for images without georeferencing,
    the column image_id says which image an outline is of, and its coordinates are that image's pixels.

    Args:
        path: GeoJSON, GeoPackage, GeoParquet, Shapefile, or what else GDAL reads.
        frames: image id -> its frame.

    Returns:
        image id -> polygons as in `Building.outline`, for every image of `frames`; none where there is no building.

    Raises:
        InputError: the file is missing or damaged, has several layers or no polygons, or it or an image has no
            georeferencing and the file has no column image_id.
    """
    table = _read_table(path)
    outlines = table.geometry.to_numpy()
    if table.crs is None or not any(frame.crs for frame in frames.values()):
        found = _take_by_id(path, table, frames)
    else:
        if bare := [image_id for image_id, frame in frames.items() if frame.crs is None]:
            raise InputError(f"{path}: outlines in map coordinates, but image {bare[0]} has no georeferencing; add it")
        found = {}
        for crs in {frame.crs for frame in frames.values()}:
            inside = {image_id: frame for image_id, frame in frames.items() if frame.crs == crs}
            found |= _take_by_place(table.to_crs(crs).geometry.to_numpy(), inside)
    return {
        image_id: clip_outlines(found.get(image_id, outlines[:0]), frame.size) for image_id, frame in frames.items()
    }


def _read_table(path: Path) -> geopandas.GeoDataFrame:
    """Read a vector file as valid polygons, one a row, with what CRS it says that it has."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        if path.suffix.lower() in PARQUET:
            table = geopandas.read_parquet(path)
        else:
            layers = [name for name, kind in pyogrio.list_layers(path) if kind is not None]
            if len(layers) > 1 and LAYER not in layers:
                raise InputError(f"{path}: layers {', '.join(layers)}; keep one, or name the right one {LAYER}")
            table = pyogrio.read_dataframe(path, layer=LAYER if len(layers) > 1 else None)
    except (DataSourceError, DataLayerError, ValueError, OSError) as error:
        raise InputError(f"{path}: not a readable vector file ({error}); export it again") from None
    if not isinstance(table, geopandas.GeoDataFrame):
        raise InputError(f"{path}: a table without geometries; export the outlines, not their attributes alone")
    geometries = shapely.force_2d(table.geometry.to_numpy())
    table = table.set_geometry(shapely.make_valid(geometries, method="structure", keep_collapsed=False))
    parts = table.explode(ignore_index=True)
    polygons = parts[parts.geom_type == "Polygon"]
    if len(table) and not len(polygons):
        raise InputError(f"{path}: {', '.join(sorted(set(map(str, table.geom_type))))}; buildings are polygons")
    return polygons[~polygons.is_empty]


def _take_by_id(path: Path, table: geopandas.GeoDataFrame, frames: Mapping[str, Frame]) -> dict[str, np.ndarray]:
    """Each image's outlines, by the column image_id; coordinates are pixels."""
    if table.crs is not None and path.suffix.lower() not in GEOJSON:  # which cannot say that it has none
        raise InputError(f"{path}: outlines in {table.crs.name}, but the images have no georeferencing; add it to them")
    if ID not in table:
        raise InputError(
            f"{path}: it or the images have no CRS, so coordinates are pixels, of the image that a column {ID} names; "
            "add that column, or give the file and the images a CRS"
        )
    ids = table[ID].astype(str).to_numpy()
    outlines = table.geometry.to_numpy()
    return {image_id: outlines[ids == image_id] for image_id in frames}


def _take_by_place(outlines: np.ndarray, frames: Mapping[str, Frame]) -> dict[str, np.ndarray]:
    """Each image's outlines in its pixels: those whose bounds meet its own; all in one CRS."""
    tree = shapely.STRtree(outlines)
    found = {}
    for image_id, frame in frames.items():
        border = move_outlines(np.array([draw_border(frame.size)]), frame.transform)[0]
        found[image_id] = move_outlines(outlines[np.sort(tree.query(border))], ~frame.transform)
    return found
