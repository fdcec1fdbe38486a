"""What tiles are grouped by: a column, a pattern of their names, or squares on the ground."""

from pathlib import Path

import numpy as np
import pytest
from conftest import write_raster
from rasterio import Affine

from members.common.errors import InputError
from members.data.frames import Frame
from members.data.groups import find_middle, group_images, name_square, read_groups
from members.data.tiles import list_tiles

PIXELS = np.zeros((40, 40), np.uint8)
IDS = ("austin1_0_0", "austin1_0_1", "austin2_0_0")


def test_a_pattern_of_the_name(tmp_path: Path) -> None:
    images = {image_id: tmp_path / f"{image_id}.tif" for image_id in IDS}
    assert group_images(tmp_path, images, r"(.+)_\d+_\d+") == dict(
        zip(IDS, ("austin1", "austin1", "austin2"), strict=True)
    )
    assert set(group_images(tmp_path, images, r"([a-z]+)").values()) == {"austin"}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"(.+)_(\d+)", r"2 groups in parentheses; give one: it is the name"),
        (r"(", r"no regular expression \(missing \).*\); correct it"),
        (r"(?:a)b", r"0 groups in parentheses"),
        (r"(berlin)", r"finds nothing in austin1_0_0; every image needs a group"),
    ],
)
def test_bad_patterns(tmp_path: Path, pattern: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        group_images(tmp_path, {image_id: tmp_path / image_id for image_id in IDS}, pattern)


def test_squares_on_the_ground(tmp_path: Path) -> None:
    """Four tiles of 20 m in a row from the equator and Greenwich on, in two squares of 40 m."""
    images = {}
    for number in range(4):
        place = {"crs": "EPSG:3857", "transform": Affine(0.5, 0, 20 * number, 0, -0.5, 20)}
        images[f"t{number}"] = write_raster(tmp_path / f"t{number}.tif", PIXELS, **place)
    assert list(group_images(tmp_path, images, "40m").values()) == ["40m_0_0"] * 2 + ["40m_0_1"] * 2
    assert set(group_images(tmp_path, images, "0.5m").values()) == {f"0.5m_19_{n}" for n in (19, 59, 99, 139)}


def test_squares_need_a_size_and_georeferencing(tmp_path: Path) -> None:
    images = {"a": write_raster(tmp_path / "a.png", PIXELS)}
    with pytest.raises(InputError, match=r"a.png: not georeferenced; squares on the ground need that"):
        group_images(tmp_path, images, "500m")
    with pytest.raises(InputError, match=r"--group-by 0m: squares of no size"):
        group_images(tmp_path, images, "0m")


def test_squares_are_of_the_size_that_is_given_far_from_the_equator() -> None:
    """At 60 degrees a degree of longitude is half as long, and so is a metre of Web Mercator."""
    names = [name_square(60.0, 10 + metres / 55_597, 1000) for metres in range(0, 10_000, 100)]
    assert len(set(names)) in (10, 11)
    names = [name_square(60 + metres / 111_195, 10.0, 1000) for metres in range(0, 10_000, 100)]
    assert len({name.split("_")[1] for name in names}) in (10, 11)


def test_one_place_is_in_one_square_in_any_coordinate_system() -> None:
    degrees = Frame("a", (2, 2), "EPSG:4326", Affine(1e-5, 0, 39.2, 0, -1e-5, -6.1))
    x, y = 39.20001 * 111319.49079, -680_000.0
    latitude, longitude = find_middle(degrees, Path("a"))
    assert [latitude, longitude] == pytest.approx([-6.10001, 39.20001])
    metres = Frame("b", (2, 2), "EPSG:3857", Affine(1, 0, x - 1, 0, -1, y + 1))
    assert find_middle(metres, Path("b"))[1] == pytest.approx(39.20001)


def test_real_squares(shared_data: Path) -> None:
    """Squares of 500 m of ground hold more tiles than the groups of the table, which are squares of about 150 m."""
    tiles = list_tiles(shared_data / "hot_buildings", group_by="500m")
    assert 8 <= len({tile.group for tile in tiles}) < 29
    regions = {tile.image_id.split("_")[0] for tile in tiles}
    assert {tile.group for tile in list_tiles(shared_data / "hot_buildings", group_by=r"([a-z]+)_\d+_\d+")} == regions


def test_spaces_tear_no_group_apart(tmp_path: Path) -> None:
    (tmp_path / "tiles.csv").write_text("image_id , group\nt0, a\nt1 ,a\nt1,a\nt2,b \n")
    assert read_groups(tmp_path, ["t0", "t1", "t2"]) == {"t0": "a", "t1": "a", "t2": "b"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,group\nt0,a\nt0,b\n", r"tiles.csv, line 3: t0 is in group b, and in a before; keep one row"),
        ("image_id,group,group\nt0,a,b\n", r"tiles.csv: 2 columns group; keep one"),
        ("image_id, group ,image_id\nt0,a,t1\n", r"tiles.csv: 2 columns image_id; keep one"),
        ("image_id,group\nt0\n", r"tiles.csv: no group for t0; every tile needs a row"),
        ("image_id,group\nt0,  \n", r"tiles.csv: no group for t0; every tile needs a row"),
        ("", r"tiles.csv: no column image_id among none; add it"),
    ],
)
def test_tables_that_tell_no_groups(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "tiles.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_groups(tmp_path, ["t0"])
