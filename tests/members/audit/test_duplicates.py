"""Near-duplicates: every planted one is found, and nothing else."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from members.audit.duplicates import Duplicate, find_duplicates
from members.audit.prints import take_print, turn
from members.data.raster import read_image
from members.data.tiles import list_tiles
from members.synthetic.scenes import draw_scene


def find(images: Sequence[np.ndarray]) -> list[Duplicate]:
    return find_duplicates([take_print(image) for image in images], lambda number: images[number])


def recompress(image: np.ndarray, quality: int) -> np.ndarray:
    code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))


def plant(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn or mirror an image, crop up to 4 px off each side, perhaps resize it back, and compress it by JPEG."""
    image = turn(image, int(rng.integers(8)))
    height, width = image.shape[:2]
    top, left, bottom, right = rng.integers(0, 5, 4)
    image = np.ascontiguousarray(image[top : height - bottom, left : width - right])
    if rng.random() < 0.5:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return recompress(image, int(rng.integers(30, 96)))


def read_tiles(shared_data: Path, step: int) -> list[np.ndarray]:
    root = shared_data / "hot_buildings"
    return [read_image(tile.image) for tile in [*list_tiles(root), *list_tiles(root, "test")][::step]]


def check_planted(images: list[np.ndarray], each: int) -> None:
    """Plant a copy of every so manieth image; at least 95 % are found, and no other pair."""
    rng = np.random.default_rng(0)
    sources = range(0, len(images), each)
    found = {(pair.one, pair.other) for pair in find([*images, *(plant(images[source], rng) for source in sources)])}
    planted = {(source, len(images) + number) for number, source in enumerate(sources)}
    assert found <= planted
    assert len(found) >= 0.95 * len(planted)


def test_planted_among_real_tiles(shared_data: Path) -> None:
    check_planted(read_tiles(shared_data, 8), each=2)


@pytest.mark.slow
def test_planted_among_all_real_tiles(shared_data: Path) -> None:
    """452 tiles, neighbours that share roofs among them, and a copy of each."""
    check_planted(read_tiles(shared_data, 1), each=1)


def test_equal_and_turned_and_near() -> None:
    scenes = [draw_scene(seed, 128)[0] for seed in range(3)]
    (equal,) = find([*scenes, scenes[1].copy()])
    assert (equal.one, equal.other, equal.exact, equal.correlation, equal.symmetry) == (1, 3, True, 1.0, 0)
    for symmetry in range(8):
        (turned,) = find([*scenes, turn(scenes[2], symmetry)])
        assert turned.exact
        np.testing.assert_array_equal(turn(turn(scenes[2], symmetry), turned.symmetry), scenes[2])
    (near,) = find([*scenes, recompress(scenes[0], 60)])
    assert (near.one, near.other, near.exact) == (0, 3, False)
    assert near.correlation > 0.97


def test_many_copies_are_one_chain() -> None:
    scene = draw_scene(0, 128)[0]
    found = find([scene] * 6)
    assert len(found) == 5
    assert all(pair.exact for pair in found)


def test_blank_images_are_no_copies_of_each_other() -> None:
    assert find([np.full((64, 64, 3), value, np.uint8) for value in (0, 0, 255)]) == []
    assert find([]) == []


def test_different_ground_is_no_copy_though_it_is_alike() -> None:
    """Two fields of rows: the same frequency, another phase and another house."""
    rows, columns = np.indices((128, 128))
    fields = []
    for phase, corner in ((0, 20), (2.5, 70)):
        field = (120 + 60 * np.sin(rows / 6 + phase) + 20 * np.sin(columns / 31)).astype(np.uint8)
        field[corner : corner + 30, corner : corner + 30] = 250
        fields.append(np.dstack([field] * 3))
    assert find(fields) == []
