"""Test-time augmentation: views of an image, each a forward transform and its inverse.

The geometry is albumentations' own (`geometric.functional.d4`), the same that members are trained under.
"""

from dataclasses import dataclass

import numpy as np
from albumentations.augmentations.geometric import functional as geometric

INVERSE_OF = {"r90": "r270", "r270": "r90"}  # every other symmetry of the square undoes itself


@dataclass(frozen=True)
class View:
    """One of the eight symmetries of the square, named as albumentations names them."""

    element: str

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The view of an image (h, w) or (h, w, c); quarter turns and transposes swap h and w."""
        return np.ascontiguousarray(geometric.d4(image, self.element))

    def undo(self, image: np.ndarray) -> np.ndarray:
        """The image that this is the view of: `undo(apply(image))` equals `image`."""
        return np.ascontiguousarray(geometric.d4(image, INVERSE_OF.get(self.element, self.element)))


VIEW_SETS: dict[str, tuple[View, ...]] = {
    "none": (View("e"),),
    "flips": tuple(map(View, ("e", "h", "v", "r180"))),
    "d4": tuple(map(View, ("e", "h", "v", "r180", "r90", "r270", "t", "hvt"))),
}
