"""The Optuna studies: every kernel setting of the grid as a trial, and trials that pick blend weights too.

In either kind the threshold is no parameter: the best of all 255 is found exactly inside the trial.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from ensemble.statistics.metrics import Objective
from members.common.errors import InputError
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.steps import KERNEL_SHAPES, LARGEST_KERNEL, ORDERS
from postproc.search.grid import Choice, Grid
from postproc.study.storage import Address

SEED = 42
SIZES = IntDistribution(1, LARGEST_KERNEL, step=2)
DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "order": CategoricalDistribution(ORDERS),
    "kernel": CategoricalDistribution(tuple(KERNEL_SHAPES)),
    "close": SIZES,
    "open": SIZES,
}


class NumberedSampler(BaseSampler):
    """TPE (Bergstra et al. 2011, NeurIPS) whose random numbers follow from the trial's number.

    So processes that share a study don't all try the same, and a study that was killed goes on as it would have.
    """

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return sample_by(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return sample_by(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        # each parameter has random numbers of its own: with the same ones they would all rise and fall together
        place = sum(param_name.encode())
        return sample_by(trial, place).sample_independent(study, trial, param_name, param_distribution)


def sample_by(trial: FrozenTrial, place: int = 0) -> TPESampler:
    """Return the sampler of one trial."""
    return TPESampler(seed=int(np.random.SeedSequence((SEED, trial.number, place)).generate_state(1)[0]))


class Studies:
    """The studies of one run on one storage.

    Args:
        address: of the storage.
        run: the run's name; the studies' names begin with it.
        data: fingerprint of the data set that the run is of.
        maps: fingerprint of the maps and groups that are tuned on; the studies' names hold it.

    Raises:
        InputError: the storage cannot be reached, or holds studies of a run of that name on other data.
    """

    def __init__(self, address: Address, run: str, data: str, maps: str) -> None:
        self.address, self.run, self.data, self.maps = address, run, data, maps
        self.storage: BaseStorage = address.open()
        with address.report_failure():
            held = self.list_attributes()
        for name, attributes in held.items():
            if attributes.get("run") == run and attributes.get("data") != data:
                raise InputError(
                    f"--storage {address}: its study {name} is of a run {run} on other data (fingerprint "
                    f"{attributes.get('data')}, this is {data}); give another --storage, or rename the run"
                )

    def list_attributes(self) -> dict[str, dict[str, Any]]:
        """Return the attributes of all studies on the storage, by name."""
        return {study.study_name: study.user_attrs for study in self.storage.get_all_studies()}

    def open(self, kind: str, ranges: Mapping[str, BaseDistribution]) -> optuna.Study:
        """Open or begin a study that maximises.

        Args:
            kind: the rest of its name.
            ranges: of its parameters.

        Raises:
            InputError: the storage does not answer, or the study is of other ranges.
        """
        name = f"{self.run}-{self.maps}-{kind}"
        wanted = {parameter: repr(distribution) for parameter, distribution in sorted(ranges.items())}
        with self.take_turn():
            attributes = self.list_attributes().get(name)
            held = wanted if attributes is None else attributes.get("ranges", wanted)
            if held == wanted:
                study = optuna.create_study(
                    storage=self.storage,
                    study_name=name,
                    direction="maximize",
                    load_if_exists=True,
                    sampler=NumberedSampler(),
                )
                if attributes is None or "ranges" not in attributes:
                    for key, value in {"run": self.run, "data": self.data, "ranges": wanted}.items():
                        study.set_user_attr(key, value)
        if held != wanted:
            different = sorted(key for key in held.keys() | wanted.keys() if held.get(key) != wanted.get(key))
            raise InputError(
                f"--storage {self.address}: study {name} is of other ranges ({', '.join(different)}); "
                "give another --storage, or move this one away"
            )
        return study

    @contextlib.contextmanager
    def take_turn(self) -> Iterator[None]:
        """Keep other processes from looking what is missing and adding it at the same time."""
        with self.address.report_failure(), self.address.take_turn():
            yield


class MemoryStudies(Studies):
    """Studies that are gone with the process, for one process alone."""

    def __init__(self) -> None:
        self.address, self.run, self.data, self.maps = MemoryAddress(), "tuning", "", ""
        self.storage = optuna.storages.InMemoryStorage()


class MemoryAddress(Address):
    """No address: nobody else is there, and nothing fails."""

    def __init__(self) -> None:
        pass

    def __str__(self) -> str:
        return "memory"

    @contextlib.contextmanager
    def take_turn(self) -> Iterator[None]:
        yield

    @contextlib.contextmanager
    def report_failure(self) -> Iterator[None]:
        yield


def find_study(studies: "Studies", name: str) -> optuna.Study:
    """Return the study of a name that is there."""
    return optuna.load_study(study_name=name, storage=studies.storage)


def list_complete(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that have a score."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def record_grid(studies: Studies, study: optuna.Study, grid: Grid, objective: Objective) -> int:
    """Add a trial for every recipe of the grid that the study does not hold yet; returns how many."""
    scores = grid.counts.score(objective).max(axis=-1)
    with studies.take_turn():
        held = {name_setting(trial.params) for trial in list_complete(study)}
        missing = []
        for place, recipe in enumerate(grid.recipes):
            params = {name: getattr(recipe, name) for name in DISTRIBUTIONS}
            if name_setting(params) not in held:
                threshold = grid.take([place]).choose(objective).recipe.threshold
                missing.append(make_trial(params, DISTRIBUTIONS, float(scores[place]), threshold))
        study.add_trials(missing)
    return len(missing)


def make_trial(
    params: dict[str, Any], distributions: dict[str, BaseDistribution], value: float, threshold: int
) -> FrozenTrial:
    """Return a finished trial with its exact threshold."""
    return optuna.trial.create_trial(
        params=params, distributions=distributions, value=value, user_attrs={"threshold": threshold}
    )


def name_setting(params: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return what tells one setting from another."""
    return tuple(sorted(params.items()))


def run_trials(
    studies: Studies,
    study: optuna.Study,
    distributions: dict[str, BaseDistribution],
    given: Sequence[dict[str, Any]],
    budget: int,
    score: Callable[[dict[str, Any]], Choice | None],
) -> Iterator[int]:
    """Bring a study to a number of scored trials, and yield how many it has, again and again.

    Several processes may do so at once; each may then add one trial more than asked for.

    Args:
        studies: where the study is.
        study: what is searched.
        distributions: of its parameters.
        given: settings to be scored first.
        budget: how many trials are wanted, the given ones among them.
        score: returns a setting's best threshold and score; None where the setting means nothing.
    """
    with studies.take_turn():
        held = {name_setting(trial.params) for trial in list_complete(study)}
        for params in given[:budget]:
            choice = score(params) if name_setting(params) not in held else None
            if choice is not None:
                study.add_trial(make_trial(params, distributions, choice.score, choice.recipe.threshold))
    while (count := len(list_complete(study))) < budget:
        yield count
        with studies.address.report_failure():
            trial = study.ask(distributions)
        choice = score(trial.params)
        with studies.address.report_failure():
            if choice is None:
                study.tell(trial, state=TrialState.PRUNED)
            else:
                trial.set_user_attr("threshold", choice.recipe.threshold)
                study.tell(trial, choice.score)
    yield count


def read_recipe(params: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a trial's parameters, in its normal form, its threshold left at the default."""
    return Recipe(**{name: params[name] for name in DISTRIBUTIONS}).normalise()
