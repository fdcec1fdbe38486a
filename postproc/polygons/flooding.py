"""Flooding of a picture from markers, compiled: the watershed of scikit-image, to the last pixel.

Where a pixel could go to either of two markers, the order in which these leave the queue decides: so the queue is a
binary heap that works as scikit-image's does (`watershed_raveled`, version 0.26), in less memory.
"""

import numpy as np

from members.common.compiled import compiled

AGES = 32
"""Bits of a key below the height: what is as high leaves the queue in the order in which it came."""


@compiled
def flood(height: np.ndarray, markers: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Grow markers over their 4-neighbours, lowest pixels first (Meyer 1994, doi:10.1016/0165-1684(94)90060-4).

    Args:
        height: int (height, width), from 0 to 2**31 - 1.
        markers: int32 (height, width), 0 = none.
        inside: bool (height, width), where they may grow.

    Returns:
        int32 (height, width), the marker that each pixel went to; 0 outside, and where none came.
    """
    lines, columns = markers.shape
    labels = np.zeros((lines + 2, columns + 2), np.int32)  # a border is outside: no neighbour has to be tested for it
    free = np.zeros((lines + 2, columns + 2), np.bool_)
    heights = np.zeros((lines + 2, columns + 2), np.int64)
    count = size = 0
    for y in range(lines):
        for x in range(columns):
            if inside[y, x]:
                heights[y + 1, x + 1] = height[y, x]
                labels[y + 1, x + 1] = markers[y, x]
                free[y + 1, x + 1] = markers[y, x] == 0
                count += 1
    flat_labels, flat_free, flat_heights = labels.ravel(), free.ravel(), heights.ravel()
    keys, pixels = np.empty(count, np.int64), np.empty(count, np.int32)
    for pixel in range(len(flat_labels)):
        if flat_labels[pixel] > 0:
            size = push(keys, pixels, size, flat_heights[pixel] << AGES, pixel)
    age = 0
    while size > 0:
        pixel, level = pixels[0], keys[0] >> AGES
        size = pop(keys, pixels, size)
        for step in (-(columns + 2), -1, 1, columns + 2):
            neighbour = pixel + step
            if flat_free[neighbour]:
                flat_free[neighbour] = False
                flat_labels[neighbour] = flat_labels[pixel]
                age += 1
                key = max(flat_heights[neighbour], level) << AGES | age
                size = push(keys, pixels, size, key, neighbour)
    return labels[1:-1, 1:-1].copy()


@compiled
def push(keys: np.ndarray, pixels: np.ndarray, size: int, key: int, pixel: int) -> int:
    """Add an entry to the heap; return its new size."""
    child = size
    while child > 0:
        parent = (child - 1) // 2
        if key >= keys[parent]:
            break
        keys[child], pixels[child] = keys[parent], pixels[parent]
        child = parent
    keys[child], pixels[child] = key, pixel
    return size + 1


@compiled
def pop(keys: np.ndarray, pixels: np.ndarray, size: int) -> int:
    """Take the first entry off the heap; return its new size."""
    size -= 1
    key, pixel = keys[size], pixels[size]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        best, chosen = key, i
        if keys[child] < key:
            best, chosen = keys[child], child
        if child + 1 < size and keys[child + 1] < best:
            chosen = child + 1
        if chosen == i:
            break
        keys[i], pixels[i] = keys[chosen], pixels[chosen]
        i = chosen
    keys[i], pixels[i] = key, pixel
    return size
