"""The study of kernel settings holds each once, with its exact threshold."""

import numpy as np
import pytest

from ensemble.statistics.counts import THRESHOLDS, Counts
from postproc.pipeline.recipe import Recipe
from postproc.search.grid import Grid
from postproc.study.kernel_study import list_params, read_recipe, record_grid
from postproc.study.studies import MemoryStudies

RECIPES = (
    Recipe(),
    Recipe(close=3),
    Recipe(open=3, kernel="ellipse"),
    Recipe(close=15, open=3),
    Recipe(close=5, open=7, order="open-close", kernel="ellipse"),
)


@pytest.fixture
def grid() -> Grid:
    """Counts of two groups, of which no two settings or thresholds score the same."""
    shape = (2, len(RECIPES), THRESHOLDS)
    union = 10_000 + np.random.default_rng(3).permutation(np.prod(shape)).reshape(shape)
    sums = {"intersection": np.full(shape, 9_000), "union": union}
    return Grid(RECIPES, Counts(("a", "b"), np.array([1, 1]), sums))


def test_every_setting_is_one_trial_with_its_exact_threshold(grid: Grid) -> None:
    study = record_grid(MemoryStudies(), grid, "pooled_iou")
    scores = grid.counts.score("pooled_iou")
    assert [trial.params for trial in study.trials][-1] == {
        "order": "open-close", "kernel": "ellipse", "close": 5, "open": 7
    }  # fmt: skip
    for index, trial in enumerate(study.trials):
        assert read_recipe(trial.params) == RECIPES[index]
        assert trial.value == scores[index].max() == scores[index, trial.user_attrs["threshold"] - 1]
    assert study.best_value == scores.max()


def test_recording_again_adds_what_is_missing(grid: Grid) -> None:
    studies = MemoryStudies()
    assert len(record_grid(studies, grid.take(range(2)), "pooled_iou").trials) == 2
    for _ in range(2):
        study = record_grid(studies, grid, "pooled_iou")
        assert [read_recipe(trial.params) for trial in study.trials] == list(RECIPES)


def test_parameters_of_a_recipe_are_read_back() -> None:
    assert all(read_recipe(list_params(recipe)) == recipe for recipe in RECIPES)
    assert read_recipe(list_params(Recipe(threshold=90, min_hole=8))) == Recipe()  # of kernels alone
