"""Rows of scores - of all images, of each region, of each image - as tables, CSV and JSON."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from ensemble.statistics.estimates import LEVEL, Estimate, Scorer, estimate_scores, score_each
from members.common.files import write_whole

LABELS = {
    "pooled_iou": "IoU, all pixels pooled",
    "mean_iou": "IoU, mean over images",
    "dice": "Dice (F1 of pixels)",
    "precision": "precision of pixels",
    "recall": "recall of pixels",
    "boundary_iou": "boundary IoU, pooled",
    "building_f1": "F1 of buildings at IoU 0.5",
    "building_precision": "precision of buildings",
    "building_recall": "recall of buildings",
    "ap": "COCO AP at IoU 0.50:0.95",
    "ap50": "COCO AP at IoU 0.50",
    "ap75": "COCO AP at IoU 0.75",
    "ar": "COCO AR at IoU 0.50:0.95",
    "polis": "PoLiS of matched pairs [px]",
    "hausdorff": "Hausdorff of matched pairs [px]",
    "c_iou": "C-IoU, mean over images",
    "n_ratio": "N ratio (vertices to true ones)",
    "right_angles": "share of right angles",
    "truth_right_angles": "share of right angles in the truth",
}
REGION_SCORES = ("pooled_iou", "boundary_iou", "building_f1", "ap", "c_iou")


@dataclass(frozen=True)
class Row:
    """Scores of some images together.

    Attributes:
        level: "all", the column that `name` is of, such as "region", or "image".
        name: of the region or the image.
        images: how many images.
        groups: how many groups they are of.
        scores: by the names of `LABELS`.
    """

    level: str
    name: str
    images: int
    groups: int
    scores: Mapping[str, Estimate]


def list_rows(
    scorers: Sequence[Scorer], images: Sequence[str], groups: Sequence[str], by: str | None, regions: Sequence[str]
) -> list[Row]:
    """Score all images together, then the images of each region, then each image.

    Args:
        scorers: of the images.
        images: their ids.
        groups: the group of each, for the intervals.
        by: what the regions are called, such as "region"; None for none.
        regions: the region of each image; empty without `by`.
    """

    def score(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values for scorer in scorers for name, values in scorer(weights).items()}

    rows = [Row("all", "all", len(images), len(set(groups)), estimate_scores(score, groups))]
    for region in sorted(set(regions)):
        kept = np.array([own == region for own in regions])
        own_groups = {group for group, keep in zip(groups, kept, strict=True) if keep}
        rows.append(Row(str(by), region, int(kept.sum()), len(own_groups), estimate_scores(score, groups, kept)))
    each = score_each(score, len(images))
    for place, image_id in enumerate(images):
        scores = {name: Estimate(float(values[place]), None) for name, values in each.items()}
        rows.append(Row("image", image_id, 1, 1, scores))
    return rows


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write one line a row: level, name, images, groups, and scores with the ends of their intervals, empty if none."""
    names = list(rows[0].scores)
    with write_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ("level", "name", "images", "groups", *(f"{name}{end}" for name in names for end in ("", "_low", "_high")))
        )
        for row in rows:
            values = [
                end for name in names for end in (row.scores[name].value, *(row.scores[name].interval or ("", "")))
            ]
            writer.writerow((row.level, row.name, row.images, row.groups, *map(_print_number, values)))


def _print_number(value: float | str) -> str:
    return value if isinstance(value, str) else "" if math.isnan(value) else f"{value:.6f}"


def describe_rows(rows: Sequence[Row]) -> dict[str, Any]:
    """The JSON object: scores of all images, their intervals, and under the level's name those of each region."""
    described = _describe_row(rows[0])
    for row in rows[1:]:
        if row.level != "image":
            described.setdefault("by", {}).setdefault(row.level, {})[row.name] = _describe_row(row)
    return described


def _describe_row(row: Row) -> dict[str, Any]:
    values = {name: None if math.isnan(score.value) else score.value for name, score in row.scores.items()}
    intervals = {name: score.interval for name, score in row.scores.items()}
    return {**values, "images": row.images, "groups": row.groups, "intervals": intervals}


def tabulate_scores(row: Row) -> Table:
    """The table of every score of one row."""
    table = Table(title=f"{row.images} images of {row.groups} groups")
    table.add_column("score")
    table.add_column("value", justify="right")
    table.add_column(f"{LEVEL:.0%} interval", justify="right")
    for name, label in LABELS.items():
        table.add_row(label, *_print_estimate(row.scores[name]), end_section=name in ("boundary_iou", "ar"))
    return table


def tabulate_regions(rows: Sequence[Row], by: str) -> Table:
    """The table of the regions' most telling scores."""
    table = Table(by, "images", "groups")
    for name in REGION_SCORES:
        table.add_column(name, justify="right")
    for row in rows:
        if row.level == by:
            cells = ["\n".join(_print_estimate(row.scores[name])) for name in REGION_SCORES]
            table.add_row(row.name, str(row.images), str(row.groups), *cells)
    return table


def _print_estimate(score: Estimate) -> tuple[str, str]:
    value = "-" if math.isnan(score.value) else f"{score.value:.4f}"
    return value, "..".join(f"{end:.3f}" for end in score.interval or ())
