"""Which recipe and which weights a submission is made with."""

import json
from pathlib import Path

import pytest

from members.errors import InputError
from members.run import Run
from postproc.recipe import Recipe
from postproc.submit import choose_recipe, describe_recipe


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with (empty) map folders of two members."""
    for member in ("first", "second"):
        (tmp_path / "maps/test" / member).mkdir(parents=True)
    return Run(tmp_path)


def test_default_is_the_neutral_recipe_on_all_members_alike(run: Run) -> None:
    assert choose_recipe(run, "test", "default") == (Recipe(), {"first": 1, "second": 1})


def test_tuned_takes_recipe_and_weights_from_tuned_json(run: Run) -> None:
    run.tuned_file.write_text(json.dumps({"recipe": {"threshold": 99, "close": 3}, "members": {"first": 2}}))
    assert choose_recipe(run, "test", "tuned") == (Recipe(threshold=99, close=3), {"first": 2})


def test_file_may_hold_a_recipe_alone(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"threshold": 77}')
    assert choose_recipe(run, "test", str(path)) == (Recipe(threshold=77), {"first": 1, "second": 1})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"recipe": {"threshold": 0}}', "threshold"),
        ('{"recipe": {}, "members": {"first": -1}}', "non-negative integer weights"),
        ('{"recipe": {}, "members": {"first": 0}}', "not all 0"),
        ('{"recipe": {}, "members": []}', "non-negative integer weights"),
        ("{", "not a readable JSON file"),
        ('{"treshold": 3}', "treshold"),
    ],
)
def test_bad_recipe_file_is_one_line(run: Run, tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as error:
        choose_recipe(run, "test", str(path))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_tuned_json_and_missing_maps_name_the_cure(run: Run) -> None:
    with pytest.raises(InputError, match="run roofstack tune, or give --recipe default"):
        choose_recipe(run, "test", "tuned")
    with pytest.raises(InputError, match="run roofstack predict --part elsewhere"):
        choose_recipe(run, "elsewhere", "default")


def test_describe_recipe_leaves_out_what_is_off() -> None:
    assert describe_recipe(Recipe()) == "threshold 128"
    full = Recipe(threshold=90, order="open-close", kernel="ellipse", close=5, open=3, min_hole=16, min_object=40)
    assert describe_recipe(full) == (
        "threshold 90, open 3x3 ellipse, close 5x5 ellipse, fill holes under 16 px, drop objects under 40 px"
    )
