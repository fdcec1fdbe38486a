"""What a report counts of tiles, on tiles whose answer is visible."""

import numpy as np
import pytest

from ensemble.selection.blend import Blend
from postproc.pipeline.pipeline import Pipeline
from postproc.webpage.measures import calibrate_bins, count_curve, find_by_size, measure_tile, score_groups

TRUTH = np.zeros((40, 60), bool)
TRUTH[5:35, 5:25] = TRUTH[5:15, 40:50] = True  # 600 px and 100 px
VALUES = np.where(TRUTH, 204, 51).astype(np.uint8)
VALUES[:, 30:] = 51  # the small one is missed
EMPTY = np.zeros((10, 10), bool)
NEUTRAL = Pipeline(Blend({"m": 1}))


def test_a_tile_with_a_house_found_and_one_missed() -> None:
    tile = measure_tile(VALUES, TRUTH, NEUTRAL)
    assert (tile.intersection, tile.union, tile.buildings) == (600, 700, 1)
    assert tile.iou == pytest.approx(6 / 7)
    assert tile.building_f1 == pytest.approx(2 / 3)
    assert sorted(zip(tile.sizes, tile.found, strict=True)) == [(100, False), (600, True)]
    assert tile.curve["intersection"][[0, 127, 204 - 1, 204]].tolist() == [700, 600, 600, 0]


def test_sizes_calibration_and_groups() -> None:
    tiles = [measure_tile(VALUES, TRUTH, NEUTRAL), measure_tile(EMPTY * np.uint8(1), EMPTY, NEUTRAL)]
    assert [row for row in find_by_size(tiles) if row[1]] == [("100-250 px", 1, 0), ("500-1,000 px", 1, 1)]
    means, shares, pixels = zip(*(row for row in calibrate_bins(tiles) if row[0] > 0), strict=True)
    assert means == pytest.approx((0.2, 0.8))
    assert shares == pytest.approx((100 / 1800, 1))
    assert pixels == (1800, 600)
    scores = score_groups(tiles, ["town", "field"])
    assert [(score.name, score.tiles) for score in scores] == [("town", 1), ("field", 1)]
    assert [score.iou for score in scores] == [pytest.approx(6 / 7), 1.0]
    curve = count_curve(tiles, ["town", "field"])
    assert float(curve.score("pooled_iou")[127]) == pytest.approx(6 / 7)
