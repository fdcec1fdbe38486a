"""Vector files of buildings, read into the pixels of images: GeoJSON, GeoPackage, GeoParquet, all that GDAL knows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely import Polygon

from members.common.errors import InputError
from members.data.frames import Frame, read_frame
from members.data.tiles import Tile
from members.labels.geometry import clip_outlines, draw_border, move_outlines

if TYPE_CHECKING:
    import geopandas

ID, CONFIDENCE = "image_id", "confidence"
LAYER = "buildings"
GEOJSON, PARQUET = (".geojson", ".json"), (".parquet", ".geoparquet")
BEGINNINGS: dict[str, bytes | tuple[bytes, ...]] = {
    **dict.fromkeys(GEOJSON, (b"{", b"\x1e")), **dict.fromkeys(PARQUET, b"PAR1"), ".gpkg": b"SQLite format 3",
    ".fgb": b"fgb", ".shp": b"\x00\x00\x27\x0a", ".kml": b"<", ".gml": b"<",
}  # fmt: skip
"""Of vector files that are read, by their endings."""


def read_outlines(path: Path, frames: Mapping[str, Frame]) -> dict[str, list[Polygon]]:
    """Read a vector file's polygons into the pixels of images, cut off at their borders.

    As `read_detections` does, whatever the file says of confidence.
    """
    found = _read_images(path, _read_table(path), frames)
    return {image_id: outlines for image_id, (outlines, _) in found.items()}


def read_labels(path: Path, tiles: Sequence[Tile]) -> dict[str, list[Polygon]]:
    """Read a file of outlines into the pixels of tiles, cut off at their borders.

    Args:
        path: any vector file, as for `read_outlines`.
        tiles: of the data set.

    Returns:
        image id -> polygons as in `Building.outline`, for every tile; none where there is no building.

    Raises:
        InputError: the file is missing or damaged, holds no polygons, or none of them lies in a tile.
    """
    outlines = read_outlines(path, {tile.image_id: read_frame(tile.image) for tile in tiles})
    if not any(outlines.values()):
        raise InputError(
            f"{path}: none of its outlines lies in the {len(tiles)} tiles; check the coordinates and the CRS of both"
        )
    return outlines


def read_detections(path: Path, frames: Mapping[str, Frame]) -> dict[str, tuple[list[Polygon], list[float] | None]]:
    """Read a vector file's polygons, with their confidences, into the pixels of images, cut off at their borders.

    Invalid rings are mended, parts of multipolygons come one by one, and another CRS is transformed. Outlines in map
    coordinates go to every image that they lie in. In a file without a CRS, and for images without georeferencing,
    the column image_id says which image an outline is of, and its coordinates are that image's pixels.

    Args:
        path: GeoJSON, GeoPackage, GeoParquet, Shapefile, or what else GDAL reads.
        frames: image id -> its frame.

    Returns:
        image id -> polygons as in `Building.outline`, for every image of `frames`, no polygon where there is no
        building; and the column confidence of each, or None where the file has no such column.

    Raises:
        InputError: the file is missing or damaged, has several layers or no polygons, it or an image has no
            georeferencing and the file has no column image_id, or confidences are missing or no numbers.
    """
    from pandas.api.types import is_numeric_dtype

    table = _read_table(path)
    found = _read_images(path, table, frames)
    if CONFIDENCE not in table:
        return {image_id: (outlines, None) for image_id, (outlines, _) in found.items()}
    values = table[CONFIDENCE]
    if len(table) and (not is_numeric_dtype(values) or values.isna().any()):
        wrong = values.isna().sum() if is_numeric_dtype(values) else len(values)
        raise InputError(
            f"{path}: {wrong} of {len(values)} outlines have no number as their {CONFIDENCE}; fill it in, or leave the "
            "column out"
        )
    confidences = values.to_numpy()
    return {image_id: (outlines, confidences[rows].tolist()) for image_id, (outlines, rows) in found.items()}


def _read_images(
    path: Path, table: "geopandas.GeoDataFrame", frames: Mapping[str, Frame]
) -> dict[str, tuple[list[Polygon], np.ndarray]]:
    """Find each image's outlines, in its pixels, and the row of the table that each is of, int (n,)."""
    if table.crs is None or not any(frame.crs for frame in frames.values()):
        found = _take_by_id(path, table, frames)
    else:
        if bare := [image_id for image_id, frame in frames.items() if frame.crs is None]:
            raise InputError(f"{path}: outlines in map coordinates, but image {bare[0]} has no georeferencing; add it")
        found = {}
        for crs in {frame.crs for frame in frames.values()}:
            inside = {image_id: frame for image_id, frame in frames.items() if frame.crs == crs}
            found |= _take_by_position(table.to_crs(crs).geometry.to_numpy(), inside)
    nothing = np.array([], object), np.array([], np.intp)
    clipped = {}
    for image_id, frame in frames.items():
        outlines, rows = found.get(image_id, nothing)
        pieces, owners = clip_outlines(outlines, frame.size)
        clipped[image_id] = list(pieces), rows[owners]
    return clipped


def _read_table(path: Path) -> "geopandas.GeoDataFrame":
    """Read a vector file as valid polygons, one a row, with what CRS it says that it has."""
    table = read_table(path)
    geometries = shapely.force_2d(table.geometry.to_numpy())
    table = table.set_geometry(shapely.make_valid(geometries, method="structure", keep_collapsed=False))
    parts = table.explode(ignore_index=True)
    polygons = parts[parts.geom_type == "Polygon"]
    if len(table) and not len(polygons):
        raise InputError(f"{path}: {', '.join(sorted(set(map(str, table.geom_type))))}; buildings are polygons")
    return polygons[~polygons.is_empty]


def read_table(path: Path) -> "geopandas.GeoDataFrame":
    """Read a vector file with all of its columns, its geometries as they are.

    Raises:
        InputError: the file is missing or damaged, has several layers or no geometries.
    """
    import geopandas
    from pyogrio.errors import DataLayerError, DataSourceError

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        table = load_table(path)
    except InputError:
        raise
    except (DataSourceError, DataLayerError, ValueError, OSError) as error:
        raise InputError(f"{path}: not a readable vector file ({error}); export it again") from None
    if not isinstance(table, geopandas.GeoDataFrame):
        raise InputError(f"{path}: a table without geometries; export the outlines, not their attributes alone")
    return table


def _take_by_id(
    path: Path, table: "geopandas.GeoDataFrame", frames: Mapping[str, Frame]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Find each image's outlines by the column image_id, and their rows; coordinates are pixels."""
    if table.crs is not None and path.suffix.lower() not in GEOJSON:  # which cannot say that it has none
        raise InputError(f"{path}: outlines in {table.crs.name}, but the images have no georeferencing; add it to them")
    if ID not in table:
        raise InputError(
            f"{path}: it or the images have no CRS, so coordinates are pixels, of the image that a column {ID} names; "
            "add that column, or give the file and the images a CRS"
        )
    ids = table[ID].astype(str).to_numpy()
    outlines = table.geometry.to_numpy()
    rows = {image_id: np.flatnonzero(ids == image_id) for image_id in frames}
    return {image_id: (outlines[mine], mine) for image_id, mine in rows.items()}


def _take_by_position(outlines: np.ndarray, frames: Mapping[str, Frame]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Find the outlines whose bounds meet an image's, in its pixels, and their rows; all are in one CRS."""
    tree = shapely.STRtree(outlines)
    found = {}
    for image_id, frame in frames.items():
        border = move_outlines(np.array([draw_border(frame.size)]), frame.transform)[0]
        rows = np.sort(tree.query(border))
        found[image_id] = move_outlines(outlines[rows], ~frame.transform), rows
    return found


def check_kind(path: Path) -> None:
    """Check that a file is of the kind that its ending says, before GDAL goes by its content.

    GDAL would also read a virtual layer of any name, which leads to other files of the machine or onto the network.

    Raises:
        InputError: another ending, or a beginning that files of that kind do not have.
    """
    beginning = BEGINNINGS.get(path.suffix.lower())
    if beginning is None:
        raise InputError(f"{path}: ending {path.suffix or 'none'}; a vector file has one of {', '.join(BEGINNINGS)}")
    with path.open("rb") as file:
        content = file.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not content.startswith(beginning) or b"<OGRVRT" in content:
        raise InputError(f"{path}: not a readable vector file (it begins as no {path.suffix} does); export it again")


def load_table(path: Path, layer: str = LAYER) -> "geopandas.GeoDataFrame":
    """Read the one layer of a vector file, or that of several which has a name."""
    import geopandas
    import pyogrio

    check_kind(path)
    if path.suffix.lower() in PARQUET:
        return geopandas.read_parquet(path)
    layers = [name for name, kind in pyogrio.list_layers(path) if kind is not None]
    if len(layers) > 1 and layer not in layers:
        raise InputError(f"{path}: layers {', '.join(layers)}; keep one, or name the right one {layer}")
    named = layer if len(layers) > 1 else next(iter(layers), None)
    return pyogrio.read_dataframe(path, layer=named)
