"""Images on one pixel grid that touch are one picture; all others stay alone."""

from pathlib import Path

import numpy as np
import pytest
from rasterio import Affine

from members.data.frames import Frame, read_frame
from members.data.mosaic import join_frames

GRID = Affine(0.25, 0, 9_500_000, 0, -0.25, 3_200_000)


def make_frame(
    name: str, row: float, column: float, size: tuple[int, int] = (4, 6), crs: str | None = "EPSG:3857"
) -> Frame:
    """An image whose first pixel is at a row and column of `GRID`."""
    return Frame(name, size, crs, GRID * Affine.translation(column, row))


def test_only_images_on_one_grid_that_touch_are_joined() -> None:
    first = make_frame("first", 0, 0)
    others = {
        "below": make_frame("below", 4, 0),
        "overlapping": make_frame("overlapping", 2, 3),
        "rounded": make_frame("rounded", 4, 6.002),
        "half a pixel off": make_frame("half a pixel off", 4, 0.5),
        "a pixel away": make_frame("a pixel away", 5, 0),
        "another CRS": make_frame("another CRS", 4, 0, crs="EPSG:32645"),
        "no CRS": Frame("no CRS", (4, 6), None, Affine.identity()),
        "other pixels": Frame("other pixels", (4, 6), "EPSG:3857", GRID * Affine.translation(0, 4) * Affine.scale(2)),
    }
    joined = [name for name, other in others.items() if len(join_frames([first, other])) == 1]
    assert joined == ["below", "overlapping", "rounded"]


def test_mosaics_keep_the_order_of_images_and_their_corners() -> None:
    frames = [make_frame("b", 10, 0), make_frame("c", 0, 0), make_frame("a", 10, -6), Frame("d", (3, 3), None, GRID)]
    mosaics = join_frames(frames)
    assert [[frame.image_id for frame in mosaic.frames] for mosaic in mosaics] == [["b", "a"], ["c"], ["d"]]
    assert mosaics[0].corners == ((0, 6), (0, 0))
    assert mosaics[0].size == (4, 12)
    assert mosaics[0].transform * (6, 0) == pytest.approx(frames[0].transform * (0, 0), abs=1e-6)


def test_a_gap_between_images_is_background_and_an_overlap_has_the_greater_value() -> None:
    frames = [make_frame("one", 0, 0), make_frame("two", 3, 5)]
    (mosaic,) = join_frames(frames)
    masks = {"one": np.ones((4, 6), bool), "two": np.zeros((4, 6), bool)}
    maps = {"one": np.full((4, 6), 9, np.uint8), "two": np.full((4, 6), 200, np.uint8)}
    mask, blend = mosaic.read(
        (slice(0, 7), slice(0, 11)), lambda name, window: (masks[name][window], maps[name][window])
    )
    assert mask.sum() == 24
    assert mask[3, 5]
    assert (blend[3, 5], blend[0, 0], blend[6, 10], blend[0, 10]) == (200, 9, 200, 0)


def test_real_neighbours_are_one_town(shared_data: Path) -> None:
    """The Banepa training tiles, joined, are the scene: their true masks give the same outlines."""
    folder = shared_data / "hot_buildings/training"
    frames = [read_frame(path) for path in sorted((folder / "images/img").glob("banepa_*.tif"))]
    mosaics = join_frames(frames)
    assert sum(len(mosaic.frames) for mosaic in mosaics) == len(frames) == 128
    (mosaic,) = mosaics
    scene = read_frame(shared_data / "hot_scene/scene.tif")
    assert mosaic.size == scene.size
    assert tuple(mosaic.transform) == pytest.approx(tuple(scene.transform), abs=1e-6)
