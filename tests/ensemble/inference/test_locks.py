"""Locks hold between processes, and die with them."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT

from ensemble.inference import locks as module
from ensemble.inference.locks import Locks
from members.common.errors import InputError

IDS = ["a", "b", "c"]


def start(program: str, folder: Path) -> subprocess.Popen[str]:
    head = f"""
import sys, time
from pathlib import Path
from ensemble.inference.locks import Locks
locks = Locks(Path({str(folder)!r}))
"""
    process = subprocess.Popen([sys.executable, "-c", head + program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_lock_keeps_others_out_and_dies_with_its_process(tmp_path: Path) -> None:
    ours = Locks(tmp_path / "maps")
    other = start("locks.take('a'); locks.take('b'); locks.release('b'); print('ready', flush=True); time.sleep(60)",
                  tmp_path / "maps")  # fmt: skip
    try:
        assert [ours.take(image_id) for image_id in IDS] == [False, True, True]
        other.kill()
        other.wait()
        assert ours.take("a")
    finally:
        other.kill()
        other.wait()


def test_a_folder_that_others_work_on_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    sharing = "with locks.share(lambda: True, lambda: None): print('ready', flush=True); time.sleep(60)"
    other = start(sharing, tmp_path / "maps")
    ours = Locks(tmp_path / "maps")
    done: list[str] = []
    try:
        with ours.share(lambda: True, lambda: done.append("prepared")):  # the same is wanted of it
            assert not done
        with (
            pytest.raises(InputError, match="another predict, of other weights, views or images, works on it; wait"),
            ours.share(lambda: bool(done), lambda: done.append("prepared")),
        ):
            pass
        assert not done
        other.kill()
        other.wait()
        with ours.share(lambda: bool(done), lambda: done.append("prepared")):
            assert done == ["prepared"]
    finally:
        other.kill()
        other.wait()


def test_who_waits_gets_the_folder_when_it_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 300.0)  # far longer than any machine takes
    sharing = "with locks.share(lambda: True, lambda: None): print('ready', flush=True); time.sleep(0.5)"
    other = start(sharing, tmp_path / "maps")
    done: list[str] = []
    began = time.monotonic()
    with Locks(tmp_path / "maps").share(lambda: bool(done), lambda: done.append("prepared")):
        assert done == ["prepared"]
    assert time.monotonic() - began < module.PATIENCE
    other.wait()
