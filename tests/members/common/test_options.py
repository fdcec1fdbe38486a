"""Options out of TOML files, and back into them."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from members.common.console import run_command
from members.common.errors import InputError
from members.common.options import IN_FORCE, InForce, read_config, write_value

SEEN: list[tuple[Any, ...]] = []
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"))
values = st.one_of(st.integers(-(2**60), 2**60), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), texts)


def work(
    names: Annotated[list[str], typer.Argument()],
    run: Annotated[Path, typer.Option()],
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    csv: Annotated[bool, typer.Option("--csv/--no-csv")] = True,
    cog: Annotated[bool, typer.Option("--cog")] = False,
    members: Annotated[list[str] | None, typer.Option()] = None,
    min_area: Annotated[float, typer.Option()] = 0.0,
) -> None:
    """Note what it was called with."""
    SEEN.append((names, run, epochs, csv, cog, members, min_area))


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command with a file of options and a command line; return what it saw, or what was said of it."""

    def run(config: str, *arguments: str) -> Any:
        path = tmp_path / "c.toml"
        path.write_text(config, encoding="utf-8")
        SEEN.clear()
        with pytest.raises(SystemExit) as end:
            run_command(work, [*arguments, "--config", str(path)])
        return SEEN[0] if end.value.code == 0 else capsys.readouterr().err

    return run


def pick(kind: Annotated[Literal["first", "second"] | None, typer.Option(help="Which.")] = None) -> None:
    """Pick one."""


def test_choices_are_spelled_out_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """In the column of types, which is narrow, a long list would be torn in mid-word."""
    with pytest.raises(SystemExit):
        run_command(pick, ["--help"])
    assert "CHOICE" in (shown := capsys.readouterr().out)
    assert "first, second. Which." in shown
    with pytest.raises(SystemExit):
        run_command(pick, ["--kind", "third"])
    assert "third" in capsys.readouterr().err


FULL = 'names = ["a", "b"]\nrun = "x"\nepochs = 3\ncsv = false\ncog = true\nmembers = ["m", "-n"]\nmin-area = -1\n'


def test_a_file_gives_options_and_arguments(call: Any) -> None:
    assert call(FULL) == (["a", "b"], Path("x"), 3, False, True, ["m", "-n"], -1.0)
    assert call('run = "x"\nmin_area = 2', "a") == (["a"], Path("x"), None, True, False, None, 2.0)


def test_the_command_line_goes_before_the_file(call: Any) -> None:
    seen = call(FULL, "c", "--run", "y", "--epochs", "5", "--csv", "--members", "o", "--min-area=4")
    assert seen == (["c"], Path("y"), 5, True, True, ["o"], 4.0)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("epoch = 3", "c.toml: epoch is no option of this command; the nearest is epochs"),
        ("json = true", "json is no option"),
        ("epochs = 0", "c.toml: epochs = 0: "),
        ('epochs = "many"', 'c.toml: epochs = "many": '),
        ("epochs = [1, 2]", "epochs is a list; it takes one value: epochs = .."),
        ("[epochs]\nx = 1", "epochs is a table; it takes one value"),
        ("epochs = ", "not a readable TOML file"),
    ],
)
def test_a_bad_file_is_one_line(call: Any, config: str, message: str) -> None:
    said = call(config, "a", "--run", "x")
    assert message in said
    assert len(said.splitlines()) == 1


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--config .*none.toml: no such file"):
        read_config(tmp_path / "none.toml", [])


@given(st.one_of(values, st.lists(values)))
def test_a_value_is_read_as_it_was_written(value: Any) -> None:
    assert tomllib.loads(f"x = {write_value(value)}") == {"x": value}


def test_what_was_in_force_makes_the_same_call_again(call: Any, tmp_path: Path) -> None:
    first = call(FULL, "--min-area", "7")
    IN_FORCE.write(tmp_path)
    assert call((tmp_path / "work.toml").read_text()) == first
    force = InForce()
    force.write(tmp_path)  # no command: nothing is written
    force.command = "tune"
    force.values = {"part": "valid", "storage": "postgresql://me:secret@host/db", "json": True, "labels": None}
    force.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"c.toml", "work.toml", "tune-valid.toml"}
    assert tomllib.loads((tmp_path / "tune-valid.toml").read_text())["storage"].count("secret") == 0
