"""Masks that lie off the edges of their images: a planted shift is found within a pixel."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from members.audit.shifts import find_shift, measure_edges
from members.data.raster import Pair, read_pair
from members.data.tiles import list_tiles
from members.synthetic.scenes import draw_scene

WAYS = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1)]


def move(mask: np.ndarray, down: int, right: int) -> np.ndarray:
    way = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(mask.astype(np.uint8), way, mask.shape[::-1]).astype(bool)


def count_hits(pairs: list[Pair], lengths: range) -> tuple[int, int]:
    """Move masks by each length, another way each; count those found within 1 px of that, and those measured."""
    hits = measured = 0
    for number, (image, mask) in enumerate(pairs):
        own = find_shift(measure_edges(image, mask))
        if own is None or own.length > 1.5:
            continue  # labels of volunteers are off by themselves
        for length in lengths:
            down, right = (length * step for step in WAYS[(number + length) % len(WAYS)])
            found = find_shift(measure_edges(image, move(mask, down, right)))
            if found is not None:
                measured += 1
                hits += np.hypot(found.down - own.down - down, found.right - own.right - right) <= 1
    return hits, measured


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, 0), (-2, 0), (0, 3), (4, -4), (0, -5), (6, 6)])
def test_drawn_scene(down: int, right: int) -> None:
    image, mask = draw_scene(11)
    found = find_shift(measure_edges(image, move(mask > 0, down, right)))
    assert found is not None
    assert [found.down, found.right] == pytest.approx([down, right], abs=1)


def test_what_cannot_be_told() -> None:
    image, mask = draw_scene(11)
    assert find_shift(measure_edges(image, np.zeros_like(mask, bool))) is None  # no outline
    noise = np.random.default_rng(0).integers(0, 256, image.shape, np.uint8)
    assert find_shift(measure_edges(noise, mask > 0)) is None  # no edges
    assert find_shift(measure_edges(np.full_like(image, 90), mask > 0)) is None
    assert find_shift(measure_edges(image, move(mask > 0, 12, 0))) is None  # farther than is looked


def test_tiles_add_up() -> None:
    scenes = [draw_scene(seed) for seed in (8, 11)]
    one, other = (measure_edges(image, move(mask > 0, 3, -2)) for image, mask in scenes)
    found = find_shift(one + other)
    assert found is not None
    assert [found.down, found.right] == pytest.approx([3, -2], abs=1)
    assert (one + other).pixels == one.pixels + other.pixels


def test_planted_in_real_tiles(shared_data: Path) -> None:
    tiles = list_tiles(shared_data / "hot_buildings")[::8]
    hits, measured = count_hits([read_pair(tile) for tile in tiles], range(1, 7))
    assert measured >= 60
    assert hits >= 0.95 * measured


@pytest.mark.slow
def test_planted_in_all_real_tiles(shared_data: Path) -> None:
    hits, measured = count_hits([read_pair(tile) for tile in list_tiles(shared_data / "hot_buildings")], range(1, 7))
    assert measured >= 600
    assert hits >= 0.97 * measured
