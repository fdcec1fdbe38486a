"""The nested steps of the study of whole buildings: threshold; and areas; and splits of buildings that touch."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna

from ensemble.statistics.crossfit import CrossFit
from members.common.progress import Progress, silent
from postproc.search.exact import Choice
from postproc.study.building_study import (
    OBJECTIVE,
    RANGES,
    BuildingCounter,
    choose_threshold,
    find_setting,
    make_pruner,
    read_setting,
)
from postproc.study.steps import Fit, make_fit
from postproc.study.studies import Studies
from postproc.study.trials import Task, name_study, run_trials
from postproc.study.verdict import Verdict, judge_steps

TRIALS = 50
THRESHOLDS = range(32, 225, 8)
SEARCHED = {
    "areas": ("threshold", "min_hole", "min_object"),
    "splits": ("threshold", "min_hole", "min_object", "split_level", "split_depth"),
}
"""Step -> the parameters of its studies. Each begins with what the step before has chosen."""


@dataclass(frozen=True)
class BuildingSearch:
    """What the steps are chosen with.

    Attributes:
        counter: the tiles.
        crossfit: which groups each choice may look at.
        studies: where the studies go.
        budget: trials of each study, those that are ended early among them.
        progress: shows how far each study is.
    """

    counter: BuildingCounter
    crossfit: CrossFit
    studies: Studies
    budget: int = TRIALS
    progress: Progress = silent


def judge_buildings(search: BuildingSearch, weights: Mapping[str, int]) -> tuple[Verdict, optuna.Study]:
    """Run the studies, and keep the nested steps that pay; their scores are building F1.

    The neutral recipe is threshold 128 alone, outlined as `submit` outlines what was not tuned.

    Args:
        search: the tiles, and how they are searched.
        weights: the blend that they are of.

    Returns:
        The verdict, and the study of all groups and all parameters.
    """
    fits = {"threshold": fit_thresholds(search)}
    for step in SEARCHED:
        fits[step], study = fit_study(search, step, before=list(fits.values())[-1])

    def make(choices: Sequence[Choice]) -> Fit:
        return make_fit(choices, [weights] * len(choices))

    masks = search.crossfit.training_masks
    neutral = make([search.counter.choose(read_setting({}), mask) for mask in masks])
    steps = {step: make(choices) for step, choices in fits.items()}
    return judge_steps(neutral, steps, search.crossfit, OBJECTIVE), study


def fit_thresholds(search: BuildingSearch) -> list[Choice]:
    """Choose a threshold for each training mask, out of every eighth: counted one by one, in half a minute."""
    for threshold in search.progress(THRESHOLDS, "thresholds", len(THRESHOLDS)):
        search.counter.collect(read_setting({"threshold": threshold}))
    return [choose_threshold(search.counter, mask, THRESHOLDS) for mask in search.crossfit.training_masks]


def fit_study(search: BuildingSearch, step: str, before: Sequence[Choice]) -> tuple[list[Choice], optuna.Study]:
    """Choose by a study for each training mask.

    Args:
        search: the tiles, and how they are searched.
        step: one of `SEARCHED`.
        before: what the step before has chosen for each.

    Returns:
        The choices, and the study of all groups.
    """
    ranges = {name: RANGES[name] for name in SEARCHED[step]}
    choices, studies = [], []
    for number, (choice, mask) in enumerate(zip(before, search.crossfit.training_masks, strict=True)):
        task = Task(
            kind=name_study(f"{OBJECTIVE}-{step}", number),
            ranges=ranges,
            first=[list_params(choice, ranges)],
            evaluate=functools.partial(search.counter.evaluate, training_mask=mask),
            pruner=make_pruner(),
        )
        study = run_trials(search.studies, task, search.budget, search.progress)
        choices.append(search.counter.choose(find_setting(study), mask))
        studies.append(study)
    return choices, studies[0]


def list_params(choice: Choice, ranges: Mapping[str, Any]) -> dict[str, Any]:
    """Return the choice's values of the parameters in `ranges`."""
    outlines = {} if choice.outlines is None else choice.outlines.model_dump()
    values = choice.recipe.model_dump() | outlines
    return {name: values[name] for name in ranges}
