"""What a mask gets wrong: whole buildings, borders, or the rest."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

BORDER = 3  # px on either side of a true outline
KINDS = ("missed", "invented", "border", "rest")


@dataclass(frozen=True)
class Errors:
    """Wrong pixels by kind.

    Attributes:
        pixels: "missed": of true objects without a pixel of the mask; "invented": of objects of the mask without one of
            the truth; of the others "border": within 3 px of a true outline; "rest".
    """

    pixels: Mapping[str, int]

    def find_share(self, *kinds: str) -> float:
        """Return the share of some kinds in all wrong pixels, 0 to 1; 0 where none is wrong."""
        total = sum(self.pixels.values())
        return sum(self.pixels[kind] for kind in kinds) / total if total else 0.0


def count_errors(mask: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Count one tile's wrong pixels by `KINDS`, int64 (4,).

    Args:
        mask: bool (h, w).
        truth: bool (h, w).
    """
    missed, invented = find_lonely(truth, mask), find_lonely(mask, truth)
    kernel = np.ones((2 * BORDER + 1, 2 * BORDER + 1), np.uint8)
    pixels = truth.astype(np.uint8)
    near = (cv2.dilate(pixels, kernel) > cv2.erode(pixels, kernel)) & ~missed & ~invented
    wrong = (mask ^ truth) & ~missed & ~invented
    border = np.count_nonzero(wrong & near)
    return np.array([np.count_nonzero(missed), np.count_nonzero(invented), border, np.count_nonzero(wrong) - border])


def find_lonely(objects: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the 4-connected objects that share no pixel with the others, as a mask; all bool (h, w)."""
    count, labels = cv2.connectedComponents(objects.astype(np.uint8), connectivity=4)
    lonely = np.ones(count, bool)
    lonely[labels[others]] = False
    lonely[0] = False
    return lonely[labels]
