"""The one table of what is scored: each metric's name, label, and formula on counts that were summed up.

What would be 0 by 0 is decided here: nothing to be found and nothing found scores 1, a share of nothing 0,
and a mean over nothing does not exist (NaN).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

MetricName = str

IOU_UNIT = 2**32  # a tile's IoU is summed in this fixed point, since floats would depend on the order
NEUTRAL_THRESHOLD = 128

Totals = Mapping[str, Any]  # arrays of one shape, or numbers


def divide(part: Any, total: Any, of_nothing: float) -> Any:
    """Return part / total, element by element, and `of_nothing` where the total is 0.

    >>> divide(np.array([1, 0]), np.array([2, 0]), of_nothing=1)
    array([0.5, 1. ])
    """
    part, total = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(total, np.float64))
    return np.divide(part, total, out=np.full(total.shape, float(of_nothing)), where=total != 0)[()]


@dataclass(frozen=True)
class Metric:
    """A score of tiles together.

    Attributes:
        label: as tables have it.
        title: in the midst of a sentence, and on the axes of plots.
        columns: of `Counts` that the formula takes; `tiles` is how many tiles.
        compute: from the columns' sums to the score, element by element.
    """

    label: str
    title: str
    columns: tuple[str, ...]
    compute: Callable[[Totals], Any]


def ranked(name: str) -> dict[str, Any]:
    """Return column and formula of a score that is no formula on sums, and is handed over instead."""
    return {"columns": (name,), "compute": lambda sums: sums[name]}


def ratio(part: str, total: str, of_nothing: float) -> dict[str, Any]:
    """Return columns and formula of one column over another."""
    return {"columns": (part, total), "compute": lambda sums: divide(sums[part], sums[total], of_nothing)}


METRICS: dict[MetricName, Metric] = {
    "pooled_iou": Metric("IoU, all pixels pooled", "pooled IoU", **ratio("intersection", "union", 1)),
    "mean_iou": Metric(
        "IoU, mean over images", "mean IoU", ("iou_sum", "tiles"),
        lambda sums: sums["iou_sum"] / IOU_UNIT / np.maximum(sums["tiles"], 1),
    ),
    "dice": Metric(
        "Dice (F1 of pixels)", "Dice", ("intersection", "union"),
        lambda sums: divide(2 * sums["intersection"], sums["union"] + sums["intersection"], 1),
    ),
    "precision": Metric("precision of pixels", "precision", **ratio("intersection", "predicted", 0)),
    "recall": Metric("recall of pixels", "recall", **ratio("intersection", "truth", 0)),
    "boundary_iou": Metric("boundary IoU, pooled", "boundary IoU", **ratio("band_intersection", "band_union", 1)),
    "building_f1": Metric(
        "F1 of buildings at IoU 0.5", "building F1", ("matched", "predicted_buildings", "true_buildings"),
        lambda sums: divide(2 * sums["matched"], sums["predicted_buildings"] + sums["true_buildings"], 1),
    ),
    "building_precision": Metric(
        "precision of buildings", "building precision", **ratio("matched", "predicted_buildings", 0)
    ),
    "building_recall": Metric("recall of buildings", "building recall", **ratio("matched", "true_buildings", 0)),
    "ap": Metric("COCO AP at IoU 0.50:0.95", "AP", **ranked("ap")),
    "ap50": Metric("COCO AP at IoU 0.50", "AP50", **ranked("ap50")),
    "ap75": Metric("COCO AP at IoU 0.75", "AP75", **ranked("ap75")),
    "ar": Metric("COCO AR at IoU 0.50:0.95", "AR", **ranked("ar")),
    "polis": Metric("PoLiS of matched pairs [px]", "PoLiS", **ratio("polis", "matched", np.nan)),
    "hausdorff": Metric("Hausdorff of matched pairs [px]", "Hausdorff", **ratio("hausdorff", "matched", np.nan)),
    "c_iou": Metric("C-IoU, mean over images", "C-IoU", **ratio("c_iou", "tiles", np.nan)),
    "n_ratio": Metric("N ratio (vertices to true ones)", "N ratio", **ratio("vertices", "true_vertices", np.nan)),
    "right_angles": Metric("share of right angles", "right angles", **ratio("right_angles", "vertices", np.nan)),
    "truth_right_angles": Metric(
        "share of right angles in the truth", "right angles of the truth",
        **ratio("true_right_angles", "true_vertices", np.nan),
    ),
}  # fmt: skip
"""Pooled scores are of the sums over tiles. IoU and Dice as usual; boundary IoU as Cheng et al. 2021, arXiv:2103.16562,
on bands pooled as pixels are; building F1 as in the SpaceNet challenges (Van Etten et al. 2018, arXiv:1807.01232).
COCO's AP and AR rank all buildings by confidence, so `postproc.scoring` computes them anew for each set of tiles."""


def best_threshold(scores: np.ndarray) -> int:
    """Return the threshold with the highest of 255 scores; of equals the one nearest 128, then the lower.

    >>> best_threshold(np.isin(np.arange(1, 256), (100, 120, 136)))
    120
    """
    best = np.flatnonzero(scores == scores.max()) + 1
    return min(best.tolist(), key=rank_threshold)


def rank_threshold(threshold: int) -> tuple[int, int]:
    """Return the sort key that settles ties between thresholds: the least is preferred."""
    return abs(int(threshold) - NEUTRAL_THRESHOLD), int(threshold)


def find_theoretical_cut(iou: float) -> float:
    """Return the threshold that is best for pooled IoU on calibrated maps: 255 x IoU / (1 + IoU), by the IoU there.

    A pixel whose chance to be building is p adds p to the intersection and 1 - p to the union, which raises their ratio
    if p > IoU x (1 - p). (Lipton et al. 2014, arXiv:1402.1892, have the same of F1: half the best F1.)

    >>> round(find_theoretical_cut(0.75))
    109
    """
    return 255 * iou / (1 + iou)
