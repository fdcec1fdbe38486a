"""Calibration: tables that never fall, fitted on counts, kept only where they pay, applied wherever maps are read."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from conftest import Outcome, write_raster, write_tiles
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from postproc.study.source import Source
from test_greedy import GROUPS, build, draw_tiles

from ensemble.mapfolder.maps import Manifest, map_path, write_manifest
from ensemble.selection.blend import Blend, blend_maps, read_blend, read_weights
from ensemble.selection.calibration import (
    IDENTITY,
    CalibrationName,
    calibrate_library,
    count_members,
    fit_table,
    judge_calibration,
)
from ensemble.selection.greedy import build_library
from ensemble.selection.methods import SEED, find_threshold, judge_blends
from ensemble.statistics.counts import assign_folds, collect_evidence
from members.common.errors import InputError
from members.common.files import write_json
from members.data.raster import read_mask
from members.data.run import Run
from members.data.split import Split
from members.data.tiles import list_tiles
from postproc.formats.submission import read_submission

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
    assert (table.dtype, table.shape, table[0]) == (np.uint8, (256,), 0)
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


# Libraries


def test_counts_of_members() -> None:
    tiles = draw_tiles(3)
    counted = count_members(build(tiles))
    assert counted.shape == (3, 3, 2, 256)
    for member in range(3):
        for place, group in enumerate("abc"):
            for part, kind in enumerate((True, False)):
                own = [
                    maps[member][truth == kind] for (maps, truth), g in zip(tiles, GROUPS, strict=True) if g == group
                ]
                np.testing.assert_array_equal(
                    counted[member, place, part], np.bincount(np.concatenate(own), minlength=256)
                )


@pytest.mark.parametrize("method", METHODS)
def test_cross_fitted_gain(method: CalibrationName) -> None:
    """Against pixels: each fold by tables and a threshold that were fitted on the other folds."""
    tiles = draw_tiles(3, noise=90)
    library = build(tiles)
    [mean, *_] = judge_blends(library, bags=1)
    found = judge_calibration(library, mean, method, bags=1)
    folds = assign_folds(GROUPS, 3, SEED)

    def blend(maps: list[np.ndarray], fold: int | None) -> np.ndarray:
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
        chosen_on = [(*tile, group) for tile, group, f in zip(tiles, GROUPS, folds, strict=True) if f != fold]
        maps, truths, groups = zip(
            *((blend(maps, fold), truth, group) for maps, truth, group in chosen_on), strict=True
        )
        threshold = find_threshold(collect_evidence(maps, truths, groups).score("pooled_iou"))
        for (maps, truth), f in zip(tiles, folds, strict=True):
            if f == fold:
                mask = blend(maps, fold) >= threshold
                intersection += (mask & truth).sum()
                union += (mask | truth).sum()
    judged = found.judgement
    assert judged.cross_fitted == pytest.approx(intersection / union)
    assert judged.gain is not None
    assert judged.gain[0] == pytest.approx(intersection / union - (mean.cross_fitted or 0))
    assert found.pays == (judged.gain[1] > 0)
    whole = collect_evidence([blend(maps, None) for maps, _ in tiles], [truth for _, truth in tiles], GROUPS)
    assert judged.in_sample == pytest.approx(whole.score("pooled_iou").max())


def test_a_single_group_pays_nothing() -> None:
    library = build_library(["a", "b"], draw_tiles(2), ["g"] * 4)
    found = judge_calibration(library, judge_blends(library, bags=1)[0], "isotonic", bags=1)
    assert found.judgement.gain is None
    assert not found.pays


# The command


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of six tiles in three groups: `shy` is right and says so softly, `loud` is often wrong and always sure."""
    tiles = list_tiles(write_tiles(tmp_path / "data"))
    run = Run(tmp_path / "run")
    split = Split(folds=3, fold_of_group={"g0": 0, "g1": 1, "g2": 2})
    run.write_record(tmp_path / "data", tiles, split)
    images = {tile.image_id: (64, 64) for tile in tiles}
    for member in ("loud", "shy"):
        manifest = Manifest(member=member, spec={}, tta="none", weights={}, split=split.model_dump(), images=images)
        write_manifest(run.map_folder("valid", member), manifest)
    for number, tile in enumerate(tiles):
        assert tile.mask is not None
        rng = np.random.default_rng(number)
        truth = read_mask(tile.mask)
        shy = np.clip(128 + 20 * (truth - 0.5) + rng.normal(0, 4, truth.shape), 1, 254)
        loud = 255 * (truth ^ (rng.random(truth.shape) < 0.3))
        write_raster(map_path(run.map_folder("valid", "shy"), tile.image_id), shy.astype(np.uint8))
        write_raster(map_path(run.map_folder("valid", "loud"), tile.image_id), loud.astype(np.uint8))
    return run


@pytest.fixture
def calibrated(roofstack: Callable[..., Outcome], run: Run) -> Run:
    """The run after blending its two members alike, calibrated."""
    outcome = roofstack(
        "blend", "--data", run.path.parent / "data", "--run", run.path, "--bags", 1, "--method", "mean",
        "--calibrate", "isotonic",
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    assert "isotonic calibration, mean of all: " in outcome.out
    assert "): kept" in " ".join(outcome.out.split())
    return run


def test_what_pays_is_kept_and_reads_calibrated(calibrated: Run) -> None:
    content = json.loads(calibrated.blend_file.read_text())
    judged = content["calibration"]
    assert judged["kept"] is True
    assert judged["gain"][1] > 0
    assert judged["cross_fitted"] == pytest.approx(content["scores"]["mean"]["cross_fitted"] + judged["gain"][0])
    blend = read_weights(calibrated, ["loud", "shy"])
    assert blend == {"loud": 1, "shy": 1}
    assert 170 < blend.tables["loud"][255] < 190  # right in 70 % of the cases
    part = calibrated.part_folder("valid")
    plain = {member: read_blend(part, {member: 1}, "tile0", (64, 64)) for member in blend}
    expected = blend_maps([blend.tables[member][values] for member, values in plain.items()], [1, 1])
    np.testing.assert_array_equal(read_blend(part, blend, "tile0", (64, 64)), expected)
    assert (expected != read_blend(part, dict(blend), "tile0", (64, 64))).any()


def test_tune_and_submit_take_the_calibration_along(roofstack: Callable[..., Outcome], calibrated: Run) -> None:
    """What is tuned is what is submitted, though another blend was chosen in between."""
    data = calibrated.path.parent / "data"
    outcome = roofstack("tune", "--data", data, "--run", calibrated.path, "--trials", 1, "--no-cross-fit")
    assert outcome.code == 0, outcome.err
    tuned = json.loads(calibrated.tuned_file.read_text())
    blended = json.loads(calibrated.blend_file.read_text())
    assert (tuned["members"], tuned["tables"]) == (blended["members"], blended["tables"])
    calibrated.blend_file.unlink()
    assert roofstack("submit", "--run", calibrated.path, "--part", "valid").code == 0
    intersection = union = 0
    truths = {tile.image_id: read_mask(tile.mask) for tile in list_tiles(data) if tile.mask}
    for image_id, mask in read_submission(calibrated.submission_file("valid")):
        intersection += (mask & truths[image_id]).sum()
        union += (mask | truths[image_id]).sum()
    # without cross-fitting the last step is kept, so this is its recipe on calibrated maps
    assert intersection / union == pytest.approx(tuned["scores"]["tuned_in_sample"])


def test_what_weights_are_searched_on_is_calibrated(calibrated: Run) -> None:
    tiles = tuple(list_tiles(calibrated.path.parent / "data"))
    tables = read_weights(calibrated, ["loud", "shy"]).tables
    sizes = {tile.image_id: (64, 64) for tile in tiles}
    source = Source(calibrated.part_folder("valid"), ("loud", "shy"), tiles, sizes, ("g",) * len(tiles), tables)
    for tile in tiles:
        maps = source.read_maps(tile)
        np.testing.assert_array_equal(source.read_blend(tile, {"loud": 2, "shy": 1}), blend_maps(list(maps), [2, 1]))
        assert set(np.unique(maps[0])) <= {0, tables["loud"][255]}


def test_what_does_not_pay_is_refused(roofstack: Callable[..., Outcome], run: Run) -> None:
    """A single member's tables never change the order of values: nothing to gain."""
    command = ("blend", "--data", run.path.parent / "data", "--run", run.path, "--bags", 1, "--method", "single")
    assert roofstack(*command).code == 0
    plain = json.loads(run.blend_file.read_text())
    outcome = roofstack(*command, "--calibrate", "temperature")
    assert (outcome.code, outcome.err) == (0, "")
    assert "): refused" in " ".join(outcome.out.split())
    content = json.loads(run.blend_file.read_text())
    assert content.pop("calibration")["kept"] is False
    assert content == plain
    assert read_weights(run, ["loud", "shy"]).tables == {}


def test_tables_as_they_are_stored(tmp_path: Path) -> None:
    blend = Blend(
        {"a": 2, "b": 0}, {"a": np.sort(np.random.default_rng(0).integers(0, 256, 256, np.uint8)) * (IDENTITY > 0)}
    )
    write_json(tmp_path / "blend.json", blend.describe())
    found = read_weights(Run(tmp_path), ["a", "b"])
    assert found == {"a": 2, "b": 0}
    assert set(found.tables) == {"a"}
    np.testing.assert_array_equal(found.tables["a"], blend.tables["a"])


@pytest.mark.parametrize(
    "tables",
    [
        [],
        {"a": 3},
        {"a": list(range(255))},
        {"a": [1] * 256},
        {"a": [*range(255), 256]},
        {"a": [*range(255), 3]},
        {"a": [*range(255), 255.0]},
    ],
)
def test_tables_that_are_none(tmp_path: Path, tables: object) -> None:
    write_json(tmp_path / "blend.json", {"members": {"a": 1}, "tables": tables})
    with pytest.raises(InputError, match=r"blend.json: tables: not 256 whole numbers .*; run roofstack blend again"):
        read_weights(Run(tmp_path), ["a"])


def test_real_maps(shared_data: Path) -> None:
    """Of two real members every table lowers the Brier score on what it was fitted on."""
    tiles = [tile for tile in list_tiles(shared_data / "hot_buildings") if tile.mask][::8]
    members = ("lite0", "lite1")
    pairs = (
        (
            [read_blend(shared_data / "hot_maps/valid", {m: 1}, t.image_id, (256, 256)) for m in members],
            read_mask(t.mask),
        )
        for t in tiles
        if t.mask
    )
    library = build_library(members, pairs, [tile.group for tile in tiles])
    pixels = count_members(library).sum(axis=1)
    for counted, values in zip(pixels, library.values, strict=True):
        for method in METHODS:
            table = fit_table(counted, method)
            squares = [
                (kind * (1 - shown / 255) ** 2).sum() + (other * (shown / 255) ** 2).sum()
                for kind, other, shown in [(*counted, IDENTITY.astype(float)), (*counted, table.astype(float))]
            ]
            assert squares[1] < squares[0]  # a lower Brier score
            calibrated = calibrate_library(replace(library, values=values[None]), [table])
            np.testing.assert_array_equal(calibrated.values[0], table[values])
