"""The nested steps of the study of whole buildings: threshold; and areas; and splits of buildings that touch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ensemble.selection.blend import Blend
from postproc.polygons.tracing import trace_mask
from postproc.search.grid import Choice
from postproc.study.building_study import (
    F1,
    RANGES,
    BuildingCounter,
    choose_threshold,
    find_setting,
    read_setting,
    run_building_trials,
)
from postproc.study.fits import Fit, Task
from postproc.study.trials import Studies
from postproc.study.verdict import Verdict, judge_steps

THRESHOLDS = range(32, 225, 8)
SEARCHED = {
    "areas": ("threshold", "min_hole", "min_object"),
    "splits": ("threshold", "min_hole", "min_object", "split_level", "split_depth"),
}
"""Step -> the parameters of its studies. Each begins with what the step before has chosen."""


def read_counter(task: Task, blend: Blend) -> BuildingCounter:
    """Read a blend's maps, and trace the true buildings out of the masks.

    Raises:
        InputError: no mask has a building.
    """
    maps, truths = [], []
    for values, truth in task.read(blend, "reading maps"):
        maps.append(values)
        truths.append(trace_mask(truth))
    return BuildingCounter(maps, truths, task.groups)


def fit_thresholds(task: Task, counter: BuildingCounter) -> list[Choice]:
    """Choose a threshold for each training mask, out of every eighth: counted one by one, in half a minute."""
    for threshold in task.progress(THRESHOLDS, "thresholds", len(THRESHOLDS)):
        counter.collect(read_setting({"threshold": threshold}))
    return [choose_threshold(counter, mask, THRESHOLDS) for mask in task.crossfit.training_masks]


def fit_study(
    task: Task, counter: BuildingCounter, step: str, before: Sequence[Choice], studies: Studies, budget: int
) -> list[Choice]:
    """Choose by a study for each training mask.

    Args:
        task: what is tuned on, and for.
        counter: the tiles.
        step: one of `SEARCHED`.
        before: what the step before has chosen for each.
        studies: where the studies go.
        budget: trials of each study, those that are ended early among them.
    """
    ranges = {name: RANGES[name] for name in SEARCHED[step]}
    choices = []
    for number, (choice, mask) in enumerate(zip(before, task.crossfit.training_masks, strict=True)):
        kind = f"{F1}-{step}" + (f"-without-fold{number - 1}" if number else "")
        study = studies.open(kind, ranges)
        counts = run_building_trials(counter, mask, studies, study, ranges, list_params(choice, ranges), budget)
        for _ in task.progress(counts, kind, budget):
            pass
        choices.append(counter.choose(find_setting(study), mask))
    return choices


def list_params(choice: Choice, ranges: Mapping[str, Any]) -> dict[str, Any]:
    """Return the choice's values of the parameters in `ranges`."""
    outlines = {} if choice.outlines is None else choice.outlines.model_dump()
    values = choice.recipe.model_dump() | outlines
    return {name: values[name] for name in ranges}


def judge_buildings(task: Task, blend: Blend, open_studies: Callable[[], Studies], budget: int) -> tuple[Verdict, str]:
    """Run the studies, and keep the nested steps that pay; their scores are building F1.

    The neutral recipe is threshold 128 alone, outlined as `submit` outlines what was not tuned.

    Args:
        task: what is tuned on, and for.
        blend: of the maps.
        open_studies: opens where the studies go, as soon as the tiles are known to be good.
        budget: trials of each study.

    Returns:
        The verdict, and the name of the study of all groups and of all parameters.
    """
    counter = read_counter(task, blend)
    masks = task.crossfit.training_masks

    def make(choices: Sequence[Choice]) -> Fit:
        return Fit(tuple(choices), (blend,) * len(masks))

    chosen = {"threshold": fit_thresholds(task, counter)}
    studies = open_studies()
    for step in SEARCHED:
        before = list(chosen.values())[-1]
        chosen[step] = fit_study(task, counter, step, before, studies, budget)
    neutral = make([counter.choose(read_setting({}), mask) for mask in masks])
    verdict = judge_steps(neutral, {step: make(choices) for step, choices in chosen.items()}, task.crossfit, F1)
    step, names = list(SEARCHED.items())[-1]
    return verdict, studies.open(f"{F1}-{step}", {name: RANGES[name] for name in names}).study_name
