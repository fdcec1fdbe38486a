"""Calibration: tables that never fall, fitted on counts, kept only where they pay."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from conftest import TILE_GROUPS, draw_samples
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ensemble.mapfolder.raster import map_path, read_map
from ensemble.mapfolder.samples import ArraySamples
from ensemble.selection.blend import blend_maps
from ensemble.selection.calibration import fit_table, judge_calibration
from ensemble.selection.judgement import judge_blends
from ensemble.selection.library import IDENTITY, build_library
from ensemble.statistics.counts import count_maps
from ensemble.statistics.crossfit import SEED, assign_folds
from ensemble.statistics.metrics import best_threshold
from members.common.choices import CalibrationName
from members.data.raster import read_mask
from members.data.tiles import list_tiles

METHODS = get_args(CalibrationName)
# a third of the values is not counted at all
counts = arrays(np.int64, (2, 256), elements=st.one_of(st.just(0), st.integers(0, 10**7)))


def count(**pixels: tuple[int, int]) -> np.ndarray:
    """Counts from v128=(3, 1): three building pixels and another one of the value 128."""
    table = np.zeros((2, 256), np.int64)
    for name, both in pixels.items():
        table[:, int(name[1:])] = both
    return table


# Tables


@settings(deadline=None, max_examples=50)
@given(counts, st.sampled_from(METHODS))
def test_a_table_never_falls_and_begins_with_0(pixels: np.ndarray, method: CalibrationName) -> None:
    table = fit_table(pixels, method)
    assert table.dtype == np.uint8
    assert (table.shape, table[0]) == ((256,), 0)
    assert (np.diff(table.astype(int)) >= 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_what_is_calibrated_stays(method: CalibrationName) -> None:
    shares = np.arange(256)
    np.testing.assert_array_equal(fit_table(np.stack([shares, 255 - shares]) * 1000, method), IDENTITY)


@pytest.mark.parametrize("method", METHODS)
def test_too_sure_by_a_factor_of_two(method: CalibrationName) -> None:
    """Buildings as frequent as half the logits that the maps show would have it: both methods find these shares."""
    shown = np.arange(1, 255)
    shares = 1 / (1 + (255 / shown - 1) ** 0.5)
    pixels = np.zeros((2, 256), np.int64)
    pixels[:, 1:255] = np.rint(1e6 * np.stack([shares, 1 - shares]))
    table = fit_table(pixels, method)
    np.testing.assert_array_equal(table[1:255], np.rint(255 * shares))
    assert 10 < table[10] < table[128] == 128 < table[200] < 200


def test_isotonic_by_hand() -> None:
    """50 and 100 are in the wrong order, so they are pooled to 4 of 10; between 100 and 200 the line runs straight."""
    table = fit_table(count(v50=(3, 2), v100=(1, 4), v200=(8, 2)), "isotonic")
    assert [int(table[value]) for value in (0, 25, 50, 100, 150, 200, 255)] == [0, 51, 102, 102, 153, 204, 204]


def test_certainty_that_is_wrong_is_lowered_and_0_is_not_raised() -> None:
    """A mask's 255 is right in 4 of 5 cases; what has no data, and is never a building, stays 0 though some are."""
    for method in METHODS:
        table = fit_table(count(v0=(500, 500), v255=(80, 20)), method)
        assert (table[0], table[255]) == (0, 204)


def test_temperature_is_the_likeliest() -> None:
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 1000, (2, 256)) * np.stack([np.arange(256), 255 - np.arange(256)])
    values = np.minimum(np.arange(1, 256), 254.75) / 255
    logits = np.log(values / (1 - values))

    def loss(temperature: float) -> float:
        p = 1 / (1 + np.exp(-logits / temperature))
        return -float((pixels[0, 1:] * np.log(p) + pixels[1, 1:] * np.log(1 - p)).sum())

    best = min(np.geomspace(0.2, 5, 2001), key=loss)
    assert abs(best - 1) > 0.01
    expected = np.rint(255 / (1 + np.exp(-logits / best)))
    assert np.abs(fit_table(pixels, "temperature")[1:] - expected).max() <= 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pixels", [count(v0=(9, 9)), count(v0=(9, 9), v7=(3, 0)), count(v200=(0, 5))])
def test_nothing_to_learn_from(method: CalibrationName, pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(fit_table(pixels, method), IDENTITY)


def test_maps_that_say_the_opposite_are_not_turned_round() -> None:
    pixels = np.stack([255 - np.arange(256), np.arange(256)])
    np.testing.assert_array_equal(fit_table(pixels, "temperature"), IDENTITY)
    assert len(set(fit_table(pixels, "isotonic")[1:])) < 256 // 2  # pooled, not reversed


# What it is worth


@pytest.mark.parametrize("method", METHODS)
def test_cross_fitted_gain(method: CalibrationName) -> None:
    """Against pixels: each fold by tables and a threshold that were fitted on the other folds."""
    tiles = list(draw_samples(3, noise=90))
    library = build_library(draw_samples(3, noise=90))
    [mean, *_] = judge_blends(library, bags=1)
    found = judge_calibration(library, mean, method, bags=1)
    folds = assign_folds(TILE_GROUPS, 3, SEED)

    def blend(maps: Sequence[np.ndarray], fold: int | None) -> np.ndarray:
        chosen_on = [tile for tile, f in zip(tiles, folds, strict=True) if f != fold]
        calibrated = []
        for member, values in enumerate(maps):
            pixels = [
                np.bincount(np.concatenate([each[member][truth == kind] for each, truth in chosen_on]), minlength=256)
                for kind in (True, False)
            ]
            calibrated.append(fit_table(np.stack(pixels), method)[values])
        return blend_maps(calibrated, [1, 1, 1])

    intersection = union = 0
    for fold in range(3):
        chosen_on = [(*tile, group) for tile, group, f in zip(tiles, TILE_GROUPS, folds, strict=True) if f != fold]
        maps, truths, groups = zip(
            *((blend(maps, fold), truth, group) for maps, truth, group in chosen_on), strict=True
        )
        threshold = best_threshold(count_maps(maps, truths, groups).score("pooled_iou"))
        for (maps, truth), f in zip(tiles, folds, strict=True):
            if f == fold:
                mask = blend(maps, fold) >= threshold
                intersection += (mask & truth).sum()
                union += (mask | truth).sum()
    judged = found.judgement
    assert judged.cross_fitted is not None
    assert judged.cross_fitted.value == pytest.approx(intersection / union)
    assert judged.gain is not None
    assert mean.cross_fitted is not None
    assert judged.gain.value == pytest.approx(intersection / union - mean.cross_fitted.value)
    assert judged.gain.interval is None  # three groups can't tell
    assert not found.kept
    full = count_maps([blend(maps, None) for maps, _ in tiles], [truth for _, truth in tiles], TILE_GROUPS)
    assert judged.in_sample == pytest.approx(full.score("pooled_iou").max())


def test_a_single_group_pays_nothing() -> None:
    library = build_library(draw_samples(2, groups=["g"] * 4))
    found = judge_calibration(library, judge_blends(library, bags=1)[0], "isotonic", bags=1)
    assert found.judgement.gain is None
    assert not found.kept


def test_real_maps(shared_data: Path) -> None:
    """Of two real members every table lowers the Brier score on what it was fitted on."""
    tiles = [tile for tile in list_tiles(shared_data / "hot_buildings") if tile.mask][::8]
    part = shared_data / "hot_maps/valid"
    maps = {
        member: [read_map(map_path(part / member, tile.image_id), (256, 256)) for tile in tiles]
        for member in ("lite0", "lite1")
    }
    truths = [read_mask(tile.mask) for tile in tiles if tile.mask]
    pixels = build_library(ArraySamples(maps, truths, [tile.group for tile in tiles])).count_members().sum(axis=1)
    for counted in pixels:
        for method in METHODS:
            table = fit_table(counted, method)
            squares = [
                (counted[0] * (1 - shown / 255) ** 2).sum() + (counted[1] * (shown / 255) ** 2).sum()
                for shown in (IDENTITY.astype(float), table.astype(float))
            ]
            assert squares[1] < squares[0]  # a lower Brier score
