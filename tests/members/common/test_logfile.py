"""What commands print is in the run's log file, each line with its time."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Outcome, write_raster, write_tiles

from members.common import console
from members.common.console import stderr, stdout, track
from members.common.logfile import LOG

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    LOG.open(tmp_path / "log.txt")
    return tmp_path / "log.txt"


def read_lines(path: Path) -> list[str]:
    """Lines without their times, which each must have."""
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d  (.*)"
    found = [re.fullmatch(time, line) for line in path.read_text().splitlines()]
    return [each[1] for each in found if each]


def test_lines_have_times_and_halves_wait(log: Path) -> None:
    LOG.write("one\ntwo, ")
    assert read_lines(log) == ["one"]
    LOG.write("the rest\n")
    assert read_lines(log) == ["one", "two, the rest"]
    LOG.close()
    LOG.write("no more\n")
    assert len(read_lines(log)) == 2


def test_what_is_printed_is_logged_too(log: Path, capfd: Capture) -> None:
    stdout.print("result")
    stderr.print("note")
    assert capfd.readouterr() == ("result\n", "note\n")
    assert read_lines(log) == ["result", "note"]


def test_a_line_a_minute_where_there_is_no_terminal(log: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(track(range(3), "tiles", 3)) == [0, 1, 2]
    assert capfd.readouterr().err == ""  # before the first minute is over
    monkeypatch.setattr(console, "PERIOD", 0.0)
    assert list(track(range(2), "tiles", 2)) == [0, 1]
    lines = ["tiles: 1 of 2 in 0 minutes, about 0 left", "tiles: 2 of 2 in 0 minutes"]
    assert capfd.readouterr().err.splitlines() == lines
    assert read_lines(log) == lines


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    LOG.open(tmp_path / "none/log.txt")
    LOG.write("line\n")
    assert not LOG.begun
    LOG.close()


def test_volume(roofstack: Callable[..., Outcome], tmp_path: Path) -> None:
    """Quiet leaves results and errors; verbose says where an error was raised."""
    data = write_tiles(tmp_path / "data", size=(32, 32))
    for path in sorted((data / "images").glob("*.tif")):
        write_raster(tmp_path / f"theirs/{path.stem}.png", np.full((32, 32), 128, np.uint8))
    arguments = ("maps", "import", "--data", data, "--part", "valid", "--member", "a", "--from", tmp_path / "theirs")
    loud = roofstack(*arguments, "--run", tmp_path / "loud")
    assert loud.err.startswith("warning: ")
    quiet = roofstack("--quiet", *arguments, "--run", tmp_path / "quiet")
    assert (quiet.code, quiet.err) == (0, "")
    assert quiet.out.startswith("6 maps of valid imported")
    assert read_lines(tmp_path / "quiet/log.txt")[-1].startswith("6 maps of valid imported")
    assert roofstack("--quiet", "submit", "--run", tmp_path / "none").err.startswith("error: ")
    failed = roofstack("--verbose", "submit", "--run", tmp_path / "none")
    assert "Traceback" in failed.err
    assert failed.err.splitlines()[-1].startswith("error: ")
