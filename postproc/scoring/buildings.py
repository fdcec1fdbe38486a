"""Scores of outlines: found or not (SpaceNet), average precision (COCO), and how alike the shapes are."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from shapely import Polygon

from ensemble.statistics.estimates import Scorer
from postproc.scoring.average_precision import Detections, detect_buildings, make_precision_scorer
from postproc.scoring.matching import LEAST_IOU, Pairs, match_pairs, overlap_outlines
from postproc.scoring.pixels import divide
from postproc.scoring.shapes import (
    count_vertices,
    measure_c_iou,
    measure_hausdorff,
    measure_polis,
    measure_right_angles,
)


@dataclass(frozen=True)
class Findings:
    """How many buildings of one image, or of many together, were found; arrays hold those of many sets of images.

    Attributes:
        matched: pairs of a predicted and a true outline of IoU 0.5 or more, the true positives.
        predicted: predicted outlines.
        truth: true ones.
    """

    matched: int
    predicted: int
    truth: int

    @property
    def f1(self) -> float:
        """F1 of the SpaceNet challenges (Van Etten et al. 2018, arXiv:1807.01232), 0..1; none against none is 1."""
        return divide(2 * self.matched, self.predicted + self.truth, of_nothing=1)

    @property
    def precision(self) -> float:
        """Share of the predicted outlines that are true, 0..1; 0 if nothing was predicted."""
        return divide(self.matched, self.predicted, of_nothing=0)

    @property
    def recall(self) -> float:
        """Share of the true outlines that were found, 0..1; 0 if nothing was true."""
        return divide(self.matched, self.truth, of_nothing=0)


@dataclass(frozen=True)
class Shapes:
    """How alike the outlines of one image are; sums, which add up over images.

    Attributes:
        polis: of the matched pairs' PoLiS distances, px.
        hausdorff: of their Hausdorff distances, px.
        vertices: vertices of the predicted outlines.
        truth_vertices: of the true ones.
        right_angles: of the predicted outlines' vertices those that turn by 90 degrees, to within 10.
        truth_right_angles: of the true ones'.
        c_iou: complexity-aware IoU of the image, 0..1.
    """

    polis: float
    hausdorff: float
    vertices: int
    truth_vertices: int
    right_angles: float
    truth_right_angles: float
    c_iou: float


def find_buildings(predicted: Sequence[Polygon], truth: Sequence[Polygon]) -> tuple[Findings, Pairs]:
    """Match one image's outlines at IoU 0.5, the predicted ones in their order.

    >>> from shapely import box
    >>> float(find_buildings([box(0, 0, 4, 4), box(5, 0, 6, 1)], [box(0, 0, 4, 3)])[0].f1)
    0.6666666666666666
    """
    matches = match_pairs(overlap_outlines(predicted, truth), LEAST_IOU)
    return Findings(len(matches.iou), len(predicted), len(truth)), matches


def compare_shapes(predicted: Sequence[Polygon], truth: Sequence[Polygon], matches: Pairs, iou: float) -> Shapes:
    """Compare one image's outlines.

    Args:
        predicted: valid polygons, in pixels.
        truth: likewise.
        matches: which of them go together, as by `find_buildings`.
        iou: of the masks that they cover.
    """
    ours, theirs = (
        [outlines[place] for place in places.tolist()]
        for outlines, places in ((predicted, matches.predicted), (truth, matches.truth))
    )
    vertices, truth_vertices = count_vertices(predicted), count_vertices(truth)
    return Shapes(
        polis=float(measure_polis(ours, theirs).sum()),
        hausdorff=float(measure_hausdorff(ours, theirs).sum()),
        vertices=int(vertices.sum()),
        truth_vertices=int(truth_vertices.sum()),
        right_angles=float(measure_right_angles(predicted) @ vertices),
        truth_right_angles=float(measure_right_angles(truth) @ truth_vertices),
        c_iou=float(measure_c_iou(iou, vertices.sum(), truth_vertices.sum())),
    )


@dataclass(frozen=True)
class Comparison:
    """All that one image's outlines say against the truth."""

    findings: Findings
    shapes: Shapes
    detections: Detections


def compare_buildings(
    predicted: Sequence[Polygon], truth: Sequence[Polygon], iou: float, confidences: Sequence[float] | None = None
) -> Comparison:
    """Compare one image's outlines with the true ones.

    Args:
        predicted: valid polygons, in pixels.
        truth: likewise.
        iou: of the masks that they cover.
        confidences: one a predicted outline; the most confident are matched first. Without them all are equal.
    """
    if confidences is not None:
        order = np.argsort(-np.asarray(confidences, np.float64), kind="stable").tolist()
        predicted, confidences = [predicted[place] for place in order], [confidences[place] for place in order]
    findings, matches = find_buildings(predicted, truth)
    shapes = compare_shapes(predicted, truth, matches, iou)
    return Comparison(findings, shapes, detect_buildings(predicted, truth, confidences))


def make_building_scorer(images: Sequence[Comparison]) -> Scorer:
    """Return the scorer of images' outlines.

    Distances are means over matched pairs, the N ratio and the shares of right angles are of the sums of vertices,
    and `c_iou` is the mean over images.
    """
    findings = np.array([astuple(image.findings) for image in images], np.float64)
    shapes = np.array([astuple(image.shapes) for image in images], np.float64)
    rank = make_precision_scorer([image.detections for image in images])

    def score(weights: np.ndarray) -> dict[str, np.ndarray]:
        found = Findings(*(weights @ findings).T)
        sums = Shapes(*(weights @ shapes).T)
        return {
            "building_f1": found.f1,
            "building_precision": found.precision,
            "building_recall": found.recall,
            **rank(weights),
            "polis": divide(sums.polis, found.matched, of_nothing=np.nan),
            "hausdorff": divide(sums.hausdorff, found.matched, of_nothing=np.nan),
            "c_iou": divide(sums.c_iou, weights.sum(axis=1), of_nothing=np.nan),
            "n_ratio": divide(sums.vertices, sums.truth_vertices, of_nothing=np.nan),
            "right_angles": divide(sums.right_angles, sums.vertices, of_nothing=np.nan),
            "truth_right_angles": divide(sums.truth_right_angles, sums.truth_vertices, of_nothing=np.nan),
        }

    return score
