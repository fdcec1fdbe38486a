"""Neighbouring images joined before tracing: no building is cut at a border, whatever the blocks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import Affine
from scipy import ndimage
from shapely import box
from shapely.affinity import translate

from postproc.geo.blocks import plan_windows
from postproc.geo.frames import Frame, read_frame
from postproc.geo.mosaic import Mosaic, join_frames
from postproc.geo.outlining import cut_buildings, trace_mosaic
from postproc.polygons.buildings import Building, rasterize_outlines
from postproc.polygons.tracing import trace_mask

GRID = Affine(0.25, 0, 9_500_000, 0, -0.25, 3_200_000)


def make_frame(
    name: str, row: float, column: float, size: tuple[int, int] = (4, 6), crs: str | None = "EPSG:3857"
) -> Frame:
    """An image whose first pixel is at a row and column of `GRID`."""
    return Frame(name, size, crs, GRID * Affine.translation(column, row))


def trace(mask: np.ndarray, blend: np.ndarray) -> list[Building]:
    """Outlines exact to the pixel; confidence by its definition."""
    return [
        Building(outline, "traced", float(blend[rasterize_outlines([outline], mask.shape)].mean() / 255))
        for outline in trace_mask(mask)
    ]


def cut_tiles(
    mask: np.ndarray, blend: np.ndarray, side: int
) -> tuple[list[Frame], Callable[[str], tuple[np.ndarray, np.ndarray]]]:
    """A picture cut into tiles, those at its right and lower border smaller, and what reads them."""
    corners = {f"{r}_{c}": (r, c) for r in range(0, mask.shape[0], side) for c in range(0, mask.shape[1], side)}
    windows = {name: (slice(r, r + side), slice(c, c + side)) for name, (r, c) in corners.items()}
    frames = [make_frame(name, *corner, mask[windows[name]].shape) for name, corner in corners.items()]
    return frames, lambda name: (mask[windows[name]], blend[windows[name]])


def test_two_tiles_that_share_a_building_give_one() -> None:
    masks = {"left": np.zeros((4, 6), bool), "right": np.zeros((4, 6), bool)}
    masks["left"][1:3, 4:], masks["right"][1:3, :3] = True, True
    maps = {"left": np.full((4, 6), 255, np.uint8), "right": np.full((4, 6), 51, np.uint8)}
    (mosaic,) = join_frames([make_frame("left", 0, 0), make_frame("right", 0, 6)])
    (building,) = trace_mosaic(mosaic, lambda name: (masks[name], maps[name]), trace)
    assert building.outline.equals(box(4, 1, 9, 3))
    assert len(shapely.get_coordinates(building.outline)) == 5  # four corners, none at the border of the tiles
    assert building.confidence == pytest.approx((2 * 1 + 3 * 0.2) / 5)
    (shares,) = cut_buildings(mosaic, [building])
    assert [(name, piece.outline.bounds) for name, piece in shares] == [("right", (0, 1, 3, 3)), ("left", (4, 1, 6, 3))]
    assert {piece.confidence for _, piece in shares} == {building.confidence}


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


def test_mosaics_keep_the_order_of_images_and_their_place() -> None:
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
    mask, blend = mosaic.read((slice(0, 7), slice(0, 11)), lambda name: (masks[name], maps[name]))
    assert mask.sum() == 24
    assert mask[3, 5]
    assert (blend[3, 5], blend[0, 0], blend[6, 10], blend[0, 10]) == (200, 9, 200, 0)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32), size=st.tuples(st.integers(1, 40), st.integers(1, 40)), share=st.floats(0, 1),
    side=st.integers(5, 17), block=st.integers(3, 45),
)  # fmt: skip
def test_blocks_and_tiles_change_nothing(seed: int, size: tuple[int, int], share: float, side: int, block: int) -> None:
    """The buildings are those of the whole picture traced at once."""
    rng = np.random.default_rng(seed)
    mask = ndimage.uniform_filter(rng.random(size), 2) < share
    blend = rng.integers(0, 256, size, np.uint8)
    frames, read = cut_tiles(mask, blend, side)
    (mosaic,) = join_frames(frames)
    found = sorted(trace_mosaic(mosaic, read, trace, block), key=lambda each: each.outline.normalize().wkb)
    expected = sorted(trace(mask, blend), key=lambda each: each.outline.normalize().wkb)
    assert [each.outline.normalize() for each in found] == [each.outline.normalize() for each in expected]
    assert [each.confidence for each in found] == pytest.approx([each.confidence for each in expected])


def test_shares_are_the_mask_of_each_tile() -> None:
    rng = np.random.default_rng(3)
    mask = ndimage.uniform_filter(rng.random((50, 60)), 4) < 0.5
    frames, read = cut_tiles(mask, np.zeros(mask.shape, np.uint8), 16)
    (mosaic,) = join_frames(frames)
    pieces: dict[str, list[shapely.Polygon]] = {frame.image_id: [] for frame in frames}
    for share in cut_buildings(mosaic, list(trace_mosaic(mosaic, read, trace))):
        assert [piece.outline.area for _, piece in share] == sorted((p.outline.area for _, p in share), reverse=True)
        for image_id, piece in share:
            pieces[image_id].append(piece.outline)
    for frame in frames:
        np.testing.assert_array_equal(rasterize_outlines(pieces[frame.image_id], frame.size), read(frame.image_id)[0])


def test_memory_is_that_of_a_block_and_the_largest_object() -> None:
    """Of a long row of houses no window is larger than a block and what reaches over its sides."""
    mask = np.zeros((20, 1000), bool)
    mask[5:12, 3::20] = mask[5:12, 4::20] = mask[5:12, 5::20] = True  # 50 houses, 3 wide
    read_windows = []

    def read(window: tuple[slice, slice]) -> np.ndarray:
        read_windows.append(window)
        return mask[window]

    planned = list(plan_windows(mask.shape, read, 64))
    assert sum(len(seeds) for _, seeds in planned) == 50
    for (rows, columns), seeds in planned:
        assert columns.stop - columns.start <= 64 + 2
        assert mask[rows, columns][tuple(seeds.T)].all()
    assert max(window[1].stop - window[1].start for window in read_windows) == 64


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


def test_moved_mosaic_is_the_same_picture() -> None:
    """Where a mosaic lies says nothing about its buildings."""
    mask = np.zeros((8, 12), bool)
    mask[2:6, 3:9] = True
    frames, read = cut_tiles(mask, np.zeros(mask.shape, np.uint8), 4)
    there = [Frame(f.image_id, f.size, f.crs, Affine.translation(1000.1, 7.7) * f.transform) for f in frames]
    (here,), (moved,) = join_frames(frames), join_frames(there)
    one, other = (list(trace_mosaic(each, read, trace)) for each in (here, moved))
    assert isinstance(here, Mosaic)
    assert one[0].outline == translate(other[0].outline)
