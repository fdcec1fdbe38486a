"""Rows of scores - of all images, of each region, of each image - as CSV, JSON and a table of regions."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.statistics.metrics import METRICS, MetricName
from members.common.files import write_whole
from members.common.tables import ResultTable
from postproc.scoring.buildings import Comparison
from postproc.scoring.scores import OF_WALLS, Scores, format_estimate, make_scorer, score_each, score_images

REGION_SCORES: tuple[MetricName, ...] = ("pooled_iou", "boundary_iou", "building_f1", "ap", "c_iou")


@dataclass(frozen=True)
class Row:
    """Scores of some images together.

    Attributes:
        level: "all", the column that `name` is of, such as "region", or "image".
        name: of the region or the image.
        scores: of its images.
    """

    level: str
    name: str
    scores: Scores


def list_rows(
    compared: Sequence[Comparison], groups: Sequence[str], by: str | None = None, regions: Sequence[str] = ()
) -> list[Row]:
    """Score all images together, then the images of each region.

    Args:
        compared: the images.
        groups: the group of each, for the intervals.
        by: what the regions are called, such as "region"; None for none.
        regions: the region of each image; empty without `by`.
    """
    scorer, traced = make_scorer(compared), any(image.traced for image in compared)
    rows = [Row("all", "all", score_images(scorer, groups, traced=traced))]
    for region in sorted(set(regions)):
        chosen = np.array([own == region for own in regions])
        rows.append(Row(str(by), region, score_images(scorer, groups, chosen, traced)))
    return rows


def list_image_rows(images: Sequence[str], compared: Sequence[Comparison]) -> Iterator[Row]:
    """Yield each image's id with its scores by itself."""
    for image_id, comparison in zip(images, compared, strict=True):
        yield Row("image", image_id, score_each(comparison))


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write one line a row: level, name, images, groups, and scores with the ends of their intervals, empty if none."""
    names = list(METRICS)
    with write_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        ends = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
        writer.writerow(("level", "name", "images", "groups", *ends))
        for row in rows:
            estimates = [row.scores[name] for name in names]
            numbers = [end for score in estimates for end in (score.value, *(score.interval or (math.nan, math.nan)))]
            cells = ["" if math.isnan(number) else f"{number:.6f}" for number in numbers]
            writer.writerow((row.level, row.name, row.scores.images, row.scores.groups, *cells))


def describe_rows(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the JSON object: scores of all images with their intervals, and under `by` those of each region."""
    described = rows[0].scores.describe()
    for row in rows[1:]:
        described.setdefault("by", {}).setdefault(row.level, {})[row.name] = row.scores.describe()
    return described


def tabulate_regions(rows: Sequence[Row], by: str) -> ResultTable:
    """Return the table of the regions' most telling scores."""
    shown = [name for name in REGION_SCORES if not (rows[0].scores.traced and name in OF_WALLS)]
    regions = [
        (row.name, str(row.scores.images), str(row.scores.groups), *(format_cell(row, name) for name in shown))
        for row in rows
        if row.level == by
    ]
    return ResultTable("", (by, "images", "groups", *shown), regions)


def format_cell(row: Row, name: MetricName) -> str:
    """Return a score with its interval below it."""
    return "\n".join(format_estimate(row.scores[name]))
