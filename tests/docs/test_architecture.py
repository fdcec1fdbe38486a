"""The picture of the house in the architecture is the house."""

import re

import pytest
from conftest import ROOT

PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
PACKAGES = ("members", "ensemble", "postproc")


def test_the_tree_has_every_room_and_no_other() -> None:
    tree = PAGES["architecture"].split("```")[1]
    drawn, package = [], ""
    for indent, name in re.findall(r"^( *)(\w+)/", tree, re.MULTILINE):
        package = package if indent else name
        drawn.append(f"{package}/{name}" if indent else name)
    rooms = [
        path.parent.relative_to(ROOT).as_posix() for name in PACKAGES for path in ROOT.glob(f"{name}/*/__init__.py")
    ]
    assert sorted(drawn) == sorted([*PACKAGES, *rooms])


@pytest.mark.parametrize("page", PAGES)
def test_folders_and_modules_that_a_page_names_exist(page: str) -> None:
    for path in re.findall(r"`((?:members|ensemble|postproc|tests|examples|docs)/[a-z0-9_./]*)`", PAGES[page]):
        assert (ROOT / path).exists(), path


def test_the_glossary_is_in_order() -> None:
    terms = re.findall(r"^\*\*(.+)\*\*$", PAGES["architecture"], re.MULTILINE)
    assert terms == sorted(terms)
    assert len(terms) > 15
