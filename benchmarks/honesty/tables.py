"""Counts of every setting of a step on every tile, from which a tuning on any share of the tiles follows.

They are a part of what tune tries, so that hundreds of tunings take minutes: of 255 thresholds every fourth or eighth
where a step has more than the threshold, of kernel sizes five, of areas some.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import cv2
import numpy as np

from ensemble.mapfolder.samples import ArraySamples
from ensemble.selection.blend import Blend, blend_maps
from ensemble.statistics.counts import Counts, count_maps
from ensemble.statistics.crossfit import CrossFit
from honesty.tiles import Tiles
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.steps import Areas, Morphology
from postproc.search.exact import search_step
from postproc.search.grid import Grid
from postproc.tuning.fits import Task
from postproc.tuning.steps.outlines import count_outlines

SIZES = (1, 3, 5, 9, 15)  # px, of kernels
BASES = 2  # kernel settings that areas are tried on beside none, for pooled and for mean IoU
HOLES, OBJECTS = (0, 64, 512), (0, 16, 64, 256, 512)  # px, of areas
BUILDING_CUTS, BUILDING_OBJECTS = range(48, 209, 16), (0, 16, 64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class Table:
    """Counts of settings, from simple to complex.

    Attributes:
        counts: of the tiles, each its own group; choices are (settings,).
        neutral: index of the setting that does nothing.
    """

    counts: Counts
    neutral: int


def name_tiles(tiles: Tiles) -> tuple[str, ...]:
    return tuple(f"{number:04d}" for number in range(len(tiles.truths)))


def blend_tiles(tiles: Tiles) -> list[np.ndarray]:
    """Return the mean of the members' maps."""
    return [blend_maps(maps, (1, 1)) for maps in zip(*tiles.maps.values(), strict=True)]


def build_tables(tiles: Tiles) -> dict[str, Table]:
    """Count the settings of threshold, morphology, areas, buildings and outlines on each tile."""
    names, blended = name_tiles(tiles), blend_tiles(tiles)
    pairs = list(zip(blended, tiles.truths, strict=True))
    alone = count_maps(blended, tiles.truths, names)
    grid = search_step(Morphology, [Recipe()], pairs, names)
    few = [n for n, r in enumerate(grid.recipes) if r.close in SIZES and r.open in SIZES and r.kernel == "square"]
    best = [grid.recipes[n] for name in ("pooled_iou", "mean_iou") for n in grid.rank(name)[:BASES]]
    areas = search_step(Areas, list(dict.fromkeys([Recipe(), *best])), pairs, names)
    some = [n for n, r in enumerate(areas.recipes) if r.min_hole in HOLES and r.min_object in OBJECTS]
    return {
        "threshold": lay_out(alone, [Recipe(threshold=cut) for cut in range(1, 256)]),
        "morphology": flatten(grid.take(few), every=4),
        "areas": flatten(areas.take(some), every=8),
        "buildings": count_buildings(blended, tiles.truths),
        "outlines": draw_outlines(tiles, blended, alone[127]),
    }


def keep_tables(tiles: Tiles, path: Path | None) -> dict[str, Table]:
    """Read the tables from a file of an earlier run, or build them, and write them where a path is given."""
    if path is None or not path.exists():
        tables = build_tables(tiles)
        if path is not None:
            flat = {f"{s}/{name}": values for s, table in tables.items() for name, values in table.counts.sums.items()}
            np.savez(path, **flat, **{f"{step}/neutral": np.array(table.neutral) for step, table in tables.items()})
        return tables
    names, ones = name_tiles(tiles), np.ones(len(tiles.truths), int)
    sums: dict[str, dict[str, np.ndarray]] = {}
    for key, values in np.load(path).items():
        step, column = key.split("/")
        sums.setdefault(step, {})[column] = values
    return {step: Table(Counts(names, ones, columns), int(columns.pop("neutral"))) for step, columns in sums.items()}


def flatten(grid: Grid, every: int) -> Table:
    """Lay out a grid's recipes at some thresholds, 128 among them, as settings."""
    cuts = np.arange(every - 1, 255, every)
    recipes = [recipe.model_copy(update={"threshold": int(cut) + 1}) for recipe in grid.recipes for cut in cuts]
    sums = {name: values[:, :, cuts].reshape(len(values), -1) for name, values in grid.counts.sums.items()}
    return lay_out(Counts(grid.counts.groups, grid.counts.tiles, sums), recipes)


def lay_out(counts: Counts, recipes: Sequence[Recipe]) -> Table:
    """Sort settings from simple to complex, as ties are settled."""
    order = sorted(range(len(recipes)), key=lambda number: recipes[number].complexity)
    return Table(counts[np.array(order)], order.index(recipes.index(Recipe())))


def count_buildings(blended: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> Table:
    """Count buildings found at thresholds, holes and areas: pieces of mask and truth, matched above IoU 0.5."""
    recipes = [
        Recipe(threshold=cut, min_hole=hole, min_object=least)
        for cut, hole, least in product(BUILDING_CUTS, HOLES, BUILDING_OBJECTS)
    ]
    columns = np.zeros((3, len(blended), len(recipes)), np.int64)
    for tile, (values, truth) in enumerate(zip(blended, truths, strict=True)):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(truth.astype(np.uint8), connectivity=4)
        setting = 0
        for cut, hole in product(BUILDING_CUTS, HOLES):
            mask = Recipe(threshold=cut, min_hole=hole).apply(values)
            areas, matched = match_pieces(mask, labels, stats[:, cv2.CC_STAT_AREA])
            for least in BUILDING_OBJECTS:
                kept = areas >= least
                columns[:, tile, setting] = (matched & kept).sum(), kept.sum(), count - 1
                setting += 1
    names = ("matched", "predicted_buildings", "true_buildings")
    groups = tuple(f"{number:04d}" for number in range(len(blended)))
    return lay_out(Counts(groups, np.ones(len(groups), int), dict(zip(names, columns, strict=True))), recipes)


def match_pieces(mask: np.ndarray, labels: np.ndarray, true_areas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the area of each piece of a mask, and whether it is a true building's at IoU above 0.5."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    both = pieces.astype(np.int64) * len(true_areas) + labels
    shared = np.bincount(both.ravel(), minlength=count * len(true_areas)).reshape(count, -1)[1:, 1:]
    areas = stats[1:, cv2.CC_STAT_AREA]
    return areas, (3 * shared > areas[:, None] + true_areas[1:]).any(axis=1)


def draw_outlines(tiles: Tiles, blended: Sequence[np.ndarray], neutral: Counts) -> Table:
    """Count the mask of every outlining on top of the neutral recipe, as tune draws them; first the neutral mask."""
    names = name_tiles(tiles)
    task = Task(ArraySamples({"mean": blended}, tiles.truths, names), names, "pooled_iou", CrossFit(len(names), None))
    base = Pipeline(Blend({"mean": 1}), Recipe())
    counts = count_outlines(task, base)
    sums = {name: np.hstack([neutral.sums[name][:, None], values]) for name, values in counts.sums.items()}
    return Table(Counts(names, counts.tiles, sums), 0)
