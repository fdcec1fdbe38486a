"""Run-length encoding against hand-written masks and the common NumPy recipe."""

import doctest
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from members.common.errors import InputError
from members.data.raster import read_mask
from members.data.tiles import list_files
from postproc.formats import rle
from postproc.formats.rle import decode_rle, encode_rle

# 3 high, 4 wide, numbered down the columns, then right:
#   1  4  7 10
#   2  5  8 11
#   3  6  9 12
BY_HAND = {
    "one pixel": ([[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]], "5 1"),
    "one column": ([[0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 1, 0]], "7 3"),
    "one row": ([[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]], "2 1 5 1 8 1 11 1"),
    "on from one column to the next": ([[0, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]], "3 3"),
    "first and last": ([[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]], "1 1 12 1"),
    "all": ([[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]], "1 12"),
    "none": ([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], ""),
}

# Widths around 64 meet the ends of the machine words that the encoder compares.
sides = st.one_of(st.integers(1, 12), st.sampled_from([63, 64, 65, 128, 130]))
masks = st.tuples(st.integers(1, 12), sides).flatmap(lambda shape: arrays(bool, shape))


def encode_naively(mask: np.ndarray) -> str:
    pixels = np.concatenate([[0], mask.T.flatten(), [0]])
    runs = np.where(pixels[1:] != pixels[:-1])[0] + 1
    runs[1::2] -= runs[::2]
    return " ".join(str(number) for number in runs)


def decode_naively(text: str, height: int, width: int) -> np.ndarray:
    numbers = [int(number) for number in text.split()]
    pixels = np.zeros(height * width, bool)
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        pixels[start - 1 : start - 1 + length] = True
    return pixels.reshape(width, height).T


@pytest.mark.parametrize(("pixels", "text"), BY_HAND.values(), ids=BY_HAND)
def test_masks_by_hand_both_ways(pixels: list[list[int]], text: str) -> None:
    mask = np.array(pixels, bool)
    assert encode_rle(mask) == text
    decoded = decode_rle(text, 3, 4)
    np.testing.assert_array_equal(decoded, mask)
    assert decoded.dtype == bool
    assert decoded.flags.c_contiguous


@given(masks)
@settings(deadline=None)
def test_round_trip_agrees_with_the_naive_recipe(mask: np.ndarray) -> None:
    text = encode_rle(mask)
    assert text == encode_naively(mask)
    np.testing.assert_array_equal(decode_rle(text, *mask.shape), mask)
    np.testing.assert_array_equal(decode_naively(text, *mask.shape), mask)


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (200, 1), (65, 64), (64, 65)])
def test_random_masks_of_every_density(shape: tuple[int, int]) -> None:
    draws = np.random.default_rng(0)
    for density in (0, 0.01, 0.5, 0.99, 1):
        mask = draws.random(shape) < density
        text = encode_rle(mask)
        assert text == encode_naively(mask)
        np.testing.assert_array_equal(decode_rle(text, *shape), mask)


def test_any_integer_type_and_memory_order_encode_alike() -> None:
    mask = np.random.default_rng(1).random((9, 70)) < 0.4
    text = encode_naively(mask)
    for variant in (
        mask.astype(np.uint8),
        mask.astype(np.uint8) * 255,
        mask.astype(np.int32),
        np.asfortranarray(mask),
    ):
        assert encode_rle(variant) == text
    assert encode_rle(np.repeat(mask, 2, axis=1)[:, ::2]) == text


@pytest.mark.parametrize("text", ["2 3", "  2  3 ", "2 1 3 2", "2 1 3 1 4 1"])
def test_touching_runs_and_further_spaces_are_read(text: str) -> None:
    assert encode_rle(decode_rle(text, 3, 4)) == "2 3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 7", "run 2 is '7' in a mask 3 high, 4 wide: a start has no length"),
        ("1 2 a 3", "run 2 is 'a 3' in a mask 3 high, 4 wide: numbers are written in digits"),
        ("1 2.0", "run 1 is '1 2.0'.* numbers are written in digits"),
        ("1 -2", "run 1 is '1 -2'.* numbers are written in digits"),
        ("1\t2", "numbers are written in digits"),
        ("１ 2", "run 1 is '１ 2'.* numbers are written in digits"),  # a full-width digit, which int() takes
        ("nan", "numbers are written in digits"),
        ("0 2", "run 1 is '0 2'.* starts count from 1"),
        ("1 0", "run 1 is '1 0'.* a length is at least 1"),
        ("1 3 3 1", "run 2 is '3 1'.* begins before the end of the one before"),
        ("7 1 1 1", "run 2 is '1 1'.* sort the runs"),
        ("12 2", "run 1 is '12 2'.* past the last pixel"),
        ("13 1", "past the last pixel"),
        (
            "1 1 3 99999999999999999999999999999999999999999",
            r"run 2 is '3 9{35}\.\.\.'.* past the last pixel",
        ),
    ],
)
def test_bad_runs_are_named_with_their_rule(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        decode_rle(text, 3, 4)
    assert "\n" not in str(caught.value)


@given(st.text("0123456789 -x", max_size=12))
@settings(deadline=None)
def test_any_text_decodes_to_what_it_says_or_is_refused(text: str) -> None:
    try:
        mask = decode_rle(text, 3, 4)
    except InputError:
        return
    np.testing.assert_array_equal(mask, decode_naively(text, 3, 4))
    assert mask.sum() == sum(int(length) for length in text.split()[1::2])


@pytest.mark.parametrize("shape", [(3,), (0, 4), (4, 0), (3, 4, 1)])
def test_arrays_that_are_no_masks_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="a mask is \\(height, width\\)"):
        encode_rle(np.zeros(shape, bool))


def test_probabilities_are_no_mask() -> None:
    with pytest.raises(InputError, match="an array of float32; a mask is bool or integer: threshold the map first"):
        encode_rle(np.full((3, 4), 0.5, np.float32))


def test_real_masks_agree_with_the_naive_recipe(shared_data: Path) -> None:
    files = list_files(shared_data / "hot_buildings/training/masks/img")
    for path in list(files.values())[::8]:
        mask = read_mask(path)
        text = encode_rle(mask)
        assert text == encode_naively(mask)
        np.testing.assert_array_equal(decode_rle(text, *mask.shape), mask)


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(rle, extraglobs={"np": np}) == doctest.TestResults(failed=0, attempted=3)
