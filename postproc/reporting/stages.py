"""What each stage of the flow brings, on tiles that nothing was trained or tuned on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from shapely import Polygon

from ensemble.selection.blend import Blend, read_blend
from ensemble.statistics.counts import Counts, count_pixels
from ensemble.statistics.gains import Gain, compare_fixed
from ensemble.statistics.metrics import METRICS
from members.common.tables import ResultTable
from members.data.raster import read_image
from members.data.run import Run
from postproc.pipeline.pipeline import Pipeline
from postproc.reporting.panels import ImageResult, draw_rows
from postproc.scoring.buildings import count_buildings

PICTURED = 4
AVERAGED = "blend with TTA (d4)"
SHOWN = ("pooled_iou", "building_f1")


@dataclass(frozen=True)
class Truth:
    """What is true of tiles.

    Attributes:
        masks: image id -> bool (h, w).
        buildings: image id -> outlines, px.
        groups: the group of each.
    """

    masks: Mapping[str, np.ndarray]
    buildings: Mapping[str, Sequence[Polygon]]
    groups: Sequence[str]


def count_stage(part: Path, pipeline: Pipeline, truth: Truth) -> Counts:
    """Count the pixels of a pipeline's masks, and the buildings that it outlines.

    Args:
        part: the folder of the members' folders of maps.
        pipeline: from maps to masks.
        truth: of the tiles.
    """

    def count(image_id: str, expected: np.ndarray) -> dict[str, Any]:
        values = read_blend(part, pipeline.blend, image_id, expected.shape)
        mask, buildings = pipeline.mask(values), pipeline.outline(values)
        pixels = count_pixels(np.sum(expected & mask), np.sum(expected | mask))
        return pixels | count_buildings([building.outline for building in buildings], truth.buildings[image_id])

    return Counts.from_tiles(truth.groups, (count(*tile) for tile in truth.masks.items()))


def tabulate_stages(run: Run, single: str, averaged: str, truth: Truth, tuned: Pipeline, student: str) -> ResultTable:
    """Return the table of what each stage brings, with 90 % intervals over groups.

    The blend is compared with the member that is better on these very tiles, which is hard on it; every later stage
    with the one before; the student with the blend of all views, from which it learned.

    Args:
        run: the run.
        single: the part whose maps are of one view.
        averaged: the part whose maps are of all views.
        truth: of the tiles of either part.
        tuned: the run's pipeline.
        student: a member with maps of all views.
    """
    members = run.list_mapped_members(single)
    one, all_views = run.part_folder(single), run.part_folder(averaged)
    blend = Pipeline(Blend.mean(members))
    stages = {f"member {name}": (one, Pipeline(Blend({name: 1}))) for name in members}
    stages["blend of both"] = one, blend
    stages[AVERAGED] = all_views, blend
    stages["blend with TTA, tuned"] = all_views, tuned
    stages["student alone, with TTA"] = all_views, Pipeline(Blend({student: 1}))
    counts = {name: count_stage(*stage, truth) for name, stage in stages.items()}
    names = list(counts)
    rows: list[list[str]] = [[name] for name in names]
    for metric in SHOWN:
        scores = {name: float(own.score(metric)) for name, own in counts.items()}
        best = max(names[: len(members)], key=scores.__getitem__)
        *later, last = names[len(members) :]
        before = dict(zip(later, [best, *later], strict=False)) | {last: AVERAGED}
        for row in rows:
            compared = row[0] in before
            gain = compare_fixed(counts[before[row[0]]], counts[row[0]], metric) if compared else None
            row += [f"{scores[row[0]]:.4f}", describe_gain(gain)]
    title = f"{len(truth.masks)} tiles of {len(set(truth.groups))} groups that nothing was trained or tuned on"
    header = [title for metric in SHOWN for title in (METRICS[metric].title, "gain [90 % interval]")]
    notes = [
        "gain: the blend's over the better member, each later stage's over the one before; the student's, one network "
        f"in place of {len(members)}, over the blend with TTA that is not tuned"
    ]
    return ResultTable(title, ("stage", *header), [tuple(row) for row in rows], notes)


def describe_gain(gain: Gain | None) -> str:
    """Return a gain with its interval, as far as there are any."""
    if gain is None:
        return ""
    return f"{gain.value:+.4f}" + (f" [{gain.interval[0]:+.4f}, {gain.interval[1]:+.4f}]" if gain.interval else "")


def draw_results(
    run: Run, part: str, images: Mapping[str, Path], truths: Mapping[str, np.ndarray], tuned: Pipeline
) -> Figure:
    """Draw the panels of a few tiles with buildings: those at equal distances in the order of their building area."""
    built = sorted((image_id for image_id in truths if truths[image_id].any()), key=lambda each: truths[each].sum())
    rows = {}
    for index in np.linspace(0, len(built) - 1, min(PICTURED, len(built))).astype(int).tolist():
        image_id, truth = built[index], truths[built[index]]
        values = read_blend(run.part_folder(part), tuned.blend, image_id, truth.shape)
        result = ImageResult.of_map(read_image(images[image_id]), truth, values, tuned)
        rows[f"{image_id}: {result.describe()}"] = result
    return draw_rows(rows)
