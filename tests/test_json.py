"""Every command that has a result prints it as one JSON object where that is asked for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Outcome, write_raster, write_tiles

from members.common.lazy_commands import load_command
from members.data.raster import read_mask
from roofstack import COMMANDS

RoofStack = Callable[..., Outcome]


@pytest.mark.parametrize("name", [*COMMANDS, "maps check", "maps import"])
def test_every_command_takes_the_option(name: str) -> None:
    first, *rest = name.split()
    command = load_command(COMMANDS[first].target)
    if first == "maps" and not rest:
        return  # a group of commands
    command = command.commands[rest[0]] if rest else command
    assert "--json" in {flag for option in command.params for flag in option.opts}


def test_results_are_one_object(roofstack: RoofStack, tmp_path: Path) -> None:
    """Maps of another program, from their import to their scores."""
    data, run, maps = write_tiles(tmp_path / "data", size=(32, 32)), tmp_path / "run", tmp_path / "theirs"
    for path in sorted((data / "masks").glob("*.tif")):
        write_raster(maps / f"{path.stem}.png", read_mask(path) * np.uint8(200))

    def read(*arguments: object) -> Any:
        outcome = roofstack(*arguments, "--json")
        assert outcome.code == 0, outcome.err
        return json.loads(outcome.out)

    both = ["--data", data, "--run", run]
    imported = read("maps", "import", *both, "--part", "valid", "--member", "theirs", "--from", maps)
    assert imported == {"maps": 6, "part": "valid", "folder": str(run / "maps/valid/theirs")}
    assert read("maps", "check", run / "maps/valid") == {"maps": 6, "members": ["theirs"], "problems": []}
    assert read("blend", *both, "--bags", 1)["members"] == {"theirs": 1}
    written = read("submit", "--run", run, "--part", "valid", "--recipe", "default", "--vector", run / "b.geojson")
    assert (written["images"], written["written"]) == (6, [str(run / "submission-valid.csv"), str(run / "b.geojson")])
    assert written["buildings"] > 0
    assert written["pipeline"]["recipe"]["threshold"] == 128
    assert read("show", "tile0", *both)["written"] == str(run / "report/tile0.png")
    assert read("score", "--truth", data, "--submission", run / "submission-valid.csv")["pooled_iou"] == 1
