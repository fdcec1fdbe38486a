"""Finding data sets: both layouts, groups, and one line for each folder that is none."""

import csv
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import write_raster, write_tiles

from members.common.errors import InputError
from members.data.groups import read_groups
from members.data.raster import read_pair
from members.data.tiles import Tile, fingerprint_tiles, list_files, list_tiles

RGB = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
ROOF = RGB[..., 0] > 99


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
        assert image.shape == (256, 256, 3)
        assert image.dtype == np.uint8
        assert mask.dtype == np.bool_
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


def test_folders_that_are_nearly_a_data_set(tmp_path: Path) -> None:
    """The cure is the command that makes one of them, with patterns that pair what is there, or the folder below."""
    write_raster(tmp_path / "images/a_1_img.png", RGB)
    write_raster(tmp_path / "masks/a_1_mask.png", RGB)
    with pytest.raises(InputError) as error:
        list_tiles(tmp_path)
    patterns = f"--images '{tmp_path}/images/*_img.png' --masks '{tmp_path}/masks/*_mask.png'"
    told = f"{tmp_path}/masks: no mask is called as an image is; roofstack prepare OUT {patterns} pairs them"
    assert str(error.value) == told
    (tmp_path / "masks/a_1_mask.png").rename(tmp_path / "masks/a_1_mask.jpg")
    with pytest.raises(InputError, match=r"no \.tif/\.tiff/\.png file in it; of \.jpg files roofstack prepare OUT "):
        list_tiles(tmp_path)
    with pytest.raises(InputError, match=r"file in it; .*images has some, so give that"):
        list_files(tmp_path)
    with pytest.raises(InputError, match=r"for the layouts; of another one roofstack prepare OUT --images WHERE"):
        list_tiles(tmp_path / "images")


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
