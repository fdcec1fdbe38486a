"""Networks of 8 bits are kept where they are not likely to cost anything."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import write_tiles

from ensemble.inference.engines import judgement
from ensemble.inference.engines.judgement import judge_int8, tabulate_judgement
from ensemble.inference.engines.quantisation import spread_tiles
from ensemble.inference.networks import load_network
from ensemble.statistics.gains import Gain
from members.common.errors import InputError
from members.data.run import FoldFolder, Run
from members.data.split import Split
from members.data.tiles import list_tiles

pytest.importorskip("nncf", reason="the extra `int8` is not installed")


@pytest.fixture
def run(tmp_path: Path, write_small: Callable[..., FoldFolder]) -> Run:
    data = write_tiles(tmp_path / "data", 8)
    run = Run(tmp_path / "run")
    run.write_record(data, list_tiles(data), Split(fold_of_group={"g0": 0, "g1": 0, "g2": -1, "g3": -1}))
    write_small(0, run.fold("lite0_unet", 0).path)
    return run


def test_networks_of_8_bits_are_near_and_kept(run: Run, tmp_path: Path) -> None:
    path = run.fold("lite0_unet", 0).path
    with pytest.raises(InputError, match=r"no network of 8 bits was kept for these weights; roofstack export MEMBER"):
        load_network(path, "int8")
    tiles = list_tiles(tmp_path / "data")
    judged = judge_int8(run, run.read_record(), "lite0_unet", tiles)
    assert judged.tiles == 4
    assert judged.kept == (judged.loss.value <= 0)  # two groups can't tell
    assert judged.loss.value == pytest.approx(judged.iou[0] - judged.iou[1])
    kept = dataclasses.replace(judged, loss=Gain(-0.001, (-0.002, 0.001), 0.1, "cross-fitted", 9))
    assert "networks of 8 bits: kept: they are not likely to cost anything" in str(tabulate_judgement("m", kept))
    assert "+0.0010 (-0.0010 .. +0.0020)" in str(tabulate_judgement("m", kept))
    lost = dataclasses.replace(judged, loss=Gain(0.004, (0.001, 0.006), 1.0, "cross-fitted", 9))
    assert "-0.0040 (-0.0060 .. -0.0010)" in str(tabulate_judgement("m", lost))
    assert "not kept: they are likely to cost IoU" in str(tabulate_judgement("m", lost))
    if judged.kept:
        batch = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
        exact, small = (load_network(path, engine).predict(batch) for engine in ("openvino", "int8"))
        assert 0 < np.abs(exact - small).max() < 0.1


def test_those_that_cost_are_removed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiles = list_tiles(tmp_path / "data")
    proven = Gain(0.004, (0.001, 0.006), 1.0, "cross-fitted", 9)
    monkeypatch.setattr(judgement, "measure_gain", lambda *counts: proven)
    assert not judge_int8(run, run.read_record(), "lite0_unet", tiles).kept
    with pytest.raises(InputError, match="no network of 8 bits was kept"):
        load_network(run.fold("lite0_unet", 0).path, "int8")


def test_a_sample_of_tiles_is_spread_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ensemble.inference.engines.quantisation.SHOWN", 3)
    tiles = list_tiles(write_tiles(tmp_path, 8))
    assert [tile.image_id for tile in spread_tiles(tiles, tiles[:2])] == ["tile2", "tile4", "tile7"]
    assert spread_tiles(tiles[:2], []) == tiles[:2]
