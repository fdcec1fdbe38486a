"""Vector files of buildings, written for a GIS: GeoJSON (RFC 7946), GeoPackage, GeoParquet, FlatGeobuf, Shapefile."""

import contextlib
import shutil
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from members.common.errors import InputError
from members.common.files import write_target
from members.data.frames import Frame
from members.labels.reading import CONFIDENCE, GEOJSON, ID, LAYER, PARQUET, check_kind, load_table
from postproc.formats.columns import AGAIN, AREA, STATUS, Look
from postproc.formats.shapefile import SHAPEFILE, move_parts
from postproc.formats.styles import store_style, write_styles
from postproc.geo.footprints import WGS84, Footprint, make_footprints
from postproc.geo.outlining import OutlinedMosaic

if TYPE_CHECKING:
    import geopandas
    import pyarrow

GEOPACKAGE = ".gpkg"
DESCRIBED = (GEOPACKAGE, ".fgb")
"""What holds names, units and comments of columns."""
DIGITS = 8
"""Of a degree in GeoJSON: a millimetre, of which GDAL's default of 7 keeps a centimetre."""


def check_layer(path: Path, layer: str = LAYER) -> None:
    """Check that a GeoPackage has no layer of that name which is not of ours, and would be lost.

    Raises:
        InputError: it has, or it is no GeoPackage.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    if path.suffix.lower() != GEOPACKAGE or not path.is_file() or path.stat().st_size == 0:
        return
    check_kind(path)
    try:
        there = layer in [name for name, _ in pyogrio.list_layers(path)]
        fields = set(pyogrio.read_info(path, layer=layer)["fields"]) if there else {STATUS}
    except (DataSourceError, DataLayerError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: damaged, and would be replaced ({reason}); move it away first") from None
    if not {STATUS, f"{AGAIN}{STATUS}"} & fields:
        raise InputError(
            f"{path}: its layer {layer} has no column {STATUS}, so it is not one of outlines, and would be lost; give "
            "another name, --layer NAME, or another file"
        )


def check_vector(path: Path, frames: Mapping[str, Frame], layer: str = LAYER) -> str | None:
    """Check that the buildings of images can be written to a vector file.

    Returns:
        The CRS that it will have: that of the images, WGS84 for GeoJSON; None for pixels, where no image has one.

    Raises:
        InputError: some images without georeferencing among others, or several CRS in one file that can hold only one,
            or as by `check_layer`.
    """
    check_layer(path, layer)
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


def advise_pixels(path: Path, frames: Mapping[str, Frame]) -> list[str]:
    """Say, in a line or none, that a file of the buildings of images is in pixels, and what a GIS makes of that."""
    if any(frame.crs for frame in frames.values()):
        return []
    told = f"{path.name} is in pixels of the image that image_id names: no image is georeferenced"
    if path.suffix.lower() in GEOJSON:
        told += "; a GIS takes GeoJSON for longitude and latitude (EPSG:4326) all the same, a .gpkg as it is"
    return [told]


def write_vector(
    path: Path, frames: Mapping[str, Frame], outlined: Iterable[OutlinedMosaic], note: str = "", layer: str = LAYER
) -> None:
    """Write the buildings of images to a vector file, in the images' CRS, or in WGS84 for GeoJSON.

    A note becomes the layer's description, which a GIS shows; in GeoParquet it is among the table's attributes.

    Raises:
        InputError: it cannot be written, or cannot hold these images.
    """
    crs = check_vector(path, frames, layer)
    table = tabulate_footprints([each for mosaic in outlined for each in make_footprints(mosaic, crs)], crs)
    if note:
        table.attrs["description"] = note
    write_table(path, table, layer)


def write_table(path: Path, table: "geopandas.GeoDataFrame", layer: str = LAYER) -> None:
    """Write polygons with their attributes, read the file back and compare, and only then move it into place.

    A table with a column `status` has its style and, where the format holds them, names and units of its columns: in a
    GeoPackage, else beside the file, where none is yet.

    Args:
        path: .geojson, whose table is in WGS84 or has no CRS; .gpkg, .parquet, .fgb, or .shp, whose table
            `postproc.formats.shapefile.fit_table` has made.
        table: a row a polygon; there may be none.
        layer: its name; other layers of a GeoPackage stay.

    Raises:
        InputError: it cannot be written.
    """
    from pyogrio.errors import DataLayerError, DataSourceError, FieldError

    look = Look.of_table(table)
    with write_target(path, DataSourceError, DataLayerError, FieldError) as temporary, contextlib.ExitStack() as parts:
        made = temporary.with_suffix(temporary.suffix.lower())  # as GDAL names it
        if made != temporary:
            parts.callback(made.unlink, missing_ok=True)
        temporary.unlink()  # GDAL would take the empty file for a damaged one
        if path.is_file() and has_other_layers(path, layer):
            shutil.copyfile(path, made)  # they stay, and the layer of buildings is replaced
        if path.suffix.lower() == SHAPEFILE:
            parts.enter_context(move_parts(made, path))
        if path.suffix.lower() in PARQUET:
            table.to_parquet(made, index=False)
        else:
            _write_layer(made, table, look, layer)
        written = load_table(made, layer)
        same = len(written) == len(table) and np.allclose(
            written.total_bounds, table.total_bounds, rtol=0, atol=10.0**-DIGITS, equal_nan=True
        )
        if not same:
            raise OSError(f"{len(written)} of {len(table)} buildings read back; check the disk")
        if made != temporary:
            made.replace(temporary)
    if look and path.suffix.lower() != GEOPACKAGE:
        write_styles(path, look)


def tabulate_footprints(footprints: Sequence[Footprint], crs: str | None) -> "geopandas.GeoDataFrame":
    """Return buildings as a table with columns of known types, also where there are none.

    Where no confidence is known there is no such column.
    """
    import geopandas
    import pandas as pd

    columns = {
        ID: pd.array([each.image_id for each in footprints], dtype="str"),
        STATUS: pd.array([each.status for each in footprints], dtype="str"),
        CONFIDENCE: np.array([each.confidence for each in footprints], np.float64).round(6),
        AREA: np.array([each.area_m2 for each in footprints], np.float64).round(3),  # None is NaN
    }
    if len(footprints) and np.isnan(columns[CONFIDENCE]).all():
        del columns[CONFIDENCE]
    outlines = geopandas.GeoSeries([each.outline for each in footprints], crs=crs)
    return geopandas.GeoDataFrame(columns, geometry=outlines)


def _write_layer(path: Path, table: "geopandas.GeoDataFrame", look: Look | None, layer: str) -> None:
    import pyogrio

    options = {"DESCRIPTION": table.attrs["description"]} if "description" in table.attrs else {}
    if path.suffix.lower() in GEOJSON:
        options |= {"RFC7946": "NO" if table.crs is None else "YES", "COORDINATE_PRECISION": str(DIGITS)}
    if path.suffix.lower() == SHAPEFILE:
        options = {"ENCODING": "UTF-8"}
    common: dict[str, Any] = {"layer": layer, "geometry_type": "Polygon", "layer_options": options}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")  # the command says so itself
        if look is None or path.suffix.lower() not in DESCRIBED:
            pyogrio.write_dataframe(table, path, **common)
            return
        crs = None if table.crs is None else table.crs.to_wkt()
        arrow = describe_columns(table, look)
        pyogrio.write_arrow(arrow, path, geometry_name=table.geometry.name, crs=crs, **common)
    if path.suffix.lower() == GEOPACKAGE:
        store_style(path, layer, look)


def describe_columns(table: "geopandas.GeoDataFrame", look: Look) -> "pyarrow.Table":
    """Return a table as Arrow's, whose fields say what GDAL writes of them: a name with its unit, and a comment."""
    import pyarrow

    plain = table.copy()
    for name in table.columns.drop(table.geometry.name):
        if table[name].dtype.kind == "O":
            plain[name] = _unify(table[name])
    arrow = pyarrow.table(plain.to_arrow(index=False, geometry_encoding="WKB"))
    fields = []
    for field in arrow.schema:
        if field.name in look.columns:
            shown = look.columns[field.name]
            field = field.with_metadata({"GDAL:OGR:alternative_name": shown.alias, "GDAL:OGR:comment": shown.comment})
        fields.append(field.with_type(pyarrow.string()) if pyarrow.types.is_null(field.type) else field)
    return arrow.cast(pyarrow.schema(fields))


def _unify(values: Any) -> Any:
    """Return a column of objects as it is, or as texts where they are of several kinds."""
    import pyarrow

    try:
        pyarrow.array(values, from_pandas=True)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
        return values.map(str, na_action="ignore")
    return values


def read_areas(path: Path, layer: str = LAYER) -> np.ndarray:
    """Read the areas of the buildings in a file that `write_vector` has written, float64 (n,), m²; NaN in pixels."""
    areas: np.ndarray = load_table(path, layer)[AREA].to_numpy(np.float64)
    return areas


def has_other_layers(path: Path, layer: str = LAYER) -> bool:
    """Tell whether a GeoPackage has other layers than that of a name; files of other kinds have one layer.

    Raises:
        InputError: it is no GeoPackage.
    """
    import pyogrio

    if path.suffix.lower() != GEOPACKAGE or path.stat().st_size == 0:
        return False
    check_kind(path)
    return any(name != layer for name, _ in pyogrio.list_layers(path))
