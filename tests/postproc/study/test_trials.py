"""The loop of trials: its budget, its pruner, and that a study goes on as it would have."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import IntDistribution
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

from postproc.study.storage import Address
from postproc.study.studies import MemoryStudies, StoredStudies, Studies
from postproc.study.trials import Evaluation, Params, Search, count_trials, list_complete, run_trials

RANGES = {"x": IntDistribution(0, 1000)}


def measure(params: Params) -> float:
    return 1 - abs(params["x"] - 300) / 1000


def evaluate(params: Params) -> Iterator[Evaluation]:
    yield Evaluation(value=measure(params), attributes={"threshold": params["x"] % 256})


def evaluate_parts(params: Params) -> Iterator[Evaluation]:
    """Three parts of equal score."""
    parts: tuple[float, ...] = ()
    for _ in range(2):
        parts = (*parts, measure(params))
        yield Evaluation(parts)
    yield Evaluation((*parts, measure(params)), measure(params))


class FarOff(BasePruner):
    """Ends what is further from the top than 200, after its second part."""

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        return len(trial.intermediate_values) == 2 and trial.intermediate_values[1] < 0.8


def list_params(studies: Studies, budget: int, search: Search) -> list[dict[str, Any]]:
    return [trial.params for trial in list_complete(run_trials(studies, search, budget))]


def test_it_begins_with_the_given_settings_and_learns() -> None:
    search = Search("weights", RANGES, [{"x": 5}, {"x": 900}], evaluate)
    study = run_trials(MemoryStudies(), search, 30)
    xs = [trial.params["x"] for trial in study.trials]
    assert len(xs) == 30
    assert xs[:2] == [5, 900]
    assert min(abs(x - 300) for x in xs) < 30
    assert all((trial.value, trial.user_attrs["threshold"]) == (measure(trial.params), trial.params["x"] % 256)
               for trial in study.trials)  # fmt: skip


def test_study_that_was_stopped_goes_on_as_it_would_have(tmp_path: Path) -> None:
    search = Search("weights", RANGES, [{"x": 5}], evaluate)
    all_at_once = list_params(MemoryStudies(), 20, search)
    for budget in (1, 13, 14, 20, 3):
        studies = StoredStudies(Address(tmp_path / "study.journal"), "x", "data", "maps")
        stopped = list_params(studies, budget, search)
        assert stopped == all_at_once[: max(budget, len(stopped))]
    assert len(stopped) == 20  # has what is wanted


def test_settings_that_mean_nothing_do_not_count() -> None:
    def evaluate_some(params: Params) -> Iterator[Evaluation]:
        if params["x"] % 3:
            yield from evaluate(params)

    study = run_trials(MemoryStudies(), Search("weights", RANGES, [{"x": 3}], evaluate_some), 12)
    assert len(list_complete(study)) == count_trials(study) == 12
    assert all(trial.params["x"] % 3 for trial in list_complete(study))


def test_what_the_pruner_ends_counts_and_what_is_given_is_never_ended() -> None:
    study = run_trials(MemoryStudies(), Search("areas", RANGES, [{"x": 800}], evaluate_parts, FarOff()), 12)
    assert len(study.trials) == count_trials(study) == 12
    for trial in study.trials[1:]:
        ended = measure(trial.params) < 0.8
        assert (trial.state == TrialState.PRUNED) == ended
        assert len(trial.intermediate_values) == (2 if ended else 3)
    assert {trial.state for trial in study.trials[1:]} == {TrialState.PRUNED, TrialState.COMPLETE}
    first = study.trials[0]
    assert (first.state, first.value, first.intermediate_values) == (TrialState.COMPLETE, 0.5, {0: 0.5, 1: 0.5, 2: 0.5})


def test_trial_that_a_kill_cut_off_does_not_count() -> None:
    studies, search = MemoryStudies(), Search("weights", RANGES, [], evaluate)
    run_trials(studies, search, 2).ask(dict(RANGES))
    study = run_trials(studies, search, 4)
    assert [trial.state for trial in study.trials][2] == TrialState.RUNNING
    assert count_trials(study) == 4


def test_progress_is_passed_every_trial_once() -> None:
    studies, search = MemoryStudies(), Search("weights", RANGES, [{"x": 5}, {"x": 6}], evaluate)
    run_trials(studies, search, 4)
    seen: list[tuple[str, int, list[int]]] = []

    def watch(items: Any, description: str, total: int) -> Any:
        seen.append((description, total, []))
        for item in items:
            seen[-1][2].append(item)
            yield item

    run_trials(studies, search, 7, watch)
    assert seen == [("weights", 7, list(range(7)))]
