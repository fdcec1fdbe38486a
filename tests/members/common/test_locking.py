"""One process at a time."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from members.common import locking
from members.common.errors import InputError
from members.common.locking import hold

PROGRAM = """
import sys
from pathlib import Path
from members.common.locking import hold
with hold(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".lock"
    command = [sys.executable, "-c", PROGRAM, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="busy"), hold(path, "busy"):
            pass
        other.kill()
        other.wait()
        with hold(path, "busy"):
            pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EROFS, errno.EACCES])
def test_a_file_system_without_locks_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locking.FileLock, "acquire", refuse)
    message = rf"lock: cannot be locked \({os.strerror(number)}\); .* copy the run to one"
    with pytest.raises(InputError, match=message) as error, hold(tmp_path / "lock", "busy"):
        pass
    assert "\n" not in str(error.value)


def test_no_module_asks_one_system_alone() -> None:
    """What Linux has and macOS has not, or has otherwise, is asked for in one place."""
    sources = [path for room in ("members", "ensemble", "postproc") for path in (ROOT / room).rglob("*.py")]
    for word, places in {"import fcntl": [], "sched_getaffinity(": ["workers.py"]}.items():
        assert [path.name for path in sources if word in path.read_text()] == places
