"""The study of whole buildings: threshold, areas and splits that give the highest SpaceNet F1 at IoU 0.5.

A building found or not is no sum over pixels, so nothing is exact here: Optuna's TPE tries settings, each drawn as
`submit` draws it, and the Wilcoxon test on chunks of tiles ends early what is surely worse than the best one so far.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import WilcoxonPruner
from optuna.trial import TrialState, create_trial
from shapely import Polygon

from ensemble.statistics.counts import Counts, check_truth, index_groups
from ensemble.statistics.metrics import Objective
from postproc.pipeline.outlines import OutlineRecipe, outline_buildings
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.steps import AREAS
from postproc.scoring.buildings import Findings, find_buildings
from postproc.search.counting import map_threads
from postproc.search.grid import Choice
from postproc.study.trials import Studies, list_complete, name_setting

F1: Objective = "building_f1"
CHUNK = 12  # tiles
SEED = 42
WORSE = 0.1  # p-value of the Wilcoxon test below which a trial is ended
RANGES: dict[str, BaseDistribution] = {
    "threshold": IntDistribution(32, 224, step=8),
    "min_hole": CategoricalDistribution(AREAS),
    "min_object": CategoricalDistribution((*AREAS, 1024)),  # an object too many costs F1 more than it costs pixels
    "split_level": CategoricalDistribution((0, 160, 176, 192, 208, 224, 240)),
    "split_depth": FloatDistribution(0, 4, step=0.5),  # px
}

Setting = tuple[Recipe, OutlineRecipe]


class BuildingCounter:
    """Counts the buildings that a setting finds, each tile once a setting, however many studies ask.

    Args:
        maps: uint8 (height, width) each.
        truths: the true outlines of each, in its pixels; those of a mask by `trace_mask`.
        groups: the group of each.

    Raises:
        InputError: there is no tile, or no building in any truth.
        ValueError: they are not equally many.
    """

    def __init__(self, maps: Sequence[np.ndarray], truths: Sequence[Sequence[Polygon]], groups: Sequence[str]) -> None:
        self.tiles = list(zip(maps, truths, strict=True))
        self.names = tuple(groups)
        self.groups, self.index = index_groups(groups)
        if len(self.index) != len(self.tiles):
            raise ValueError(f"{len(self.tiles)} tiles of {len(self.index)} groups")
        check_truth(sum(map(len, truths)), len(self.tiles))
        self.counted: dict[Setting, np.ndarray] = {}

    def count(self, setting: Setting, tiles: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return what is found on some tiles, int64 (tiles, 3): matched, predicted and true buildings."""
        counted = self.counted.setdefault(setting, np.full((len(self.tiles), 3), -1))  # -1 = not counted yet
        missing = [tile for tile in tiles if counted[tile, 0] < 0]

        def find(tile: int) -> Findings:
            blend, truth = self.tiles[tile]
            return find_buildings(outline_setting(blend, setting), truth)[0]

        for tile, found in zip(missing, map_threads(find, missing), strict=True):
            counted[tile] = found.matched, found.predicted, found.truth
        return counted[tiles]

    def collect(self, setting: Setting) -> Counts:
        """Count all tiles: the columns of building F1."""
        found = self.count(setting, range(len(self.tiles)))
        columns = ("matched", "predicted_buildings", "true_buildings")
        return Counts.from_tiles(self.names, (dict(zip(columns, tile, strict=True)) for tile in found))

    def choose(self, setting: Setting, keep: np.ndarray) -> Choice:
        """Return a setting as a choice: its score is the F1 on the groups that `keep`, bool (groups,), has."""
        counts = self.collect(setting)
        return Choice(setting[0], float(counts.score(F1, keep)), counts, setting[1])


def outline_setting(blend: np.ndarray, setting: Setting) -> list[Polygon]:
    """Outline the buildings of a map, uint8 (height, width), as `submit` does."""
    recipe, outlines = setting
    return [building.outline for building in outline_buildings(recipe.apply(blend), blend, outlines)]


def choose_threshold(counter: BuildingCounter, keep: np.ndarray, thresholds: Sequence[int]) -> Choice:
    """Return the threshold of highest F1 on the groups that are kept; of equals the one nearest 128."""
    choices = [counter.choose(read_setting({"threshold": threshold}), keep) for threshold in thresholds]
    return min(choices, key=lambda choice: (-choice.score, choice.recipe.complexity))


def run_building_trials(
    counter: BuildingCounter,
    keep: np.ndarray,
    studies: Studies,
    study: optuna.Study,
    ranges: dict[str, BaseDistribution],
    first: Mapping[str, Any],
    budget: int,
) -> Iterator[int]:
    """Bring a study to a number of trials, and yield how many it has, again and again.

    Several processes may do so at once; each may then add one trial more than asked for.

    Args:
        counter: the tiles.
        keep: bool (groups,), which groups are scored.
        studies: where the study is.
        study: what is searched.
        ranges: of its parameters.
        first: the setting that it begins with, which is never ended early.
        budget: how many trials are wanted, those that were ended early among them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # the pruner's interface may change, says Optuna
        study.pruner = WilcoxonPruner(p_threshold=WORSE)
    tiles = np.flatnonzero(keep[counter.index])
    chunks = np.array_split(np.random.default_rng(SEED).permutation(tiles), -(-len(tiles) // CHUNK))
    if not holds_params(study, first):
        setting = read_setting(first)
        parts = {step: measure_f1(counter.count(setting, chunk)) for step, chunk in enumerate(chunks)}
        value = measure_f1(counter.count(setting, tiles))
        given = create_trial(params=dict(first), distributions=ranges, value=value, intermediate_values=parts)
        with studies.take_turn():
            if not holds_params(study, first):  # another process may have been faster
                study.add_trial(given)
    while (count := count_finished(study)) < budget:
        yield count
        with studies.address.report_failure():
            trial = study.ask(ranges)
        score_trial(counter, studies, study, trial, chunks)
    yield count


def score_trial(
    counter: BuildingCounter,
    studies: Studies,
    study: optuna.Study,
    trial: optuna.Trial,
    chunks: Sequence[np.ndarray],
) -> None:
    """Score a trial chunk by chunk, and end it as soon as it is surely worse than the best one."""
    setting = read_setting(trial.params)
    for step, chunk in enumerate(chunks[:-1]):
        value = measure_f1(counter.count(setting, chunk))
        with studies.address.report_failure():
            trial.report(value, step)
            if trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                return
    last = measure_f1(counter.count(setting, chunks[-1]))
    value = measure_f1(counter.count(setting, np.concatenate(chunks)))
    with studies.address.report_failure():
        trial.report(last, len(chunks) - 1)
        study.tell(trial, value)


def holds_params(study: optuna.Study, params: Mapping[str, Any]) -> bool:
    """Return whether a setting was scored on all tiles."""
    return name_setting(params) in {name_setting(trial.params) for trial in list_complete(study)}


def count_finished(study: optuna.Study) -> int:
    """Return how many trials were scored or ended early; those that a kill cut off are neither."""
    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))


def find_setting(study: optuna.Study) -> Setting:
    """Return the best setting; of equals the simplest."""
    scored = [(float(trial.value or 0), read_setting(trial.params)) for trial in list_complete(study)]
    return min(scored, key=lambda pair: (-pair[0], *rank_setting(pair[1])))[1]


def measure_f1(counts: np.ndarray) -> float:
    """Return the F1 of tiles together, from int (tiles, 3)."""
    return float(Findings(*counts.sum(axis=0)).f1)


def read_setting(params: Mapping[str, Any]) -> Setting:
    """Return the recipes of a trial's parameters; what is no parameter is as by default."""
    flat = {name: value for name, value in params.items() if name in Recipe.model_fields}
    splits = {name: value for name, value in params.items() if name not in flat}
    return Recipe(**flat), OutlineRecipe(**splits)


def rank_setting(setting: Setting) -> tuple[Any, ...]:
    """Sort key that settles ties: no splits, then fewer and shallower ones, then the simpler flat recipe."""
    recipe, outlines = setting
    splits = (outlines.split_level > 0) + (outlines.split_depth > 0)
    return splits, outlines.split_level, -outlines.split_depth, recipe.complexity
