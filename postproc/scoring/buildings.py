"""One image's buildings against the true ones: found or not, ranked, and how alike their shapes are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from shapely import Polygon

from ensemble.statistics.metrics import METRICS
from postproc.polygons.buildings import rasterize_outlines
from postproc.polygons.tracing import trace_mask
from postproc.scoring.average_precision import Detections, detect_buildings
from postproc.scoring.matching import LEAST_IOU, Pairs, match_pairs, overlap_outlines
from postproc.scoring.pixels import Columns, count_mask
from postproc.scoring.shapes import (
    count_vertices,
    measure_c_iou,
    measure_hausdorff,
    measure_polis,
    measure_right_angles,
)


@dataclass(frozen=True)
class ImageBuildings:
    """The buildings of one image, as a mask and as outlines.

    Attributes:
        mask: bool (height, width).
        outlines: valid polygons in pixels, as in `Building`.
        confidences: one an outline; None where nothing is known of them.
        traced: whether the outlines are those of a mask's pixels.
    """

    mask: np.ndarray
    outlines: Sequence[Polygon]
    confidences: Sequence[float] | None = None
    traced: bool = False

    @classmethod
    def from_mask(cls, mask: np.ndarray) -> "ImageBuildings":
        """Take each 4-connected component as a building."""
        return cls(mask, trace_mask(mask), traced=True)

    @classmethod
    def from_outlines(
        cls, outlines: Sequence[Polygon], size: tuple[int, int], confidences: Sequence[float] | None = None
    ) -> "ImageBuildings":
        """Take a pixel as building where its centre lies inside an outline; `size` is the image's (height, width)."""
        return cls(rasterize_outlines(outlines, size), outlines, confidences)


@dataclass(frozen=True)
class Comparison:
    """All that one image's buildings say against the truth.

    Attributes:
        columns: what adds up over images: those of `count_mask`, `count_buildings` and `measure_shapes`.
        detections: what is ranked over all images together.
        traced: whether any outlines, ours or the true ones, are those of a mask's pixels: what is measured of walls
            then means nothing.
    """

    columns: Columns
    detections: Detections
    traced: bool = False


def compare_buildings(predicted: ImageBuildings, truth: ImageBuildings) -> Comparison:
    """Compare one image's buildings with the true ones.

    The most confident are matched first; without confidences those that stand first.

    Raises:
        InputError: the sizes differ.
    """
    columns = count_mask(truth.mask, predicted.mask)
    outlines, confidences = predicted.outlines, predicted.confidences
    if confidences is not None:
        order = np.argsort(-np.asarray(confidences, np.float64), kind="stable").tolist()
        outlines, confidences = [outlines[index] for index in order], [confidences[index] for index in order]
    matches = match_buildings(outlines, truth.outlines)
    columns |= count_buildings(outlines, truth.outlines, matches)
    iou = float(METRICS["pooled_iou"].compute(columns))
    columns |= measure_shapes(outlines, truth.outlines, matches, iou)
    detections = detect_buildings(outlines, truth.outlines, confidences)
    return Comparison(columns, detections, predicted.traced or truth.traced)


def match_buildings(predicted: Sequence[Polygon], truth: Sequence[Polygon]) -> Pairs:
    """Match one image's outlines at IoU 0.5, the predicted ones in their order."""
    return match_pairs(overlap_outlines(predicted, truth), LEAST_IOU)


def count_buildings(
    predicted: Sequence[Polygon], truth: Sequence[Polygon], matches: Pairs | None = None
) -> dict[str, int]:
    """Count one image's outlines.

    Args:
        predicted: valid polygons, in pixels.
        truth: likewise.
        matches: as by `match_buildings`, which is called without them.

    Returns:
        `matched`, the true positives, `predicted_buildings` and `true_buildings`.

    >>> from shapely import box
    >>> count_buildings([box(0, 0, 4, 4), box(5, 0, 6, 1)], [box(0, 0, 4, 3)])
    {'matched': 1, 'predicted_buildings': 2, 'true_buildings': 1}
    """
    matches = match_buildings(predicted, truth) if matches is None else matches
    return {"matched": len(matches.iou), "predicted_buildings": len(predicted), "true_buildings": len(truth)}


def measure_shapes(predicted: Sequence[Polygon], truth: Sequence[Polygon], matches: Pairs, iou: float) -> Columns:
    """Measure how alike one image's outlines are.

    Args:
        predicted: valid polygons, in pixels.
        truth: likewise.
        matches: which of them go together, as by `match_buildings`.
        iou: of the masks that they cover.

    Returns:
        Sums over the matched pairs of their PoLiS distance (`polis`) and Hausdorff distance (`hausdorff`), px; vertices
        of the predicted (`vertices`) and the true outlines (`true_vertices`), and how many of them turn by 90 degrees,
        to within 10 (`right_angles`, `true_right_angles`); complexity-aware IoU of the image, 0..1 (`c_iou`).
    """
    ours = [predicted[index] for index in matches.predicted.tolist()]
    theirs = [truth[index] for index in matches.truth.tolist()]
    vertices, true_vertices = count_vertices(predicted), count_vertices(truth)
    return {
        "polis": float(measure_polis(ours, theirs).sum()),
        "hausdorff": float(measure_hausdorff(ours, theirs).sum()),
        "vertices": int(vertices.sum()),
        "true_vertices": int(true_vertices.sum()),
        "right_angles": float(measure_right_angles(predicted) @ vertices),
        "true_right_angles": float(measure_right_angles(truth) @ true_vertices),
        "c_iou": float(measure_c_iou(iou, vertices.sum(), true_vertices.sum())),
    }
