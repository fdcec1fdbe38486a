"""TileCut: each image's own threshold, the one at which its mask promises the highest IoU."""

from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field


class TileCut(BaseModel):
    """The threshold of highest expected IoU, image by image.

    For the mean of per-image IoU one threshold for all is not the best: an image of which the networks are unsure wants
    a lower one (RankSEG, Dai and Li 2023, JMLR 24(224):1-50). Expected is the ratio of
    expected pixels. Whether an image has any building is decided apart, by the recipe: expected IoU never says no.

    Attributes:
        table: for each value of a blended map how often such a pixel is building, 0..1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(min_length=256, max_length=256)]

    def choose(self, histogram: np.ndarray) -> int:
        """Return the threshold, 1..255, of an image whose map has a histogram, int (256,); of equals the highest.

        Example:
            >>> cut = TileCut(table=tuple(np.arange(256) / 255))
            >>> cut.choose(np.bincount([0, 0, 60, 60, 250], minlength=256))
            250
            >>> cut.choose(np.bincount([0, 0, 60, 60, 80], minlength=256))
            60
        """
        expected = histogram * np.asarray(self.table)
        predicted, found = (np.cumsum(each[:0:-1])[::-1] for each in (histogram, expected))
        union = predicted + expected.sum() - found
        iou = np.divide(found, union, out=np.zeros(255), where=union > 0)
        return 255 - int(np.argmax(iou[::-1]))

    def __str__(self) -> str:
        return "each image cut at its own threshold"
