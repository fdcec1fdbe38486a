"""Some seconds of each campaign, which every run of the tests has; they share one process that forks."""

import random
import signal
from collections.abc import Callable
from pathlib import Path

from campaign_runs import Server, make_run, make_until
from test_cures import Cures, list_cases
from test_disks import try_flips, try_read_only
from test_inputs import Case, run_cases
from test_kills import Kills
from test_leaks import try_leaks


def test_a_few_kills(server: Server, tmp_path: Path) -> None:
    make_run(tmp_path / "made")
    kills = Kills(server, tmp_path)
    after = kills.try_command("predict", tmp_path / "made", [1, 4, 9, 16], [(signal.SIGTERM, 0.05)])
    kills.try_command("predict scene", after, [5, 30], [])
    assert kills.unequal == []
    assert kills.strays == []
    assert kills.kills >= 5


def test_some_inputs(server: Server, tmp_path: Path) -> None:
    def choose(cases: list[Case]) -> list[Case]:
        quick = [case for case in cases if case.argv[0] in ("predict", "submit", "maps", "train") and case.certain]
        return random.Random(1).sample(quick, 20)

    figures = run_cases(server, tmp_path, choose, tunes=False)
    assert figures.wrong == []
    assert figures.sockets == 0


def test_flipped_bits(server: Server, tmp_path: Path) -> None:
    kinds = ["weights", "maps", "blocks"]
    assert try_flips(server, tmp_path, 6, kinds, tunes=False) == (6, [], [])


def test_a_read_only_run(server: Server, tmp_path: Path, mount: Callable[[int], Path]) -> None:
    _, wrong = try_read_only(server, tmp_path / "base", mount, tunes=False)
    assert wrong == []


def test_some_leaks(server: Server, tmp_path: Path) -> None:
    names = ["another image", "folds that changed places", "a member of another run", "the record gone, to predict"]
    assert try_leaks(server, make_until(server, tmp_path / "made", "predict test"), tmp_path / "work", names) == (4, [])


def test_some_cures(server: Server, tmp_path: Path) -> None:
    cures = Cures(server, make_until(server, tmp_path / "made", "predict test"), tmp_path / "work")
    record, *_ = list_cases(cures.work)
    for damage in ("cut", "gone"):
        cures.take(record, damage)
    assert cures.wrong == []
