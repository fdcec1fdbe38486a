"""What the terminal shows: one line for each warning and error, and the exit code of each ending."""

import errno
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from conftest import ROOT
from rich.console import Console

from members.common import console as module
from members.common.console import run_app, run_command, stderr, stdout, track, warn
from members.common.errors import InputError

Capture = pytest.CaptureFixture[str]


def end(
    monkeypatch: pytest.MonkeyPatch, capfd: Capture, command: Callable[..., Any], *arguments: str
) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a function as a command line."""
    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command)
    with pytest.raises(SystemExit) as ending:
        run_app(app)
    captured = capfd.readouterr()
    return int(ending.value.code or 0), captured.out, captured.err


def test_a_warning_is_one_line_as_it_is(capfd: Capture) -> None:
    warn("/data/[old]/a:smile:.tif " + 40 * "long ")
    assert capfd.readouterr().err == "warning: /data/[old]/a:smile:.tif " + 40 * "long " + "\n"


def test_paths_are_printed_as_they_are(capfd: Capture) -> None:
    for console in (stdout, stderr):
        console.print("/data/[bold]/:smile:/a.tif")
    assert capfd.readouterr() == ("/data/[bold]/:smile:/a.tif\n",) * 2


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("pip install 'roofstack[cpu]', [gpu] or [jax]", "error: pip install 'roofstack[cpu]', [gpu] or [jax]\n"),
        ("a.tif: first line\nsecond line", "error: a.tif: first line second line\n"),
        ("a.tif: " + 60 * "long ", "error: a.tif: " + 60 * "long " + "\n"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capfd: Capture, message: str, line: str
) -> None:
    def command() -> None:
        raise InputError(message)

    assert end(monkeypatch, capfd, command) == (2, "", line)


def test_other_endings(monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    def greet(name: str) -> None:
        if name == "stop":
            raise KeyboardInterrupt
        if name == "bug":
            raise ZeroDivisionError
        print(f"hello {name}")

    assert end(monkeypatch, capfd, greet, "you") == (0, "hello you\n", "")
    interrupted = "interrupted; the same command goes on where it stopped\n"
    assert end(monkeypatch, capfd, greet, "stop") == (130, "", interrupted)
    code, out, err = end(monkeypatch, capfd, greet, "you", "--unknown")
    assert (code, out) == (2, "")
    assert "No such option: --unknown" in err
    with pytest.raises(ZeroDivisionError):  # a bug is no bad input: its traceback is wanted
        end(monkeypatch, capfd, greet, "bug")


def test_an_interruption_before_the_command_begins(monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    """A cluster's SIGTERM may come at any moment."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ending:
        run_app(stop)
    assert (ending.value.code, capfd.readouterr().err.count("\n")) == (130, 1)


def test_a_function_as_a_command(monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    def command(members: list[str], epochs: int = 3) -> None:
        """Train members."""
        print(members, epochs)

    monkeypatch.setattr(sys, "argv", ["a.py", "typed", "--epochs", "5"])
    for arguments, printed in ((None, "['typed'] 5\n"), (["given"], "['given'] 3\n")):
        with pytest.raises(SystemExit) as ending:
            run_command(command, arguments)
        assert (ending.value.code, capfd.readouterr().out) == (0, printed)
    with pytest.raises(SystemExit):
        run_command(command, ["--help"])
    help_text = capfd.readouterr().out
    assert "Train members." in help_text
    assert "--epochs" in help_text


@pytest.mark.parametrize(("option", "told"), [("-q", ""), ("--quiet", ""), ("-v", "more\nnote\n"), ("", "note\n")])
def test_every_command_says_less_or_more(capfd: Capture, option: str, told: str) -> None:
    def command() -> None:
        logging.getLogger("roofstack").debug("more")
        stderr.print("note")
        print("result")

    with pytest.raises(SystemExit) as ending:
        run_command(command, [option] if option else [])
    assert (ending.value.code, *capfd.readouterr()) == (0, "result\n", told)


def test_a_file_that_hides_a_package_is_told(tmp_path: Path) -> None:
    """`python -m` looks for packages where it is started first."""
    (tmp_path / "ensemble.py").touch()
    command = [sys.executable, "-m", "postproc.show", "a", "--run", "r"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(
        "ensemble.py: hides roofstack's package ensemble; rename it, or start the program roofstack from anywhere\n"
    )


def test_track_yields_all_and_is_silent_without_a_terminal(capfd: Capture) -> None:
    assert list(track(iter("abc"), "letters", 3)) == ["a", "b", "c"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_full_or_read_only_disk_is_one_line(monkeypatch: pytest.MonkeyPatch, capfd: Capture, number: int) -> None:
    def fill() -> None:
        raise OSError(number, os.strerror(number), "/runs/tuned.json")

    code, out, err = end(monkeypatch, capfd, fill)
    assert (code, out, err.count("\n")) == (2, "", 1)
    cure = "make it so that you may, or give another path" if number == errno.EROFS else "free some room"
    assert f"error: /runs/tuned.json: refused by the disk ({os.strerror(number)}); what was whole is whole still" in err
    assert cure in err


def test_other_failures_of_the_system_are_not_hidden(monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    def fail() -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(sys, "argv", ["command"])
    with pytest.raises(OSError, match="Input/output"):
        run_command(fail)


def test_bars_are_drawn_on_terminals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notebooks and some CI ask for colours, which Rich takes for a terminal."""
    monkeypatch.setattr(module, "stderr", Console(stderr=True, force_terminal=True))
    assert module.make_progress().disable
