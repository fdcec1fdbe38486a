"""The study holds every setting once, and its trials follow from their numbers."""

from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import IntDistribution

from postproc.pipeline.recipe import Recipe
from postproc.search.exact import Choice, Grid, search_kernels
from postproc.study.storage import Address
from postproc.study.trials import DISTRIBUTIONS, Studies, list_complete, record_grid, run_trials

RANGES = {"x": IntDistribution(0, 1000)}


def score(params: dict[str, int]) -> Choice:
    return Choice(Recipe(), 1 - abs(params["x"] - 300) / 1000, None)  # type: ignore[arg-type]


def open_study(journal: Path) -> tuple[Studies, optuna.Study]:
    studies = Studies(Address(journal), "x", "data", "maps")
    return studies, studies.open("pooled_iou", DISTRIBUTIONS)


@pytest.fixture(scope="module")
def grid() -> Grid:
    rng = np.random.default_rng(3)
    truth = rng.random((4, 24, 24)) < 0.4
    tiles = [
        (np.where(t, rng.integers(90, 255, t.shape), rng.integers(0, 160, t.shape)).astype(np.uint8), t) for t in truth
    ]
    return search_kernels(tiles, ["a", "a", "b", "b"], largest=5)


def test_every_setting_is_one_trial_with_its_exact_threshold(grid: Grid, tmp_path: Path) -> None:
    studies, study = open_study(tmp_path / "study.journal")
    assert record_grid(studies, study, grid, "pooled_iou") == len(grid.recipes) == len(study.trials)
    scores = grid.counts.score("pooled_iou")
    for place, trial in enumerate(study.trials):
        recipe = grid.recipes[place]
        assert trial.params == {
            "order": recipe.order, "kernel": recipe.kernel, "close": recipe.close, "open": recipe.open
        }  # fmt: skip
        assert trial.value == scores[place].max() == scores[place, trial.user_attrs["threshold"] - 1]
    assert study.best_value == scores.max()


def test_recording_again_adds_nothing(grid: Grid, tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    record_grid(*open_study(journal), grid.take(range(5)), "pooled_iou")
    studies, study = open_study(journal)
    assert record_grid(studies, study, grid, "pooled_iou") == len(grid.recipes) - 5
    assert record_grid(studies, study, grid, "pooled_iou") == 0
    assert len(study.trials) == len(grid.recipes)


def test_study_that_was_stopped_goes_on_as_it_would_have(tmp_path: Path) -> None:
    def run(journal: Path, budget: int) -> list[dict[str, int]]:
        studies, _ = open_study(journal)
        study = studies.open("weights", RANGES)
        list(run_trials(studies, study, dict(RANGES), [{"x": 5}], budget, score))
        return [trial.params for trial in list_complete(study)]

    whole = run(tmp_path / "whole.journal", 30)
    for budget in (1, 13, 14, 30):
        stopped = run(tmp_path / "stopped.journal", budget)
        assert stopped == whole[:budget]
    assert whole[0] == {"x": 5}
    assert min(abs(params["x"] - 300) for params in whole) < 30  # it learns


def test_settings_that_mean_nothing_do_not_count(tmp_path: Path) -> None:
    studies, _ = open_study(tmp_path / "study.journal")
    study = studies.open("weights", RANGES)
    list(run_trials(studies, study, dict(RANGES), [], 12, lambda p: score(p) if p["x"] % 3 else None))
    assert len(list_complete(study)) == 12
    assert all(trial.params["x"] % 3 for trial in list_complete(study))
