"""The nested steps of the study of whole buildings: threshold; and areas; and splits of buildings that touch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import optuna

from ensemble.statistics.crossfit import CrossFit
from members.common.console import track
from postproc.polygons.tracing import trace_mask
from postproc.search.exact import Choice
from postproc.study.building_study import (
    F1,
    RANGES,
    BuildingCounter,
    choose_threshold,
    find_setting,
    read_setting,
    run_building_trials,
)
from postproc.study.source import Source
from postproc.study.steps import Fit, make_fit
from postproc.study.trials import Studies
from postproc.study.verdict import Verdict, judge_steps

GOAL = "building_f1"
TRIALS = 50
THRESHOLDS = range(32, 225, 8)
SEARCHED = {
    "areas": ("threshold", "min_hole", "min_object"),
    "splits": ("threshold", "min_hole", "min_object", "split_level", "split_depth"),
}
"""Step -> the parameters of its studies. Each begins with what the step before has chosen."""


def read_counter(source: Source, weights: Mapping[str, int]) -> BuildingCounter:
    """Read a blend's maps, and trace the true buildings out of the masks.

    Raises:
        InputError: no mask has a building.
    """
    maps, truths = [], []
    for blend, truth in source.read(weights, "reading maps"):
        maps.append(blend)
        truths.append(trace_mask(truth))
    return BuildingCounter(maps, truths, source.groups)


def fit_thresholds(counter: BuildingCounter, keeps: Sequence[np.ndarray]) -> list[Choice]:
    """Choose a threshold for each of `keeps`, out of every eighth: counted one by one, in half a minute."""
    for threshold in track(THRESHOLDS, "thresholds", len(THRESHOLDS)):
        counter.collect(read_setting({"threshold": threshold}))
    return [choose_threshold(counter, keep, THRESHOLDS) for keep in keeps]


def fit_study(
    counter: BuildingCounter,
    step: str,
    before: Sequence[Choice],
    studies: Studies,
    keeps: Sequence[np.ndarray],
    budget: int,
    report: Callable[[str, int], None],
) -> list[Choice]:
    """Choose by a study for each of `keeps`.

    Args:
        counter: the tiles.
        step: one of `SEARCHED`.
        before: what the step before has chosen for each.
        studies: where the studies go.
        keeps: the training masks.
        budget: trials of each study, those that are ended early among them.
        report: is told a study's kind and how many trials it has.
    """
    ranges = {name: RANGES[name] for name in SEARCHED[step]}
    choices = []
    for number, (choice, keep) in enumerate(zip(before, keeps, strict=True)):
        kind = f"{GOAL}-{step}" + (f"-without-fold{number - 1}" if number else "")
        study = studies.open(kind, ranges)
        for count in run_building_trials(counter, keep, studies, study, ranges, list_params(choice, ranges), budget):
            report(kind, count)
        choices.append(counter.choose(find_setting(study), keep))
    return choices


def list_params(choice: Choice, ranges: Mapping[str, Any]) -> dict[str, Any]:
    """Return the choice's values of the parameters in `ranges`."""
    outlines = {} if choice.outlines is None else choice.outlines.model_dump()
    values = choice.recipe.model_dump() | outlines
    return {name: values[name] for name in ranges}


def judge_buildings(
    counter: BuildingCounter,
    weights: Mapping[str, int],
    thresholds: Sequence[Choice],
    studies: Studies,
    keeps: Sequence[np.ndarray],
    crossfit: CrossFit,
    budget: int,
    report: Callable[[str, int], None],
) -> Verdict:
    """Run the studies, and keep the nested steps that pay; their scores are building F1.

    The neutral recipe is threshold 128 alone, outlined as `submit` outlines what was not tuned.

    Args:
        counter: the tiles.
        weights: the blend that they are of.
        thresholds: as by `fit_thresholds`.
        studies, keeps, budget, report: as for `fit_study`.
        crossfit: whose training masks `keeps` are.
    """

    def make(choices: Sequence[Choice]) -> Fit:
        return make_fit(choices, [weights] * len(choices))

    chosen = {"threshold": list(thresholds)}
    for step in SEARCHED:
        before = list(chosen.values())[-1]
        chosen[step] = fit_study(counter, step, before, studies, keeps, budget, report)
    neutral = make([counter.choose(read_setting({}), keep) for keep in keeps])
    return judge_steps(neutral, {step: make(choices) for step, choices in chosen.items()}, crossfit, F1)


def open_last(studies: Studies) -> optuna.Study:
    """Return the study of all groups and of all parameters."""
    step, names = list(SEARCHED.items())[-1]
    return studies.open(f"{GOAL}-{step}", {name: RANGES[name] for name in names})
