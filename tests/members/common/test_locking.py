"""One process at a time."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

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
