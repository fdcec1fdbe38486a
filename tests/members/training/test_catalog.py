"""A member is a file, and named as it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

import members
from members.common.errors import InputError
from members.training import train
from members.training.catalog import find_spec, list_specs

Script = Callable[[str, str], Path]


@pytest.fixture
def write_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Write a further member script, found beside those that there are."""
    monkeypatch.setattr(members, "__path__", [*members.__path__, str(tmp_path)])

    def write(name: str, source: str) -> Path:
        monkeypatch.delitem(sys.modules, f"members.{name}", raising=False)
        (tmp_path / f"{name}.py").write_text(source)
        return tmp_path / f"{name}.py"

    return write


def test_there_are_a_dozen_members_named_as_their_files() -> None:
    specs = list_specs()
    assert list(specs) == sorted(path.stem for path in (ROOT / "members").glob("*.py") if path.stem != "__init__")
    assert len(specs) >= 12
    assert all(spec.name == name for name, spec in specs.items())
    assert {"d4_photo", "none", "d4", "d4_cutmix", "strong"} == {spec.augment for spec in specs.values()}
    assert len({spec.decoder for spec in specs.values()}) == 5


def test_a_copied_file_is_another_member(write_script: Script) -> None:
    write_script("copied_unet", (ROOT / "members/lite0_unet.py").read_text())
    copied, original = find_spec("copied_unet"), find_spec("lite0_unet")
    assert copied.name == "copied_unet"
    assert copied == original.model_copy(update={"name": "copied_unet"})


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        (
            "b9_unet",
            'SPEC = MemberSpec(name="b7_unet", backbone="lite0")',
            r"b9_unet.py: its SPEC is named b7_unet",
        ),
        (
            "helpers",
            "SIDE = 256",
            r"members/helpers.py: a member script has SPEC = MemberSpec\(...\)",
        ),
        ("B9", 'SPEC = MemberSpec(backbone="lite0")', r"members/B9.py: name = 'B9': String should match pattern"),
    ],
)
def test_files_that_are_no_members(write_script: Script, name: str, source: str, message: str) -> None:
    write_script(name, f"from members.training.spec import MemberSpec\n\n{source}\n")
    with pytest.raises(InputError, match=message):
        find_spec(name)
    assert find_spec("lite0_unet").name == "lite0_unet"  # the others are members still


def test_an_unknown_member_is_told_from_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"b9_unet: no such member; there are b0_fpn, .*, or give the path"):
        find_spec("b9_unet")


def test_a_script_trains_the_member_of_its_own_file(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(train, "run_command", lambda command, arguments: calls.append(arguments))
    monkeypatch.setattr(sys, "argv", ["my_unet.py", "--data", "tiles", "--run", "runs/x"])
    train.run_member("/code/members/lite0_unet.py")
    train.run_member("/elsewhere/my_unet.py")  # a script that is not among the members is known by its path
    options = ["--data", "tiles", "--run", "runs/x"]
    assert calls == [["lite0_unet", *options], ["/elsewhere/my_unet.py", *options]]


def test_a_script_anywhere_is_a_member(tmp_path: Path) -> None:
    script = tmp_path / "my_unet.py"
    script.write_text("from members.training.spec import MemberSpec\n\nSPEC = MemberSpec(backbone='lite1', epochs=7)\n")
    spec = find_spec(str(script))
    assert (spec.name, spec.backbone, spec.epochs) == ("my_unet", "lite1", 7)


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        (
            "lite0_unet",
            "",
            r"lite0_unet.py: named as members/lite0_unet.py; a run knows members by name, so rename one",
        ),
        ("mine", "SIDE = 256", r"mine.py: a member script has SPEC = MemberSpec\(...\), this one has none; add it"),
        ("mine", "import nowhere_to_be", r"mine.py: fails with ModuleNotFoundError: No module named 'nowhere_to_be'"),
        ("mine", "SPEC = ", r"mine.py: fails with SyntaxError: invalid syntax"),
    ],
)
def test_scripts_that_are_no_members(tmp_path: Path, name: str, source: str, message: str) -> None:
    (tmp_path / f"{name}.py").write_text(source)
    with pytest.raises(InputError, match=message):
        find_spec(str(tmp_path / f"{name}.py"))
    with pytest.raises(InputError, match=r"gone.py: no such file; a member script has SPEC"):
        find_spec(str(tmp_path / "gone.py"))
