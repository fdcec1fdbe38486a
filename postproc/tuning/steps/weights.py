"""The step of blend weights: an Optuna study for each training mask of the first deal finds them."""

import functools
from collections.abc import Callable

import numpy as np

from ensemble.selection.blend import Blend
from postproc.search.grid import Grid
from postproc.study.kept_tiles import KeptTiles
from postproc.study.studies import Studies
from postproc.study.trials import Search, list_complete, name_study, run_trials
from postproc.study.weights import Stack, find_best, make_first, make_ranges
from postproc.tuning.fits import Task


def find_blends(
    task: Task, given: Blend, grid: Grid, open_studies: Callable[[], Studies], budget: int
) -> tuple[list[Blend], str]:
    """Find blend weights by a study for each training mask of the first deal.

    Args:
        task: what is tuned on, and for.
        given: the blend as given.
        grid: of the first flat step on the given blend.
        open_studies: opens where the studies go.
        budget: trials of each study.

    Returns:
        A blend for each training mask of the first deal, and the name of the study of all groups.
    """
    stack = read_stack(task, given)
    members, studies = tuple(given.weights), open_studies()
    blends, names = [], []
    for number, mask in enumerate(task.crossfit.take(1).training_masks):
        search = Search(
            kind=name_study(f"{task.objective}-weights", number),
            ranges=make_ranges(given.weights),
            first=make_first(given.weights, grid.choose(task.objective, mask).recipe),
            evaluate=functools.partial(stack.evaluate, members=members, training_mask=mask),
        )
        study = run_trials(studies, search, budget, task.progress)
        best = find_best(list_complete(study), members)
        blends.append(Blend(dict(zip(members, best, strict=True)), given.tables))
        names.append(study.study_name)
    return blends, names[0]


def read_stack(task: Task, blend: Blend) -> Stack:
    """Stack all tiles' maps, calibrated as the blend says."""
    samples = task.samples

    def read(number: int) -> tuple[np.ndarray, np.ndarray]:
        maps, truth = samples[number]
        pairs = zip(blend.weights, maps, strict=True)
        return np.stack([blend.calibrate(member, values) for member, values in pairs]), truth

    return Stack(KeptTiles(len(samples), read), task.groups, task.objective, task.workers)
