"""The kernel settings of the exact search as trials of a study, for whoever looks at studies; nothing is sampled."""

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from members.common.choices import Objective
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.steps import KERNEL_SHAPES, LARGEST_KERNEL, ORDERS
from postproc.search.grid import Grid
from postproc.study.studies import Studies
from postproc.study.trials import Evaluation, Params, list_complete, make_trial

SIZES = IntDistribution(1, LARGEST_KERNEL, step=2)
KERNEL_RANGES: Mapping[str, BaseDistribution] = {
    "order": CategoricalDistribution(ORDERS),
    "kernel": CategoricalDistribution(tuple(KERNEL_SHAPES)),
    "close": SIZES,
    "open": SIZES,
}
"""The threshold is no parameter: the best of all 255 is found exactly inside the trial."""


def record_grid(studies: Studies, grid: Grid, objective: Objective) -> optuna.Study:
    """Return the study of an objective with a trial for every recipe of the grid, at its best threshold."""
    study = studies.open(objective, KERNEL_RANGES)
    scores = grid.counts.score(objective).max(axis=-1)
    with studies.take_turn():
        held = [trial.params for trial in list_complete(study)]
        missing = []
        for index, recipe in enumerate(grid.recipes):
            params = list_params(recipe)
            if params not in held:
                threshold = grid.take([index]).choose(objective).recipe.threshold
                evaluation = Evaluation(value=float(scores[index]), attributes={"threshold": threshold})
                missing.append(make_trial(params, KERNEL_RANGES, evaluation))
        study.add_trials(missing)
    return study


def list_params(recipe: Recipe) -> dict[str, Any]:
    """Return the parameters of a trial that stands for a recipe."""
    return {name: getattr(recipe, name) for name in KERNEL_RANGES}


def read_recipe(params: Params) -> Recipe:
    """Return the recipe of a trial's parameters, in its normal form, its threshold left at the default."""
    return Recipe(**{name: params[name] for name in KERNEL_RANGES}).normalise()
