"""What of an image is compared with all others: a perceptual hash under each symmetry, contrast, and its borders."""

from dataclasses import dataclass

import cv2
import numpy as np

SYMMETRIES = 8
SIDE = 32
"""Side that an image is shrunk to before it is hashed, px."""
LOW = 8
"""Frequencies of each direction that the hash holds the signs of."""
BINS = 32
"""Parts of a border whose mean colours are compared."""
FLAT = 2.0
"""Standard deviation of the shrunk image, of 255 grey values, below which the signs are those of noise."""

ODD = np.where(np.arange(LOW) % 2, -1, 1)


@dataclass(frozen=True)
class Print:
    """What is kept of an image.

    Attributes:
        hashes: uint64 (8,), the hash of the image under each symmetry; the first is its own.
        contrast: standard deviation of the image shrunk to 32x32, grey values.
        borders: float32 (4, 32, 3), the colours just outside the left, right, upper and lower border, as the pixels
            inside it suggest.
    """

    hashes: np.ndarray
    contrast: float
    borders: np.ndarray

    @property
    def is_flat(self) -> bool:
        """Tell whether there is nothing in the image that it could be known by."""
        return self.contrast < FLAT


def take_print(image: np.ndarray) -> Print:
    """Take the print of an image, uint8 (h, w, 3)."""
    small = shrink(image, SIDE)
    return Print(hash_symmetries(small), float(small.std()), continue_borders(image))


def shrink(image: np.ndarray, side: int) -> np.ndarray:
    """Return an image, uint8 (h, w, 3), as grey values of `side` x `side` px, float32."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)


def hash_symmetries(grey: np.ndarray) -> np.ndarray:
    """Hash grey values, float32 (32, 32), under each symmetry; uint64 (8,), in the order of `turn`.

    A hash holds the signs of the 64 lowest frequencies of the discrete cosine transform (Zauner 2010, "Implementation
    and benchmarking of perceptual image hash functions", with 0 in place of the median). A flip changes the signs of
    the odd frequencies and a transposition their order, so one transform gives all eight.
    """
    low = cv2.dct(grey)[:LOW, :LOW]
    turned = [values * down * across for values in (low, low.T) for down in (1, ODD[:, None]) for across in (1, ODD)]
    return np.packbits(np.stack(turned).reshape(SYMMETRIES, LOW * LOW) > 0, axis=1).view(np.uint64).ravel()


def turn(image: np.ndarray, symmetry: int) -> np.ndarray:
    """Return an image (h, w, ...) under symmetry 0 to 7: transposed (4), then turned upside down (2), mirrored (1).

    >>> turn(np.array([[1, 2, 3]]), 5).tolist()
    [[1], [2], [3]]
    >>> turn(np.array([[1, 2, 3]]), 1).tolist()
    [[3, 2, 1]]
    """
    if symmetry & 4:
        image = image.swapaxes(0, 1)
    return np.ascontiguousarray(image[:: -1 if symmetry & 2 else 1, :: -1 if symmetry & 1 else 1])


def continue_borders(image: np.ndarray) -> np.ndarray:
    """Continue an image half a pixel over its left, right, upper and lower border; mean colours, float32 (4, 32, 3)."""
    sides = (image[:, :2], image[:, :-3:-1], image[:2].swapaxes(0, 1), image[:-3:-1].swapaxes(0, 1))
    outside = [1.5 * side[:, 0].astype(np.float32) - 0.5 * side[:, 1] for side in sides]
    return np.stack([cv2.resize(line[:, None], (1, BINS), interpolation=cv2.INTER_AREA)[:, 0] for line in outside])
