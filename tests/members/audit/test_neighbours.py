"""Tiles of one ground: by georeferencing, in any coordinate system, and by borders where there is none."""

from pathlib import Path

import numpy as np
import pytest
from rasterio import Affine
from rasterio.crs import CRS

from members.audit.neighbours import Neighbours, find_touching, match_borders
from members.audit.prints import take_print
from members.data.frames import Frame, read_frame
from members.data.raster import read_image
from members.data.tiles import list_tiles
from members.synthetic.scenes import draw_scene

MERCATOR = CRS.from_epsg(3857).to_wkt()


def frame(left: float, top: float, crs: str | None = MERCATOR, size: tuple[int, int] = (100, 100)) -> Frame:
    return Frame(f"{left}_{top}", size, crs, Affine(0.5, 0, left, 0, -0.5, top))


def test_touching_and_overlapping() -> None:
    """Tiles of 50 m: one, its right neighbour, one that overlaps both by half, one far away, one nowhere."""
    frames = [frame(0, 0), frame(50, 0), frame(25, 0), frame(500, 0), frame(0, 0, None)]
    assert find_touching(frames) == [Neighbours(0, 1, 0.0), Neighbours(0, 2, 0.5), Neighbours(1, 2, 0.5)]
    assert find_touching([frame(0, 0, None)] * 2) == []


def test_corners_touch_and_a_gap_of_a_pixel_does_not_part() -> None:
    assert [pair.overlap for pair in find_touching([frame(0, 0), frame(50, -50)])] == [0]
    assert len(find_touching([frame(0, 0), frame(50.4, 0)])) == 1
    assert find_touching([frame(0, 0), frame(50.6, 0)]) == []


def test_pixels_of_two_sizes_touch_whichever_comes_first() -> None:
    coarse = Frame("coarse", (50, 50), MERCATOR, Affine(2, 0, 51.5, 0, -2, 0))
    assert len(find_touching([frame(0, 0), coarse])) == len(find_touching([coarse, frame(0, 0)])) == 1


def test_another_coordinate_system() -> None:
    degrees = CRS.from_epsg(4326).to_wkt()
    metre = 360 / (2 * np.pi * 6378137)  # at the equator
    same = Frame("same", (100, 100), degrees, Affine(0.5 * metre, 0, 0, 0, -0.5 * metre, 0))
    (pair,) = find_touching([frame(0, 0), same])
    assert pair.overlap == pytest.approx(1, abs=1e-3)


def test_real_neighbours_are_those_of_the_table(shared_data: Path) -> None:
    tiles = [tile for tile in list_tiles(shared_data / "hot_buildings") if tile.image_id.startswith("kampala")]
    numbers = [tuple(map(int, tile.image_id.split("_")[1:])) for tile in tiles]
    found = {(pair.one, pair.other) for pair in find_touching([read_frame(tile.image) for tile in tiles])}
    for one, (column, row) in enumerate(numbers):
        for other in range(one + 1, len(tiles)):
            near = max(abs(numbers[other][0] - column), abs(numbers[other][1] - row)) <= 1
            assert ((one, other) in found) == near


# Borders


def match(images: list[np.ndarray]) -> set[tuple[int, int]]:
    frames = [Frame(str(number), image.shape[:2], None, Affine.identity()) for number, image in enumerate(images)]
    return {(pair.one, pair.other) for pair in match_borders([take_print(image) for image in images], frames)}


def cut(scene: np.ndarray, side: int) -> list[np.ndarray]:
    return [
        scene[row : row + side, column : column + side]
        for row in range(0, scene.shape[0], side)
        for column in range(0, scene.shape[1], side)
    ]


def test_quarters_of_one_picture_continue_each_other() -> None:
    """Two pictures in quarters: 0 1 over 2 3, and 4 5 over 6 7."""
    quarters = [quarter for seed in (0, 40) for quarter in cut(draw_scene(seed, 256)[0], 128)]
    assert match(quarters) == {(0, 1), (2, 3), (0, 2), (1, 3), (4, 5), (6, 7), (4, 6), (5, 7)}


def test_tiles_of_different_places_do_not() -> None:
    assert match([draw_scene(seed, 128)[0] for seed in range(0, 60, 10)]) == set()
    assert match([np.full((64, 64, 3), 90, np.uint8)] * 3) == set()
    assert match([draw_scene(0, 128)[0]]) == set()


def test_real_borders(shared_data: Path) -> None:
    """All tiles of two towns, their georeferencing taken away: nearly all neighbours are found, and no other pair."""
    root = shared_data / "hot_buildings"
    tiles = [tile for tile in list_tiles(root) if tile.image_id.startswith(("kampala", "panauti"))]
    touching = find_touching([read_frame(tile.image) for tile in tiles])
    places = [np.array(tile.image_id.split("_")[1:], int) for tile in tiles]
    sides = {(p.one, p.other) for p in touching if np.abs(places[p.one] - places[p.other]).sum() == 1}
    found = match([read_image(tile.image) for tile in tiles])
    assert found <= sides
    assert len(found) > 0.85 * len(sides)
