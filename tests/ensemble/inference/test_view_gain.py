"""The gain of views: that of averaged maps, and the cheapest good choice proposed."""

from pathlib import Path

import numpy as np
import pytest
from conftest import Lopsided, write_tiles

from ensemble.inference.networks import Network
from ensemble.inference.view_gain import list_choices, measure_choices, propose_choice, tabulate_gains
from ensemble.inference.views import VIEW_SETS, parse_views
from ensemble.statistics.gains import CROSS_FITTED, Gain
from members.data.raster import read_pair
from members.data.tiles import Tile, list_tiles
from members.training.catalog import find_spec


@pytest.fixture
def tiles(tmp_path: Path) -> list[Tile]:
    return list_tiles(write_tiles(tmp_path / "data", 12, (32, 64)))


def test_gains_are_those_of_averaged_views(tiles: list[Tile]) -> None:
    choices = {"none": VIEW_SETS["none"], "e,h": parse_views("e,h"), "flips": VIEW_SETS["flips"]}
    network = Lopsided()
    looks = [(Network(find_spec("lite0_unet"), network.predict), tile) for tile in tiles]
    gains = measure_choices(choices, looks, [tile.group for tile in tiles])
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
    assert gains[0].gain == Gain(0, (0, 0), 0, CROSS_FITTED, 6)
    assert gains[2].gain.value > 0.02
    assert gains[2].iou - gains[0].iou > 0.02
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


def test_table_of_a_single_group_has_no_interval(tiles: list[Tile]) -> None:
    looks = [(Network(find_spec("lite0_unet"), Lopsided().predict), tile) for tile in tiles[:2]]
    table = tabulate_gains("x", measure_choices({"none": VIEW_SETS["none"]}, looks, ["g0", "g0"]))
    assert table.title == "x: pooled IoU at the best threshold, 2 validation tiles of 1 groups"
    assert [(*row[:2], *row[4:]) for row in table.rows] == [("none", "1", "+0.0000", "", "")]
    assert table.notes[0].endswith("the cheapest that none is likely to be better than: --tta none")
