"""Whether outlines are those of the masks that they come with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rasterio.features import rasterize
from shapely import Polygon

from members.common.errors import InputError

LEAST, GOOD = 0.5, 0.9
"""IoU of outlines with masks, below which they are of other tiles, or are remarked on."""


@dataclass
class Agreement:
    """How well the outlines of a file agree with masks.

    Attributes:
        path: the file.
        bare: the images whose mask has buildings, and which no outline lies in.
        shared, together: pixels of mask and outlines, of both and of either.
    """

    path: Path
    bare: list[str] = field(default_factory=list)
    shared: int = 0
    together: int = 0

    @classmethod
    def of_masks(
        cls, path: Path, outlines: Mapping[str, Sequence[Polygon]], masks: Iterable[tuple[str, np.ndarray]]
    ) -> "Agreement":
        """Compare outlines, px, by image id, with masks, bool (h, w)."""
        agreement = cls(path)
        for image_id, mask in masks:
            agreement.add(image_id, mask, number_buildings(outlines[image_id], mask.shape) > 0)
        return agreement

    def add(self, image_id: str, mask: np.ndarray, drawn: np.ndarray) -> None:
        """Count one image: its mask, and its outlines drawn, bool (h, w) each."""
        self.shared += int((mask & drawn).sum())
        self.together += int((mask | drawn).sum())
        if mask.any() and not drawn.any():
            self.bare.append(image_id)

    @property
    def iou(self) -> float:
        return self.shared / max(self.together, 1)

    @property
    def is_good(self) -> bool:
        """Whether the outlines surely are those of the masks."""
        return self.iou >= GOOD

    def check(self) -> list[str]:
        """Return what the user ought to know, a line each.

        Raises:
            InputError: the outlines are not those of the masks.
        """
        told = f"{self.path}: its outlines agree with the masks to IoU {self.iou:.3f}"
        if self.iou < LEAST:
            raise InputError(f"{told}; they are to be of the same buildings, so give those that the masks show")
        remarks = [f"{told}; look whether they are shifted, or some are missing"] if not self.is_good else []
        if self.bare:
            count = len(self.bare)
            remarks.append(f"{self.path}: no outline in {count} tiles whose mask has buildings ({self.bare[0]}, ..)")
        return remarks


def number_buildings(outlines: Sequence[Polygon], size: tuple[int, int]) -> np.ndarray:
    """Draw outlines, px, with their numbers: float32 (h, w), 1.. in their order, the later over the earlier, 0 = none.

    A pixel is of a building where its centre lies inside the outline.
    """
    numbered = [(outline, number) for number, outline in enumerate(outlines, 1)]
    if not numbered:
        return np.zeros(size, np.float32)
    return rasterize(numbered, size, dtype="int32").astype(np.float32)  # OpenCV dilates no integers of 32 bits
