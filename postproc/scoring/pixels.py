"""Pixels that masks and truth share, and the scores that follow: IoU, Dice, precision, recall, boundary IoU.

Everything follows from five counts of pixels a tile (`Overlap`), which add up over tiles. What would be
nought by nought is decided once: an empty union scores 1, a precision or recall of nothing scores 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np

from ensemble.statistics.estimates import Scorer
from members.common.errors import InputError
from postproc.scoring.boundary import find_band


@dataclass(frozen=True)
class Overlap:
    """Building pixels of one tile, or of many together; arrays of one shape hold those of many sets of tiles.

    Attributes:
        intersection: pixels that are building in mask and truth.
        truth: in the truth.
        predicted: in the mask.
        band_intersection: pixels in both bands along the outlines, as `postproc.scoring.boundary` defines them.
        band_union: in either band.
    """

    intersection: Any
    truth: Any
    predicted: Any
    band_intersection: Any
    band_union: Any

    @property
    def iou(self) -> Any:
        """Intersection over union, 0..1; empty against empty is 1."""
        return divide(self.intersection, self.truth + self.predicted - self.intersection, of_nothing=1)

    @property
    def dice(self) -> Any:
        """Dice coefficient, which is also the pixels' F1, 0..1; empty against empty is 1."""
        return divide(2 * self.intersection, self.truth + self.predicted, of_nothing=1)

    @property
    def precision(self) -> Any:
        """Share of the predicted pixels that are true, 0..1; 0 if nothing was predicted."""
        return divide(self.intersection, self.predicted, of_nothing=0)

    @property
    def recall(self) -> Any:
        """Share of the true pixels that were predicted, 0..1; 0 if nothing was true."""
        return divide(self.intersection, self.truth, of_nothing=0)

    @property
    def boundary_iou(self) -> Any:
        """Boundary IoU (Cheng et al. 2021, arXiv:2103.16562), 0..1; empty against empty is 1.

        The paper takes the band of each object and of each picture by itself. Here it is that of the mask, whose
        touching buildings have no outline between them, and counts add up over tiles as those of IoU do.
        """
        return divide(self.band_intersection, self.band_union, of_nothing=1)


def divide(part: Any, whole: Any, of_nothing: float) -> Any:
    """Return part / whole, element by element, and `of_nothing` where the whole is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return np.divide(part, whole, out=np.full(whole.shape, float(of_nothing)), where=whole != 0)[()]


def count_overlap(truth: np.ndarray, predicted: np.ndarray) -> Overlap:
    """Count the pixels of two bool masks (height, width).

    Raises:
        InputError: the sizes differ.

    >>> float(count_overlap(np.array([[True, True, False]]), np.array([[False, True, True]])).iou)
    0.3333333333333333
    """
    if truth.shape != predicted.shape:
        (height, width), (true_height, true_width) = predicted.shape, truth.shape
        raise InputError(
            f"mask of {width}x{height} px for a truth of {true_width}x{true_height} px; "
            "predict each image at its own size"
        )
    bands = find_band(truth), find_band(predicted)
    counted = (truth & predicted, truth, predicted, bands[0] & bands[1], bands[0] | bands[1])
    return Overlap(*(int(np.count_nonzero(pixels)) for pixels in counted))


def pool_overlaps(overlaps: Iterable[Overlap]) -> Overlap:
    """Sum the counts of tiles.

    Raises:
        InputError: the truth is empty over all tiles, so that no score says anything.
    """
    counts = np.array([astuple(tile) for tile in overlaps], np.int64).reshape(-1, len(fields(Overlap)))
    pooled = Overlap(*counts.sum(axis=0).tolist())
    if pooled.truth == 0:
        raise InputError(f"no building pixel in the truth of {len(counts)} images; score images with buildings")
    return pooled


def make_mask_scorer(overlaps: Sequence[Overlap]) -> Scorer:
    """Return the scorer of tiles' masks; `mean_iou` is the mean over tiles, all else of the pooled pixels."""
    counts = np.array([astuple(tile) for tile in overlaps], np.float64)
    ious = Overlap(*counts.T).iou

    def score(weights: np.ndarray) -> dict[str, np.ndarray]:
        pooled = Overlap(*(weights @ counts).T)
        return {
            "pooled_iou": pooled.iou,
            "mean_iou": divide(weights @ ious, weights.sum(axis=1), of_nothing=np.nan),
            "dice": pooled.dice,
            "precision": pooled.precision,
            "recall": pooled.recall,
            "boundary_iou": pooled.boundary_iou,
        }

    return score
