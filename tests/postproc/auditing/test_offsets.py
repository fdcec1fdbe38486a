"""Masks off their maps: a planted offset is found within a pixel, or nothing is said."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ensemble.mapfolder.raster import read_map
from members.data.raster import read_mask
from members.data.tiles import list_tiles
from members.synthetic.scenes import draw_scene
from postproc.auditing.offsets import find_offset

WAYS = [(1, 0), (-1, 0), (0, 1), (0, -1)]


def move(mask: np.ndarray, down: int, right: int) -> np.ndarray:
    way = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(mask.astype(np.uint8), way, mask.shape[::-1]).astype(bool)


def blur(mask: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(mask * np.uint8(255), (0, 0), 1.5)


@pytest.mark.parametrize("length", range(7))
@pytest.mark.parametrize(("down", "right"), WAYS)
def test_drawn_towns(down: int, right: int, length: int) -> None:
    mask = draw_scene(10)[1] > 0
    found = find_offset(blur(mask), move(mask, length * down, length * right))
    assert found is not None
    assert [found.down, found.right] == pytest.approx([length * down, length * right], abs=0.3)
    assert found.length == pytest.approx(length, abs=0.3)


def test_what_cannot_be_told() -> None:
    mask = draw_scene(10)[1] > 0
    values = blur(mask)
    empty, street = np.zeros_like(mask), np.zeros_like(mask)
    street[100:110] = True  # it looks the same wherever it is along itself
    noise = np.random.default_rng(0).integers(0, 256, mask.shape, np.uint8)
    for one, other in ((values, empty), (values, ~empty), (blur(street), street), (noise, mask), (blur(empty), mask)):
        assert find_offset(one, other) is None
    assert find_offset(values, move(mask, 14, 0)) is None  # farther than is looked
    assert find_offset(values[:36, :36], mask[:36, :36]) is None  # nothing is left within


def count_hits(shared_data: Path, step: int) -> tuple[int, int]:
    """Move real masks by 1 to 6 px; count the offsets that are found within 1 px of that, and those measured."""
    hits = measured = 0
    for number, tile in enumerate(list_tiles(shared_data / "hot_buildings")[::step]):
        mask = read_mask(Path(str(tile.mask)))
        values = read_map(shared_data / f"hot_maps/valid/lite0/{tile.image_id}.tif", mask.shape)
        own = find_offset(values, mask)
        if own is None or own.length > 4:
            continue
        for length in range(1, 7):
            down, right = (length * each for each in WAYS[(number + length) % 4])
            found = find_offset(values, move(mask, down, right))
            if found is not None:
                measured += 1
                hits += np.hypot(found.down - own.down - down, found.right - own.right - right) <= 1
    return hits, measured


def test_planted_in_real_tiles(shared_data: Path) -> None:
    hits, measured = count_hits(shared_data, 8)
    assert measured >= 30
    assert hits >= 0.95 * measured


@pytest.mark.slow
def test_planted_in_all_real_tiles(shared_data: Path) -> None:
    hits, measured = count_hits(shared_data, 1)
    assert measured >= 400
    assert hits >= 0.97 * measured
