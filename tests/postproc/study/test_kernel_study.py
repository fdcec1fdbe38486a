"""The study of kernel settings holds each once, with its exact threshold."""

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution

from postproc.search.exact import search_kernels
from postproc.search.grid import Grid
from postproc.study.kernel_study import KERNEL_RANGES, list_params, read_recipe, record_grid
from postproc.study.studies import MemoryStudies


@pytest.fixture(scope="module")
def grid() -> Grid:
    rng = np.random.default_rng(3)
    truth = rng.random((4, 24, 24)) < 0.4
    tiles = [
        (np.where(t, rng.integers(90, 255, t.shape), rng.integers(0, 160, t.shape)).astype(np.uint8), t) for t in truth
    ]
    return search_kernels(tiles, ["a", "a", "b", "b"], largest=5)


def test_every_setting_is_one_trial_with_its_exact_threshold(grid: Grid) -> None:
    study = record_grid(MemoryStudies(), grid, "pooled_iou")
    assert len(study.trials) == len(grid.recipes)
    scores = grid.counts.score("pooled_iou")
    for index, trial in enumerate(study.trials):
        recipe = grid.recipes[index]
        assert trial.params == {
            "order": recipe.order, "kernel": recipe.kernel, "close": recipe.close, "open": recipe.open
        }  # fmt: skip
        assert trial.value == scores[index].max() == scores[index, trial.user_attrs["threshold"] - 1]
    assert study.best_value == scores.max()


def test_recording_again_adds_what_is_missing(grid: Grid) -> None:
    studies = MemoryStudies()
    assert len(record_grid(studies, grid.take(range(5)), "pooled_iou").trials) == 5
    for _ in range(2):
        study = record_grid(studies, grid, "pooled_iou")
        assert [read_recipe(trial.params) for trial in study.trials] == list(grid.recipes)


def test_ranges_hold_every_kernel_setting(grid: Grid) -> None:
    for recipe in grid.recipes:
        for name, value in list_params(recipe).items():
            distribution = KERNEL_RANGES[name]
            if isinstance(distribution, CategoricalDistribution):
                assert value in distribution.choices
            else:
                assert distribution._contains(value)
