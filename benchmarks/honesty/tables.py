"""Counts of every setting of a step on every tile, from which a tuning on any share of the tiles follows."""

from collections.abc import Sequence
from dataclasses import dataclass

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
from postproc.tuning.fits import Task
from postproc.tuning.outlines import count_outlines, list_pipelines

EVERY = 4  # of 255 thresholds one in four is in the tables of more than the threshold
CUTS = np.arange(EVERY - 1, 255, EVERY)  # indices; 128 is among the thresholds
SIZES = (1, 3, 5, 9, 15)  # of the kernels up to 15 px
BASES = 6  # kernel settings that areas are tried on
F1_CUTS = range(48, 209, 16)
HOLES, OBJECTS = (0, 64, 512), (0, 16, 64, 128, 256, 512, 1024)
SHARES = 20  # the blends of two members are twentieths


@dataclass(frozen=True)
class Table:
    """Counts of settings on tiles, from simple to complex.

    Attributes:
        columns: column -> float32 (tiles, settings).
        neutral: index of the setting that does nothing.
        recipes: what each setting is, for sorting and for words.
    """

    columns: dict[str, np.ndarray]
    neutral: int
    complexity: np.ndarray


def tabulate(counts: Counts, complexities: Sequence[tuple], neutral: int, order: np.ndarray) -> Table:
    """Make a table of counts whose groups are the tiles, sorted, and whose choices are (settings,)."""
    ranks = np.empty(len(complexities), np.int32)
    ranks[sorted(range(len(complexities)), key=lambda n: complexities[n])] = np.arange(len(complexities))
    columns = {name: values[order].astype(np.float32) for name, values in counts.sums.items()}
    return Table(columns, neutral, ranks)


def build_tables(tiles: Tiles, tables: dict[str, Table], save) -> dict[str, Table]:
    """Count every step's settings on each tile: threshold, morphology, areas, outlines."""
    names = tuple(f"{number:04d}" for number in range(len(tiles.truths)))
    mean = [blend_maps(maps, (1, 1)) for maps in zip(*tiles.maps.values(), strict=True)]
    order = np.arange(len(names))
    pairs = list(zip(mean, tiles.truths, strict=True))

    alone = count_maps(mean, tiles.truths, names)
    recipes = [Recipe(threshold=cut) for cut in range(1, 256)]
    tables["threshold"] = tabulate(alone, [r.complexity for r in recipes], 127, order)

    grid = search_step(Morphology, [Recipe()], pairs, names)
    own = [n for n, r in enumerate(grid.recipes) if r.close in SIZES and r.open in SIZES]
    tables["morphology"] = flatten(grid.take(own), order)

    best = [grid.recipes[n] for n in grid.rank("pooled_iou")[: BASES // 2]]
    best += [grid.recipes[n] for n in grid.rank("mean_iou")[: BASES // 2]]
    bases = list(dict.fromkeys([Recipe(), *best]))
    tables["areas"] = flatten(search_step(Areas, bases, pairs, names), order)

    save()
    tables["buildings"] = build_building_table(tiles)
    save()
    samples = ArraySamples({"mean": mean}, tiles.truths, names)
    task = Task(samples, names, "pooled_iou", CrossFit(len(names), None))
    base = Pipeline(Blend({"mean": 1}), Recipe())
    counts = count_outlines(task, base)
    neutral = alone[127]
    both = Counts(
        counts.groups, counts.tiles, {n: np.concatenate([neutral.sums[n][:, None], v], 1) for n, v in counts.sums.items()}
    )
    tables["outlines"] = tabulate(both, [(n,) for n in range(1 + len(list_pipelines(base)))], 0, order)
    return tables


def flatten(grid, order: np.ndarray) -> Table:
    """Lay out a grid's recipes and some of its thresholds as settings."""
    recipes = [recipe.model_copy(update={"threshold": int(cut) + 1}) for recipe in grid.recipes for cut in CUTS]
    counts = Counts(
        grid.counts.groups,
        grid.counts.tiles,
        {name: values[:, :, CUTS].reshape(len(values), -1) for name, values in grid.counts.sums.items()},
    )
    return tabulate(counts, [recipe.complexity for recipe in recipes], recipes.index(Recipe()), order)


def build_building_table(tiles: Tiles) -> Table:
    """Count buildings found, at thresholds, holes and areas: pieces of mask and truth, matched above IoU 0.5."""
    mean = [blend_maps(maps, (1, 1)) for maps in zip(*tiles.maps.values(), strict=True)]
    recipes = [
        Recipe(threshold=cut, min_hole=hole, min_object=least) for cut in F1_CUTS for hole in HOLES for least in OBJECTS
    ]
    columns = np.zeros((3, len(mean), len(recipes)), np.float32)
    for tile, (values, truth) in enumerate(zip(mean, tiles.truths, strict=True)):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(truth.astype(np.uint8), connectivity=4)
        setting = 0
        for cut in F1_CUTS:
            for hole in HOLES:
                mask = Recipe(threshold=cut, min_hole=hole).apply(values)
                areas, matched = match_pieces(mask, labels, stats[:, cv2.CC_STAT_AREA])
                for least in OBJECTS:
                    kept = areas >= least
                    columns[:, tile, setting] = (matched & kept).sum(), kept.sum(), count - 1
                    setting += 1
    names = ("matched", "predicted_buildings", "true_buildings")
    order = sorted(range(len(recipes)), key=lambda n: recipes[n].complexity)
    ranks = np.empty(len(recipes), np.int32)
    ranks[order] = np.arange(len(recipes))
    return Table(dict(zip(names, columns, strict=True)), recipes.index(Recipe()), ranks)


def match_pieces(mask: np.ndarray, labels: np.ndarray, true_areas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the area of each piece of a mask, and whether it is a true building's at IoU above 0.5."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    shared = np.bincount((pieces.astype(np.int64) * len(true_areas) + labels).ravel(), minlength=count * len(true_areas))
    shared = shared.reshape(count, len(true_areas))[1:, 1:]
    areas = stats[1:, cv2.CC_STAT_AREA]
    union = areas[:, None] + true_areas[1:] - shared
    return areas, (2 * shared > union).any(axis=1)
