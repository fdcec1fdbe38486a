"""Storages: addresses, torn journals, turns, and a real PostgreSQL server."""

import multiprocessing
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.distributions import IntDistribution

from members.common.errors import InputError
from postproc.pipeline.recipe import Recipe
from postproc.search.exact import Choice
from postproc.study.storage import Address, mend_journal
from postproc.study.trials import Studies, list_complete, make_trial, name_setting, run_trials

RANGES = {"x": IntDistribution(0, 1000), "y": IntDistribution(0, 1000)}
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["postproc.study.trials"])


def fill(journal: Path, trials: int) -> optuna.Study:
    study = optuna.create_study(storage=Address(journal).open(), study_name="s", load_if_exists=True)
    study.add_trials([make_trial({"x": n, "y": n}, dict(RANGES), n / 10, 128) for n in range(trials)])
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
    study.add_trial(make_trial({"x": 7, "y": 7}, dict(RANGES), 0.7, 128))
    found = optuna.load_study(storage=Address(journal).open(), study_name="s")
    assert [trial.params["x"] for trial in found.trials] == [0, 1, 7]


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
        address = Address(f"postgresql://me:secret@127.0.0.1:{held.getsockname()[1]}/studies")
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


def test_studies_of_other_data_or_ranges_are_refused(tmp_path: Path) -> None:
    address = Address(tmp_path / "study.journal")
    Studies(address, "x", "data1", "maps1").open("pooled_iou", RANGES)
    content = (tmp_path / "study.journal").read_bytes()
    with pytest.raises(InputError, match=r"x-maps1-pooled_iou is of a run x on other data .*data1, this is data2"):
        Studies(address, "x", "data2", "maps1")
    with pytest.raises(InputError, match=r"study x-maps1-pooled_iou is of other ranges \(x\); give another --storage"):
        Studies(address, "x", "data1", "maps1").open("pooled_iou", RANGES | {"x": IntDistribution(0, 5)})
    assert (tmp_path / "study.journal").read_bytes() == content
    for run, data, maps in (("x", "data1", "maps2"), ("y", "data2", "maps2")):  # other maps, another run: side by side
        assert not Studies(address, run, data, maps).open("pooled_iou", RANGES).trials


# Several processes on one study


def find_program(name: str) -> str | None:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(installed[-1]) if installed else None)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of a throwaway PostgreSQL cluster on loopback; skips where PostgreSQL is not installed."""
    initdb, pg_ctl = find_program("initdb"), find_program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("no PostgreSQL here (initdb, pg_ctl): apt-get install postgresql")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="roofstack-pg", ignore_cleanup_errors=True) as folder:
        as_owner: list[str] = []
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            as_owner = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
        quiet = {"check": True, "cwd": folder, "stdout": subprocess.DEVNULL}
        cluster = f"{folder}/cluster"
        subprocess.run([*as_owner, initdb, "-D", cluster, "-U", "tuner", "-A", "trust", "--no-sync"], **quiet)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        control = [*as_owner, pg_ctl, "-D", cluster, "-w"]
        subprocess.run([*control, "-l", f"{folder}/log", "-o", options, "start"], **quiet)
        try:
            yield f"postgresql://tuner@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **quiet)


def score(params: dict[str, int]) -> Choice:
    """A hill with its top at (300, 700)."""
    value = 1 - abs(params["x"] - 300) / 1000 - abs(params["y"] - 700) / 1000
    return Choice(Recipe(threshold=77), value, None)  # type: ignore[arg-type]


def work(address: str, budget: int) -> None:
    """Bring the study to `budget` trials, as a process of its own."""
    studies = Studies(Address(address), "x", "data", "maps")
    study = studies.open("weights", RANGES)
    given = [{"x": 10 * n, "y": 5} for n in range(4)]
    for _ in run_trials(studies, study, dict(RANGES), given, budget, score):
        time.sleep(0.01)


def check_study(address: str, budget: int, processes: int) -> None:
    study = Studies(Address(address), "x", "data", "maps").open("weights", RANGES)
    trials = list_complete(study)
    assert budget <= len(trials) < budget + processes
    assert len({name_setting(trial.params) for trial in trials}) == len(trials)  # nothing tried twice
    assert {n for n in range(4) if {"x": 10 * n, "y": 5} in [t.params for t in trials]} == set(range(4))
    assert all(trial.value == score(trial.params).score for trial in trials)
    assert all(trial.user_attrs["threshold"] == 77 for trial in trials)


@pytest.mark.parametrize("kind", ["journal", "sqlite", "postgresql"])
def test_processes_share_a_study_without_loss_and_go_on_after_a_kill(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    address = {"journal": str(tmp_path / "s.journal"), "sqlite": f"sqlite:///{tmp_path / 's.db'}"}.get(kind)
    address = address or request.getfixturevalue("server")
    budget = 8
    workers = [PROCESSES.Process(target=work, args=(address, budget)) for _ in range(2)]
    victim = PROCESSES.Process(target=work, args=(address, 10_000))
    for process in (*workers, victim):
        process.start()
    workers[0].join()
    os.kill(victim.pid, signal.SIGKILL)
    for process in (*workers, victim):
        process.join()
    assert [process.exitcode for process in workers] == [0, 0]
    held = len(list_complete(Studies(Address(address), "x", "data", "maps").open("weights", RANGES)))
    work(address, held + 2)  # the same again with a larger budget goes on
    check_study(address, held + 2, 1)
