"""Windows cover the image, and what is put together from them is what the whole image would give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble import windows
from ensemble.windows import place_windows, predict_windows, weigh_window


@given(st.integers(1, 3000), st.integers(2, 600), st.data())
def test_windows_cover_the_axis_and_overlap(length: int, window: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, window - 1))
    starts = place_windows(length, window, overlap)
    if length <= window:
        assert starts == [0]
        return
    assert starts[0] == 0
    assert starts[-1] == length - window
    steps = np.diff(starts)
    assert steps.min() > 0
    assert steps.max() <= window - overlap
    assert len(starts) == 1 or (len(starts) - 2) * (window - overlap) + window < length  # one less would not do


def test_places_by_hand() -> None:
    assert place_windows(10, 4, 1) == [0, 3, 6]
    assert place_windows(11, 4, 1) == [0, 2, 5, 7]
    assert place_windows(4, 4, 1) == [0]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 20))
def test_weights_fall_to_the_border_but_never_to_zero(height: int, width: int, overlap: int) -> None:
    weights = weigh_window(height, width, overlap)
    assert weights.shape == (height, width)
    assert 0 < weights.min() <= weights.max() <= 1
    np.testing.assert_array_equal(weights, weights[::-1, ::-1])
    assert (np.diff(weights[:, : (width + 1) // 2], axis=1) >= 0).all()


def test_weights_by_hand() -> None:
    np.testing.assert_allclose(weigh_window(1, 5, 2), [[0.25, 0.5, 0.5, 0.5, 0.25]])


@pytest.mark.parametrize(("height", "width"), [(7, 50), (33, 16), (40, 41), (5, 5)])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_seamless(monkeypatch: pytest.MonkeyPatch, height: int, width: int, batch_size: int) -> None:
    monkeypatch.setattr(windows, "WINDOW", 16)
    monkeypatch.setattr(windows, "OVERLAP", 6)
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    sizes = []

    def read_red(stack: np.ndarray) -> np.ndarray:
        sizes.append(stack.shape)
        return stack[..., 0].astype(np.float32) / 255

    probability = predict_windows(image, read_red, batch_size)
    assert probability.dtype == np.float32
    np.testing.assert_allclose(probability, image[..., 0] / 255, atol=1e-6)
    assert {size[1:] for size in sizes} == {(min(height, 16), min(width, 16), 3)}
    assert max(size[0] for size in sizes) <= batch_size


def test_where_windows_disagree_the_nearer_centre_counts_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "WINDOW", 4)
    monkeypatch.setattr(windows, "OVERLAP", 2)

    def number(stack: np.ndarray) -> np.ndarray:  # the first window says 0, the second 1
        return np.arange(len(stack), dtype=np.float32)[:, None, None] * np.ones(stack.shape[1:3], np.float32)

    [row, *_] = predict_windows(np.zeros((4, 6, 3), np.uint8), number, 2)
    np.testing.assert_allclose(row, [0, 0, 1 / 3, 2 / 3, 1, 1], atol=1e-6)
