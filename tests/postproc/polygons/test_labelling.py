"""Components are numbered as scikit-image numbers them."""

import numpy as np
import skimage
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from postproc.polygons.labelling import label_components

shapes = st.tuples(st.integers(0, 20), st.integers(0, 40))


@given(shapes.flatmap(lambda shape: arrays.arrays(bool, shape)))
def test_labels_are_scikit_images(mask: np.ndarray) -> None:
    labels = label_components(mask)
    assert labels.dtype == np.int32
    expected = skimage.measure.label(mask, connectivity=1) if mask.size else np.zeros(mask.shape)
    np.testing.assert_array_equal(labels, expected)


def test_a_wide_picture_is_numbered_from_top_to_bottom_too() -> None:
    mask = np.random.default_rng(0).random((700, 900)) < 0.55
    np.testing.assert_array_equal(label_components(mask), skimage.measure.label(mask, connectivity=1))
