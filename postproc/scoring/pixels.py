"""Pixels that a mask shares with its truth: columns that add up over images, which `METRICS` scores."""

from collections.abc import Iterable, Mapping

import numpy as np

from ensemble.statistics.metrics import IOU_UNIT, METRICS, MetricName, divide
from members.common.errors import InputError
from postproc.scoring.boundary import find_band

Columns = dict[str, float]
"""What is counted of one image, by the names of the columns that `Metric.columns` lists."""


def count_mask(truth: np.ndarray, mask: np.ndarray) -> Columns:
    """Count the pixels of two bool masks (height, width).

    The band along the outlines is that of the mask (`postproc.scoring.boundary`). The paper on boundary IoU takes it of
    each object and of each image by itself; here touching buildings have no outline between them, and bands add up over
    images as pixels do.

    Returns:
        Pixels that are building in both masks (`intersection`), in either (`union`), in the truth (`truth`), and in the
        mask (`predicted`); pixels in both bands along the outlines (`band_intersection`), and in either (`band_union`);
        and `iou_sum`: IoU x IOU_UNIT.

    Raises:
        InputError: the sizes differ.

    >>> count_mask(np.array([[True, True, False]]), np.array([[False, True, True]]))["union"]
    3
    """
    if truth.shape != mask.shape:
        (height, width), (true_height, true_width) = mask.shape, truth.shape
        raise InputError(
            f"mask of {width}x{height} px for a truth of {true_width}x{true_height} px; "
            "predict each image at its own size"
        )
    band, true_band = find_band(mask), find_band(truth)
    pixels = {
        "intersection": truth & mask,
        "union": truth | mask,
        "truth": truth,
        "predicted": mask,
        "band_intersection": band & true_band,
        "band_union": band | true_band,
    }
    counts: Columns = {name: int(np.count_nonzero(counted)) for name, counted in pixels.items()}
    return counts | {"iou_sum": float(divide(counts["intersection"], counts["union"], of_nothing=1)) * IOU_UNIT}


def pool_masks(images: Iterable[Mapping[str, float]]) -> Columns:
    """Sum the columns of images, and count the images as `tiles`.

    Raises:
        InputError: the truth is empty over all images, so that no score says anything.
    """
    tables = list(images)
    pooled = {name: sum(columns[name] for columns in tables) for name in (tables[0] if tables else ())}
    if not pooled.get("truth"):
        raise InputError(f"no building pixel in the truth of {len(tables)} images; score images with buildings")
    return pooled | {"tiles": len(tables)}


def score_mask(truth: np.ndarray, mask: np.ndarray, metric: MetricName = "pooled_iou") -> float:
    """Score one mask by a metric of pixels; the arguments are as for `count_mask`.

    >>> round(score_mask(np.array([[True, True, False]]), np.array([[False, True, True]])), 4)
    0.3333
    """
    return float(METRICS[metric].compute({**count_mask(truth, mask), "tiles": 1}))
