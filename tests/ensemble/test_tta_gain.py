"""The gain of views: measured on every tile by the fold that did not see it, and the cheapest good choice proposed."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Outcome, write_tiles

from ensemble import tta_gain
from ensemble.inference.networks import Network
from ensemble.inference.views import VIEW_SETS, parse_views
from ensemble.tta_gain import list_choices, measure_choices, propose_choice
from members.common.files import write_json
from members.data.raster import read_pair
from members.data.run import Run
from members.data.split import Split
from members.data.tiles import Tile, list_tiles
from members.training.catalog import find_spec


class Lopsided:
    """Knows the truth (red above 127) well on the left and badly on the right, so that mirrored views help it."""

    def predict(self, batch: np.ndarray) -> np.ndarray:
        truth = batch[..., :1] / np.float32(255)
        noise = np.random.default_rng(0).normal(0, 0.5, truth.shape).astype(np.float32)
        return np.clip(truth + noise * np.linspace(0, 1, batch.shape[2], dtype=np.float32)[:, None], 0, 1)


@pytest.fixture
def tiles(tmp_path: Path) -> list[Tile]:
    return list_tiles(write_tiles(tmp_path / "data", 6, (32, 64)))


def test_gains_are_those_of_averaged_views(tiles: list[Tile]) -> None:
    choices = {"none": VIEW_SETS["none"], "e,h": parse_views("e,h"), "flips": VIEW_SETS["flips"]}
    network = Lopsided()
    gains = measure_choices(choices, iter([(Network(find_spec("lite0_unet"), network.predict), tiles)]), tiles)
    for gain, views in zip(gains, choices.values(), strict=True):
        scores = []
        maps, truths = [], []
        for tile in tiles:
            image, truth = read_pair(tile)
            seen = [v.undo(network.predict(v.apply(image)[None] * np.float32(1))[0, ..., 0], truth.shape)
                    for v in views]  # fmt: skip
            maps.append(np.rint(np.mean(seen, axis=0) * 255))
            truths.append(truth)
        for threshold in range(1, 256):
            mask, truth = np.stack(maps) >= threshold, np.stack(truths)
            scores.append((mask & truth).sum() / (mask | truth).sum())
        assert gain.iou == pytest.approx(max(scores), abs=1e-3)  # float32 means may round the other way
        assert gain.views == len(views)
        assert gain.seconds > 0
    assert (gains[0].gain.value, gains[0].gain.interval) == (0, (0, 0))
    assert gains[2].gain.value == gains[2].iou - gains[0].iou > 0.02
    assert gains[0].seconds < gains[2].seconds
    assert propose_choice(gains).tta == "flips"
    assert propose_choice(gains[:1]).tta == "none"


def test_choices_are_what_the_member_supports() -> None:
    light = list_choices(find_spec("lite0_unet"))
    assert next(iter(light)) == "none"
    assert {"e,h", "e,gamma0.8", "flips", "d4"} <= set(light)
    assert not any("scale" in name for name in light)
    strong = list_choices(find_spec("lite1_unet"))
    assert set(strong) - set(light) == {"e,scale0.75", "e,scale1.25", "d4_scale"}


def test_the_command(
    roofstack: Callable[..., Outcome], tmp_path: Path, tiles: list[Tile], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path / "run")
    run.write_record(tmp_path / "data", tiles, Split(folds=2, fold_of_group={"g0": 0, "g1": 1, "g2": 0}))
    asked: list[str] = []
    for fold in (0, 1):
        write_json(run.fold("lite0_unet", fold).spec_file, find_spec("lite0_unet").model_dump())
        run.fold("lite0_unet", fold).weights_file.write_bytes(b"weights")

    def load(folder: Path) -> Network:
        asked.append(folder.name)
        return Network(find_spec("lite0_unet"), Lopsided().predict)

    monkeypatch.setattr(tta_gain, "choose_backend", lambda: None)
    monkeypatch.setattr(tta_gain, "load_network", load)
    outcome = roofstack("tta-gain", "--data", tmp_path / "data", "--run", run.path)
    assert outcome.code == 0, outcome.err
    assert asked == ["fold0", "fold1"]
    assert re.search(r"e,r180 +│ 2 ", outcome.out)
    assert re.search(r"the cheapest within the noise of the best: --tta \S+\n$", outcome.out)
