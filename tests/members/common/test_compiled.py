"""Compiled functions: what they call, where they are kept, and the line that says that compiling takes a while."""

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import ROOT

from members.common.compiled import compiled, find_cache

SCRIPT = """
from members.common.compiled import compiled
from members.common.console import show_notes

@compiled
def double(x: int) -> int:
    return 2 * x

@compiled
def add_doubles(x: int, y: int) -> int:
    return double(x) + double(y)

show_notes()
print(add_doubles(1, 2), add_doubles(3, 4))
"""


def test_a_compiled_function_calls_another_and_is_compiled_once(tmp_path: Path) -> None:
    """Sources that cannot be written beside, and no home: what was compiled goes where the variable says."""
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "kept"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(tmp_path / "script.py")]
    first, second = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True) for _ in range(2)
    )
    assert first.stdout == second.stdout == "6 14\n"
    assert first.stderr == "compiling loops for this machine, which takes up to a minute and is done once ..\n"
    assert second.stderr == ""
    assert not (tmp_path / "__pycache__").exists()


def test_it_looks_like_the_function_that_it_was() -> None:
    @compiled
    def halve(x: float) -> float:
        """Return half of it."""
        return x / 2

    assert (halve.__name__, halve.__doc__) == ("halve", "Return half of it.")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that cannot be made, as where the sources are and as the home; temporary files have one of their own."""
    (tmp_path / "file").touch()
    (tmp_path / "temporary").mkdir()
    (tmp_path / "temporary").chmod(0o777)
    for variable in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file/home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    find_cache.cache_clear()
    return tmp_path / "file/sources"


def test_the_folder_that_can_be_written(tmp_path: Path, nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = tmp_path / f"temporary/roofstack-{os.getuid()}"
    assert find_cache(nowhere) == ours
    assert ours.stat().st_mode & 0o777 == 0o700
    assert find_cache(tmp_path) == tmp_path / "__pycache__"
    find_cache.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert find_cache(nowhere) == tmp_path / "cache/roofstack"
    find_cache.cache_clear()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "named"))
    assert find_cache(nowhere) == tmp_path / "named"


def test_a_folder_that_another_user_has_laid_out_is_not_used(
    tmp_path: Path, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiled function is a program: whoever can put one there can run anything as this user."""
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    (tmp_path / "temporary/roofstack-4711").mkdir()
    assert find_cache(nowhere) is None


def test_it_goes_to_other_processes_by_its_name() -> None:
    """What a copy there would compile anew is compiled there once."""
    from postproc.search.counting import count_values

    assert pickle.loads(pickle.dumps(count_values)) is count_values
    assert len(pickle.dumps(count_values)) < 100
