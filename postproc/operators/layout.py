"""Planes: a tile laid out so that the compiled operators of `flat_operators` are long loops over bytes.

A plane is one row of bytes: lines of `stride` bytes, each the picture's columns and then eight or more bytes of
padding, with as many lines of padding above and below as the largest kernel reaches. A shift in either
direction is then an offset, and no loop has to know where a line ends.
"""

from collections.abc import Sequence

import numpy as np

WORD = 8  # bytes; lines are whole words, so that eight pixels can be compared and counted at a time
OUTSIDE = 2  # class of a byte that is no pixel; 0 is background in the truth, 1 building

Shape = tuple[int, int, int]  # height, width, stride
Words = tuple[np.ndarray, np.ndarray, np.ndarray]
Kernels = tuple[np.ndarray, np.ndarray]


def find_shape(picture: np.ndarray, radius: int) -> Shape:
    """Return height, width and stride of the picture's plane, where the largest kernel is 2 * radius + 1."""
    height, width = picture.shape
    return height, width, (width + max(radius, WORD) + WORD - 1) // WORD * WORD


def lay_out(picture: np.ndarray, radius: int, padding: int) -> np.ndarray:
    """Return the picture's plane, uint8 (plane,).

    Args:
        picture: uint8 or bool (height, width).
        radius: of the largest kernel.
        padding: value of all bytes that are no pixel.
    """
    height, width, stride = find_shape(picture, radius)
    length = (height + 2 * radius) * stride
    plane = np.full((length + 63) // 64 * 64, padding, np.uint8)
    plane[:length].reshape(-1, stride)[radius : radius + height, :width] = picture
    return plane


def sort_words(classes: np.ndarray) -> Words:
    """Return the numbers of a plane's words that are all background, all building, and mixed, uint32 each.

    Words outside the picture are left out. The numbers are unsigned, since a signed index may be negative and
    takes longer.
    """
    background, building, outside = (classes.view(np.uint64) == kind * 0x0101010101010101 for kind in range(3))
    mixed = ~(background | building | outside)
    numbers = np.arange(len(mixed), dtype=np.uint32)
    return numbers[background], numbers[building], numbers[mixed]


def measure_kernels(kernels: Sequence[np.ndarray]) -> Kernels:
    """Measure the rows of kernels: how wide each is, and in which steps a line is widened to it.

    Args:
        kernels: the structuring elements of the sizes 1, 3, 5, .., each of centred rows, symmetric about the
            middle one, as OpenCV's squares and ellipses are.

    Returns:
        half_widths: int64 (radius + 1, radius + 1); [r, d] is the pixels to either side in the rows d above and
            below the middle of the kernel of size 2r + 1.
        steps: int64 (radius + 1, radius + 1); [r] holds the half widths that `widen` computes one from another for
            the kernel of size 2r + 1: those of its rows and as many between as it takes for none to be above 3b + 1,
            b being the one before; then zeros. [0] holds 1, 2, .., radius.
    """
    half_widths, steps = np.zeros((2, len(kernels), len(kernels)), np.int64)
    steps[0, :-1] = range(1, len(kernels))
    for r, kernel in enumerate(kernels[1:], start=1):
        half_widths[r, : r + 1] = kernel[r:].sum(axis=1) // 2
        wanted, step = [], 0
        for half_width in np.unique(half_widths[r]):
            while step < half_width:
                step = min(3 * step + 1, int(half_width))
                wanted.append(step)
        steps[r, : len(wanted)] = wanted
    return half_widths, steps
