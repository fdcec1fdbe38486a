"""What "How to add" says is done, in a copy of the code, and its examples print what they show."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import ROOT

PAGE = (ROOT / "docs/how-to-add.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
CODE = ("members", "ensemble", "postproc", "roofstack.py")


class Block(NamedTuple):
    """A block of code on the page: its language, the file that it is of, and its text."""

    language: str
    path: str
    text: str


def list_blocks(section: str) -> list[Block]:
    found = re.findall(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```$', SECTIONS[section], re.MULTILINE | re.DOTALL)
    return [Block(*each) for each in found]


def edit(source: str, diff: str) -> str:
    """Put the lines with + in place of those with -; lines with neither say where."""
    lines = [(line[:1], line[1:]) for line in diff.splitlines()]
    before = "".join(f"{text}\n" for sign, text in lines if sign != "+")
    after = "".join(f"{text}\n" for sign, text in lines if sign != "-")
    assert source.count(before) == 1, f"not once in the file:\n{before}"
    return source.replace(before, after)


def make(block: Block, folder: Path) -> None:
    path = folder / block.path
    if block.language == "diff":
        path.write_text(edit(path.read_text(encoding="utf-8"), block.text), encoding="utf-8")
    else:
        assert not path.exists(), f"{block.path}: an edit of a file that exists is shown as a diff"
        path.write_text(block.text, encoding="utf-8")


@pytest.mark.parametrize("section", SECTIONS)
def test_what_is_shown_works(section: str, tmp_path: Path) -> None:
    for name in CODE:
        source = ROOT / name
        if source.is_dir():  # with what Numba has compiled of it, which is much of the time
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("*.pyc"))
        else:
            shutil.copy(source, tmp_path)
    blocks = list_blocks(section)
    edits = [block for block in blocks if block.path]
    for block in edits:
        make(block, tmp_path)
    assert 1 <= len({block.path for block in edits}) <= 2
    examples = tmp_path / "examples.txt"
    examples.write_text("\n".join(block.text for block in blocks if block.language == "pycon"))
    assert doctest.script_from_examples(examples.read_text()).strip(), "an example shows the answer"
    program = f"import doctest, sys; sys.exit(doctest.testfile({str(examples)!r}, module_relative=False).failed)"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_kind_is_shown() -> None:
    assert [name.split()[1] for name in SECTIONS] == ["member", "view", "step", "metric", "file"]
