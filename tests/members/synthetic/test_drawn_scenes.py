"""Drawn scenes: the same from the same seed, four a neighbourhood, with masks to the pixel, as a data set."""

import csv
from pathlib import Path

import numpy as np
import pytest
import rasterio

from members.common.errors import InputError
from members.data.raster import read_pair
from members.data.tiles import list_tiles
from members.labels.reading import read_labels
from members.synthetic.painting import Canvas, paint_slab
from members.synthetic.scenes import (
    Camera,
    draw_buildings,
    draw_group,
    draw_scene,
    photograph,
    shrink_buildings,
    write_scenes,
)
from postproc.polygons.buildings import rasterize_outlines
from postproc.polygons.labelling import label_components

CLEAR = Camera(exposure=1.0, balance=(1, 1, 1), shade=0.5, haze=0.0, blur=0.01, noise=0.0, quality=100)


def test_a_seed_is_a_scene() -> None:
    image, mask = draw_scene(9, 64)
    assert (image.shape, mask.shape) == ((64, 64, 3), (64, 64))
    assert image.dtype == mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 255}
    for again, expected in zip(draw_scene(9, 64), (image, mask), strict=True):
        np.testing.assert_array_equal(again, expected)
    assert (draw_scene(10, 64)[1] != mask).any()


def test_three_groups_in_a_row_are_a_town_a_suburb_and_farmland() -> None:
    for first in (0, 3, 42):
        assert {draw_group(group)[0].kind for group in range(first, first + 3)} == {"town", "suburb", "rural"}
    assert draw_group(5) == draw_group(5)


def test_a_pixel_is_building_where_half_of_it_is() -> None:
    fine = np.zeros((6, 6), np.uint16)
    fine[:2, :2] = 1  # four of four samples
    fine[0, 2:4] = 1, 2  # two
    fine[2, 4] = 1  # one
    np.testing.assert_array_equal(shrink_buildings(fine), [[1, 2, 0], [0, 0, 0], [0, 0, 0]])


def test_houses_of_a_town_stand_wall_to_wall() -> None:
    (town,) = (group for group in range(3) if draw_group(group)[0].kind == "town")
    tiles = [draw_buildings(4 * town + number, 128)[1] for number in range(4)]
    assert sum(len(np.unique(tile)) - 1 for tile in tiles) > 1.2 * sum(
        label_components(tile > 0).max() for tile in tiles
    )


def test_a_photograph_in_clear_light_has_the_colours_and_half_of_them_in_the_shade() -> None:
    canvas = Canvas(32, (0.0, np.pi / 4), np.random.default_rng(0))
    canvas.colour[:] = 0.6
    paint_slab(canvas, (0, 0), 0.0, (0.6, 9.0), (0.9, 0.9, 0.9), 3.0)
    picture = photograph(canvas, CLEAR, np.random.default_rng(0)) / 255
    np.testing.assert_allclose(picture[16, 24], 0.6, atol=0.03)  # to the sun of the wall
    np.testing.assert_allclose(picture[16, 11], 0.3, atol=0.05)  # 1.5 m behind it
    assert picture[16, 11, 2] > picture[16, 11, 0]  # the sky that lights a shadow is blue


@pytest.mark.parametrize(("seed", "size"), [(-1, 64), (0, 31)])
def test_scenes_that_cannot_be(seed: int, size: int) -> None:
    with pytest.raises(InputError, match=f"seed {seed}, size {size}; seed must be 0 or more, size 32 or more"):
        draw_scene(seed, size)


def test_a_folder_of_scenes_is_a_data_set(tmp_path: Path) -> None:
    write_scenes(tmp_path, 6, seed=1)
    tiles = list_tiles(tmp_path)
    assert [(tile.image_id, tile.group) for tile in tiles] == [
        ("scene_0000", "neighbourhood_000"), ("scene_0001", "neighbourhood_000"),
        ("scene_0002", "neighbourhood_000"), ("scene_0003", "neighbourhood_000"),
        ("scene_0004", "neighbourhood_001"), ("scene_0005", "neighbourhood_001"),
    ]  # fmt: skip
    image, mask = read_pair(tiles[5])
    expected = draw_scene(1_000_005)
    np.testing.assert_array_equal(image, expected[0])
    np.testing.assert_array_equal(mask, expected[1] > 0)
    with (tmp_path / "groups.csv").open() as lines:
        kinds = [row["kind"] for row in csv.DictReader(lines)]
    assert kinds == [draw_group((1_000_000 + number) // 4)[0].kind for number in range(6)]
    with rasterio.open(tiles[0].image) as raster:
        assert raster.res == (0.3, 0.3)
    outlines = read_labels(tmp_path / "buildings.geojson", tiles)
    for tile in tiles:
        np.testing.assert_array_equal(rasterize_outlines(outlines[tile.image_id], (256, 256)), read_pair(tile)[1])


def test_a_folder_of_scenes_holds_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/mine.tif").touch()
    with pytest.raises(InputError, match=r"mine.tif: not one of the 4 scenes to draw; scenes need a folder"):
        write_scenes(tmp_path, 4)
    for count, seed in ((0, 1), (1_000_001, 1), (4, -1)):
        with pytest.raises(InputError, match=rf"{count} scenes, seed {seed}; there can be 1 to 1000000, seed"):
            write_scenes(tmp_path / "new", count, seed)
    assert not (tmp_path / "new").exists()
