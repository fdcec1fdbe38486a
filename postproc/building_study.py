"""The study of whole buildings: threshold, splits and areas that give the highest SpaceNet F1 at IoU 0.5.

A building found or not is no sum over pixels, so nothing is exact here: Optuna's TPE tries settings, tile by tile,
and the Wilcoxon test on chunks of tiles ends early what is surely worse than the best one so far.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import WilcoxonPruner
from optuna.trial import TrialState
from shapely import Polygon

from ensemble.evidence import Evidence, fix_iou, index_groups
from postproc.building_scores import Findings, find_buildings
from postproc.polygons import OutlineRecipe
from postproc.recipe import Recipe
from postproc.search import AREAS, Choice
from postproc.splitting import split_by_distance, split_by_map
from postproc.study import NumberedSampler
from postproc.tracing import trace_labels

TRIALS = 100
CHUNK = 12  # tiles
SEED = 42
WORSE = 0.1  # p-value of the Wilcoxon test below which a trial is ended
NEAR, STEP = 48, 8  # thresholds are tried up to so far from the flat recipe's, at such steps
SPLIT_LEVELS = (0, 160, 176, 192, 208, 224, 240)
SPLIT_DEPTHS = FloatDistribution(0, 4, step=0.5)  # px


class BuildingCounter:
    """Counts the buildings that a setting finds, each tile once a setting, however many studies ask.

    Args:
        maps: uint8 (height, width) each.
        truths: the true outlines of each, in its pixels; those of a mask by `trace_mask`.
        groups: the group of each.

    Raises:
        InputError: there is no tile.
        ValueError: they are not equally many.
    """

    def __init__(self, maps: Sequence[np.ndarray], truths: Sequence[Sequence[Polygon]], groups: Sequence[str]) -> None:
        self.tiles = list(zip(maps, truths, strict=True))
        self.groups, self.index = index_groups(groups)
        if len(self.index) != len(self.tiles):
            raise ValueError(f"{len(self.tiles)} tiles of {len(self.index)} groups")
        self.counted: dict[tuple[Recipe, OutlineRecipe, int], Findings] = {}

    def count(self, recipe: Recipe, outlines: OutlineRecipe, tile: int) -> Findings:
        """Count what is found on one tile."""
        key = recipe, outlines, tile
        if key not in self.counted:
            blend, truth = self.tiles[tile]
            self.counted[key] = find_buildings(split_buildings(blend, recipe, outlines), truth)[0]
        return self.counted[key]

    def collect(self, recipe: Recipe, outlines: OutlineRecipe) -> Evidence:
        """Count all tiles, as evidence whose `dice` is the F1: hits are its intersection, and its union has the misses.

        So folds are mixed, draws are scored and gains are bounded as those of pixels are.
        """
        found = [self.count(recipe, outlines, tile) for tile in range(len(self.tiles))]
        hits = np.array([each.matched for each in found])
        union = np.array([each.predicted + each.truth - each.matched for each in found])
        sums = np.zeros((3, len(self.groups)), np.int64)
        for total, counts in zip(sums, (hits, union, fix_iou(hits, union)), strict=True):
            np.add.at(total, self.index, counts)
        return Evidence(self.groups, np.bincount(self.index, minlength=len(self.groups)), *sums)


def split_buildings(blend: np.ndarray, recipe: Recipe, outlines: OutlineRecipe) -> list[Polygon]:
    """Outline the buildings of a map exactly to the pixel: the flat recipe, and the splits of the other one.

    Simplified and squared they take two to seven times as long; their F1 was lower by 0.010 without splits and by
    0.007 with them, on 112 real tiles.
    """
    mask = recipe.apply(blend)
    labels = mask.astype(np.int32)
    if outlines.split_level > 0:
        labels = split_by_map(mask, blend, outlines.split_level)
    if outlines.split_depth > 0:
        labels = split_by_distance(labels, outlines.split_depth)
    return trace_labels(labels)[0]


def list_building_ranges(base: Recipe) -> dict[str, BaseDistribution]:
    """Return what is searched around a flat recipe, whose closing and opening stay."""
    below, above = (min(NEAR, room) // STEP * STEP for room in (base.threshold - 1, 255 - base.threshold))
    return {
        "threshold": IntDistribution(base.threshold - below, base.threshold + above, step=STEP),
        "min_hole": CategoricalDistribution(tuple(dict.fromkeys((*AREAS, base.min_hole)))),
        "min_object": CategoricalDistribution(tuple(dict.fromkeys((*AREAS, base.min_object)))),
        "split_level": CategoricalDistribution(SPLIT_LEVELS),
        "split_depth": SPLIT_DEPTHS,
    }


def fit_buildings(
    counter: BuildingCounter, base: Recipe, keeps: Sequence[np.ndarray], trials: int = TRIALS
) -> list[Choice]:
    """Choose the setting of highest F1, for each of `keeps` by a study of its own.

    Args:
        counter: the tiles.
        base: the flat recipe that every study begins with, without splits.
        keeps: bool (groups,), which groups are chosen on, as by `postproc.steps.list_keeps`.
        trials: of each study.

    Returns:
        A choice for each: its score is the F1 on the groups that are kept, its evidence is of all groups.
    """
    return [study_buildings(counter, base, keep, trials) for keep in keeps]


def study_buildings(counter: BuildingCounter, base: Recipe, keep: np.ndarray, trials: int) -> Choice:
    """Choose the setting of highest F1 on the groups that `keep`, bool (groups,), has; of equals the simplest."""
    ranges = list_building_ranges(base)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # the pruner's interface may change, says Optuna
        pruner = WilcoxonPruner(p_threshold=WORSE)
    study = optuna.create_study(direction="maximize", sampler=NumberedSampler(), pruner=pruner)
    study.enqueue_trial({"split_level": 0, "split_depth": 0.0} | base.model_dump(include={*ranges}))
    tiles = np.flatnonzero(keep[counter.index])
    chunks = np.array_split(np.random.default_rng(SEED).permutation(tiles), -(-len(tiles) // CHUNK))
    for _ in range(trials):
        trial = study.ask(ranges)
        recipe, outlines = read_setting(base, trial.params)
        found: list[Findings] = []
        for step, chunk in enumerate(chunks):
            part = [counter.count(recipe, outlines, int(tile)) for tile in chunk]
            trial.report(float(add_findings(part).f1), step)
            found += part
            if step + 1 < len(chunks) and trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                break
        else:
            study.tell(trial, float(add_findings(found).f1))
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    best = min(complete, key=lambda trial: (-float(trial.value or 0), *rank_setting(*read_setting(base, trial.params))))
    recipe, outlines = read_setting(base, best.params)
    return Choice(recipe, float(best.value or 0), counter.collect(recipe, outlines), outlines)


def add_findings(found: Sequence[Findings]) -> Findings:
    """Sum the counts of tiles."""
    return Findings(sum(f.matched for f in found), sum(f.predicted for f in found), sum(f.truth for f in found))


def read_setting(base: Recipe, params: Mapping[str, Any]) -> tuple[Recipe, OutlineRecipe]:
    """Return the recipes of a trial's parameters."""
    flat = {name: value for name, value in params.items() if name in Recipe.model_fields}
    splits = {name: value for name, value in params.items() if name not in flat}
    return base.model_copy(update=flat).normalise(), OutlineRecipe(**splits)


def rank_setting(recipe: Recipe, outlines: OutlineRecipe) -> tuple[Any, ...]:
    """Sort key that settles ties: no splits, then fewer and shallower ones, then the simpler flat recipe."""
    splits = (outlines.split_level > 0) + (outlines.split_depth > 0)
    return splits, outlines.split_level, -outlines.split_depth, recipe.complexity
