"""Windows over images that are too large for a network to take whole."""

import numpy as np

WINDOW, OVERLAP, MARGIN = 512, 128, 32
"""Side of a window, least overlap of neighbours, and what is cropped of a side where another window follows; px.

A network sees what lies within its receptive radius; nearer than that to a side it misses something. Wherever the
radius is at most MARGIN, windows give exactly what the whole image would; beyond it the ramp of weights hides the seam.
"""


def place_windows(length: int, window: int, overlap: int, multiple: int) -> list[int]:
    """Starts of windows along one axis, evenly spread, overlapping by at least `overlap`.

    Starts are multiples of `multiple`, so that a network that halves its input sees each pixel at the same place
    of its grid in every window. The last window may reach over the end, by less than `multiple`.

    Args:
        length: of the axis, px.
        window: px, a multiple of `multiple`.
        overlap: px, so that window - overlap is at least `multiple`.
        multiple: px.
    """
    last = -(-max(length - window, 0) // multiple)
    steps = -(-last // ((window - overlap) // multiple))
    return [0] + [(step * last // steps) * multiple for step in range(1, steps + 1)]


def weigh_windows(length: int, starts: list[int], window: int, overlap: int, margin: int) -> list[np.ndarray]:
    """How much each window counts along one axis: float32, one weight a pixel that it holds; they sum to 1.

    Before that, weights are 0 in the margin of a side that another window follows, and rise linearly from there
    over what is surely shared with it. The product of two axes' weights is that of a window of the image.
    """
    ramp = max(overlap - 2 * margin, 1)
    weights = []
    for start in starts:
        end = min(start + window, length)
        inside = np.arange(start, end)
        before = np.inf if start == 0 else inside - start + 1 - margin
        after = np.inf if end == length else end - inside - margin
        weights.append(np.clip(np.minimum(before, after) / ramp, 0, 1) * np.ones(end - start))
    total = np.zeros(length)
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + len(weight)] += weight
    return [
        (weight / total[start : start + len(weight)]).astype(np.float32)
        for start, weight in zip(starts, weights, strict=True)
    ]
