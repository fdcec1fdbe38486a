"""An interruption is heard wherever it comes, and told in one line."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

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


@pytest.mark.parametrize("kind", ["RuntimeError('no environment')", "InputError('half read')"])
@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_what_a_library_makes_of_an_interruption_is_that_interruption(kind: str, number: str) -> None:
    """As GDAL's environment does, which an interruption finds half closed, or TensorFlow, which loses it."""
    program = f"""
import os, signal, time
from members.common.console import run_command
from members.common.errors import InputError

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background is born without

def work():
    try:
        os.kill(os.getpid(), signal.{number})
        time.sleep(20)
    except KeyboardInterrupt:
        pass
    raise {kind}

run_command(work, [])
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (130, "interrupted; the same command goes on where it stopped\n")


@pytest.mark.parametrize(
    ("work", "reached"),
    [
        ("send(); print('after'); let_through()", "after"),  # between two steps
        ("send(); print('end')", "end"),  # no step came
        ("send(); print('first'); send()", "first"),  # another one does not wait
        ("send(); time.sleep(20)", ""),  # nor does one for ever
        ("print('quiet')", "quiet never left"),
    ],
)
def test_an_interruption_that_is_held_back_is_raised_between_steps(work: str, reached: str) -> None:
    program = f"""
import os, signal, time
from members.common import interruption
from members.common.console import run_command
from members.common.interruption import hold_back, let_through

interruption.PATIENCE = 0.5

def send():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.01)

def work():
    with hold_back():
        {work}
    print("never left")

run_command(work, [])
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert " ".join(run.stdout.split()) == reached
    assert run.returncode == (0 if "quiet" in reached else 130)
    assert run.stderr == ("" if "quiet" in reached else "interrupted; the same command goes on where it stopped\n")
