"""Outlines beside a data set are found by themselves, and those of other places are refused."""

from pathlib import Path

import geopandas
import numpy as np
import pytest
from conftest import GEOREFERENCE, write_raster
from shapely import box

from members.common.errors import InputError
from members.data.tiles import Tile, find_labels
from members.labels.reading import read_labels


def test_outlines_are_found_beside_the_tiles(tmp_path: Path) -> None:
    assert find_labels(tmp_path) is None
    (tmp_path / "buildings.geojson").touch()
    assert find_labels(tmp_path) == tmp_path / "buildings.geojson"
    (tmp_path / "buildings.gpkg").touch()
    assert find_labels(tmp_path) == tmp_path / "buildings.gpkg"


def test_outlines_come_in_pixels_of_each_tile(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.zeros((32, 40, 3), np.uint8), **GEOREFERENCE)
    tile, transform = Tile("a", path, None, "a"), GEOREFERENCE["transform"]
    (left, top), (right, bottom) = transform * (4, 6), transform * (20, 16)

    def write(name: str, shift: float) -> Path:
        outlines = [box(left + shift, bottom, right + shift, top)]
        geopandas.GeoDataFrame(geometry=outlines, crs=GEOREFERENCE["crs"]).to_file(tmp_path / name)
        return tmp_path / name

    (outline,) = read_labels(write("here.gpkg", 0), [tile])["a"]
    assert outline.equals_exact(box(4, 6, 20, 16), 1e-6, normalize=True)
    with pytest.raises(InputError, match="none of its outlines lies in the 1 tiles; check the coordinates"):
        read_labels(write("elsewhere.gpkg", 1e5), [tile])
