"""Windows over images that are too large for a network to take whole."""

from collections.abc import Callable, Iterator

import numpy as np

WINDOW, OVERLAP = 512, 128


def place_windows(length: int, window: int, overlap: int) -> list[int]:
    """Starts of windows that cover 0..length along one axis, evenly spread, overlapping by at least `overlap`."""
    if length <= window:
        return [0]
    count = -(-(length - overlap) // (window - overlap))
    return [round(i * (length - window) / (count - 1)) for i in range(count)]


def weigh_window(height: int, width: int, overlap: int) -> np.ndarray:
    """Weights (h, w) that fall linearly over `overlap` px to the window's border, but never to zero."""
    ramps = [
        np.minimum(np.minimum(np.arange(side) + 1, np.arange(side)[::-1] + 1) / overlap, 1) for side in (height, width)
    ]
    return np.outer(*ramps).astype(np.float32)


def predict_windows(image: np.ndarray, predict: Callable[[np.ndarray], np.ndarray], batch_size: int) -> np.ndarray:
    """Predict an image of any size in overlapping windows.

    Args:
        image: uint8 (h, w, 3).
        predict: from a stack uint8 (n, h', w', 3) to probabilities float32 (n, h', w').
        batch_size: windows in a stack.

    Returns:
        Probabilities, float32 (h, w): the weighted mean of all windows over a pixel.
    """
    height, width = image.shape[:2]
    size = min(WINDOW, height), min(WINDOW, width)
    weight = weigh_window(*size, OVERLAP)
    total, weights = np.zeros((2, height, width), np.float32)
    for places in _chunk_places(height, width, batch_size):
        windows = [np.s_[top : top + size[0], left : left + size[1]] for top, left in places]
        for window, probability in zip(windows, predict(np.stack([image[w] for w in windows])), strict=True):
            total[window] += weight * probability
            weights[window] += weight
    return total / weights


def _chunk_places(height: int, width: int, batch_size: int) -> Iterator[list[tuple[int, int]]]:
    tops, lefts = (place_windows(side, WINDOW, OVERLAP) for side in (height, width))
    places = [(top, left) for top in tops for left in lefts]
    for start in range(0, len(places), batch_size):
        yield places[start : start + batch_size]
