"""Prints: one transform gives the hashes of all eight symmetries, and borders go on as the pixels inside suggest."""

import cv2
import numpy as np
import pytest
from conftest import SYMMETRIES
from hypothesis import given
from hypothesis import strategies as st

from members.audit.prints import hash_symmetries, shrink, take_print, turn


def draw_scene(seed: int, size: tuple[int, int] = (96, 96)) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


@given(st.integers(0, 200), st.integers(0, 7))
def test_a_hash_under_a_symmetry_is_that_of_the_turned_picture(seed: int, symmetry: int) -> None:
    grey = np.random.default_rng(seed).normal(0, 1, (32, 32)).astype(np.float32)
    assert hash_symmetries(turn(grey, symmetry))[0] == hash_symmetries(grey)[symmetry]


def test_turns_are_the_eight_symmetries() -> None:
    picture = np.arange(12).reshape(3, 4)
    ours = {turn(picture, symmetry).tobytes() + bytes(turn(picture, symmetry).shape) for symmetry in range(8)}
    theirs = [np.ascontiguousarray(way(picture)) for way, _ in SYMMETRIES]
    assert ours == {each.tobytes() + bytes(each.shape) for each in theirs}


def test_light_changes_no_bit() -> None:
    scene = draw_scene(0)
    darker = (scene * 0.6 + 20).astype(np.uint8)
    assert np.bitwise_count(take_print(scene).hashes[0] ^ take_print(darker).hashes[0]) <= 1


def test_an_image_of_one_value_is_flat() -> None:
    assert take_print(np.full((40, 50, 3), 99, np.uint8)).is_flat
    assert not take_print(draw_scene(1)).is_flat


def test_shrunk_to_grey_values() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 255
    assert shrink(image, 2).tolist() == [[0, 255], [0, 255]]


def test_borders_of_a_ramp_go_on() -> None:
    ramp = np.arange(0, 128, 2, dtype=np.uint8)[None, :, None] * np.ones((64, 1, 3), np.uint8)  # 2 a px to the right
    left, right, upper, lower = take_print(ramp).borders
    assert np.unique(left).tolist() == [-1]  # half a pixel before the first, 0
    assert np.unique(right).tolist() == [127]  # and after the last, 126
    assert upper[:, 0] == pytest.approx(lower[:, 0])
    assert upper[0, 0] == pytest.approx(1)  # the mean of the first two columns
