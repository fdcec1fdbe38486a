"""Studies by the name of what they search: in a storage that processes share, or in memory."""

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner
from optuna.storages import BaseStorage, InMemoryStorage

from ensemble.statistics.metrics import METRICS
from members.common.errors import InputError
from postproc.study.sampler import NumberedSampler
from postproc.study.storage import Address, quieten


class Studies(Protocol):
    """The studies of one tuning."""

    def open(self, kind: str, ranges: Mapping[str, BaseDistribution], pruner: BasePruner | None = None) -> optuna.Study:
        """Open or begin a study that maximises.

        Args:
            kind: what it searches; one study each.
            ranges: of its parameters.
            pruner: what may end its trials early; without it nothing does.

        Raises:
            InputError: the storage does not answer, or its study is of other ranges.
        """

    def take_turn(self) -> contextlib.AbstractContextManager[None]:
        """Keep other processes from looking what is missing and adding it at the same time."""

    def report_failure(self) -> contextlib.AbstractContextManager[None]:
        """Turn what a storage raises that does not answer into an InputError."""


class MemoryStudies:
    """Studies that are this process's own and end with it."""

    def __init__(self) -> None:
        self.storage = InMemoryStorage()

    def open(self, kind: str, ranges: Mapping[str, BaseDistribution], pruner: BasePruner | None = None) -> optuna.Study:
        """Open or begin a study that maximises; the arguments are as for `Studies`."""
        return open_study(self.storage, kind, pruner)

    def take_turn(self) -> contextlib.AbstractContextManager[None]:
        """Do nothing: there is no other process."""
        return contextlib.nullcontext()

    def report_failure(self) -> contextlib.AbstractContextManager[None]:
        """Do nothing: memory always answers."""
        return contextlib.nullcontext()


class StoredStudies:
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
        self.storage = address.open()
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

    def open(self, kind: str, ranges: Mapping[str, BaseDistribution], pruner: BasePruner | None = None) -> optuna.Study:
        """Open or begin a study that maximises; the arguments are as for `Studies`."""
        name = f"{self.run}-{self.maps}-{kind}"
        wanted = {parameter: repr(distribution) for parameter, distribution in sorted(ranges.items())}
        with self.take_turn():
            held = self.list_attributes().get(name, {}).get("ranges")
            if held is None:
                study = open_study(self.storage, name, pruner)
                # the data before the run, the ranges last: whenever a kill comes, the study can be taken up
                name_objective(study, kind)
                for key, value in {"data": self.data, "run": self.run, "ranges": wanted}.items():
                    study.set_user_attr(key, value)
                return study
        if held != wanted:
            different = sorted(key for key in held.keys() | wanted.keys() if held.get(key) != wanted.get(key))
            raise InputError(
                f"--storage {self.address}: study {name} is of other ranges ({', '.join(different)}); "
                "give another --storage, or move this one away"
            )
        with self.report_failure():
            return open_study(self.storage, name, pruner)

    def find(self, name: str) -> optuna.Study:
        """Return the study of a name that is there."""
        with self.report_failure():
            return optuna.load_study(study_name=name, storage=self.storage)

    @contextlib.contextmanager
    def take_turn(self) -> Iterator[None]:
        """Keep other processes from looking what is missing and adding it at the same time."""
        with self.address.report_failure(), self.address.take_turn():
            yield

    def report_failure(self) -> contextlib.AbstractContextManager[None]:
        """Turn what the storage raises into an InputError."""
        return self.address.report_failure()


def name_objective(study: optuna.Study, kind: str) -> None:
    """Call what a study maximises by its name, which programs that show it would call objective 0."""
    metric = next((metric for name, metric in METRICS.items() if kind.startswith(name)), None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names([metric.title if metric else kind])


def open_study(storage: BaseStorage, name: str, pruner: BasePruner | None) -> optuna.Study:
    """Open or begin the study of a name."""
    with quieten():
        return optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            sampler=NumberedSampler(),
            pruner=pruner or NopPruner(),
        )
