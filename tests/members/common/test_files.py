"""Files are whole or absent."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from members.common.errors import InputError
from members.common.files import check_target, read_json, remove_stale, write_json, write_target, write_whole

texts = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


def test_nothing_is_in_place_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "new" / "map.tif"
    with write_whole(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.suffix == ".tif"
        assert temporary.name.startswith(".")
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(path.parent) == ["map.tif"]


def test_bytes_are_on_the_disk_before_the_file_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut leaves a file of 0 bytes."""
    path, order = tmp_path / "map.tif", list[int]()
    monkeypatch.setattr(os, "fsync", lambda handle: order.append(os.fstat(handle).st_ino))
    replace = Path.replace

    def name(temporary: Path, target: Path) -> Path:
        assert order == [temporary.stat().st_ino]
        return replace(temporary, target)

    monkeypatch.setattr(Path, "replace", name)
    with write_whole(path) as temporary:
        temporary.write_bytes(b"whole")
    assert order == [path.stat().st_ino, tmp_path.stat().st_ino]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "run.json"
    path.write_text("old")
    with pytest.raises(failure), write_whole(path) as temporary:  # noqa: PT012
        temporary.write_text("ne")
        raise failure
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["run.json"]


def test_what_killed_writers_leave_is_removed_and_what_living_ones_write_is_not(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from members.common.files import write_whole
with write_whole(Path(sys.argv[1]) / "map.tif") as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 1
    (tmp_path / ".tmp-00000000-1-of_another_machine.tif").touch()
    with write_whole(tmp_path / "own.tif") as own:
        remove_stale(tmp_path)
        assert sorted(os.listdir(tmp_path)) == sorted([".tmp-00000000-1-of_another_machine.tif", own.name])


def test_json_is_indented_and_keeps_the_order_of_keys(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"z": 1, "a": [True, None]})
    expected = '{\n  "z": 1,\n  "a": [\n    true,\n    null\n  ]\n}\n'
    assert (tmp_path / "a.json").read_text() == expected


@given(values)
def test_json_round_trip(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.json"
    write_json(path, value)
    assert read_json(path, "restore it") == value


@pytest.mark.parametrize("content", [b"", b'{"seed": 4', b"\xff\xfe{}", b"{'a': 1}"])
def test_a_damaged_json_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "spec.json").write_bytes(content)
    with pytest.raises(InputError, match=r"spec.json: not a readable JSON file \(.*\); restore it"):
        read_json(tmp_path / "spec.json", "restore it")


def test_a_missing_json_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent.json: no such file; restore it"):
        read_json(tmp_path / "absent.json", "restore it")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.txt", "ending .txt; give one of .csv, .json"),
        ("a", "ending none; give one of"),
        ("folder.csv", "a folder; give the name of a file"),
        ("file/a.csv", "file: a file; a folder can't be of that name, so give another"),
        ("file/none/a.csv", "file: a file; a folder can't be of that name, so give another"),
    ],
)
def test_targets_that_cannot_be_written_are_told_at_once(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    check_target(tmp_path / "A.CSV", (".csv", ".json"))
    with pytest.raises(InputError, match=message):
        check_target(tmp_path / name, (".csv", ".json"))


def test_what_the_disk_or_a_library_refuses_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")

    def write(error: Exception) -> None:
        with write_target(path, LookupError) as temporary:
            temporary.write_text("half")
            raise error

    for error in (OSError("No space left on device"), LookupError("No space left on device")):
        with pytest.raises(InputError, match=r"a.csv: cannot be written \(No space left on device\); what was there"):
            write(error)
    with pytest.raises(ZeroDivisionError):
        write(ZeroDivisionError())
    assert os.listdir(tmp_path) == ["a.csv"]
    assert path.read_text() == "old"
