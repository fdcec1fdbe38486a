"""An interruption is heard wherever it comes, and told in one line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Outcome

from members.common import interruption
from members.common.console import run_command
from members.common.errors import InputError
from members.common.interruption import hold_back, let_through

IN_A_DESTRUCTOR = """
import os, signal, sys, time
from members.common.console import run_command

class Stubborn:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.001)  # the interruption is raised here, where nothing leaves a destructor

def work():
    Stubborn()
    for _ in range(2000):
        time.sleep(0.01)

run_command(work, [])
"""


def test_an_interruption_in_a_destructor_ends_the_command_in_one_line(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", IN_A_DESTRUCTOR], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (130, "")
    assert run.stderr == "interrupted; the same command goes on where it stopped\n"


def test_what_else_a_destructor_raises_is_told_as_python_does() -> None:
    program = "from members.common.interruption import listen; listen()\nclass A:\n  def __del__(self): 1 / 0\nA()"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0
    assert "ZeroDivisionError" in run.stderr


def send(number: int = signal.SIGTERM) -> None:
    """Interrupt this process, as a cluster or Ctrl-C does."""
    os.kill(os.getpid(), number)
    time.sleep(0.01)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Outcome]]:
    """Run a function as a command in this process, which afterwards hears signals as it did before."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background is born without
    monkeypatch.setattr(interruption, "PATIENCE", 0.5)
    monkeypatch.setattr(sys, "argv", ["roofstack"])

    def run(work: Callable[[], None]) -> Outcome:
        with pytest.raises(SystemExit) as end:
            run_command(work)
        return Outcome(int(end.value.code or 0), *capfd.readouterr())

    try:
        yield run
    finally:
        interruption.stop_waiting()
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
        interruption._heard.clear()  # or the next fit in this process would end
        interruption._heard.clear()


@pytest.mark.parametrize("error", [RuntimeError("no environment"), InputError("half read")])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_a_library_makes_of_an_interruption_is_that_interruption(
    error: Exception, number: int, run: Callable[..., Outcome]
) -> None:
    """As GDAL's environment does, which an interruption finds half closed, or TensorFlow, which loses it."""

    def work() -> None:
        try:
            send(number)
            time.sleep(20)
        except KeyboardInterrupt:
            pass
        raise error

    assert run(work) == Outcome(130, "", "interrupted; the same command goes on where it stopped\n")


@pytest.mark.parametrize(
    ("steps", "reached"),
    [
        ([send, "after", let_through], "after"),  # between two steps
        ([send, "end"], "end"),  # no step came
        ([send, "first", send], "first"),  # another one does not wait
        ([send, lambda: time.sleep(20)], ""),  # nor does one for ever
        (["quiet"], "quiet never left"),
    ],
)
def test_an_interruption_that_is_held_back_is_raised_between_steps(
    steps: list[str | Callable[[], None]], reached: str, run: Callable[..., Outcome]
) -> None:
    def work() -> None:
        with hold_back():
            for step in steps:
                if isinstance(step, str):
                    print(step)
                else:
                    step()
        print("never left")

    done = run(work)
    assert " ".join(done.out.split()) == reached
    assert done.code == (0 if "quiet" in reached else 130)
    assert done.err == ("" if "quiet" in reached else "interrupted; the same command goes on where it stopped\n")
