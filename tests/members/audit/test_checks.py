"""Checks: what is planted in a data set of few tiles is told, and only that."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import write_raster
from rasterio import Affine

from members.audit.checks import (
    check_balance,
    check_blank,
    check_duplicates,
    check_ground,
    check_kinds,
    check_shifts,
    check_tiny,
)
from members.audit.duplicates import Duplicate
from members.audit.neighbours import Neighbours
from members.audit.tiles import DataSet, count_buildings, measure_plain, read_data
from members.common.errors import InputError
from members.synthetic.scenes import draw_scene

FOLDERS = ("images", "masks")


def write_scenes(root: Path, count: int = 4) -> Path:
    """Write drawn scenes t0, t1, .. of towns, two a group, as PNG."""
    rows = []
    for number in range(count):
        image, mask = draw_scene(8 + number)
        write_raster(root / f"images/t{number}.png", image)
        write_raster(root / f"masks/t{number}.png", (mask > 0) * np.uint8(255))
        rows.append(f"t{number},g{number // 2}\n")
    (root / "groups.csv").write_text("image_id,group\n" + "".join(rows))
    return root


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("scenes"))


@pytest.fixture
def root(scenes: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scenes, tmp_path / "data"))


def read(root: Path) -> DataSet:
    data = read_data(root)
    assert data.flaws == ()
    return data


def test_a_good_data_set(root: Path) -> None:
    looks = read(root).training
    assert [check(looks).count for check in (check_kinds, check_blank, check_balance)] == [0, 0, 0]
    assert [finding.count for finding in check_shifts(looks)] == [0, 0]
    assert check_kinds(looks).words == "size 256x256; bands RGB; CRS none"
    assert count_buildings(looks) > 0


def test_kinds(root: Path) -> None:
    image, mask = draw_scene(8, 128)
    place = {"crs": "EPSG:32633", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)}
    for folder, pixels in zip(FOLDERS, (image[..., 0], (mask > 0).astype(np.uint8)), strict=True):
        (root / folder / "t0.png").unlink()
        write_raster(root / folder / "t0.tif", pixels, **place)
    finding = check_kinds(read(root).training)
    assert finding.count == 3
    assert (
        finding.words
        == "size 256x256 (3), 128x128 (1); bands RGB (3), grey (1); CRS none (3), WGS 84 / UTM zone 33N (1)"
    )


def test_blank_images(root: Path) -> None:
    half, _ = draw_scene(9)
    half[:130] = 0
    write_raster(root / "images/t1.png", half)
    write_raster(root / "images/t2.png", np.full((256, 256, 3), 200, np.uint8))
    finding = check_blank(read(root).training)
    assert [case["image"] for case in finding.cases] == ["t2", "t1"]
    assert finding.words == "t2, t1"
    assert measure_plain(half) == pytest.approx(130 / 256, abs=0.02)


def test_groups_without_a_building(root: Path) -> None:
    for name in ("t2", "t3"):
        write_raster(root / f"masks/{name}.png", np.zeros((256, 256), np.uint8))
    finding = check_balance(read(root).training)
    assert finding.count == 1
    assert finding.words.startswith("2 of 4 tiles without a building; buildings cover 0.0% to ")
    assert finding.words.endswith(": g1")


def test_tiny_objects(root: Path) -> None:
    before = {case["image"]: case["objects"] for case in check_tiny(read(root).training).cases}
    mask = np.zeros((256, 256), np.uint8)
    mask[40:80, 40:80] = 255
    mask[100:103, 100:103] = 255
    mask[120, 120] = 255
    mask[0, 7:9] = 255  # at the border: the rest of it is on another tile
    write_raster(root / "masks/t1.png", mask)
    after = {case["image"]: case["objects"] for case in check_tiny(read(root).training).cases}
    assert after == before | {"t1": 2}


@pytest.mark.parametrize("length", range(3, 7))
def test_shifted_masks(root: Path, length: int) -> None:
    for name in ("t2", "t3"):
        mask = cv2.imread(str(root / f"masks/{name}.png"), cv2.IMREAD_GRAYSCALE)
        way = np.array([[1, 0, -length], [0, 1, 0]], np.float32)
        write_raster(root / f"masks/{name}.png", cv2.warpAffine(mask, way, (256, 256), flags=cv2.INTER_NEAREST))
    groups, tiles = check_shifts(read(root).training)
    (case,) = groups.cases
    assert case["group"] == "g1"
    assert abs(case["right"] + length) <= 1
    assert abs(case["down"]) <= 1
    assert {case["image"] for case in tiles.cases} == {"t2", "t3"}


def test_copies_and_identical_groups(root: Path) -> None:
    """The two tiles of the first group again in the second, and one of them in the test part."""
    for source, copy in (("t0", "t3"), ("t1", "t2")):
        for folder in FOLDERS:
            shutil.copy(root / folder / f"{source}.png", root / folder / f"{copy}.png")
    (root / "test/images").mkdir(parents=True)
    shutil.copy(root / "images/t1.png", root / "test/images/new.png")
    data = read(root)
    looks = [*data.training, *data.test]
    pairs = [Duplicate(0, 3, 0, 0, 1.0, True), Duplicate(1, 2, 5, 3, 0.95, False), Duplicate(1, 4, 0, 0, 1.0, True)]
    within, between, equal = check_duplicates(looks, 4, pairs)
    assert within.words == "1 exact, 1 near, 2 in two groups: t0 and t3, t1 and t2"
    assert (between.count, between.words) == (1, "t1 and new")
    assert (equal.count, equal.words) == (1, "g0 and g1")
    assert check_duplicates(looks, 4, pairs[:1])[2].words == "none"


def test_shared_ground(root: Path) -> None:
    looks = read(root).training
    pairs = [Neighbours(0, 1, 0.4), Neighbours(1, 2, 0.0), Neighbours(0, 2, 0.1), Neighbours(0, 3, 0.9)]
    overlapping, touching = check_ground(looks, 4, pairs)  # 0 and 1 are of one group
    assert [case["other"] for case in overlapping.cases] == ["t3", "t2"]
    assert touching.words == "0 of training and test: t1 and t2"
    assert check_ground(looks, 3, pairs)[0].words == "1 of training and test: t0 and t3, t0 and t2"


# Flaws


def test_every_flaw_is_listed(root: Path) -> None:
    (root / "masks/t0.png").unlink()
    (root / "images/t1.png").write_bytes(b"")
    (root / "masks/t1.png").write_bytes((root / "masks/t1.png").read_bytes()[:60])
    write_raster(root / "masks/t2.png", np.zeros((200, 256), np.uint8))
    data = read_data(root)
    assert [look.tile.image_id for look in data.training] == ["t0", "t3"]
    assert len(data.flaws) == 4
    for part in (
        "t0.png: image without a mask",
        "t1.png: zero bytes",
        "masks/t1.png",
        "t2.png: mask of 256x200 px for an",
    ):
        assert any(part in flaw for flaw in data.flaws), part


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder of training images"):
        read_data(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match="images: empty folder"):
        read_data(tmp_path)
