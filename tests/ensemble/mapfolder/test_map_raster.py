"""One map: its values are probabilities, it lies where its image does, and what is no map is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import GEOREFERENCE, ROOT, write_raster, write_tiles
from hypothesis import given
from hypothesis import strategies as st

from ensemble.mapfolder.raster import optimise_map, quantise, read_bands_of_map, read_map, write_map
from members.common.errors import InputError
from members.common.files import is_damaged

VALUES = np.arange(32 * 40, dtype=np.uint8).reshape(32, 40)


def test_quantise_by_hand() -> None:
    np.testing.assert_array_equal(
        quantise(np.array([0, 0.5 / 255, 1.5 / 255, 0.5, 254.6 / 255, 1])), [0, 0, 2, 128, 255, 255]
    )
    assert quantise(np.zeros((2, 3), np.float32)).dtype == np.uint8


@given(st.integers(0, 255))
def test_every_value_survives_as_a_probability(value: int) -> None:
    assert quantise(np.array([value], np.float32) / np.float32(255)) == value


def test_a_map_keeps_crs_and_transform(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.tif", np.dstack([VALUES] * 3), **GEOREFERENCE)
    write_map(tmp_path / "maps/a.tif", VALUES, source)
    np.testing.assert_array_equal(read_map(tmp_path / "maps/a.tif", (32, 40)), VALUES)
    with rasterio.open(tmp_path / "maps/a.tif") as raster:
        assert (raster.crs, raster.transform) == (GEOREFERENCE["crs"], GEOREFERENCE["transform"])
        assert (raster.driver, raster.count, raster.dtypes) == ("GTiff", 1, ("uint8",))
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["a.tif"]


def test_a_map_of_three_bands_is_read_as_one_and_its_gaps(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.tif", np.dstack([VALUES] * 3), **GEOREFERENCE)
    border, contact = np.zeros_like(VALUES), np.where(VALUES < 128, 255, 0).astype(np.uint8)
    for name, values in {"three": np.stack([VALUES, border, contact]), "one": VALUES}.items():
        write_map(tmp_path / f"{name}.tif", values, source)
        np.testing.assert_array_equal(read_map(tmp_path / f"{name}.tif", (32, 40)), VALUES)
    with rasterio.open(tmp_path / "three.tif") as raster:
        assert raster.descriptions == ("building", "border", "contact")
        assert raster.transform == GEOREFERENCE["transform"]
    window = slice(3, 9), slice(2, 30)
    assert read_bands_of_map(tmp_path / "one.tif", (32, 40))[1] is None
    building, gaps = read_bands_of_map(tmp_path / "three.tif", (32, 40), window)
    np.testing.assert_array_equal(building, VALUES[window])
    assert gaps is not None
    np.testing.assert_array_equal(gaps, 255 - contact[window])


@pytest.mark.parametrize("bands", [1, 3])
def test_an_optimised_map_has_overviews_and_the_same_pixels(tmp_path: Path, bands: int) -> None:
    values = np.random.default_rng(0).integers(0, 256, (bands, 1100, 700), np.uint8)
    source, path = write_raster(tmp_path / "source.tif", values[0, :40, :40], **GEOREFERENCE), tmp_path / "map.tif"
    write_map(path, values, source)
    with rasterio.open(path) as raster:
        before = {key: raster.profile[key] for key in ("crs", "transform", "dtype", "count")}, raster.descriptions
    optimise_map(path)
    with rasterio.open(path) as raster:
        assert (
            {key: raster.profile[key] for key in ("crs", "transform", "dtype", "count")},
            raster.descriptions,
        ) == before
        assert raster.overviews(1) == [2, 4]
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    np.testing.assert_array_equal(read_map(path, (1100, 700)), values[0])
    assert is_damaged(path) is False
    once = path.stat().st_mtime_ns
    optimise_map(path)
    assert path.stat().st_mtime_ns == once
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(b"other")
    with pytest.raises(InputError, match="damaged"):
        read_map(path, (1100, 700))
    assert {each.name for each in tmp_path.iterdir()} == {"map.tif", "source.tif"}


def test_nothing_is_said_about_images_without_a_place_on_earth(tmp_path: Path) -> None:
    write_tiles(tmp_path, 2, suffix=".png")
    program = f"""
from pathlib import Path
from ensemble.mapfolder.raster import read_map, write_map
from members.data.raster import check_tiles, read_pair
from members.data.tiles import list_tiles
tiles = list_tiles(Path({str(tmp_path)!r}))
check_tiles(tiles)
for tile in tiles:
    image, _ = read_pair(tile)
    path = tile.image.with_suffix(".map.tif")
    write_map(path, image[..., 0], tile.image)
    read_map(path, image.shape[:2])
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert len(list(tmp_path.glob("images/*.map.tif"))) == 2


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (VALUES[:31], r"a.tif: 1 band\(s\) of uint8, 40x31 px; its manifest says one of uint8, 40x32 px; predict"),
        (VALUES.astype(np.float32), r"a.tif: 1 band\(s\) of float32, 40x32 px"),
        (np.dstack([VALUES] * 2), r"a.tif: 2 band\(s\) of uint8, 40x32 px"),
    ],
)
def test_maps_that_are_no_maps(tmp_path: Path, pixels: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_map(write_raster(tmp_path / "a.tif", pixels), (32, 40))


def test_a_map_cut_short(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", VALUES)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"a.tif: truncated or damaged \(.*\); restore the file or remove it"):
        read_map(path, (32, 40))
    with pytest.raises(InputError, match=r"b.tif: no such file"):
        read_map(tmp_path / "b.tif", (32, 40))


@pytest.mark.parametrize(("values", "shown"), [([0.5, np.nan], "nan"), ([1.01, 0.5], "1.01"), ([-0.01, 0.5], "-0.01")])
def test_what_is_no_probability_is_no_map(values: list[float], shown: str) -> None:
    with pytest.raises(InputError, match=rf"1 of 2 probabilities are none, such as {shown}; they are numbers"):
        quantise(np.array(values, np.float32))


def test_rounding_beyond_the_ends_is_none() -> None:
    assert quantise(np.array([1.000001, -0.000001], np.float32)).tolist() == [255, 0]
