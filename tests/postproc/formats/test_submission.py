"""Submission CSVs: both ways, every kind of bad file, and the old file's safety."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from members.common.errors import InputError
from postproc.formats import submission
from postproc.formats.dialects.images import read_images
from postproc.formats.submission import (
    check_ids,
    encode_mask,
    open_submission,
    read_submission,
    write_submission,
)

HEADER = "ImageId,EncodedPixels,Width,Height\n"
CORNER = np.array([[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]], bool)
EMPTY = np.zeros((2, 5), bool)

masks = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(lambda shape: arrays(bool, shape))
ids = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)


def read_all(path: Path) -> list[tuple[str, np.ndarray]]:
    return list(read_submission(path))


def test_the_file_reads_as_written(tmp_path: Path) -> None:
    path = tmp_path / "out" / "submission.csv"
    write_submission(str(path), {"b": CORNER, "a": EMPTY.astype(np.uint8)})
    assert path.read_bytes() == HEADER.encode() + b"b,10 2,4,3\na,,5,2\n"
    (first, corner), (second, empty) = read_all(path)
    assert (first, second) == ("b", "a")
    np.testing.assert_array_equal(corner, CORNER)
    np.testing.assert_array_equal(empty, EMPTY)
    assert [image.name for image in read_images(path)] == ["b", "a"]
    assert [file.name for file in path.parent.iterdir()] == ["submission.csv"]


@given(st.dictionaries(ids, masks, max_size=5))
@settings(deadline=None, max_examples=50)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: dict[str, np.ndarray]) -> None:
    path = tmp_path_factory.getbasetemp() / "round_trip.csv"
    write_submission(path, rows)
    decoded = dict(read_submission(path))
    assert list(decoded) == list(rows)
    for image_id, mask in rows.items():
        np.testing.assert_array_equal(decoded[image_id], mask)


def test_fields_longer_than_the_csv_modules_default(tmp_path: Path) -> None:
    board = np.indices((300, 300)).sum(0) % 2 == 0
    write_submission(tmp_path / "s.csv", {"board": board})
    assert (tmp_path / "s.csv").stat().st_size > 131_072
    np.testing.assert_array_equal(read_all(tmp_path / "s.csv")[0][1], board)


def test_column_order_further_columns_byte_order_mark_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes(b"\xef\xbb\xbfHeight,Width,Note,ImageId,EncodedPixels\r\n3,4,x,a,10 2\r\n\r\n")
    [(image_id, mask)] = read_submission(path)
    assert image_id == "a"
    np.testing.assert_array_equal(mask, CORNER)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "s.csv: empty file; a submission begins with the line ImageId,EncodedPixels,Width,Height"),
        (b"ImageId,Width,Height\na,4,3\n", "no column EncodedPixels among ImageId, Width, Height; add it"),
        (
            HEADER + "a,1 1,4,3\nb,,4,3\na,,4,3\n",
            "line 4: image a was on line 2; .* remove one, or give --format buildings",
        ),
        (HEADER + "a,1 1,0,3\n", "line 2, image a: Width is '0'; it is a whole number of pixels, 1 or more"),
        (HEADER + "a,1 1,4,-3\n", "line 2, image a: Height is '-3'"),
        (HEADER + "a,1 1,4.0,3\n", "line 2, image a: Width is '4.0'"),
        (HEADER + "a,1 1,,3\n", "line 2, image a: Width is ''"),
        (HEADER + "a,1 1,٤,3\n", "line 2, image a: Width is '٤'"),
        (HEADER + f"a,1 1,{'9' * 5000},3\n", "line 2, image a: Width is '9999"),
        (HEADER + "a,1 1,100000,100000\n", "line 2, image a: .* more than 2147483647 pixels"),
        (HEADER + "a,1 1,4,3\nb,5 1 3 1,4,3\n", "line 3, image b: run 2 is '3 1' .* sort the runs"),
        (HEADER + "a,1 1 1,4,3\n", "line 2, image a: run 2 is '1' .* a start has no length"),
        (HEADER + "a,1 13,4,3\n", "line 2, image a: run 1 .* past the last pixel"),
        (HEADER + "a,1 1,4\n", "line 2: a row has 4 fields, as the header"),
        (HEADER + "a,1 1,4,3,5\n", "line 2: a row has 4 fields, as the header"),
        (HEADER + 'a,"1 1,4,3\n', "not a readable CSV"),
        (HEADER.encode() + b"\xfc,1 1,4,3\n", "not UTF-8 text; save it with that encoding"),
        ((HEADER + "a,1 1,4,3\n").encode("utf-16"), "not UTF-8 text"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as caught:
        read_all(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        read_all(tmp_path / "none.csv")
    with pytest.raises(InputError, match="not a readable CSV"):
        read_all(tmp_path)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ([("a", CORNER)], "masks: list; give a mapping, such as a dict, of image id to mask"),
        ({7: CORNER}, "masks: image id 7; an id is a string, a file name without its ending"),
        ({"a": CORNER.tolist()}, r"masks\['a'\]: list; a mask is a bool array \(h, w\)"),
        ({"a": CORNER * 0.5}, "image a: an array of float64; a mask is bool or integer: threshold the map first"),
        ({"a": CORNER[0]}, r"image a: an array of shape \(4,\); a mask is \(height, width\)"),
    ],
)
def test_what_are_no_masks_is_refused(tmp_path: Path, masks: Any, message: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text("old")
    with pytest.raises(InputError, match=message):
        write_submission(path, masks)
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("written", "expected", "message"),
    [
        ("ab", "abcdef", r"of 6 expected image ids 4 missing \(c, d, e, \.\.\.\); "),
        ("abc", "a", r"2 surplus \(b, c\); "),
        ("aba", "ab", r"1 twice \(a\); "),
        (
            "aax",
            "ab",
            r"1 missing \(b\); 1 surplus \(x\); 1 twice \(a\); each expected image needs exactly one row",
        ),
        ("", "a", r"1 missing \(a\)"),
    ],
)
def test_ids_are_checked_and_the_old_file_stays(tmp_path: Path, written: str, expected: str, message: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text("old")

    def write() -> None:
        with open_submission(path, list(expected)) as add:
            for image_id in written:
                add(image_id, encode_mask(image_id, EMPTY))

    with pytest.raises(InputError, match=message):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_expected_ids_in_any_order_are_accepted() -> None:
    check_ids(Path("s.csv"), ["b", "a"], ["a", "b"])


def test_a_failure_between_rows_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("old")

    def write() -> None:
        with open_submission(path, ["a", "b"]) as add:
            add("a", encode_mask("a", CORNER))
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("old")
    program = f"""
import os, signal
from pathlib import Path
from typing import Any
import numpy as np
from postproc.formats.submission import encode_mask, open_submission
with open_submission(Path({str(path)!r}), ["a"]) as add:
    add("a", encode_mask("a", np.ones((2, 2), bool)))
    print("killed", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=False,
    )
    assert (done.stdout, done.returncode) == (b"killed\n", -signal.SIGKILL)
    assert path.read_text() == "old"


def test_a_file_that_does_not_decode_to_the_masks_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.csv"
    path.write_text("old")
    monkeypatch.setattr(submission, "encode_rle", lambda *arguments: "1 1")  # as a wrong or torn write would
    with pytest.raises(InputError, match=r"cannot be written \(what was written does not decode to the masks"):
        write_submission(path, {"a": CORNER})
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["s.csv"]
