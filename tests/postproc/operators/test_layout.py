from itertools import pairwise

import cv2
import numpy as np
import pytest

from postproc.operators.layout import OUTSIDE, find_shape, lay_out, measure_kernels, sort_words
from postproc.pipeline.steps import Kernel, draw_kernel


def test_a_plane_is_lines_with_padding_and_margins() -> None:
    picture = np.arange(1, 7, dtype=np.uint8).reshape(2, 3)
    height, width, stride = find_shape(picture, 1)
    assert (height, width, stride) == (2, 3, 16)
    lines = lay_out(picture, 1, padding=9).reshape(-1, stride)
    assert lines.shape[0] == 4
    assert np.array_equal(lines[1:3, :3], picture)
    assert (lines == 9).sum() == lines.size - 6


@pytest.mark.parametrize(("width", "radius", "stride"), [(1, 1, 16), (8, 7, 16), (256, 7, 264), (10, 15, 32)])
def test_lines_are_whole_words_with_padding_for_the_largest_kernel(width: int, radius: int, stride: int) -> None:
    assert find_shape(np.zeros((1, width), np.uint8), radius)[2] == stride


def test_words_are_sorted_by_what_they_hold() -> None:
    truth = np.zeros((1, 32), bool)
    truth[0, 8:20] = True
    background, building, mixed = sort_words(lay_out(truth, 0, OUTSIDE))
    assert (background.tolist(), building.tolist(), mixed.tolist()) == ([0, 3], [1], [2])
    partly_outside = sort_words(lay_out(truth[:, :12], 0, OUTSIDE))
    assert [numbers.tolist() for numbers in partly_outside] == [[0], [], [1]]


@pytest.mark.parametrize("kernel", ["square", "ellipse"])
def test_kernels_are_drawn_again_from_their_half_widths(kernel: Kernel) -> None:
    half_widths, steps = measure_kernels([draw_kernel(kernel, size) for size in range(1, 32, 2)])
    for r in range(1, 16):
        drawn = np.zeros((2 * r + 1, 2 * r + 1), np.uint8)
        for d in range(-r, r + 1):
            reach = half_widths[r, abs(d)]
            drawn[r + d, r - reach : r + reach + 1] = 1
        assert np.array_equal(drawn, cv2.getStructuringElement({"square": 0, "ellipse": 2}[kernel], (2 * r + 1,) * 2))
        taken = [0, *steps[r][steps[r] > 0].tolist()]
        assert set(half_widths[r, : r + 1]) <= set(taken)
        assert all(b < after <= 3 * b + 1 for b, after in pairwise(taken))
    assert steps[0].tolist() == [*range(1, 16), 0]
