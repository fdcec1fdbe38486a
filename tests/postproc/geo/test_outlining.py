"""Buildings are outlined once, whatever tiles and blocks they reach over, and cut where tiles end."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import Affine
from scipy import ndimage
from shapely import box
from shapely.affinity import translate

from members.common.workers import Threads
from members.data.frames import Frame
from members.data.mosaic import Mosaic, Reader, join_frames
from postproc.geo.blocks import BLOCK, list_windows
from postproc.geo.outlining import (
    Outliner,
    collect_pieces,
    cut_buildings,
    draw_masks,
    outline_images,
    trace_mosaics,
)
from postproc.polygons.buildings import Building, rasterize_outlines
from postproc.polygons.tracing import trace_mask

GRID = Affine(0.25, 0, 9_500_000, 0, -0.25, 3_200_000)


def make_frame(name: str, row: int, column: int, size: tuple[int, int] = (4, 6)) -> Frame:
    """An image whose first pixel is at a row and column of `GRID`."""
    return Frame(name, size, "EPSG:3857", GRID * Affine.translation(column, row))


def trace(mask: np.ndarray, blend: np.ndarray) -> list[Building]:
    """Outlines exact to the pixel; confidence by its definition."""
    return [
        Building(outline, "traced", float(blend[rasterize_outlines([outline], mask.shape)].mean() / 255))
        for outline in trace_mask(mask)
    ]


def cut_tiles(mask: np.ndarray, blend: np.ndarray, side: int) -> tuple[list[Frame], Reader]:
    """A picture cut into tiles, those at its right and lower border smaller, and what reads them."""
    corners = {f"{r}_{c}": (r, c) for r in range(0, mask.shape[0], side) for c in range(0, mask.shape[1], side)}
    windows = {name: (slice(r, r + side), slice(c, c + side)) for name, (r, c) in corners.items()}
    frames = [make_frame(name, *corner, mask[windows[name]].shape) for name, corner in corners.items()]
    return frames, lambda name, window: (mask[windows[name]][window], blend[windows[name]][window])


def trace_mosaic(mosaic: Mosaic, read: Reader, outline: Outliner, block: int = BLOCK) -> list[Building]:
    found = list(trace_mosaics([mosaic], read, outline, block, Threads(2)))
    assert len(found) == len(list_windows(mosaic.size, block))
    return [building for _, buildings in found for building in buildings]


def read_from(masks: dict[str, np.ndarray]) -> Reader:
    return lambda name, window: (masks[name][window], masks[name][window] * np.uint8(9))


def test_two_tiles_that_share_a_building_give_one() -> None:
    masks = {"left": np.zeros((4, 6), bool), "right": np.zeros((4, 6), bool)}
    masks["left"][1:3, 4:], masks["right"][1:3, :3] = True, True
    maps = {"left": np.full((4, 6), 255, np.uint8), "right": np.full((4, 6), 51, np.uint8)}
    (mosaic,) = join_frames([make_frame("left", 0, 0), make_frame("right", 0, 6)])
    (building,) = trace_mosaic(mosaic, lambda name, window: (masks[name][window], maps[name][window]), trace)
    assert building.outline.equals(box(4, 1, 9, 3))
    assert len(shapely.get_coordinates(building.outline)) == 5  # four corners, none at the border of the tiles
    assert building.confidence == pytest.approx((2 * 1 + 3 * 0.2) / 5)
    (shares,) = cut_buildings(mosaic, [building])
    assert [(name, piece.outline.bounds) for name, piece in shares] == [("right", (0, 1, 3, 3)), ("left", (4, 1, 6, 3))]
    assert {piece.confidence for _, piece in shares} == {building.confidence}


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


def test_no_outline_reaches_past_the_images() -> None:
    """Tiles in the shape of an L: walls past its edge are cut off, and a bridge over its corner falls apart."""
    frames = [make_frame("top", 0, 0), make_frame("corner", 4, 0), make_frame("right", 4, 6)]
    outlines = [
        box(-1.5, 1, 4, 3),
        box(1, 5, 3, 7),
        shapely.LineString([(5, 2), (8, 2), (8, 6)]).buffer(1, cap_style="flat"),
    ]
    found = outline_images(
        frames, read_from({frame.image_id: np.ones(frame.size, bool) for frame in frames}),
        lambda mask, blend: [Building(outline, "simplified", 0.5) for outline in outlines],
    )  # fmt: skip
    (each,) = found
    bounds = sorted(building.outline.bounds for building in each.buildings)
    assert bounds == [(0, 1, 4, 3), (1, 5, 3, 7), (5, 1, 6, 3), (7, 4, 9, 6)]
    assert sorted([name for name, _ in pieces] for pieces in each.pieces) == [["corner"], ["right"], ["top"], ["top"]]


def test_shares_are_the_mask_of_each_tile() -> None:
    rng = np.random.default_rng(3)
    mask = ndimage.uniform_filter(rng.random((50, 60)), 4) < 0.5
    frames, read = cut_tiles(mask, np.zeros(mask.shape, np.uint8), 16)
    (mosaic,) = join_frames(frames)
    pieces: dict[str, list[shapely.Polygon]] = {frame.image_id: [] for frame in frames}
    for share in cut_buildings(mosaic, trace_mosaic(mosaic, read, trace)):
        assert [piece.outline.area for _, piece in share] == sorted((p.outline.area for _, p in share), reverse=True)
        for image_id, piece in share:
            pieces[image_id].append(piece.outline)
    for frame in frames:
        whole, _ = read(frame.image_id, (slice(0, frame.size[0]), slice(0, frame.size[1])))
        np.testing.assert_array_equal(rasterize_outlines(pieces[frame.image_id], frame.size), whole)


def test_moved_mosaic_is_the_same_picture() -> None:
    """Where a mosaic lies says nothing about its buildings."""
    mask = np.zeros((8, 12), bool)
    mask[2:6, 3:9] = True
    frames, read = cut_tiles(mask, np.zeros(mask.shape, np.uint8), 4)
    there = [Frame(f.image_id, f.size, f.crs, Affine.translation(1000.1, 7.7) * f.transform) for f in frames]
    (here,), (moved,) = join_frames(frames), join_frames(there)
    one, other = (trace_mosaic(each, read, trace) for each in (here, moved))
    assert one[0].outline == translate(other[0].outline)


def make_pair() -> tuple[list[Frame], dict[str, np.ndarray]]:
    """Two tiles side by side that share a house, and a tile elsewhere that is empty."""
    masks = {name: np.zeros((4, 6), bool) for name in ("far", "left", "right")}
    masks["left"][1:3, 4:], masks["right"][1:3, :3] = True, True
    return [make_frame("far", 90, 0), make_frame("left", 0, 0), make_frame("right", 0, 6)], masks


def test_one_pass_over_all_mosaics() -> None:
    frames, masks = make_pair()
    shown = []

    def watch(items: Iterable[object], description: str, total: int) -> Iterator[object]:
        for item in items:
            yield item
            shown.append(f"{description}, {total}")

    outlined = outline_images(frames, read_from(masks), trace, watch)  # type: ignore[arg-type]
    assert [[frame.image_id for frame in each.mosaic.frames] for each in outlined] == [["far"], ["left", "right"]]
    assert [[building.outline.bounds for building in each.buildings] for each in outlined] == [[], [(4, 1, 9, 3)]]
    assert shown == ["outlines, 2", "outlines, 2"]
    pieces = collect_pieces(outlined)
    assert {name: [piece.outline.bounds for piece in found] for name, found in pieces.items()} == {
        "right": [(0, 1, 3, 3)],
        "left": [(4, 1, 6, 3)],
    }


def test_masks_are_drawn_in_the_order_that_is_asked_for() -> None:
    frames, masks = make_pair()
    outlined = outline_images(frames, read_from(masks), trace)
    drawn = list(draw_masks(outlined, dict.fromkeys(["right", "far", "left"], (4, 6))))
    assert [name for name, _ in drawn] == ["right", "far", "left"]
    for name, mask in drawn:
        np.testing.assert_array_equal(mask, masks[name])
