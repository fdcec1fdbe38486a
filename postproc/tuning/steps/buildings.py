"""The nested steps of the study of whole buildings: threshold; areas; splits of buildings that touch; object model."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ensemble.selection.blend import Blend
from members.common.choices import KeepName
from postproc.search.grid import Choice
from postproc.study.building_study import (
    OBJECTIVE,
    RANGES,
    BuildingCounter,
    choose_threshold,
    find_setting,
    make_pruner,
    read_setting,
)
from postproc.study.studies import Studies
from postproc.study.trials import Search, name_study, run_trials
from postproc.tuning.fits import Fit, Task
from postproc.tuning.places import Places, list_places
from postproc.tuning.steps.objects import fit_objects
from postproc.tuning.verdict import Verdict, add_step, judge_steps

THRESHOLDS = range(32, 225, 8)
SPLITS = ("split_contrast", "split_smoothing", "split_area", "split_depth")
SEARCHED = {
    "areas": ("threshold", "min_hole", "min_object"),
    "splits": ("threshold", "min_hole", "min_object", *SPLITS),
}
"""Step -> the parameters of its studies. Each begins with what the step before has chosen."""


def judge_buildings(
    task: Task, blend: Blend, open_studies: Callable[[], Studies], budget: int, keep: KeepName = "likely"
) -> tuple[Verdict, str]:
    """Run the studies, and keep the nested steps that pay; their scores are building F1.

    The neutral recipe is threshold 128 alone, outlined as `submit` outlines what was not tuned.

    Args:
        task: what is tuned on, and for.
        blend: of the maps.
        open_studies: opens where the studies go, as soon as the tiles are known to be good.
        budget: trials of each study.
        keep: how sure a gain has to be.

    Returns:
        The verdict, and the name of the study of all groups and of all parameters.

    Raises:
        InputError: there is no building in any truth, or the storage does not answer.
    """
    places = Places(task.samples, blend, list_places(task))
    groups = [task.groups[unit.numbers[0]] for unit in places.units]
    counter = BuildingCounter(places, groups, task.workers, task.progress)
    masks = task.crossfit.training_masks

    def make_fit(choices: Sequence[Choice]) -> Fit:
        return Fit(tuple(choices), (blend,) * len(masks))

    chosen = fit_thresholds(task, counter)
    fits = {"threshold": make_fit(chosen)}
    studies = open_studies()
    kind = f"{OBJECTIVE}-joined" if places.joined else OBJECTIVE  # the same settings have other scores there
    for step in SEARCHED:
        chosen, study = fit_study(task, counter, step, chosen, studies, budget, f"{kind}-{step}")
        fits[step] = make_fit(chosen)
    neutral = make_fit([counter.choose(read_setting({}), mask) for mask in masks])
    verdict = judge_steps(neutral, fits, task.crossfit, OBJECTIVE, keep)
    objects = fit_objects(task, counter, verdict.kept)
    return add_step(verdict, "objects", objects, task.crossfit, OBJECTIVE, keep) if objects else verdict, study


def fit_thresholds(task: Task, counter: BuildingCounter) -> list[Choice]:
    """Choose a threshold for each training mask, out of every eighth: counted one by one, in half a minute."""
    for threshold in task.progress(THRESHOLDS, "thresholds", len(THRESHOLDS)):
        counter.collect(read_setting({"threshold": threshold}))
    return [choose_threshold(counter, mask, THRESHOLDS) for mask in task.crossfit.training_masks]


def fit_study(
    task: Task,
    counter: BuildingCounter,
    step: str,
    before: Sequence[Choice],
    studies: Studies,
    budget: int,
    kind: str,
) -> tuple[list[Choice], str]:
    """Choose by a study for each training mask.

    Args:
        task: what is tuned on, and for.
        counter: the tiles.
        step: one of `SEARCHED`.
        before: what the step before has chosen for each.
        studies: where the studies go.
        budget: trials of each study, those that are ended early among them.
        kind: what the studies are named by.

    Returns:
        The choices, and the name of the study of all groups.
    """
    ranges = {name: RANGES[name] for name in SEARCHED[step]}
    choices, names = [], []
    for number, (choice, mask) in enumerate(zip(before, task.crossfit.training_masks, strict=True)):
        search = Search(
            kind=name_study(kind, number),
            ranges=ranges,
            first=[list_params(choice, ranges)],
            evaluate=functools.partial(counter.evaluate, training_mask=mask),
            pruner=make_pruner(),
        )
        study = run_trials(studies, search, budget, task.progress)
        choices.append(counter.choose(find_setting(study), mask))
        names.append(study.study_name)
    return choices, names[0]


def list_params(choice: Choice, ranges: Mapping[str, Any]) -> dict[str, Any]:
    """Return the choice's values of the parameters in `ranges`."""
    outlines = {} if choice.outlines is None else choice.outlines.model_dump()
    values = choice.recipe.model_dump() | outlines
    return {name: values[name] for name in ranges}
