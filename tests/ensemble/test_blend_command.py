"""The command that chooses a blend: what it writes, keeps and refuses, and who takes it up."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Outcome, hash_folder, write_raster, write_tiles

from ensemble.blend import parse_weights
from ensemble.mapfolder.manifest import Manifest, write_manifest
from ensemble.mapfolder.raster import map_path
from ensemble.selection.blend import Blend, blend_maps, read_blend, read_weights
from members.common.errors import InputError
from members.data.raster import read_mask
from members.data.run import Run
from members.data.split import Split
from members.data.tiles import list_tiles
from postproc.formats.submission import read_submission


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of twelve tiles in six groups with maps of a good, a fair and a useless member."""
    data = write_tiles(tmp_path / "data", 12)
    run = Run(tmp_path / "run")
    tiles = list_tiles(data)
    split = Split(folds=3, fold_of_group={f"g{group}": group % 3 for group in range(6)})
    run.write_record(data, tiles, split)
    for member, noise in {"good": 40, "fair": 60, "useless": 500}.items():
        images = {tile.image_id: (64, 64) for tile in tiles}
        manifest = Manifest(member=member, spec={}, tta="none", weights={}, split=split, images=images)
        write_manifest(run.map_folder("valid", member), manifest)
        for number, tile in enumerate(tiles):
            assert tile.mask is not None
            noisy = read_mask(tile.mask) * 100.0 + 80 + np.random.default_rng(number).normal(0, noise, (64, 64))
            noisy = noisy if member == "good" else np.roll(noisy, 0 if member == "fair" else 9, 1)
            write_raster(
                run.map_folder("valid", member) / f"{tile.image_id}.tif", np.clip(noisy, 0, 255).astype(np.uint8)
            )
    return run


def test_the_command_writes_what_tune_takes_up(roofstack: Callable[..., Outcome], run: Run) -> None:
    data = run.path.parent / "data"
    outcome = roofstack("blend", "--data", data, "--run", run.path, "--bags", 3)
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(run.blend_file.read_text())
    assert set(content["scores"]) == {"mean", "single", "greedy"}
    assert content["scores"]["single"]["weights"] == {"fair": 0, "good": 1, "useless": 0}
    assert content["method"] in ("single", "greedy")  # the useless member spoils the mean
    assert content["members"]["useless"] == 0
    assert "weight 0, so not needed: " in outcome.out
    assert "useless" in outcome.out.splitlines()[-2]
    assert read_weights(run, dict.fromkeys(["fair", "good", "useless"])) == Blend(content["members"])
    for score in content["scores"].values():
        assert 0 < score["interval"][0] <= score["cross_fitted"] <= score["in_sample"] <= 1


def test_given_weights_are_kept(roofstack: Callable[..., Outcome], run: Run) -> None:
    command = ("blend", "--data", run.path.parent / "data", "--run", run.path, "--bags", 1)
    assert roofstack(*command, "--weights", "good=3,fair=1").code == 0
    assert json.loads(run.blend_file.read_text())["members"] == {"fair": 1, "good": 3, "useless": 0}
    before = hash_folder(run.path)
    for bad in ("good=0", "good=-1", "bad=1"):
        outcome = roofstack(*command, "--weights", bad)
        assert outcome.code == 2
        assert outcome.err.startswith(f"error: --weights {bad}: ")
    assert hash_folder(run.path) == before


def test_members_of_other_images_are_not_mixed(roofstack: Callable[..., Outcome], run: Run) -> None:
    path = run.map_folder("valid", "good") / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["images"]["tile0"] = [64, 32]
    path.write_text(json.dumps(manifest))
    outcome = roofstack("blend", "--data", run.path.parent / "data", "--run", run.path)
    assert outcome.code == 2
    assert "good: not the images of fair's maps; predict both again in one run" in outcome.err
    assert not run.blend_file.exists()


# Weights that are given


def test_weights_as_they_are_typed() -> None:
    assert parse_weights("b=2, a=1", ["a", "b", "c"]) == {"a": 1, "b": 2, "c": 0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=1", r"--weights x=1: no maps of a member 'x'; there are a, b"),
        ("a", r"a=; weights are non-negative integers"),
        ("a=-1", r"a=-1; weights are non-negative integers, as in a=2,b=1"),
        ("a=0.5", r"a=0.5; weights are non-negative integers"),
        ("a=0,b=0", r"they sum to 0; at least one member needs a weight above 0"),
    ],
)
def test_weights_that_are_none(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_weights(text, ["a", "b"])


# Calibration


@pytest.fixture
def timid(tmp_path: Path) -> Run:
    """A run of twelve tiles in six groups: `shy` is right and says so softly, `loud` is often wrong and always sure."""
    tiles = list_tiles(write_tiles(tmp_path / "data", 12))
    run = Run(tmp_path / "run")
    split = Split(folds=3, fold_of_group={f"g{group}": group % 3 for group in range(6)})
    run.write_record(tmp_path / "data", tiles, split)
    images = {tile.image_id: (64, 64) for tile in tiles}
    for member in ("loud", "shy"):
        manifest = Manifest(member=member, spec={}, tta="none", weights={}, split=split, images=images)
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
def calibrated(roofstack: Callable[..., Outcome], timid: Run) -> Run:
    """The run after blending its two members alike, calibrated."""
    outcome = roofstack(
        "blend", "--data", timid.path.parent / "data", "--run", timid.path, "--bags", 1, "--method", "mean",
        "--calibrate", "isotonic",
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    assert "isotonic calibration, mean of all: " in outcome.out
    assert "); kept: a chance of" in " ".join(outcome.out.split())
    return timid


def test_what_pays_is_kept_and_reads_calibrated(calibrated: Run) -> None:
    content = json.loads(calibrated.blend_file.read_text())
    judged = content["calibration"]
    assert judged["kept"] is True
    assert judged["gain"]["interval"][0] > 0
    assert judged["gain"]["chance"] > 0.95
    gain = judged["gain"]["gain"]
    assert judged["cross_fitted"] == pytest.approx(content["scores"]["mean"]["cross_fitted"] + gain)
    blend = read_weights(calibrated, dict.fromkeys(["loud", "shy"]))
    assert blend.weights == {"loud": 1, "shy": 1}
    assert 170 < blend.tables["loud"][255] < 190  # right in 70 % of the cases
    part = calibrated.part_folder("valid")
    plain = {member: read_blend(part, Blend({member: 1}), "tile0", (64, 64)) for member in blend.members}
    expected = blend_maps([blend.tables[member][values] for member, values in plain.items()], [1, 1])
    np.testing.assert_array_equal(read_blend(part, blend, "tile0", (64, 64)), expected)
    assert (expected != read_blend(part, Blend(blend.weights), "tile0", (64, 64))).any()


@pytest.mark.slow  # outlines of noise
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


def test_what_does_not_pay_is_refused(roofstack: Callable[..., Outcome], timid: Run) -> None:
    """A single member's tables never change the order of values: nothing to gain."""
    command = ("blend", "--data", timid.path.parent / "data", "--run", timid.path, "--bags", 1, "--method", "single")
    assert roofstack(*command).code == 0
    plain = json.loads(timid.blend_file.read_text())
    outcome = roofstack(*command, "--calibrate", "temperature")
    assert (outcome.code, outcome.err) == (0, "")
    assert "); refused: it changes nothing" in " ".join(outcome.out.split())
    content = json.loads(timid.blend_file.read_text())
    assert content.pop("calibration")["kept"] is False
    assert content == plain
    assert read_weights(timid, dict.fromkeys(["loud", "shy"])).tables == {}
