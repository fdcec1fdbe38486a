"""What a report says of a run's validation tiles: counted tile by tile, in one pass."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import Polygon

from ensemble.mapfolder.samples import Samples
from ensemble.selection.layers import blend_sample, split_layers
from ensemble.statistics.counts import Counts, count_thresholds
from ensemble.statistics.metrics import METRICS, divide
from members.common.progress import Progress, silent
from members.common.workers import Threads, Workers
from postproc.pipeline.pipeline import Pipeline
from postproc.polygons.buildings import rasterize_outlines
from postproc.polygons.tracing import trace_mask
from postproc.scoring.buildings import match_buildings

SIZES = (0, 100, 250, 500, 1000, 2500, 10_000)
"""Where the classes of true buildings begin, px."""


@dataclass(frozen=True)
class TileMeasures:
    """What one tile says.

    Attributes:
        intersection, union: pixels of mask and truth.
        pixels: int64 (256,), how many have each value of the blended map; and `positives`, how many of these are true.
        curve: as `count_thresholds` gives it.
        buildings: predicted ones.
        doubts: as `count_doubts` gives it; None where no standard deviation is known.
        sizes: areas of the true buildings, px, and whether each is found, float and bool (true buildings,).
    """

    intersection: int
    union: int
    pixels: np.ndarray
    positives: np.ndarray
    curve: dict[str, np.ndarray]
    buildings: int
    sizes: np.ndarray
    found: np.ndarray
    doubts: np.ndarray | None = None

    @property
    def iou(self) -> float:
        return float(divide(self.intersection, self.union, of_nothing=1))

    @property
    def building_f1(self) -> float:
        return float(divide(2 * self.found.sum(), self.buildings + len(self.found), of_nothing=1))


def count_doubts(std: np.ndarray, mask: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Count the pixels of each standard deviation, uint8 (h, w), value / 255, and those of them that are wrong.

    >>> count_doubts(np.uint8([[0, 0, 2]]), np.array([[1, 0, 1]], bool), np.array([[1, 1, 1]], bool))[:, :3]
    array([[2, 0, 1],
           [1, 0, 0]])
    """
    return np.stack([np.bincount(each.ravel(), minlength=256) for each in (std, std[mask != truth])])


def measure_tile(
    values: np.ndarray,
    truth: np.ndarray,
    pipeline: Pipeline,
    true_outlines: Sequence[Polygon] | None = None,
    std: np.ndarray | None = None,
) -> TileMeasures:
    """Measure one tile's blended map, as `blend_sample` gives it, against its truth, bool (h, w).

    Args:
        values: uint8 (h, w) or (h, w, 2).
        truth: bool (h, w).
        pipeline: from maps to masks and outlines.
        true_outlines: without them the truth's components.
        std: the standard deviation over views and members, uint8 (h, w), value / 255.
    """
    buildings = [building.outline for building in pipeline.outline(values)]
    mask = pipeline.cut(values) if pipeline.outlines is None else rasterize_outlines(buildings, truth.shape)
    true_outlines = trace_mask(truth) if true_outlines is None else true_outlines
    values, _ = split_layers(values)
    found = np.zeros(len(true_outlines), bool)
    found[match_buildings(buildings, true_outlines).truth] = True
    return TileMeasures(
        int(np.count_nonzero(mask & truth)),
        int(np.count_nonzero(mask | truth)),
        np.bincount(values.ravel(), minlength=256),
        np.bincount(values[truth], minlength=256),
        count_thresholds(values, truth),
        len(buildings),
        shapely.area(np.array(true_outlines, object)),
        found,
        None if std is None else count_doubts(std, mask, truth),
    )


def measure_tiles(
    samples: Samples,
    pipeline: Pipeline,
    progress: Progress = silent,
    workers: Workers | None = None,
    read_std: Callable[[int], np.ndarray | None] = lambda number: None,
) -> list[TileMeasures]:
    """Measure all tiles, whose maps are those of the pipeline's members, in their order.

    `read_std` reads a tile's standard deviation by its number, where it is known.
    """

    def measure(number: int) -> TileMeasures:
        _, truth = samples[number]
        values = blend_sample(samples, number, pipeline.blend)
        return measure_tile(values, truth, pipeline, samples.list_buildings(number), read_std(number))

    tiles = (workers or Threads()).map(measure, range(len(samples)))
    return list(progress(tiles, "measuring", len(samples)))


def count_curve(tiles: Sequence[TileMeasures], groups: Sequence[str]) -> Counts:
    """Return the counts at every threshold, by group."""
    return Counts.from_tiles(groups, (tile.curve for tile in tiles))


@dataclass(frozen=True)
class GroupScore:
    """Pooled IoU and building F1 of a group of tiles."""

    name: str
    tiles: int
    iou: float
    building_f1: float


def score_groups(tiles: Sequence[TileMeasures], groups: Sequence[str]) -> list[GroupScore]:
    """Score each group, the worst first."""
    scores = []
    for name in dict.fromkeys(groups):
        own = [tile for tile, group in zip(tiles, groups, strict=True) if group == name]
        sums = {
            "intersection": sum(tile.intersection for tile in own),
            "union": sum(tile.union for tile in own),
            "matched": sum(int(tile.found.sum()) for tile in own),
            "predicted_buildings": sum(tile.buildings for tile in own),
            "true_buildings": sum(len(tile.found) for tile in own),
        }
        iou, f1 = (float(METRICS[metric].compute(sums)) for metric in ("pooled_iou", "building_f1"))
        scores.append(GroupScore(name, len(own), iou, f1))
    return sorted(scores, key=lambda score: (score.iou, score.name))


def find_by_size(tiles: Sequence[TileMeasures]) -> list[tuple[str, int, int]]:
    """Return for each class of `SIZES` its name, how many true buildings are of it, and how many are found."""
    areas = np.concatenate([tile.sizes for tile in tiles])
    found = np.concatenate([tile.found for tile in tiles])
    classes = np.searchsorted(SIZES, areas, side="right") - 1
    ends = [f"{low:,}-{high:,} px" for low, high in itertools.pairwise(SIZES)] + [f"{SIZES[-1]:,} px or more"]
    return [
        (name, int((classes == number).sum()), int(found[classes == number].sum())) for number, name in enumerate(ends)
    ]


def calibrate_bins(tiles: Sequence[TileMeasures], bins: int = 16) -> list[tuple[float, float, int]]:
    """Return, for equal classes of probability, its mean, the share of true building pixels, and how many pixels."""
    pixels, positives = (
        sum((getattr(tile, name) for tile in tiles), np.zeros(256)) for name in ("pixels", "positives")
    )
    found = []
    for part in np.array_split(np.arange(256), bins):
        if count := int(pixels[part].sum()):
            mean = float((pixels[part] * part).sum() / count / 255)
            found.append((mean, float(positives[part].sum() / count), count))
    return found


def bin_doubts(tiles: Sequence[TileMeasures], bins: int = 12) -> list[tuple[float, float, int]]:
    """Return, for equal classes of standard deviation, its mean, the share of wrong pixels, and how many pixels.

    There are none where no tile has a standard deviation.
    """
    known = [tile.doubts for tile in tiles if tile.doubts is not None]
    if not known:
        return []
    pixels, wrong = np.sum(known, axis=0)
    found = []
    for part in np.array_split(np.arange(np.flatnonzero(pixels)[-1] + 1), bins):
        if count := int(pixels[part].sum()):
            mean = float((pixels[part] * part).sum() / count / 255)
            found.append((mean, float(wrong[part].sum() / count), count))
    return found
