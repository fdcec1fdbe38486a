"""The command that measures views: every tile is seen by the fold that did not train on it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Lopsided, Outcome, write_fold, write_tiles

from ensemble import tta_gain
from ensemble.inference import view_gain
from ensemble.inference.networks import Network
from members.data.run import Run
from members.data.split import Split
from members.data.tiles import list_tiles
from members.training.catalog import find_spec


def test_the_command(roofstack: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiles = list_tiles(write_tiles(tmp_path / "data", 6, (32, 64)))
    run = Run(tmp_path / "run")
    run.write_record(tmp_path / "data", tiles, Split(folds=2, fold_of_group={"g0": 0, "g1": 1, "g2": 0}))
    asked: list[str] = []
    for fold in (0, 1):
        write_fold(run, "lite0_unet", fold)

    def load(folder: Path, engine: str = "keras") -> Network:
        asked.append(folder.name)
        return Network(find_spec("lite0_unet"), Lopsided().predict)

    monkeypatch.setattr(tta_gain, "choose_backend", lambda: None)
    monkeypatch.setattr(view_gain, "load_network", load)
    outcome = roofstack("tta-gain", "--data", tmp_path / "data", "--run", run.path)
    assert outcome.code == 0, outcome.err
    assert asked == ["fold0", "fold1"]
    assert re.search(r"e,r180 +│ 2 ", outcome.out)
    assert re.search(r"the cheapest that none is likely to be better than: --tta \S+\n$", outcome.out)
