"""The probability-map folder: maps keep their place on earth, and what is not theirs is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import PLACE, ROOT, write_raster, write_tiles
from hypothesis import given
from hypothesis import strategies as st

from ensemble.mapfolder.maps import (
    Manifest,
    claim_folder,
    list_missing,
    map_path,
    plan_maps,
    quantise,
    read_manifest,
    read_map,
    read_maps,
    write_manifest,
    write_map,
)
from members.common.errors import InputError

VALUES = np.arange(32 * 40, dtype=np.uint8).reshape(32, 40)
IMAGES = {"a": (32, 40), "b": (32, 40)}


def describe(member: str = "m", **changes: object) -> Manifest:
    fields = {"spec": {"backbone": "lite0"}, "tta": "d4", "weights": {"0": "f00"}, "split": {"folds": 1}}
    return Manifest.model_validate({"member": member, **fields, "images": IMAGES, **changes})


def fill_folder(folder: Path, manifest: Manifest) -> Path:
    write_manifest(folder, manifest)
    for image_id in manifest.images:
        write_raster(map_path(folder, image_id), VALUES)
    return folder


# Values


def test_quantise_by_hand() -> None:
    np.testing.assert_array_equal(
        quantise(np.array([0, 0.5 / 255, 1.5 / 255, 0.5, 254.6 / 255, 1])), [0, 0, 2, 128, 255, 255]
    )
    assert quantise(np.zeros((2, 3), np.float32)).dtype == np.uint8


@given(st.integers(0, 255))
def test_every_value_survives_as_a_probability(value: int) -> None:
    assert quantise(np.array([value], np.float32) / np.float32(255)) == value


# Files


def test_a_map_keeps_crs_and_transform(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "source.tif", np.dstack([VALUES] * 3), **PLACE)
    write_map(tmp_path / "maps/a.tif", VALUES, source)
    np.testing.assert_array_equal(read_map(tmp_path / "maps/a.tif", (32, 40)), VALUES)
    with rasterio.open(tmp_path / "maps/a.tif") as raster:
        assert (raster.crs, raster.transform) == (PLACE["crs"], PLACE["transform"])
        assert (raster.driver, raster.count, raster.dtypes) == ("GTiff", 1, ("uint8",))
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["a.tif"]


def test_nothing_is_said_about_images_without_a_place_on_earth(tmp_path: Path) -> None:
    write_tiles(tmp_path, 2, suffix=".png")
    program = f"""
from pathlib import Path
from ensemble.mapfolder.maps import read_map, write_map
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
        (np.dstack([VALUES] * 3), r"a.tif: 3 band\(s\) of uint8, 40x32 px"),
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


# Manifests


def test_the_manifest_reads_as_written(tmp_path: Path) -> None:
    write_manifest(tmp_path, describe())
    assert read_manifest(tmp_path) == describe()
    assert read_manifest(tmp_path).images == IMAGES


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"no maps here \(no manifest.json\); run roofstack predict"),
        ('{"member"', r"manifest.json: not a readable JSON file"),
        ('{"member": "m"}', r"manifest.json: Field required; remove the folder and predict again"),
        ("[1]", r"manifest.json: Input should be .*; remove the folder and predict again"),
    ],
)
def test_manifests_that_are_none(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path)


def test_what_is_still_to_be_made(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    assert plan_maps(folder, describe()) == ["a", "b"]
    fill_folder(folder, describe())
    assert plan_maps(folder, describe()) == []
    map_path(folder, "a").unlink()
    assert plan_maps(folder, describe()) == list_missing(folder, IMAGES) == ["a"]
    assert plan_maps(folder, describe(weights={"0": "bad"})) == ["a", "b"]
    assert map_path(folder, "b").is_file()  # planning changes nothing


def test_maps_of_unknown_origin_are_refused(tmp_path: Path) -> None:
    fill_folder(tmp_path / "m", describe())
    (tmp_path / "m/manifest.json").unlink()
    with pytest.raises(InputError, match=r"m: maps without a manifest.json, so of unknown origin; move them"):
        plan_maps(tmp_path / "m", describe())


@pytest.mark.parametrize("change", [{"tta": "none"}, {"weights": {"0": "bad"}}, {"images": {"a": (32, 40)}}], ids=str)
def test_claiming_a_folder_drops_maps_of_another_manifest(tmp_path: Path, change: dict) -> None:
    folder = tmp_path / "m"
    assert claim_folder(folder, describe()) is False
    fill_folder(folder, describe())
    assert claim_folder(folder, describe()) is False
    assert plan_maps(folder, describe()) == []
    assert claim_folder(folder, describe(**change)) is True
    assert read_manifest(folder) == describe(**change)
    assert list(folder.glob("*.tif")) == []


# Several members


def test_members_that_fit_together(tmp_path: Path) -> None:
    folders = [fill_folder(tmp_path / name, describe(name)) for name in ("x", "y")]
    manifests, images = read_maps(folders)
    assert list(manifests) == ["x", "y"]
    assert images == IMAGES


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"split": {"folds": 2}}, r"y: not the split of x's maps; predict both again in one run"),
        ({"images": {"a": (32, 40)}}, r"y: not the images of x's maps; predict both again in one run"),
        ({"images": IMAGES | {"b": (40, 32)}}, r"y: not the images of x's maps"),
    ],
)
def test_members_that_do_not(tmp_path: Path, other: dict, message: str) -> None:
    folders = [fill_folder(tmp_path / "x", describe("x")), fill_folder(tmp_path / "y", describe("y", **other))]
    with pytest.raises(InputError, match=message):
        read_maps(folders)


def test_members_with_maps_missing(tmp_path: Path) -> None:
    fill_folder(tmp_path / "x", describe("x"))
    map_path(tmp_path / "x", "b").unlink()
    with pytest.raises(InputError, match=r"x: 1 of 2 maps are missing \(b, \.\.\.\); run the same roofstack predict"):
        read_maps([tmp_path / "x"])
    with pytest.raises(InputError, match="no member has maps of this part; run roofstack predict"):
        read_maps([])
