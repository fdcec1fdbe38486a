"""The study of whole buildings: threshold, areas and splits that give the highest SpaceNet F1 at IoU 0.5.

A building found or not is no sum over pixels, so nothing is exact here: Optuna's TPE tries settings, each drawn as
`submit` draws it, and the Wilcoxon test on chunks of tiles ends early what is surely worse than the best one so far.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, WilcoxonPruner
from shapely import Polygon

from ensemble.selection.layers import split_layers
from ensemble.statistics.counts import Counts, check_truth, index_groups
from ensemble.statistics.metrics import METRICS
from members.common.choices import Objective
from members.common.progress import Progress, silent
from members.common.workers import Threads, Workers
from postproc.pipeline.outlines import OutlineRecipe, outline_buildings
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.steps import AREAS
from postproc.scoring.buildings import count_buildings
from postproc.search.grid import Choice
from postproc.study.kept_tiles import KeptTiles
from postproc.study.trials import Evaluation, Params, list_complete

OBJECTIVE: Objective = "building_f1"
COLUMNS = METRICS[OBJECTIVE].columns
CHUNK = 12  # tiles, or as many pixels as twelve of 256 px a side have
CHUNK_PIXELS = CHUNK * 256 * 256
SEED = 42
WORSE = 0.1  # p-value of the Wilcoxon test below which a trial is ended
RANGES: Mapping[str, BaseDistribution] = {
    "threshold": IntDistribution(32, 224, step=8),
    "min_hole": CategoricalDistribution(AREAS),
    "min_object": CategoricalDistribution((*AREAS, 1024)),  # an object too many costs F1 more than it costs pixels
    "split_contrast": CategoricalDistribution((0.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0)),
    "split_smoothing": FloatDistribution(1, 4, step=1),  # px
    "split_area": CategoricalDistribution((0, 64, 256, 512, 1024)),
    "split_depth": FloatDistribution(0, 4, step=0.5),  # px
}

Setting = tuple[Recipe, OutlineRecipe]
Tile = tuple[np.ndarray, Sequence[Polygon]]
"""A blended map, uint8 (height, width) or (height, width, 2), and the outlines of the true buildings, px."""


class Buildings(Protocol):
    """Tiles that buildings are counted in."""

    def __len__(self) -> int:
        """Return the number of tiles."""

    def __getitem__(self, number: int) -> Tile:
        """Return one tile."""


class BuildingCounter:
    """Counts the buildings that a setting finds, each tile once a setting, however many studies ask.

    Args:
        tiles: a blended map, as `blend_sample` gives it, and the outlines of the true buildings, px, each.
        groups: the group of each.
        workers: who counts; by default a thread a core.
        progress: watches the first pass over the tiles.

    Attributes:
        groups: the groups' names, sorted.
        index: int64 (tiles,), the group of each tile among them.
        pixels: int64 (tiles,), of each.

    Raises:
        InputError: there is no tile, or no building in any truth.
        ValueError: they are not equally many.
    """

    def __init__(
        self, tiles: Buildings, groups: Sequence[str], workers: Workers | None = None, progress: Progress = silent
    ) -> None:
        self.names = tuple(groups)
        self.groups, self.index = index_groups(groups)
        if len(self.index) != len(tiles):
            raise ValueError(f"{len(tiles)} tiles of {len(self.index)} groups")

        def measure(number: int) -> tuple[int, int]:
            blend, truth = kept[number]
            return len(truth), blend.shape[0] * blend.shape[1]

        self.workers = workers or Threads()
        self.tiles = kept = KeptTiles(len(tiles), tiles.__getitem__)
        found = progress(self.workers.map(measure, range(len(tiles))), "reading maps", len(tiles))
        buildings, self.pixels = np.array(list(found)).reshape(-1, 2).T
        check_truth(int(buildings.sum()), len(tiles))
        self.counted: dict[Setting, np.ndarray] = {}

    def count(self, setting: Setting, tiles: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return what is found on some tiles, int64 (tiles, 3): matched, predicted and true buildings."""
        counted = self.counted.setdefault(setting, np.full((len(self.tiles), 3), -1))  # -1 = not counted yet
        missing = [tile for tile in tiles if counted[tile, 0] < 0]

        tiles_of = self.tiles

        def find(tile: int) -> dict[str, int]:
            blend, truth = tiles_of[tile]
            return count_buildings(outline_setting(blend, setting), truth)

        for tile, found in zip(missing, self.workers.map(find, missing), strict=True):
            counted[tile] = [found[column] for column in COLUMNS]
        return counted[tiles]

    def score(self, setting: Setting, tiles: Sequence[int] | np.ndarray) -> float:
        """Return the F1 of some tiles together."""
        sums = self.count(setting, tiles).sum(axis=0)
        return float(METRICS[OBJECTIVE].compute(dict(zip(COLUMNS, sums, strict=True))))

    def collect(self, setting: Setting) -> Counts:
        """Count all tiles."""
        found = self.count(setting, range(len(self.tiles)))
        return Counts.from_tiles(self.names, (dict(zip(COLUMNS, tile, strict=True)) for tile in found))

    def choose(self, setting: Setting, training_mask: np.ndarray) -> Choice:
        """Return a setting as a choice, with its F1 on the groups of a training mask, bool (groups,), as the score."""
        recipe, outlines = setting
        counts = self.collect(setting)
        return Choice(recipe, float(counts.score(OBJECTIVE, training_mask)), counts, outlines)

    def evaluate(self, params: Params, training_mask: np.ndarray) -> Iterator[Evaluation]:
        """Yield what is known of a trial's setting after each chunk of a training mask's tiles, at last its F1."""
        setting = read_setting(params)
        tiles = np.flatnonzero(training_mask[self.index])
        wanted = max(-(-len(tiles) // CHUNK), -(-int(self.pixels[tiles].sum()) // CHUNK_PIXELS))
        chunks = np.array_split(np.random.default_rng(SEED).permutation(tiles), min(wanted, len(tiles)))
        parts: tuple[float, ...] = ()
        for chunk in chunks[:-1]:
            parts = (*parts, self.score(setting, chunk))
            yield Evaluation(parts)
        parts = (*parts, self.score(setting, chunks[-1]))
        yield Evaluation(parts, self.score(setting, tiles))


def outline_setting(blend: np.ndarray, setting: Setting) -> list[Polygon]:
    """Outline the buildings of a map, as `blend_sample` gives it, as `submit` does."""
    recipe, outlines = setting
    mask = recipe.apply(split_layers(blend)[0])
    return [building.outline for building in outline_buildings(mask, blend, outlines)]


def choose_threshold(counter: BuildingCounter, training_mask: np.ndarray, thresholds: Sequence[int]) -> Choice:
    """Return the threshold of highest F1 on the groups of a training mask; of equals the one nearest 128."""
    choices = [counter.choose(read_setting({"threshold": threshold}), training_mask) for threshold in thresholds]
    return min(choices, key=lambda choice: (-choice.score, choice.recipe.complexity))


def make_pruner() -> BasePruner:
    """Return the Wilcoxon test, which ends a trial whose chunks are surely worse than those of the best one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # its interface may change, says Optuna
        return WilcoxonPruner(p_threshold=WORSE)


def find_setting(study: optuna.Study) -> Setting:
    """Return the best setting; of equals the simplest."""
    scored = [(float(trial.value or 0), read_setting(trial.params)) for trial in list_complete(study)]
    return min(scored, key=lambda pair: (-pair[0], *rank_setting(pair[1])))[1]


def read_setting(params: Params) -> Setting:
    """Return the recipes of a trial's parameters; what is no parameter is as by default."""
    flat = {name: value for name, value in params.items() if name in Recipe.model_fields}
    splits = {name: value for name, value in params.items() if name not in flat}
    return Recipe(**flat), OutlineRecipe(**splits)


def rank_setting(setting: Setting) -> tuple[Any, ...]:
    """Return the sort key that settles ties: no splits, then fewer and shallower ones, then the simpler flat recipe."""
    recipe, outlines = setting
    contrast = outlines.split_contrast
    splits = (contrast > 0) + (outlines.split_depth > 0)
    return splits, contrast > 0, -contrast, -outlines.split_depth, -outlines.split_area, recipe.complexity
