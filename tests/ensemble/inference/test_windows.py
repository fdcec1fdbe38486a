"""Windows cover the image, and their weights make one of what they say."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ensemble.inference.windows import place_windows, weigh_windows


@given(st.integers(1, 3000), st.integers(2, 20), st.sampled_from([1, 8, 32]), st.data())
def test_windows_cover_the_axis_and_overlap(length: int, units: int, multiple: int, data: st.DataObject) -> None:
    window = units * multiple
    overlap = data.draw(st.integers(0, window - multiple))
    starts = place_windows(length, window, overlap, multiple)
    assert starts[0] == 0
    assert length <= starts[-1] + window
    assert length > starts[-1] + window - multiple or starts == [0]
    assert all(start % multiple == 0 for start in starts)
    steps = np.diff(starts)
    if len(steps):
        assert 0 < steps.min() <= steps.max() <= window - overlap
        longest = (window - overlap) // multiple * multiple
        assert (len(starts) - 2) * longest + window < length  # one less would not do


def test_places_by_hand() -> None:
    assert place_windows(10, 4, 1, 1) == [0, 3, 6]
    assert place_windows(11, 4, 1, 1) == [0, 2, 4, 7]
    assert place_windows(4, 4, 1, 1) == [0]
    assert place_windows(1000, 512, 128, 32) == [0, 256, 512]
    assert place_windows(513, 512, 128, 32) == [0, 32]


@given(st.integers(1, 2000), st.integers(0, 40), st.integers(1, 60))
def test_weights_sum_to_one_and_fall_to_the_crop(length: int, margin: int, ramp: int) -> None:
    window, overlap = 256, 2 * margin + ramp
    starts = place_windows(length, window, overlap, 16)
    weights = weigh_windows(length, starts, window, overlap, margin)
    total = np.zeros(length)
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + len(weight)] += weight
        first, last = start == 0, start + len(weight) == length
        assert first or (not weight[:margin].any() and weight[margin] > 0)
        assert last or (not weight[len(weight) - margin :].any() and weight[-margin - 1] > 0)
    np.testing.assert_allclose(total, 1, rtol=1e-5)


def test_weights_by_hand() -> None:
    first, second = weigh_windows(8, [0, 3], 5, 2, 0)
    np.testing.assert_allclose(first, [1, 1, 1, 2 / 3, 1 / 3])
    np.testing.assert_allclose(second, [1 / 3, 2 / 3, 1, 1, 1])
    [first, second] = weigh_windows(8, [0, 2], 6, 4, 1)
    np.testing.assert_allclose(first, [1, 1, 1, 2 / 3, 1 / 3, 0])
