"""Kills at every write, and at random moments: what goes on afterwards ends as if nothing had been."""

import random
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from campaign_runs import (
    Server,
    copy_run,
    hash_results,
    list_commands,
    list_strays,
    list_trainings,
    make_run,
    make_until,
    open_server,
    report,
)
from sqlalchemy import create_engine, text

INTERRUPTED = 130


@dataclass
class Kills:
    """Kills of commands, and what came of them.

    Attributes:
        server: runs the commands.
        base: holds the folders.
        commands: the command lines on a folder, by name.
        begin: called before a command is run to be killed.
        tried: how many commands were sent a signal.
        kills: how many of them it has ended; others had finished.
        unequal: what another result than the undisturbed one was, or another ending.
        strays: files that stay and should not.
    """

    server: Server
    base: Path
    commands: Callable[[Path], dict[str, list[object]]] = list_commands
    begin: Callable[[], object] = lambda: None
    tried: int = 0
    kills: int = 0
    unequal: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)

    def try_command(self, name: str, before: Path, events: Sequence[int], moments: Sequence[tuple[int, float]]) -> Path:
        """Kill a command at writes and at moments, (signal, share of the time it takes); return the whole results."""
        whole = copy_run(before, self.base / "work")
        argv = self.commands(whole)[name]
        ended = self.server.run(whole, *argv)
        assert ended.code == 0, ended.printed
        expected = hash_results(whole)
        wanted = events or range(1, ended.events + 1)
        kept = self.base / f"after {name}"
        whole.rename(kept)
        for event in wanted:
            if event <= ended.events:
                self.kill(name, before, expected, signal=signal.SIGKILL, event=event)
        for number, moment in moments:
            self.kill(name, before, expected, signal=number, after=moment)
        return kept

    def kill(self, name: str, before: Path, expected: dict[str, str], **end: float) -> None:
        """Kill a command once, run it again, and compare."""
        self.begin()
        self.tried += 1
        work = copy_run(before, self.base / "work")
        argv = self.commands(work)[name]
        killed = self.server.run(work, *argv, **end)
        self.kills += killed.code in (-signal.SIGKILL, -signal.SIGTERM, INTERRUPTED)
        begun = killed.printed or hash_results(work) != hash_results(before)
        if killed.code == -signal.SIGTERM and not begun:  # before there was any code of ours
            killed = replace(killed, code=INTERRUPTED)
        # at code 0 it has ended all the same: an interruption in C code that drops exceptions is told, and ignored
        if killed.code not in (0, -signal.SIGKILL, INTERRUPTED) or (killed.code and "Traceback" in killed.printed):
            self.unequal.append(f"{name} {end}: ended with {killed.code}: {killed.printed[-2000:]}")
        again = self.server.run(work, *argv)
        if again.code != 0:
            self.unequal.append(f"{name} {end}: the same command again gave {again.code}: {again.printed[-2000:]}")
        found = hash_results(work)
        self.unequal += [
            f"{name} {end}: {path}" for path in expected.keys() | found if expected.get(path) != found.get(path)
        ]
        self.strays += [f"{name} {end}: {path}" for path in list_strays(work)]


def draw_moments(draw: random.Random, kills: int, ends: int, longest: float) -> list[tuple[int, float]]:
    """Draw moments of SIGKILL and of SIGTERM, in seconds."""
    numbers = [signal.SIGKILL] * kills + [signal.SIGTERM] * ends
    return [(number, draw.uniform(0, longest)) for number in numbers]


def kill_one_of_two(kills: Kills, other: Server, name: str, before: Path, events: Sequence[int]) -> None:
    """Have two processes share the work, one of which is killed at a write; the other one ends it."""
    whole = copy_run(before, kills.base / "work")
    assert kills.server.run(whole, *kills.commands(whole)[name]).code == 0
    expected = hash_results(whole)
    for event in events:
        work = copy_run(before, kills.base / "work")
        argv = kills.commands(work)[name]
        other.start(work, *argv)
        kills.tried += 1
        kills.kills += kills.server.run(work, *argv, signal=signal.SIGKILL, event=event).code == -signal.SIGKILL
        ended = other.wait()
        if ended.code != 0:
            kills.unequal.append(f"{name}, one of two, {event}: {ended.code} {ended.printed[-2000:]}")
        found = hash_results(work)
        different = [path for path in expected.keys() | found if expected.get(path) != found.get(path)]
        kills.unequal += [f"{name}, one of two, {event}: {path}" for path in different if "/." not in path]
        again = kills.server.run(work, *argv)  # removes what the killed one had begun to write
        if again.code != 0:
            kills.unequal.append(f"{name}, one of two, {event}, again: {again.code} {again.printed[-2000:]}")
        kills.strays += [f"{name}, one of two, {event}: {path}" for path in list_strays(work)]


def check(kills: Kills, request: pytest.FixtureRequest) -> None:
    """Report figures, and check that nothing is wrong."""
    equal = kills.tried - len(kills.unequal)
    print("\n".join([*kills.unequal, *kills.strays]))
    report(request, "kills", kills=kills.kills, tried=kills.tried, equal=equal, strays=len(kills.strays))
    assert kills.unequal == []
    assert kills.strays == []


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", list_commands(Path()))
def test_kills(name: str, server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """At every write, and at random moments."""
    before = make_until(server, tmp_path / "made", name)
    kills, draw = Kills(server, tmp_path), random.Random(name)
    kills.try_command(name, before, [], draw_moments(draw, 14, 8, 1.0 if name == "tune" else 0.4))
    check(kills, request)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["predict", "predict scene", "tune"])
def test_kills_of_one_of_two(name: str, server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    before, kills = make_until(server, tmp_path / "made", name), Kills(server, tmp_path)
    with open_server(tmp_path / "other") as other:
        kill_one_of_two(kills, other, name, before, range(3, 60, 6))
    check(kills, request)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_kills_of_training(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    make_run(tmp_path / "made")
    with open_server(tmp_path / "server", "train") as server:
        kills = Kills(server, tmp_path, list_trainings)
        kills.try_command("train", tmp_path / "made", range(1, 500, 2), draw_moments(random.Random(0), 16, 8, 2.5))
    check(kills, request)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_kills_of_tuning_on_a_database(
    kind: str, server: Server, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    before = make_until(server, tmp_path / "made", "tune")
    database = None if kind == "sqlite" else request.getfixturevalue("postgresql")

    def list_tunings(folder: Path) -> dict[str, list[object]]:
        address = database or f"sqlite:///{folder}/run/s.db"
        return {"tune": [*list_commands(folder)["tune"], "--storage", address]}

    def clear() -> None:
        if database:
            engine = create_engine(database.replace("postgresql:", "postgresql+psycopg:"))
            with engine.begin() as connection:
                connection.execute(text("DROP SCHEMA public CASCADE"))
                connection.execute(text("CREATE SCHEMA public"))
            engine.dispose()

    kills = Kills(server, tmp_path, list_tunings, clear)
    kills.try_command("tune", before, range(2, 60, 7), draw_moments(random.Random(1), 10, 5, 2.0))
    check(kills, request)
