"""What the README says is so."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT as REPOSITORY

import members
import roofstack
from members.common.lazy_commands import load_command
from members.training.catalog import find_spec, list_specs
from roofstack import COMMANDS as TABLE

TEXT = (REPOSITORY / "README.md").read_text(encoding="utf-8")
COMMANDS: dict[str, Any] = {name: load_command(row.target) for name, row in TABLE.items()}
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
LINES = re.findall(r"^(roofstack .*)$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("line", LINES)
def test_command_lines_are_accepted(line: str) -> None:
    """Every command line of the README parses: the command exists, and takes each option and value."""
    _, name, *arguments = shlex.split(line)
    COMMANDS[name].make_context(name, arguments, resilient_parsing=False)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_shown_and_has_help(name: str) -> None:
    assert f"roofstack {name}" in TEXT or f"make {name}" in TEXT
    command = COMMANDS[name]
    assert command.help
    for option in command.params:
        if option.name != "help":
            assert getattr(option, "help", None), f"{name} --{option.name} has no help"


def test_options_named_in_the_text_exist() -> None:
    known = {
        flag
        for command in COMMANDS.values()
        for each in (command, *getattr(command, "commands", {}).values())
        for option in each.params
        for flag in (*option.opts, *option.secondary_opts)
    }
    named = set(re.findall(r"`(--[a-z0-9-]+)", TEXT))
    assert named <= known | {"--help"}
    assert named


def test_scripts_and_files_that_it_names_exist() -> None:
    for module in re.findall(r"python -m ([a-z0-9_.]+)", TEXT):
        assert (REPOSITORY / (module.replace(".", "/") + ".py")).is_file(), module
    for path in re.findall(
        r"`(?:python )?((?:members|ensemble|postproc|benchmarks|docs)/[a-z0-9_/-]+\.(?:py|md))", TEXT
    ):
        assert (REPOSITORY / path).is_file(), path


def test_members_in_its_table_are_the_members_there_are() -> None:
    table = TEXT[TEXT.index("## Members") : TEXT.index("## What a run holds")]
    assert set(re.findall(r"`([a-z0-9_]+_[a-z0-9]+)`", table)) == set(list_specs())


def test_its_member_is_a_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = [block for block in BLOCKS if "SPEC" in block]
    (tmp_path / "my_unet.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(members, "__path__", [*members.__path__, str(tmp_path)])
    assert find_spec("my_unet").name == "my_unet"


def test_names_of_the_library_that_it_uses_are_there() -> None:
    (lines,) = [block for block in BLOCKS if "import roofstack as rs" in block]
    names = set(re.findall(r"rs\.(\w+)", lines))
    assert len(names) >= 6
    assert names <= set(roofstack.API)


def test_make_targets_exist() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", TEXT, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
