import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from postproc.operators.flat_operators import count_chains
from postproc.operators.layout import OUTSIDE, find_shape, lay_out, measure_kernels, sort_words
from postproc.pipeline.steps import Kernel, draw_kernel

RADIUS = 3


def count(picture: np.ndarray, truth: np.ndarray, kernel: Kernel, flip: int) -> np.ndarray:
    """Every chain of two radii 0..3 by the compiled code, int32 (4, 4, 2, 256)."""
    rows = np.arange((RADIUS + 1) ** 2).reshape(RADIUS + 1, RADIUS + 1)
    classes = lay_out(truth, RADIUS, OUTSIDE)
    counts = np.full((rows.size, 2, 256), -1, np.int32)
    kernels = measure_kernels([draw_kernel(kernel, 2 * r + 1) for r in range(RADIUS + 1)])
    plane = lay_out(picture ^ np.uint8(flip), RADIUS, 0)
    shape = find_shape(picture, RADIUS)
    count_chains(plane, shape, classes, sort_words(classes), kernels, rows, flip, counts)
    return counts.reshape(*rows.shape, 2, 256)


def count_with_opencv(picture: np.ndarray, truth: np.ndarray, kernel: Kernel, flip: int) -> np.ndarray:
    operations = [cv2.MORPH_OPEN, cv2.MORPH_CLOSE] if flip else [cv2.MORPH_CLOSE, cv2.MORPH_OPEN]
    counts = np.zeros((RADIUS + 1, RADIUS + 1, 2, 256), np.int64)
    for radii in np.ndindex(RADIUS + 1, RADIUS + 1):
        result = picture
        for operation, radius in zip(operations, radii, strict=True):
            result = cv2.morphologyEx(result, operation, draw_kernel(kernel, 2 * radius + 1))
        for kind in range(2):
            counts[radii][kind] = np.bincount(result[truth == kind], minlength=256)
    return counts


@pytest.mark.parametrize("flip", [0, 255])
@pytest.mark.parametrize("kernel", ["square", "ellipse"])
@settings(max_examples=40, deadline=None)
@given(picture=arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 20))), data=st.data())
def test_histograms_are_those_of_opencvs_grey_operators(
    kernel: Kernel, flip: int, picture: np.ndarray, data: st.DataObject
) -> None:
    truth = data.draw(arrays(np.bool_, picture.shape))
    assert np.array_equal(count(picture, truth, kernel, flip), count_with_opencv(picture, truth, kernel, flip))


@pytest.mark.parametrize("value", [0, 255])
def test_flat_pictures_stay_as_they_are(value: int) -> None:
    picture = np.full((5, 9), value, np.uint8)
    counts = count(picture, picture > 300, "ellipse", 0)
    assert (counts[:, :, 0, value] == 45).all()
    assert counts.sum() == 16 * 45


def test_chains_that_are_not_asked_for_are_left_alone() -> None:
    picture = np.arange(60, dtype=np.uint8).reshape(6, 10) * 4
    truth = picture > 100
    rows = np.full((RADIUS + 1, RADIUS + 1), -1)
    rows[2, 1], rows[2, 3] = 0, 2
    counts = np.full((3, 2, 256), -1, np.int32)
    kernels = measure_kernels([draw_kernel("square", 2 * r + 1) for r in range(RADIUS + 1)])
    classes = lay_out(truth, RADIUS, OUTSIDE)
    plane, shape = lay_out(picture, RADIUS, 0), find_shape(picture, RADIUS)
    count_chains(plane, shape, classes, sort_words(classes), kernels, rows, 0, counts)
    expected = count_with_opencv(picture, truth, "square", 0)
    assert np.array_equal(counts[0], expected[2, 1])
    assert (counts[1] == -1).all()
    assert np.array_equal(counts[2], expected[2, 3])
