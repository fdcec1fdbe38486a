"""The loop over pixels of all that is counted here; importing it loads numba."""

import numpy as np

from members.common.compiled import compiled


@compiled
def count_values(sums: np.ndarray, added: np.ndarray, blend_of: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Count every tile's building and other pixels by the value of their blend.

    Args:
        sums: uint32 (pixels,), the weighted sum of some members' values.
        added: uint8 (pixels,), the values of one more member, of weight 1.
        blend_of: uint8, the blended value of every sum.
        bounds: int64 (tiles, 3), as of a `Library`.

    Returns:
        int64 (tiles, 2, 256), building pixels first.
    """
    counts = np.zeros((len(bounds), 2, 256), np.int64)
    other = np.zeros(256, np.int64)  # a second row, as counting one value twice running waits for the first count
    for tile in range(len(bounds)):
        for part in range(2):
            row = counts[tile, part]
            other[:] = 0
            start, end = bounds[tile, part], bounds[tile, part + 1]
            for pixel in range(start, end - 1, 2):
                row[blend_of[sums[pixel] + added[pixel]]] += 1
                other[blend_of[sums[pixel + 1] + added[pixel + 1]]] += 1
            if (end - start) % 2:
                row[blend_of[sums[end - 1] + added[end - 1]]] += 1
            row += other
    return counts
