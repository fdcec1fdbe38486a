"""Flooding of a picture from markers, compiled: the watershed of scikit-image, to the last pixel.

Where a pixel could go to either of two markers, the order in which these leave the queue decides: so the queue is a
binary heap that works as scikit-image's does (`watershed_raveled`, version 0.26), in less memory.
"""

import numpy as np

from members.common.compiled import compiled


@compiled
def flood(height: np.ndarray, markers: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Grow markers over their 4-neighbours, lowest pixels first (Meyer 1994, doi:10.1016/0165-1684(94)90060-4).

    Args:
        height: int or float (height, width).
        markers: int32 (height, width), 0 = none.
        inside: bool (height, width), where they may grow.

    Returns:
        int32 (height, width), the marker that each pixel went to; 0 outside, and where none came.
    """
    lines, columns = markers.shape
    labels = np.zeros((lines + 2, columns + 2), np.int32)  # a border is outside: no neighbour has to be tested for it
    free = np.zeros((lines + 2, columns + 2), np.bool_)
    heights = np.zeros((lines + 2, columns + 2), height.dtype)
    count = size = 0
    for y in range(lines):
        for x in range(columns):
            if inside[y, x]:
                heights[y + 1, x + 1] = height[y, x]
                labels[y + 1, x + 1] = markers[y, x]
                free[y + 1, x + 1] = markers[y, x] == 0
                count += 1
    flat_labels, flat_free, flat_heights = labels.ravel(), free.ravel(), heights.ravel()
    values, ages, pixels = np.empty(count, height.dtype), np.empty(count, np.int32), np.empty(count, np.int32)
    for pixel in range(len(flat_labels)):
        if flat_labels[pixel] > 0:
            size = push(values, ages, pixels, size, flat_heights[pixel], 0, pixel)
    age = 0
    while size > 0:
        pixel, level = pixels[0], values[0]
        size = pop(values, ages, pixels, size)
        for step in (-(columns + 2), -1, 1, columns + 2):
            neighbour = pixel + step
            if flat_free[neighbour]:
                flat_free[neighbour] = False
                flat_labels[neighbour] = flat_labels[pixel]
                age += 1
                value = max(flat_heights[neighbour], level)
                size = push(values, ages, pixels, size, value, age, neighbour)
    return labels[1:-1, 1:-1].copy()


@compiled
def push(
    values: np.ndarray, ages: np.ndarray, pixels: np.ndarray, size: int, value: float, age: int, pixel: int
) -> int:
    """Add an entry to the heap; return its new size."""
    child = size
    while child > 0:
        parent = (child - 1) // 2
        if not (value < values[parent] or (value == values[parent] and age < ages[parent])):
            break
        values[child], ages[child], pixels[child] = values[parent], ages[parent], pixels[parent]
        child = parent
    values[child], ages[child], pixels[child] = value, age, pixel
    return size + 1


@compiled
def pop(values: np.ndarray, ages: np.ndarray, pixels: np.ndarray, size: int) -> int:
    """Take the first entry off the heap; return its new size."""
    size -= 1
    value, age, pixel = values[size], ages[size], pixels[size]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        best_value, best_age, chosen = value, age, i
        if values[child] < value or (values[child] == value and ages[child] < age):
            best_value, best_age, chosen = values[child], ages[child], child
        right = child + 1
        if right < size and (values[right] < best_value or (values[right] == best_value and ages[right] < best_age)):
            chosen = right
        if chosen == i:
            break
        values[i], ages[i], pixels[i] = values[chosen], ages[chosen], pixels[chosen]
        i = chosen
    values[i], ages[i], pixels[i] = value, age, pixel
    return size
