"""The flood is scikit-image's watershed, ties included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.segmentation import watershed

from postproc.polygons.flooding import flood


def test_two_markers_meet_on_the_ridge() -> None:
    height = np.array([[0, 1, 5, 2, 0]], np.int16)
    markers = np.array([[1, 0, 0, 0, 2]], np.int32)
    inside = np.array([[True, True, True, True, True]])
    assert flood(height, markers, inside).tolist() == [[1, 1, 1, 2, 2]]
    assert flood(height, markers, inside & (height < 5)).tolist() == [[1, 1, 0, 2, 2]]


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
        lambda size: st.tuples(
            arrays(np.int16, size, elements=st.integers(0, 3)),
            arrays(np.int32, size, elements=st.sampled_from([0, 0, 0, 1, 2, 3])),
            arrays(np.bool_, size, elements=st.sampled_from([True, True, True, False])),
        )
    )
)
def test_every_pixel_goes_where_scikit_image_sends_it(made: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    height, markers, inside = made
    for values in (height, height.astype(np.int32) * 1_000_000):
        assert np.array_equal(flood(values, markers, inside), watershed(height, markers, connectivity=1, mask=inside))


@pytest.mark.parametrize("seed", range(3))
def test_it_does_so_on_a_large_picture_of_many_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height = rng.integers(0, 9, (150, 200)).astype(np.int16)
    markers = np.where(rng.random(height.shape) < 0.2, rng.integers(1, 500, height.shape), 0).astype(np.int32)
    inside = rng.random(height.shape) < 0.9
    assert np.array_equal(flood(height, markers, inside), watershed(height, markers, connectivity=1, mask=inside))
