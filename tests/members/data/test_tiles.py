"""Reading data sets: both layouts, every admitted kind of image, and one line for each that is not."""

import csv
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import write_raster, write_tiles

from members.common.errors import InputError
from members.data.raster import check_tiles, read_image, read_mask, read_pair
from members.data.tiles import Tile, fingerprint_tiles, list_files, list_tiles, read_groups

RGB = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
GREY = RGB[..., 0]
ROOF = GREY > 99


def test_two_folders_of_equal_stems(tmp_path: Path) -> None:
    write_tiles(tmp_path, 3)
    tiles = list_tiles(tmp_path)
    assert [tile.image_id for tile in tiles] == ["tile0", "tile1", "tile2"]
    assert [tile.group for tile in tiles] == ["g0", "g0", "g1"]
    assert tiles[2] == Tile("tile2", tmp_path / "images/tile2.tif", tmp_path / "masks/tile2.tif", "g1")


def test_the_competitions_folders(tmp_path: Path) -> None:
    write_tiles(tmp_path / "two", 3)
    for kind in ("images", "masks"):
        shutil.copytree(tmp_path / "two" / kind, tmp_path / "training" / kind / "img")
    shutil.copytree(tmp_path / "two/images", tmp_path / "test/images/img")
    training, test = list_tiles(tmp_path), list_tiles(tmp_path, "test")
    assert [tile.mask for tile in training] == [tmp_path / f"training/masks/img/tile{n}.tif" for n in range(3)]
    assert [tile.image for tile in test] == [tmp_path / f"test/images/img/tile{n}.tif" for n in range(3)]
    assert {tile.mask for tile in test} == {None}


def test_a_test_part_needs_no_groups(tmp_path: Path) -> None:
    write_raster(tmp_path / "test/images/img/new.tif", RGB)
    (tmp_path / "groups.csv").write_text("image_id,region\ntile0,north\n")
    assert [tile.image_id for tile in list_tiles(tmp_path, "test")] == ["new"]


def test_images_and_masks_may_differ_in_format(tmp_path: Path) -> None:
    write_raster(tmp_path / "images/a.jpg", RGB)
    write_raster(tmp_path / "images/b.PNG", RGB)
    for name in "ab":
        write_raster(tmp_path / f"masks/{name}.png", ROOF.astype(np.uint8))
    (tmp_path / "images/notes.txt").write_text("not an image")
    (tmp_path / "images/.a.part.tif").write_text("a file that is being written")
    assert [tile.image.name for tile in list_tiles(tmp_path)] == ["a.jpg", "b.PNG"]


def test_real_tiles(shared_data: Path) -> None:
    root = shared_data / "hot_buildings"
    training, test = list_tiles(root), list_tiles(root, "test")
    assert (len(training), len(test)) == (336, 116)
    assert len({tile.group for tile in training}) == 29
    regions = Counter(tile.group for tile in list_tiles(root, group_by="region"))
    assert (regions["banepa_np"], regions["zanzibar_tz"]) == (128, 152)
    with (root / "tiles.csv").open(newline="") as file:
        fraction = {row["image_id"]: row["building_fraction"] for row in csv.DictReader(file)}
    for tile in training[::40]:
        image, mask = read_pair(tile)
        assert (image.shape, image.dtype, mask.dtype) == ((256, 256, 3), np.uint8, np.bool_)
        assert mask.mean() == pytest.approx(float(fraction[tile.image_id]), abs=1e-3)


# Groups


def test_without_a_table_each_tile_is_its_own_group(tmp_path: Path) -> None:
    assert read_groups(tmp_path, ["a", "b"]) == {"a": "a", "b": "b"}


def test_group_by_picks_a_column(tmp_path: Path) -> None:
    (tmp_path / "tiles.csv").write_text("image_id,group,region\na,1,north\nb,2,north\nunused,3,south\n")
    assert read_groups(tmp_path, ["a", "b"]) == {"a": "1", "b": "2"}
    assert read_groups(tmp_path, ["a", "b"], "region") == {"a": "north", "b": "north"}


def test_tiles_csv_comes_before_groups_csv_and_may_have_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "groups.csv").write_text("image_id,group\na,from groups\n")
    assert read_groups(tmp_path, ["a"]) == {"a": "from groups"}
    (tmp_path / "tiles.csv").write_text("image_id,group\na,from tiles\n", encoding="utf-8-sig")
    assert read_groups(tmp_path, ["a"]) == {"a": "from tiles"}


@pytest.mark.parametrize(
    ("table", "group_by", "message"),
    [
        (b"image_id,group\na,1\n", None, "groups.csv: no group for b; every tile needs a row"),
        (b"image_id,group\na,1\nb,\n", None, "groups.csv: no group for b; every tile needs a row"),
        (b"image_id,group\na,1\nb\n", None, "groups.csv: no group for b; every tile needs a row"),
        (b"image_id,area\na,1\nb,2\n", None, "groups.csv: no column group among image_id, area; add it"),
        (b"id,group\na,1\nb,2\n", None, "groups.csv: no column image_id among id, group; add it"),
        (b"image_id,group\na,1\nb,1\n", "region", "groups.csv: no column region among image_id, group; add it"),
        (b"", None, "groups.csv: no column image_id among none; add it"),
        (b"image_id,group\na,\xe9\n", None, "groups.csv: not a readable CSV file"),
        (None, "region", "--group-by region needs a tiles.csv or groups.csv there; add one"),
    ],
)
def test_bad_tables_of_groups(tmp_path: Path, table: bytes | None, group_by: str | None, message: str) -> None:
    if table is not None:
        (tmp_path / "groups.csv").write_bytes(table)
    with pytest.raises(InputError, match=message):
        read_groups(tmp_path, ["a", "b"], group_by)


# Folders


def test_folders_that_are_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder of training images \(training/images/img nor .* nor images\)"):
        list_tiles(tmp_path)
    with pytest.raises(InputError, match="absent: no such folder"):
        list_files(tmp_path / "absent")
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match=r"images: empty folder, no \.tif/.* file in it; point at a folder of tiles"):
        list_tiles(tmp_path)
    write_raster(tmp_path / "images/a.tif", RGB)
    with pytest.raises(InputError, match=r"no folder of training masks"):
        list_tiles(tmp_path)


def test_two_files_with_one_stem(tmp_path: Path) -> None:
    write_tiles(tmp_path, 2)
    write_raster(tmp_path / "images/tile1.png", RGB)
    with pytest.raises(InputError, match=r"images: tile1.png and tile1.tif share one stem; a stem is an id"):
        list_tiles(tmp_path)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("masks", r"images/tile1.tif: image without a mask; add .*masks/tile1.tif or remove the image"),
        ("images", r"masks/tile1.tif: mask without an image; add the image or remove the mask"),
    ],
)
def test_images_and_masks_that_do_not_pair_up(tmp_path: Path, missing: str, message: str) -> None:
    write_tiles(tmp_path, 3)
    (tmp_path / missing / "tile1.tif").unlink()
    with pytest.raises(InputError, match=message):
        list_tiles(tmp_path)


# Images


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_rgb_grey_and_alpha(tmp_path: Path, suffix: str) -> None:
    alpha = np.dstack([RGB, GREY])
    np.testing.assert_array_equal(read_image(write_raster(tmp_path / f"rgb{suffix}", RGB)), RGB)
    np.testing.assert_array_equal(read_image(write_raster(tmp_path / f"grey{suffix}", GREY)), np.dstack([GREY] * 3))
    profile = {"photometric": "RGB", "alpha": "YES"} if suffix == ".tif" else {}
    image = read_image(write_raster(tmp_path / f"alpha{suffix}", alpha, **profile))
    np.testing.assert_array_equal(image, RGB)
    assert image.flags.c_contiguous


def test_jpeg(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 50).astype(np.uint8)[None, :, None] * np.ones((40, 1, 3), np.uint8)
    image = read_image(write_raster(tmp_path / "a.jpg", ramp, quality=95))
    assert np.abs(image.astype(int) - ramp).max() < 10


def write_palette(path: Path) -> Path:
    profile = {"height": 40, "width": 50, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="PNG" if path.suffix == ".png" else "GTiff", **profile) as raster:
        raster.write(GREY, 1)
        raster.write_colormap(1, {value: (value, 0, 255 - value) for value in range(256)})
    return path


@pytest.mark.parametrize(
    ("name", "pixels", "message"),
    [
        ("deep.tif", RGB.astype(np.uint16), r"deep.tif: uint16 samples; images have 8 bits a band \(gdal_translate"),
        ("deep.png", RGB.astype(np.uint16), r"deep.png: uint16 samples; images have 8 bits a band"),
        ("float.tif", RGB.astype(np.float32), r"float.tif: float32 samples; images have 8 bits a band"),
        ("two.tif", RGB[..., :2], r"two.tif: 2 bands; images have 1 \(grey\), 3 \(RGB\) or 3 and alpha"),
        ("two.png", RGB[..., :2], r"two.png: 2 bands; images have 1 \(grey\), 3 \(RGB\) or 3 and alpha"),
        ("infrared.tif", np.dstack([RGB, GREY]), r"infrared.tif: 4 bands; images have 1"),
        ("five.tif", np.dstack([RGB, RGB[..., :2]]), r"five.tif: 5 bands; images have 1"),
        ("low.png", RGB[:31], r"low.png: 50x31 px; tiles have at least 32 px a side"),
        ("narrow.jpg", RGB[:, :20], r"narrow.jpg: 20x40 px; tiles have at least 32 px a side"),
    ],
)
def test_images_that_are_refused(tmp_path: Path, name: str, pixels: np.ndarray, message: str) -> None:
    path = write_raster(tmp_path / name, pixels, **({"photometric": "MINISBLACK"} if name == "infrared.tif" else {}))
    with pytest.raises(InputError, match=message):
        read_image(path)
    with pytest.raises(InputError, match=message):
        check_tiles([Tile("a", path, None, "a")])


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_palette_images_are_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InputError, match=f"a{suffix}: a palette image; images are grey or RGB"):
        read_image(write_palette(tmp_path / f"a{suffix}"))


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("plain.tif", {}),
        ("deflate.tif", {"compress": "deflate"}),
        ("lzw.tif", {"compress": "lzw"}),
        ("tiled.tif", {"tiled": True, "blockxsize": 16, "blockysize": 16}),
        ("a.png", {}),
        ("a.jpg", {}),
        ("progressive.jpg", {"PROGRESSIVE": "ON"}),
    ],
)
def test_truncated_images_are_refused(tmp_path: Path, name: str, profile: dict) -> None:
    path = write_raster(tmp_path / name, RGB, **profile)
    whole = path.read_bytes()
    for kept in (1, 8, 60, len(whole) // 3, len(whole) // 2, len(whole) - 100, len(whole) - 17):
        path.write_bytes(whole[:kept])
        with pytest.raises(InputError, match=f"{name}: (truncated or damaged|not a readable raster)"):
            read_image(path)


def test_a_truncated_png_mask_is_refused(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "mask.png", ROOF.astype(np.uint8) * 255)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"mask.png: truncated or damaged"):
        read_mask(path)


def test_files_that_are_no_rasters(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    with pytest.raises(InputError, match=r"empty.png: zero bytes; restore the file or remove it"):
        read_image(tmp_path / "empty.png")
    (tmp_path / "text.tif").write_text("a page of prose, saved under a wrong name")
    with pytest.raises(InputError, match=r"text.tif: not a readable raster \(.*\); restore the file or remove it"):
        read_image(tmp_path / "text.tif")
    with pytest.raises(InputError, match=r"absent.tif: no such file"):
        read_image(tmp_path / "absent.tif")


def test_grey_and_alpha_are_said_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    paths = [write_raster(tmp_path / f"grey{n}.tif", GREY) for n in range(3)]
    paths += [write_raster(tmp_path / f"alpha{n}.png", np.dstack([RGB, GREY])) for n in range(2)]
    paths += [write_raster(tmp_path / "rgb.tif", RGB)]
    capfd.readouterr()
    check_tiles([Tile(path.stem, path, None, path.stem) for path in paths])
    assert capfd.readouterr().err.splitlines() == [
        "warning: 3 of 6 images are grey; the band is repeated to RGB",
        "warning: 2 of 6 images have a fourth band that is alpha; it is dropped",
    ]


# Masks


@pytest.mark.parametrize("building", [1, 255])
@pytest.mark.parametrize("suffix", [".tif", ".png"])
@pytest.mark.parametrize("mask", [ROOF, ROOF & False, ROOF | True], ids=["some", "none", "all"])
def test_masks(tmp_path: Path, building: int, suffix: str, mask: np.ndarray) -> None:
    read = read_mask(write_raster(tmp_path / f"a{suffix}", mask * np.uint8(building)))
    np.testing.assert_array_equal(read, mask)
    assert read.dtype == np.bool_


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (ROOF * np.uint8(254), r"a.tif: values 0, 254; a mask has values \{0, 1\} or \{0, 255\}; threshold it first"),
        (GREY, r"a.tif: values 0, 1, 2, 3, 4, 5, ...; a mask has values"),
        (np.where(ROOF, np.uint8(1), np.uint8(255)), r"a.tif: values 1, 255; a mask has values"),
        (ROOF * np.float32(0.5), r"a.tif: values 0.0, 0.5; a mask has values"),
        (np.where(ROOF, np.nan, 0), r"a.tif: values 0.0, nan; a mask has values"),
        (RGB, r"a.tif: 3 bands; a mask has one"),
    ],
)
def test_masks_that_are_refused(tmp_path: Path, pixels: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_mask(write_raster(tmp_path / "a.tif", pixels))


def test_a_mask_of_another_size(tmp_path: Path) -> None:
    image = write_raster(tmp_path / "image.tif", RGB)
    mask = write_raster(tmp_path / "mask.tif", ROOF[:, 1:].astype(np.uint8))
    with pytest.raises(InputError, match=r"mask.tif: mask of 49x40 px for an image of 50x40 px; they must be equal"):
        read_pair(Tile("a", image, mask, "a"))
    with pytest.raises(InputError, match=r"image.tif: image without a mask"):
        read_pair(Tile("a", image, None, "a"))


# Fingerprint


def test_the_fingerprint_is_of_ids_and_bytes_alone(tmp_path: Path) -> None:
    tiles = list_tiles(write_tiles(tmp_path / "here", 3))
    moved = list_tiles((tmp_path / "here").rename(tmp_path / "there"))
    assert tiles != moved
    there = fingerprint_tiles(moved)
    assert fingerprint_tiles(moved[::-1]) == there
    assert len(there) == 32
    assert fingerprint_tiles(moved[:2]) != there
    assert fingerprint_tiles([Tile(tile.image_id, tile.image, None, tile.group) for tile in moved]) != there
    swapped = [Tile(a.image_id, b.image, b.mask, a.group) for a, b in zip(moved, moved[::-1], strict=True)]
    assert fingerprint_tiles(swapped) != there
    mask = tmp_path / "there/masks/tile1.tif"
    mask.write_bytes(mask.read_bytes() + b"\0")
    assert fingerprint_tiles(moved) != there
