import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from postproc.scoring.boundary import count_bands, find_band, find_distance


def find_band_as_published(mask: np.ndarray) -> np.ndarray:
    """The authors' mask_to_boundary (Cheng et al. 2021), for a mask of {0, 1}."""
    height, width = mask.shape
    dilation = max(1, round(0.02 * np.sqrt(height**2 + width**2)))
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=dilation)
    return mask - eroded[1 : height + 1, 1 : width + 1]


def test_band_of_a_house_and_of_one_at_the_border() -> None:
    mask = np.zeros((9, 12), bool)
    mask[2:7, 1:6] = True
    mask[0:4, 9:12] = True
    band = find_band(mask)
    assert band[2:7, 1:6].sum() == 25 - 9
    assert not band[1:3, 10].all()
    assert band[0, 9:12].all()
    assert band[0:4, 11].all()


@pytest.mark.parametrize(("shape", "distance"), [((256, 256), 7), ((512, 512), 14), ((5, 5), 1), ((300, 400), 10)])
def test_distance_is_two_percent_of_the_diagonal(shape: tuple[int, int], distance: int) -> None:
    assert find_distance(shape) == distance


@settings(deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 90), st.integers(1, 90)), elements=st.integers(0, 1)))
def test_band_is_the_published_one(mask: np.ndarray) -> None:
    assert np.array_equal(find_band(mask.astype(bool)), find_band_as_published(mask).astype(bool))


@settings(deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30))), st.data())
def test_counts_are_those_of_each_masks_band(picture: np.ndarray, data: st.DataObject) -> None:
    truth = data.draw(arrays(np.bool_, picture.shape))
    (counts,) = count_bands([picture], 1, truth)
    truth_band = find_band_as_published(truth.astype(np.uint8)).astype(bool)
    assert counts[1].sum() == truth_band.sum()
    for threshold in (1, 50, 128, 255):
        band = find_band_as_published((picture >= threshold).astype(np.uint8)).astype(bool)
        assert counts[0, threshold:].sum() == (band & ~truth_band).sum()
        assert counts[1, threshold:].sum() == (band & truth_band).sum()
