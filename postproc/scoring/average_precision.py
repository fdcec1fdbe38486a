"""COCO's average precision and recall of buildings, for any weights of the images, without its loops.

The numbers are those of pycocotools' COCOeval for segments, all areas and no crowds, with `maxDets` of at least the
most outlines of an image, so that a scene of 20,000 buildings counts whole. COCOeval holds a dense matrix of IoUs for
each image, loops over it in Python, and scores one set of images a call; this takes the overlapping pairs alone,
and scores 2,000 bootstrap draws in a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import rasterio
import shapely
from shapely import Polygon

from ensemble.statistics.estimates import Scorer
from members.common.compiled import compiled
from postproc.polygons.buildings import rasterize_outlines
from postproc.scoring.matching import Pairs, find_neighbours, match_pairs

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Detections:
    """One image's predicted outlines, and which of them are hits.

    Attributes:
        confidences: float64 (predicted,), descending.
        hits: bool (10, predicted), at each of `IOUS`.
        truths: how many true outlines there are.
    """

    confidences: np.ndarray
    hits: np.ndarray
    truths: int


def detect_buildings(
    predicted: Sequence[Polygon], truth: Sequence[Polygon], confidences: Sequence[float] | None = None
) -> Detections:
    """Match one image's outlines as COCOeval does: the most confident first, each to the unmatched one of highest IoU.

    Args:
        predicted: valid polygons in pixels; their pixels are those of `rasterize_outlines`.
        truth: likewise.
        confidences: one a predicted outline, in any unit; without them all are equal, and of equals those come first
            that stand first, as with COCOeval.
    """
    given = np.zeros(len(predicted)) if confidences is None else np.asarray(confidences, np.float64)
    order = np.argsort(-given, kind="stable")
    pairs = overlap_pixels([predicted[index] for index in order], truth)
    return Detections(given[order], find_hits(pairs, len(predicted)), len(truth))


def overlap_pixels(predicted: Sequence[Polygon], truth: Sequence[Polygon]) -> Pairs:
    """Find the pairs of outlines that share pixels, with the IoU of their pixels.

    Args:
        predicted: valid polygons in pixels.
        truth: likewise.
    """
    left, right = find_neighbours(predicted, truth)
    ious = np.empty(len(left))
    with rasterio.Env():  # rasterize would make one each time, which takes longer than its work
        ours, theirs = (
            {index: _Patch.draw(outlines[index]) for index in np.unique(indices).tolist()}
            for outlines, indices in ((predicted, left), (truth, right))
        )
    for number, (one, other) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
        ious[number] = ours[one].measure_iou(theirs[other])
    kept = ious > 0
    return Pairs(left[kept], right[kept], ious[kept])


@dataclass(frozen=True)
class _Patch:
    """An outline's pixels within its bounds: bool (height, width), whose upper left corner is at (top, left)."""

    pixels: np.ndarray
    top: int
    left: int
    area: int

    @classmethod
    def draw(cls, outline: Polygon) -> "_Patch":
        left, top, right, bottom = outline.bounds
        left, top = int(np.floor(left)), int(np.floor(top))
        size = max(1, int(np.ceil(bottom)) - top), max(1, int(np.ceil(right)) - left)
        moved = shapely.transform(outline, lambda points: points - (left, top))
        pixels = rasterize_outlines([moved], size)
        return cls(pixels, top, left, int(np.count_nonzero(pixels)))

    def measure_iou(self, other: "_Patch") -> float:
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom, right = (
            min(self.top + self.pixels.shape[0], other.top + other.pixels.shape[0]),
            min(self.left + self.pixels.shape[1], other.left + other.pixels.shape[1]),
        )
        if bottom <= top or right <= left:
            return 0.0
        ours, theirs = (
            patch.pixels[top - patch.top : bottom - patch.top, left - patch.left : right - patch.left]
            for patch in (self, other)
        )
        shared = int(np.count_nonzero(ours & theirs))
        return shared / (self.area + other.area - shared) if shared else 0.0


def find_hits(pairs: Pairs, predicted: int) -> np.ndarray:
    """Return which predicted outlines are hits, bool (10, predicted), at each of `IOUS`.

    Args:
        pairs: those that share pixels; the predicted outlines are numbered from the most confident on.
        predicted: how many there are.
    """
    hits = np.zeros((len(IOUS), predicted), bool)
    for hit, least in zip(hits, IOUS.tolist(), strict=True):
        hit[match_pairs(pairs, least).predicted] = True
    return hits


def make_precision_scorer(images: Sequence[Detections]) -> Scorer:
    """Return the scorer of average precision at IoU 0.50:0.95, at 0.50 and at 0.75, and of average recall, 0..1.

    They do not exist where the truth has no outline. Of equal confidences those of the first images come first.
    """
    confidences = np.concatenate([image.confidences for image in images])
    order = np.argsort(-confidences, kind="stable")
    tile = np.repeat(np.arange(len(images)), [len(image.confidences) for image in images])[order]
    hits = np.concatenate([image.hits for image in images], axis=1)[:, order]
    truths = np.array([image.truths for image in images])

    def score(weights: np.ndarray) -> dict[str, np.ndarray]:
        precision, recall = rank_detections(weights, tile, np.ascontiguousarray(hits), truths, RECALLS)
        return {
            "ap": precision.mean(axis=1),
            "ap50": precision[:, 0],
            "ap75": precision[:, 5],
            "ar": recall.mean(axis=1),
        }

    return score


@compiled
def rank_detections(
    weights: np.ndarray, tile: np.ndarray, hits: np.ndarray, truths: np.ndarray, recalls: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute average precision over `recalls`, and recall, for each set of images and IoU.

    Args:
        weights: float64 (sets, images), how often each image counts.
        tile: int64 (detections,), the image of each, the most confident first.
        hits: bool (ious, detections).
        truths: int64 (images,), true outlines.
        recalls: float64 (points,), ascending.

    Returns:
        Both float64 (sets, ious); NaN where a set has no true outline.
    """
    precision = np.full((len(weights), len(hits)), np.nan)
    recall = np.full((len(weights), len(hits)), np.nan)
    listed = np.empty(len(tile), np.int64)
    found, share = np.empty(len(tile)), np.empty(len(tile))
    for row in range(len(weights)):
        total = 0.0
        for image in range(len(truths)):
            total += weights[row, image] * truths[image]
        if total == 0:
            continue
        count = 0
        for detection in range(len(tile)):
            if weights[row, tile[detection]] > 0:
                listed[count] = detection
                count += 1
        for iou in range(len(hits)):
            true = false = 0.0
            for rank in range(count):
                weight = weights[row, tile[listed[rank]]]
                if hits[iou, listed[rank]]:
                    true += weight
                else:
                    false += weight
                found[rank] = true / total
                share[rank] = true / (true + false + 2.220446049250313e-16)  # as COCOeval, so that 0 / 0 is 0
            for rank in range(count - 2, -1, -1):
                share[rank] = max(share[rank], share[rank + 1])
            rank, area = 0, 0.0
            for point in recalls:
                while rank < count and found[rank] < point:
                    rank += 1
                if rank == count:
                    break
                area += share[rank]
            precision[row, iou] = area / len(recalls)
            recall[row, iou] = true / total
    return precision, recall
