"""Which predicted outline is which true one: the matching of the SpaceNet challenges."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import shapely
from shapely import Polygon, STRtree

LEAST_IOU = 0.5


@dataclass(frozen=True)
class Pairs:
    """Predicted and true outlines of one image that go together.

    Attributes:
        predicted: int64 (pairs,), indices of the predicted outlines, ascending.
        truth: int64 (pairs,), indices of the true ones.
        iou: float64 (pairs,), above 0 and up to 1.
    """

    predicted: np.ndarray
    truth: np.ndarray
    iou: np.ndarray


def overlap_outlines(predicted: Sequence[Polygon], truth: Sequence[Polygon]) -> Pairs:
    """Find every pair that shares area, with its IoU from the polygons' exact areas.

    Args:
        predicted: valid polygons, in pixels or any other plane.
        truth: likewise.

    Returns:
        The pairs, sorted by the index of the predicted outline, then by that of the true one.
    """
    ours, theirs = np.asarray(predicted, object), np.asarray(truth, object)
    left, right = find_neighbours(predicted, truth)
    shared = shapely.area(shapely.intersection(ours[left], theirs[right]))
    union = shapely.area(ours)[left] + shapely.area(theirs)[right] - shared
    kept = shared > 0
    return Pairs(left[kept], right[kept], shared[kept] / union[kept])


def find_neighbours(predicted: Sequence[Polygon], truth: Sequence[Polygon]) -> tuple[np.ndarray, np.ndarray]:
    """Find every pair that meets: the indices, int64 (pairs,), of the predicted and of the true outline, ascending."""
    tree = STRtree(np.asarray(truth, object))
    left, right = tree.query(np.asarray(predicted, object), predicate="intersects")
    order = np.lexsort((right, left))
    return left[order], right[order]


def match_pairs(pairs: Pairs, least: float = LEAST_IOU) -> Pairs:
    """Choose the pairs that count as found, as the SpaceNet challenges do (Van Etten et al. 2018, arXiv:1807.01232).

    The predicted outlines take their turns in their order. Each takes, of the true ones that are left, the one of
    the highest IoU, if that is `least` or more; of equals the last, as pycocotools does. Where neither side's
    outlines overlap one another and `least` is above 0.5, no other pairs are possible and the order does not matter.

    Args:
        pairs: as by `overlap_outlines`.
        least: IoU that a match has at least, above 0.

    Returns:
        Those of the pairs that match; no predicted and no true outline is in two of them.
    """
    predicted, truth, iou = pairs.predicted.tolist(), pairs.truth.tolist(), pairs.iou.tolist()
    taken: set[int] = set()
    chosen: list[int] = []
    for _, turn in groupby(range(len(iou)), key=predicted.__getitem__):
        left = [pair for pair in turn if iou[pair] >= least and truth[pair] not in taken]
        if left:
            best = max(left, key=lambda pair: (iou[pair], pair))
            taken.add(truth[best])
            chosen.append(best)
    return Pairs(pairs.predicted[chosen], pairs.truth[chosen], pairs.iou[chosen])
