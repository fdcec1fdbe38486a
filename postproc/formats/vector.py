"""Vector files of buildings, read into the pixels of images and written out of them.

GeoJSON (RFC 7946), GeoPackage, GeoParquet, and for reading all else that GDAL knows, Shapefile above all.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely import Polygon

from members.common.errors import InputError
from members.common.files import write_target
from postproc.geo.footprints import WGS84, Footprint, make_footprints
from postproc.geo.frames import Frame, clip_outlines, draw_border, move_outlines
from postproc.geo.outlining import OutlinedMosaic

if TYPE_CHECKING:
    import geopandas

ID, CONFIDENCE = "image_id", "confidence"
LAYER = "buildings"
GEOJSON, PARQUET = (".geojson", ".json"), (".parquet", ".geoparquet")
DIGITS = 8
"""Of a degree in GeoJSON: a millimetre, of which GDAL's default of 7 keeps a centimetre."""


def read_outlines(path: Path, frames: Mapping[str, Frame]) -> dict[str, list[Polygon]]:
    """Read a vector file's polygons into the pixels of images, cut off at their borders.

    As `read_detections` does, whatever the file says of confidence.
    """
    found = _read_images(path, _read_table(path), frames)
    return {image_id: outlines for image_id, (outlines, _) in found.items()}


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
        pieces = [clip_outlines(outlines[index : index + 1], frame.size) for index in range(len(outlines))]
        clipped[image_id] = (
            [piece for each in pieces for piece in each],
            np.repeat(rows, [len(each) for each in pieces]),
        )
    return clipped


def _read_table(path: Path) -> "geopandas.GeoDataFrame":
    """Read a vector file as valid polygons, one a row, with what CRS it says that it has."""
    import geopandas
    from pyogrio.errors import DataLayerError, DataSourceError

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        table = _load_table(path)
    except InputError:
        raise
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


def _load_table(path: Path) -> "geopandas.GeoDataFrame":
    """Read the one layer of a vector file, or that of several which is named `LAYER`."""
    import geopandas
    import pyogrio

    if path.suffix.lower() in PARQUET:
        return geopandas.read_parquet(path)
    layers = [name for name, kind in pyogrio.list_layers(path) if kind is not None]
    if len(layers) > 1 and LAYER not in layers:
        raise InputError(f"{path}: layers {', '.join(layers)}; keep one, or name the right one {LAYER}")
    return pyogrio.read_dataframe(path, layer=LAYER if len(layers) > 1 else None)


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


def check_vector(path: Path, frames: Mapping[str, Frame]) -> str | None:
    """Check that the buildings of images can be written to a vector file.

    Returns:
        The CRS that it will have: that of the images, WGS84 for GeoJSON; None for pixels, where no image has one.

    Raises:
        InputError: some images without georeferencing among others, or several CRS in one file that can hold only one.
    """
    examples = {frame.crs: image_id for image_id, frame in frames.items()}
    if None in examples and len(examples) > 1:
        raise InputError(
            f"{path}: image {examples.pop(None)} has no georeferencing, {examples.popitem()[1]} has; "
            "one file holds map coordinates or pixels, so predict them as two parts"
        )
    if len(examples) > 1 and path.suffix.lower() not in GEOJSON:
        from pyproj import CRS

        named = " and ".join(f"{CRS.from_user_input(crs).name} ({example})" for crs, example in examples.items())
        raise InputError(f"{path}: images in {named}; one layer has one CRS, so write .geojson, which is in WGS84")
    crs = next(iter(examples), None)
    return WGS84 if crs is not None and path.suffix.lower() in GEOJSON else crs


def write_vector(path: Path, frames: Mapping[str, Frame], outlined: Iterable[OutlinedMosaic]) -> None:
    """Write the buildings of images to a vector file, in the images' CRS, or in WGS84 for GeoJSON.

    Raises:
        InputError: it cannot be written, or cannot hold these images.
    """
    crs = check_vector(path, frames)
    write_footprints(path, [each for mosaic in outlined for each in make_footprints(mosaic, crs)], crs)


def write_footprints(path: Path, footprints: Sequence[Footprint], crs: str | None) -> None:
    """Write buildings with their attributes, read the file back and compare, and only then move it into place.

    Args:
        path: .geojson, .gpkg or .parquet.
        footprints: outlines in `crs`; there may be none.
        crs: as `check_vector` returns it.

    Raises:
        InputError: it cannot be written.
    """
    from pyogrio.errors import DataLayerError, DataSourceError

    table = tabulate_footprints(footprints, crs)
    with write_target(path, DataSourceError, DataLayerError) as temporary:
        temporary.unlink()  # GDAL would take the empty file for a damaged one
        if path.suffix.lower() in PARQUET:
            table.to_parquet(temporary, index=False)
        else:
            _write_layer(temporary, table)
        written = _load_table(temporary)
        same = len(written) == len(table) and np.allclose(
            written.total_bounds, table.total_bounds, rtol=0, atol=10.0**-DIGITS, equal_nan=True
        )
        if not same:
            raise OSError(f"{len(written)} of {len(table)} buildings read back; check the disk")


def tabulate_footprints(footprints: Sequence[Footprint], crs: str | None) -> "geopandas.GeoDataFrame":
    """Return buildings as a table with columns of known types, also where there are none."""
    import geopandas
    import pandas as pd

    columns = {
        ID: pd.array([each.image_id for each in footprints], dtype="str"),
        "status": pd.array([each.status for each in footprints], dtype="str"),
        CONFIDENCE: np.array([each.confidence for each in footprints], np.float64),
        "area_m2": np.array([each.area_m2 for each in footprints], np.float64),  # None is NaN
    }
    outlines = geopandas.GeoSeries([each.outline for each in footprints], crs=crs)
    return geopandas.GeoDataFrame(columns, geometry=outlines)


def _write_layer(path: Path, table: "geopandas.GeoDataFrame") -> None:
    import pyogrio

    options = {}
    if path.suffix.lower() in GEOJSON and table.crs is not None:
        options = {"RFC7946": "YES", "COORDINATE_PRECISION": str(DIGITS)}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")  # the command says so itself
        pyogrio.write_dataframe(table, path, layer=LAYER, geometry_type="Polygon", **options)
