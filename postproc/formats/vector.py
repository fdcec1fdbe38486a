"""Vector files of buildings, written for a GIS: GeoJSON (RFC 7946), GeoPackage and GeoParquet."""

import shutil
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from members.common.errors import InputError
from members.common.files import write_target
from members.data.frames import Frame
from members.labels.reading import CONFIDENCE, GEOJSON, ID, LAYER, PARQUET, check_kind, load_table
from postproc.geo.footprints import WGS84, Footprint, make_footprints
from postproc.geo.outlining import OutlinedMosaic

if TYPE_CHECKING:
    import geopandas

DIGITS = 8
"""Of a degree in GeoJSON: a millimetre, of which GDAL's default of 7 keeps a centimetre."""


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


def write_vector(path: Path, frames: Mapping[str, Frame], outlined: Iterable[OutlinedMosaic], note: str = "") -> None:
    """Write the buildings of images to a vector file, in the images' CRS, or in WGS84 for GeoJSON.

    A note becomes the layer's description, which a GIS shows; in GeoParquet it is among the table's attributes.

    Raises:
        InputError: it cannot be written, or cannot hold these images.
    """
    crs = check_vector(path, frames)
    table = tabulate_footprints([each for mosaic in outlined for each in make_footprints(mosaic, crs)], crs)
    if note:
        table.attrs["description"] = note
    write_table(path, table)


def write_footprints(path: Path, footprints: Sequence[Footprint], crs: str | None) -> None:
    """Write buildings with their attributes, as `write_table` does.

    Args:
        path: .geojson, .gpkg, .parquet or .fgb.
        footprints: outlines in `crs`; there may be none.
        crs: as `check_vector` returns it.

    Raises:
        InputError: it cannot be written.
    """
    write_table(path, tabulate_footprints(footprints, crs))


def write_table(path: Path, table: "geopandas.GeoDataFrame") -> None:
    """Write polygons with their attributes, read the file back and compare, and only then move it into place.

    Args:
        path: .geojson, whose table is in WGS84 or has no CRS; .gpkg, .parquet or .fgb.
        table: a row a polygon; there may be none.

    Raises:
        InputError: it cannot be written.
    """
    from pyogrio.errors import DataLayerError, DataSourceError

    with write_target(path, DataSourceError, DataLayerError) as temporary:
        if path.is_file() and has_other_layers(path):
            shutil.copyfile(path, temporary)  # they stay, and the layer of buildings is replaced
        else:
            temporary.unlink()  # GDAL would take the empty file for a damaged one
        if path.suffix.lower() in PARQUET:
            table.to_parquet(temporary, index=False)
        else:
            _write_layer(temporary, table)
        written = load_table(temporary)
        same = len(written) == len(table) and np.allclose(
            written.total_bounds, table.total_bounds, rtol=0, atol=10.0**-DIGITS, equal_nan=True
        )
        if not same:
            raise OSError(f"{len(written)} of {len(table)} buildings read back; check the disk")


def tabulate_footprints(footprints: Sequence[Footprint], crs: str | None) -> "geopandas.GeoDataFrame":
    """Return buildings as a table with columns of known types, also where there are none.

    Where no confidence is known there is no such column.
    """
    import geopandas
    import pandas as pd

    columns = {
        ID: pd.array([each.image_id for each in footprints], dtype="str"),
        "status": pd.array([each.status for each in footprints], dtype="str"),
        CONFIDENCE: np.array([each.confidence for each in footprints], np.float64),
        "area_m2": np.array([each.area_m2 for each in footprints], np.float64),  # None is NaN
    }
    if len(footprints) and np.isnan(columns[CONFIDENCE]).all():
        del columns[CONFIDENCE]
    outlines = geopandas.GeoSeries([each.outline for each in footprints], crs=crs)
    return geopandas.GeoDataFrame(columns, geometry=outlines)


def _write_layer(path: Path, table: "geopandas.GeoDataFrame") -> None:
    import pyogrio

    options = {"DESCRIPTION": table.attrs["description"]} if "description" in table.attrs else {}
    if path.suffix.lower() in GEOJSON and table.crs is not None:
        options |= {"RFC7946": "YES", "COORDINATE_PRECISION": str(DIGITS)}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")  # the command says so itself
        pyogrio.write_dataframe(table, path, layer=LAYER, geometry_type="Polygon", **options)


def has_other_layers(path: Path) -> bool:
    """Tell whether a GeoPackage has other layers than that of buildings; files of other kinds have one layer.

    Raises:
        InputError: it is no GeoPackage.
    """
    import pyogrio

    if path.suffix.lower() != ".gpkg" or path.stat().st_size == 0:
        return False
    check_kind(path)
    return any(name != LAYER for name, _ in pyogrio.list_layers(path))
