"""Storages: addresses, torn journals, and processes that share a study, on a real PostgreSQL server too."""

import contextlib
import multiprocessing
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import IntDistribution

from members.common.errors import InputError
from postproc.study.storage import Address, mend_journal
from postproc.study.studies import StoredStudies
from postproc.study.trials import Evaluation, Params, Search, list_complete, make_trial, run_trials

RANGES = {"x": IntDistribution(0, 1000), "y": IntDistribution(0, 1000)}
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["postproc.study.trials"])


def fill(journal: Path, trials: int) -> optuna.Study:
    study = optuna.create_study(storage=Address(journal).open(), study_name="s", load_if_exists=True)
    study.add_trials([make_trial({"x": n, "y": n}, RANGES, Evaluation(value=n / 10)) for n in range(trials)])
    return study


def test_journal_cut_at_any_byte_of_its_last_line_is_mended(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    fill(journal, 2)
    content = journal.read_bytes()
    last = content[:-1].rfind(b"\n") + 1
    for cut in range(last, len(content) + 1):
        journal.write_bytes(content[:cut])
        with journal.open("r+b") as file:
            mend_journal(file)
        assert journal.read_bytes() == (content if cut == len(content) else content[:last])


@pytest.mark.parametrize("torn", [1, 20, 60])
def test_line_torn_by_another_process_is_mended_before_the_next_is_written(tmp_path: Path, torn: int) -> None:
    journal = tmp_path / "study.journal"
    study = fill(journal, 2)
    line = journal.read_bytes().splitlines()[-1]
    with journal.open("ab") as file:
        file.write(line[:torn])  # another process dies while this one has the study open
    study.add_trial(make_trial({"x": 7, "y": 7}, RANGES, Evaluation(value=0.7)))
    found = optuna.load_study(storage=Address(journal).open(), study_name="s")
    assert [trial.params["x"] for trial in found.trials] == [0, 1, 7]


def test_a_stored_study_says_what_it_maximises(tmp_path: Path) -> None:
    """Other programs show that in place of "objective 0"."""
    studies = StoredStudies(Address(tmp_path / "study.journal"), "run", "data", "maps")
    for kind, name in (("mean_iou-weights-without-fold1", "mean IoU"), ("other", "other")):
        studies.open(kind, RANGES)
        assert studies.find(f"run-maps-{kind}").metric_names == [name]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("mysql://user@host/database", "is kept in a journal file, in sqlite:///FILE or in postgresql://"),
        ("sqlite://", "is kept in a journal file"),
        ("://", "not a database address"),
        ("/dev/null/study.journal", "a journal is a file in a folder"),
    ],
)
def test_addresses_that_are_none(address: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        Address(address)
    assert "\n" not in str(error.value)


def test_server_out_of_reach_is_one_line_without_the_password() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # a port that nobody listens at
        port = held.getsockname()[1]
        address = Address(f"postgresql://me:secret@127.0.0.1:{port}/studies?password=secret&sslpassword=secret")
        with pytest.raises(InputError, match="cannot be reached or used") as error:
            address.reach()
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_file_that_is_no_study_is_one_line_and_stays_as_it_is(tmp_path: Path) -> None:
    for name, address in (("notes.txt", "{}"), ("notes.db", "sqlite:///{}")):
        path = tmp_path / name
        path.write_text("not a study\n")
        with pytest.raises(InputError, match="cannot be reached or used"):
            Address(address.format(path)).open()
        assert path.read_text() == "not a study\n"


# Several processes on one study


def measure(params: Params) -> float:
    """Return the height of a hill with its top at (300, 700)."""
    return 1 - abs(params["x"] - 300) / 1000 - abs(params["y"] - 700) / 1000


def evaluate(params: Params) -> Iterator[Evaluation]:
    time.sleep(0.01)
    yield Evaluation(value=measure(params), attributes={"threshold": 77})


FIRST = [{"x": 10 * n, "y": 5} for n in range(4)]
SEARCH = Search("weights", RANGES, FIRST, evaluate)


def open_studies(address: str) -> StoredStudies:
    return StoredStudies(Address(address), "x", "data", "maps")


def work(address: str, budget: int) -> None:
    """Bring the study to `budget` trials, as a process of its own."""
    run_trials(open_studies(address), SEARCH, budget)


def check_study(address: str, budget: int) -> None:
    trials = list_complete(open_studies(address).open("weights", RANGES))
    assert len(trials) == budget
    params = [trial.params for trial in trials]
    assert all(params.count(each) == 1 for each in params)  # nothing tried twice
    assert all(each in params for each in FIRST)
    assert all(trial.value == measure(trial.params) for trial in trials)
    assert all(trial.user_attrs["threshold"] == 77 for trial in trials)


@pytest.mark.parametrize("told", range(4))
def test_a_study_that_a_kill_left_half_begun_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: int
) -> None:
    """Of what a study is of, any part may have been written down."""
    left, tell = [told], optuna.Study.set_user_attr

    def stop(study: optuna.Study, key: str, value: Any) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        tell(study, key, value)

    address = str(tmp_path / "s.journal")
    monkeypatch.setattr(optuna.Study, "set_user_attr", stop)
    with contextlib.suppress(KeyboardInterrupt):
        open_studies(address).open("weights", RANGES)
    monkeypatch.undo()
    study = open_studies(address).open("weights", RANGES)
    assert {"data", "run", "ranges"} == set(study.user_attrs)
    with pytest.raises(InputError, match="is of a run x on other data"):
        StoredStudies(Address(address), "x", "other data", "maps")


@pytest.mark.parametrize("kind", ["journal", pytest.param("sqlite", marks=pytest.mark.slow), "postgresql"])
def test_processes_share_a_study_without_loss_and_go_on_after_a_kill(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    address = {"journal": str(tmp_path / "s.journal"), "sqlite": f"sqlite:///{tmp_path / 's.db'}"}.get(kind)
    address = address or request.getfixturevalue("postgresql")
    budget = 8
    workers = [PROCESSES.Process(target=work, args=(address, budget)) for _ in range(2)]
    victim = PROCESSES.Process(target=work, args=(address, 10_000))
    for process in (*workers, victim):
        process.start()
    workers[0].join()
    victim.kill()
    for process in (*workers, victim):
        process.join()
    assert [process.exitcode for process in workers] == [0, 0]
    held = len(list_complete(open_studies(address).open("weights", RANGES)))
    assert held >= budget
    work(address, held + 2)  # the same again with a larger budget goes on
    check_study(address, held + 2)
