"""The one loop of every study: ask for a setting, evaluate it part by part, end it where it is surely worse."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState, create_trial

from members.common.progress import Progress, silent
from postproc.study.studies import Studies

Params = Mapping[str, Any]
"""A setting: the value of each parameter."""


@dataclass(frozen=True)
class Evaluation:
    """What is known of a setting so far.

    Attributes:
        parts: scores of the parts of the tiles that were looked at, in an order that all settings share.
        value: the score on all tiles; None while parts are missing.
        attributes: what is written down with the trial besides, such as the best threshold.
    """

    parts: tuple[float, ...] = ()
    value: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Search:
    """What one study searches.

    Attributes:
        kind: names the study.
        ranges: of its parameters.
        first: the settings that it begins with, which are never ended early.
        evaluate: yields what is known of a setting after each of its parts, at last with its value; nothing at all
            where the setting means nothing.
        pruner: decides after each part whether a trial is ended; without it none is.
    """

    kind: str
    ranges: Mapping[str, BaseDistribution]
    first: Sequence[Params]
    evaluate: Callable[[Params], Iterator[Evaluation]]
    pruner: BasePruner | None = None


def name_study(kind: str, number: int) -> str:
    """Return the kind of the study for a training mask: 0 is of all groups, n of all but those of fold n - 1."""
    return kind if number == 0 else f"{kind}-without-fold{number - 1}"


def run_trials(studies: Studies, search: Search, budget: int, progress: Progress = silent) -> optuna.Study:
    """Bring a study to a number of trials.

    A trial counts when its setting was looked at: to the end, or until the pruner ended it. Neither those that a
    kill cut off count, nor settings that mean nothing. Several processes may work on one study at once; each may then
    add one trial more than asked for.

    Args:
        studies: where the study is, or is begun.
        search: what is searched.
        budget: how many trials are wanted, the first settings and those that the study already has among them.
        progress: is passed a number for each trial.
    """
    study = studies.open(search.kind, search.ranges, search.pruner)
    for _ in progress(add_trials(studies, study, search, budget), search.kind, budget):
        pass
    return study


def add_trials(studies: Studies, study: optuna.Study, search: Search, budget: int) -> Iterator[int]:
    """Bring a study to a number of trials, and yield the number of each, those that it already has included."""
    for params in search.first[:budget]:
        add_first(studies, study, search, params)
    shown = 0
    while (count := count_trials(study)) < budget:
        yield from range(shown, count)
        shown = count
        with studies.report_failure():
            trial = study.ask(dict(search.ranges))
        evaluate_trial(studies, study, search, trial)
    yield from range(shown, count)


def add_first(studies: Studies, study: optuna.Study, search: Search, params: Params) -> None:
    """Evaluate a setting to the end, unless the study holds it."""
    if holds_params(study, params):
        return
    evaluations = list(search.evaluate(params))
    if not evaluations:
        return
    trial = make_trial(params, search.ranges, evaluations[-1])
    with studies.take_turn():
        if not holds_params(study, params):  # another process may have been faster
            study.add_trial(trial)


def evaluate_trial(studies: Studies, study: optuna.Study, search: Search, trial: optuna.Trial) -> None:
    """Evaluate a trial part by part, to its end or until the pruner ends it."""
    reported = 0
    for evaluation in search.evaluate(trial.params):
        with studies.report_failure():
            for step in range(reported, len(evaluation.parts)):
                trial.report(evaluation.parts[step], step)
            reported = len(evaluation.parts)
            if evaluation.value is not None:
                for name, value in evaluation.attributes.items():
                    trial.set_user_attr(name, value)
                study.tell(trial, evaluation.value)
                return
            if trial.should_prune():
                break
    with studies.report_failure():
        study.tell(trial, state=TrialState.PRUNED)


def make_trial(params: Params, ranges: Mapping[str, BaseDistribution], evaluation: Evaluation) -> FrozenTrial:
    """Return the finished trial of a setting."""
    return create_trial(
        params=dict(params),
        distributions=dict(ranges),
        value=evaluation.value,
        intermediate_values=dict(enumerate(evaluation.parts)),
        user_attrs=dict(evaluation.attributes),
    )


def list_complete(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that were evaluated to the end."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def holds_params(study: optuna.Study, params: Params) -> bool:
    """Return whether a setting was evaluated to the end."""
    return any(trial.params == params for trial in list_complete(study))


def count_trials(study: optuna.Study) -> int:
    """Return how many trials count: those that were evaluated to the end, or in parts until the pruner ended them."""
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    return sum(trial.state == TrialState.COMPLETE or len(trial.intermediate_values) > 0 for trial in ended)
