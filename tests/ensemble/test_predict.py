"""Prediction: padding, views, folds, resuming, and where the maps end up."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from conftest import ROOT, SYMMETRIES, Outcome, Standin, draw_stack, hash_folder, write_fold, write_raster, write_tiles
from rasterio import Affine

from ensemble import predict
from ensemble.inference import rehearsal, sharing
from ensemble.inference.engines.table import Engine
from ensemble.inference.networks import Network
from ensemble.inference.tasks import Request, plan_member
from ensemble.inference.views import VIEW_SETS
from ensemble.mapfolder.manifest import Manifest, read_manifest
from ensemble.mapfolder.raster import find_blocks, read_map
from members.common.errors import InputError
from members.common.files import hash_file, write_json
from members.data.cog import is_cog
from members.data.drivers import hash_image
from members.data.raster import read_image
from members.data.run import Run
from members.data.split import Split
from members.data.tiles import list_tiles
from members.training.catalog import find_spec
from members.training.networks.weights import write_weights

RoofStack = Callable[..., Outcome]

SLOPES = {"fold0": 0.4, "fold1": 1}
SPLIT = Split(folds=2, fold_of_group={"g0": 0, "g1": 1, "g2": 0})
# The command, with stand-ins for two folds


@pytest.fixture
def run(tmp_path: Path, data_set: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of one member with two folds, whose networks are stand-ins of slopes 0.4 and 1."""
    run = Run(tmp_path / "run")
    run.write_record(data_set, list_tiles(data_set), SPLIT)
    for fold in (0, 1):
        write_fold(run, "lite0_unet", fold, b"weights %d" % fold)
    monkeypatch.setattr(predict, "choose_backend", lambda: None)
    monkeypatch.setattr(sharing, "load_network", lambda folder, engine: Standin(SLOPES[folder.name]).network)
    return run


def add_member(run: Run, name: str) -> None:
    for fold in (0, 1):
        write_fold(run, name, fold)


def read_red(path: Path) -> np.ndarray:
    return read_image(path)[..., 0].astype(np.float32)


def stamp_maps(run: Run, part: str) -> dict[str, int]:
    return {path.stem: path.stat().st_mtime_ns for path in run.map_folder(part, "lite0_unet").glob("*.tif")}


def test_valid_maps_are_by_the_fold_that_did_not_see_the_tile(roofstack: RoofStack, run: Run, data_set: Path) -> None:
    outcome = roofstack("predict", "--data", data_set, "--run", run.path, "--part", "valid")
    assert (outcome.code, outcome.err) == (0, "")
    tiles = list_tiles(data_set)
    assert set(stamp_maps(run, "valid")) == {tile.image_id for tile in tiles}
    for tile in tiles:
        slope = 1 if tile.group == "g1" else 0.4  # of which no product ends in .5
        path = run.map_folder("valid", "lite0_unet") / f"{tile.image_id}.tif"
        values = read_map(path, (64, 64))
        np.testing.assert_array_equal(values, np.rint(read_red(tile.image) * slope))
        with rasterio.open(tile.image) as image, rasterio.open(path) as raster:
            assert (raster.crs, raster.transform) == (image.crs, image.transform)


def test_a_hold_out_predicts_its_groups_alone(roofstack: RoofStack, run: Run, data_set: Path) -> None:
    run.record_file.unlink()
    shutil.rmtree(run.members_folder)
    run.write_record(data_set, list_tiles(data_set), Split(fold_of_group={"g0": -1, "g1": 0, "g2": -1}))
    write_fold(run, "lite0_unet", 0)
    assert roofstack("predict", "--data", data_set, "--run", run.path, "--part", "valid", "--tta", "none").code == 0
    assert set(stamp_maps(run, "valid")) == {"tile2", "tile3"}


def test_test_maps_are_the_mean_of_the_folds_rounded_once(roofstack: RoofStack, run: Run, data_set: Path) -> None:
    image = np.zeros((32, 40, 3), np.uint8)
    image[..., 0] = np.arange(40)
    write_raster(data_set / "test/images/img/new.tif", image)
    assert roofstack("predict", "--data", data_set, "--run", run.path, "--part", "test", "--tta", "none").code == 0
    [values, *_] = read_map(run.map_folder("test", "lite0_unet") / "new.tif", (32, 40))
    red = np.arange(40, dtype=np.float32)
    once = np.rint((red / 255 * np.float32(0.4) + red / 255) / 2 * 255)
    twice = np.rint((np.rint(red * 0.4) + red) / 2)
    np.testing.assert_array_equal(values, once)
    assert (values != twice).any()


def test_maps_become_cloud_optimized_also_those_that_were_there(roofstack: RoofStack, run: Run, data_set: Path) -> None:
    command = ("predict", "--data", data_set, "--run", run.path, "--part", "valid", "--tta", "none", "--uncertainty")
    assert roofstack(*command).code == 0
    paths = [run.map_folder("valid", "lite0_unet") / "tile0.tif", run.uncertainty_folder("valid") / "tile0.tif"]
    before = [read_map(path, (64, 64)) for path in paths]
    assert not any(map(is_cog, paths))
    assert "0 new of 6" in roofstack(*command, "--cog").out
    assert all(map(is_cog, paths))
    np.testing.assert_array_equal([read_map(path, (64, 64)) for path in paths], before)
    assert "0 new of 6" in roofstack(*command).out


def test_a_dry_run_counts_and_writes_nothing(
    roofstack: RoofStack, run: Run, data_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "load_network", lambda folder, engine: Standin(SLOPES[folder.name]).network)
    command = ("predict", "--data", data_set, "--run", run.path, "--part", "valid", "--tta", "flips")
    before = hash_folder(run.path)
    outcome = roofstack(*command, "--dry-run")
    assert (outcome.code, outcome.err) == (0, "")
    assert "6 of 6" in outcome.out
    assert "no map is made or dropped: --dry-run" in outcome.out
    assert hash_folder(run.path) == before
    assert roofstack(*command).code == 0
    (run.map_folder("valid", "lite0_unet") / "tile1.tif").unlink()
    before = hash_folder(run.path)
    (plan,) = json.loads(roofstack(*command, "--dry-run", "--json").out)["members"]
    assert (plan["member"], plan["new"], plan["images"], plan["views"]) == ("lite0_unet", 1, 6, "flips")
    assert plan["seconds"] > 0
    other = roofstack(*command[:-1], "none", "--dry-run", "--replace")
    assert "its 6 maps are dropped, and made anew" in other.err
    assert hash_folder(run.path) == before


def test_windows_overlap_so_that_more_pixels_are_seen() -> None:
    assert rehearsal.count_pixels((64, 40), 32) == 64 * 40
    assert rehearsal.count_pixels((512, 1000), 32) == 512 * (512 * 3 - 24)


def test_a_stopped_prediction_goes_on(roofstack: RoofStack, run: Run, data_set: Path) -> None:
    command = ("predict", "--data", data_set, "--run", run.path, "--part", "valid", "--tta", "none")
    assert "6 new of 6" in roofstack(*command).out
    folder = run.map_folder("valid", "lite0_unet")
    for path in folder.iterdir():
        os.utime(path, ns=(10**9, 10**9))
    for name in ("tile1", "tile4"):
        (folder / f"{name}.tif").unlink()
    assert "2 new of 6" in roofstack(*command).out
    assert {name for name, time in stamp_maps(run, "valid").items() if time != 10**9} == {"tile1", "tile4"}
    assert "0 new of 6" in roofstack(*command).out
    assert run.commands_file.read_text().count("roofstack predict") == 1  # one command, started again


def test_what_a_killed_predict_left_goes_though_nothing_is_left_to_do(
    roofstack: RoofStack, run: Run, data_set: Path
) -> None:
    command = ("predict", "--data", data_set, "--run", run.path, "--part", "valid", "--tta", "none")
    assert roofstack(*command).code == 0
    folder = run.map_folder("valid", "lite0_unet")
    blocks = find_blocks(folder, "tile0", hash_image(data_set / "images/tile0.tif"))
    locks = run.part_folder("valid") / ".lite0_unet.locks"
    for path in (blocks / "1/0-32-0-64.npy", locks / "process-7", locks / "image-tile0"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert "0 new of 6" in roofstack(*command).out
    assert not blocks.exists()
    assert not locks.exists()


def test_maps_of_other_views_stay_unless_asked(roofstack: RoofStack, run: Run, data_set: Path) -> None:
    command = ("predict", "--data", data_set, "--run", run.path, "--part", "valid", "--tta")
    roofstack(*command, "none")
    before = hash_folder(run.path)
    outcome = roofstack(*command, "flips")
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert "its 6 maps are of other views none, not flips; ask for the same to go on, give --replace" in outcome.err
    assert hash_folder(run.path) == before
    outcome = roofstack(*command, "flips", "--replace")
    assert "6 new of 6" in outcome.out
    assert "its 6 maps are dropped, and made anew" in outcome.err
    assert "0 new of 6" in roofstack(*command, "flips", "--replace").out  # as it goes on after a kill


def test_a_part_of_ones_own_grows(roofstack: RoofStack, run: Run, tmp_path: Path) -> None:
    """A second scene leaves the first one's map; another image of its name gets a map of its own."""
    for name in ("a", "b", "c"):
        write_raster(tmp_path / f"{name}/{name}.tif", draw_stack(40, 50))
    command = ("predict", "--run", run.path, "--part", "town", "--tta", "none", "--images")
    for name in ("a", "b"):
        assert "1 new of 1" in roofstack(*command, tmp_path / name).out
    first = stamp_maps(run, "town")
    assert set(first) == {"a", "b"}
    write_raster(tmp_path / "a/a.tif", 255 - draw_stack(40, 50))
    outcome = roofstack(*command, tmp_path / "a")
    assert "1 new of 1" in outcome.out
    assert "town/lite0_unet: 1 images have changed since (a, ..); their maps are made anew" in outcome.err
    values = read_map(run.map_folder("town", "lite0_unet") / "a.tif", (40, 50))
    assert np.abs(values - np.rint(read_red(tmp_path / "a/a.tif") * np.float32(0.7))).max() <= 1
    assert stamp_maps(run, "town")["b"] == first["b"]
    assert roofstack("maps", "check", run.part_folder("town")).out == "2 maps of lite0_unet: no problem(s)\n"


def test_an_image_that_changes_while_it_waits(
    roofstack: RoofStack, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = write_raster(tmp_path / "new/a.tif", draw_stack(40, 50))

    def load(folder: Path, engine: str) -> Network:
        write_raster(image, 255 - draw_stack(40, 50))
        return Standin().network

    monkeypatch.setattr(sharing, "load_network", load)
    outcome = roofstack("predict", "--images", tmp_path / "new", "--run", run.path, "--part", "town")
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert "a.tif: has changed while maps were made; run the same command again" in outcome.err
    assert stamp_maps(run, "town") == {}


def test_weights_that_change_while_they_are_loaded(
    roofstack: RoofStack, run: Run, data_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the manifest names is what was loaded, not what was there at the start."""

    def load(folder: Path, engine: str) -> Network:
        (folder / "best.weights.h5").write_bytes(b"trained on")
        return Standin().network

    monkeypatch.setattr(sharing, "load_network", load)
    outcome = roofstack("predict", "--data", data_set, "--run", run.path, "--part", "valid")
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert "the member was trained on meanwhile, so predict again" in outcome.err
    assert not run.map_folder("valid", "lite0_unet").exists()


def test_maps_of_other_weights_are_not_replaced(roofstack: RoofStack, run: Run, data_set: Path) -> None:
    """Weights may have been damaged, and maps may have taken hours: neither is mixed, nor lost."""
    command = ("predict", "--data", data_set, "--run", run.path, "--part", "valid", "--tta", "none")
    roofstack(*command)
    folder = run.map_folder("valid", "lite0_unet")
    (folder / "tile1.tif").unlink()
    run.fold("lite0_unet", 1).weights_file.write_bytes(b"others")
    before = hash_folder(run.path)
    outcome = roofstack(*command)
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert f"{folder}: its maps were made with other weights than fold 1 of lite0_unet has now (hash " in outcome.err
    assert "restore those weights, give --replace to drop them, or move the folder elsewhere" in outcome.err
    assert hash_folder(run.path) == before
    folder.rename(run.path / "old")
    assert "6 new of 6" in roofstack(*command).out


@pytest.mark.parametrize("other", ["damaged", "not the maps'"])
def test_what_is_wrong_with_a_later_member_is_said_before_the_first_map(
    roofstack: RoofStack, run: Run, data_set: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    add_member(run, "two")
    command = ("predict", "--data", data_set, "--run", run.path, "--part", "valid", "--tta", "none", "--members")
    if other == "damaged":

        def load(folder: Path, engine: str) -> Network:
            if folder.parent.name == "two" and folder.name == "fold1":
                raise InputError("damaged")
            return Standin().network

        monkeypatch.setattr(sharing, "load_network", load)
    else:
        assert roofstack(*command, "two").code == 0
        run.fold("two", 0).weights_file.write_bytes(b"others")
    before = hash_folder(run.path)
    outcome = roofstack(*command, "lite0_unet,two")
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert hash_folder(run.path) == before


def test_the_manifest_says_what_the_maps_are_of(roofstack: RoofStack, run: Run, data_set: Path) -> None:
    roofstack("predict", "--data", data_set, "--run", run.path, "--part", "valid", "--tta", "flips")
    weights = {str(k): hash_file(run.fold("lite0_unet", k).weights_file) for k in (0, 1)}
    assert weights["0"] != weights["1"]
    assert read_manifest(run.map_folder("valid", "lite0_unet")) == Manifest(
        member="lite0_unet",
        spec=find_spec("lite0_unet").model_dump(mode="json"),
        tta="flips",
        weights=weights,
        split=SPLIT,
        images={f"tile{number}": (64, 64) for number in range(6)},
        hashes={f"tile{number}": hash_image(data_set / f"images/tile{number}.tif") for number in range(6)},
        files={f"tile{number}": f"tile{number}.tif" for number in range(6)},
        context=32,
        engines=("keras",),
    )


def test_tiles_are_not_shown_with_those_that_their_fold_was_trained_on(run: Run, data_set: Path) -> None:
    """Six tiles in a row, two a group; g0 and g2 are held out of fold 0, g1 of fold 1."""
    tiles = list_tiles(data_set)
    for number, tile in enumerate(tiles):
        frame = {"crs": "EPSG:3857", "transform": Affine(0.5, 0, 1000 + 32 * number, 0, -0.5, 2000)}
        write_raster(tile.image, draw_stack(64, 64), **frame)
    request = Request.of_tiles(run, run.read_record(), "valid", tiles, VIEW_SETS["none"])
    seen = plan_member(request, "lite0_unet").full.around.neighbours
    pairs = {image_id: [each.image_id for each in others] for image_id, others in seen.items()}
    assert pairs == {"tile0": ["tile1"], "tile1": ["tile0"], "tile2": ["tile3"], "tile3": ["tile2"], "tile4": ["tile5"],
                     "tile5": ["tile4"]}  # fmt: skip
    test = Request.of_tiles(run, run.read_record(), "test", tiles, VIEW_SETS["none"])
    assert [len(each) for each in plan_member(test, "lite0_unet").full.around.neighbours.values()] == [1, 2, 2, 2, 2, 1]


def test_tiles_that_touch_are_shown_together(roofstack: RoofStack, run: Run, tmp_path: Path) -> None:
    """A pair that touches and one image apart; a neighbour that changes changes the map, and 0 px are other maps."""
    places = {"left": 0, "right": 64, "apart": 500}
    for name, column in places.items():
        frame = {"crs": "EPSG:3857", "transform": Affine(0.5, 0, 1000 + column / 2, 0, -0.5, 2000)}
        write_raster(tmp_path / f"new/{name}.tif", draw_stack(64, 64), **frame)
    command = ("predict", "--images", tmp_path / "new", "--run", run.path, "--part", "town", "--tta", "none")
    assert roofstack(*command).code == 0
    manifest = read_manifest(run.map_folder("town", "lite0_unet"))
    assert (manifest.context, sorted(manifest.around)) == (32, ["left", "right"])
    files = [run.map_folder("town", "lite0_unet") / f"{name}.tif" for name in ("left", "apart")]
    together = [read_map(file, (64, 64)) for file in files]
    shutil.copy(tmp_path / "new/apart.tif", tmp_path / "alone.tif")  # nothing touches it: made by the same rule
    assert roofstack(*command[:2], tmp_path / "alone.tif", *command[3:]).code == 0
    assert "0 new of 1" in roofstack(*command[:2], tmp_path / "new/left.tif", *command[3:]).out  # what is there stays
    assert sorted(read_manifest(run.map_folder("town", "lite0_unet")).around) == ["left", "right"]
    changed = draw_stack(64, 64) // 2
    frame = {"crs": "EPSG:3857", "transform": Affine(0.5, 0, 1032, 0, -0.5, 2000)}
    write_raster(tmp_path / "new/right.tif", changed, **frame)
    assert "2 new of 3" in roofstack(*command).out
    outcome = roofstack(*command, "--context", "0")
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert "its 4 maps are of other context 32, not 0" in outcome.err
    assert "3 new of 3" in roofstack(*command, "--context", "0", "--replace").out
    np.testing.assert_array_equal([read_map(file, (64, 64)) for file in files], together)  # of a pixelwise network


def test_another_engine_goes_on_with_the_same_maps(
    roofstack: RoofStack, run: Run, data_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its maps differ by 1 of 255 at most, so nothing is made anew; the manifest names both."""
    monkeypatch.setattr(Engine, "installed", True)
    command = ("predict", "--data", data_set, "--run", run.path, "--part", "valid", "--tta", "none")
    assert roofstack(*command, "--engine", "keras").code == 0
    folder = run.map_folder("valid", "lite0_unet")
    (folder / "tile1.tif").unlink()
    outcome = roofstack(*command, "--engine", "onnx")
    assert (outcome.code, outcome.err) == (0, "")
    assert "1 new of 6" in outcome.out
    assert read_manifest(folder).engines == ("keras", "onnx")
    assert "0 new of 6" in roofstack(*command).out
    assert "its 6 maps are of other 8 bits False, not True" in roofstack(*command, "--int8").err
    outcome = roofstack(*command, "--int8", "--replace")
    assert "6 new of 6" in outcome.out
    assert (read_manifest(folder).engines, read_manifest(folder).int8) == (("int8",), True)


def test_engines_that_do_not_go(
    roofstack: RoofStack, run: Run, data_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("predict", "--data", data_set, "--run", run.path, "--part", "valid")
    assert "--int8 with --engine onnx: OpenVINO computes" in roofstack(*command, "--int8", "--engine", "onnx").err
    monkeypatch.setattr(Engine, "installed", False)
    outcome = roofstack(*command, "--engine", "openvino")
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert "engine openvino: not installed; pip install -e '.[openvino]'" in outcome.err


def test_a_member_sees_only_views_that_it_was_trained_to_support(
    roofstack: RoofStack, run: Run, data_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "load_network", lambda folder, engine: Standin(tilt=0.8).network)
    for fold in (0, 1):
        spec = find_spec("lite0_unet").model_copy(update={"views": "none"})
        write_json(run.fold("lite0_unet", fold).spec_file, spec.model_dump())
    run.fold("lite0_unet", 0).state_folder.mkdir()
    outcome = roofstack("predict", "--data", data_set, "--run", run.path, "--part", "valid", "--tta", "d4")
    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        f"warning: {run.fold('lite0_unet', 0).path}: training is not finished; predicting with the best weights so far",
        "warning: lite0_unet: not trained to support h, v, r180, ...; 7 of 8 views are left out",
    ]
    values = read_map(run.map_folder("valid", "lite0_unet") / "tile0.tif", (64, 64))
    single = read_red(data_set / "images/tile0.tif") * (1 - 0.8 * np.linspace(0, 1, 64))
    assert np.abs(values - single).max() <= 0.51


def test_images_of_ones_own(roofstack: RoofStack, run: Run, tmp_path: Path) -> None:
    """A folder of mixed formats and a single file: grey and alpha are said once, and PNGs are not georeferenced."""
    image = draw_stack(40, 50)
    write_raster(tmp_path / "new/rgb.png", image)
    write_raster(tmp_path / "new/grey.tif", image[..., 0])
    write_raster(tmp_path / "new/alpha.png", np.dstack([image, image[..., 1]]))
    outcome = roofstack("predict", "--images", tmp_path / "new", "--run", run.path, "--part", "town")
    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        "warning: 1 of 3 images are grey; the band is repeated to RGB",
        "warning: 1 of 3 images have a fourth band that is alpha; it is dropped",
    ]
    expected = np.rint(image[..., 0] * np.float32(0.7))
    for name in ("rgb", "grey", "alpha"):
        values = read_map(run.map_folder("town", "lite0_unet") / f"{name}.tif", (40, 50))
        shown = expected * (image[..., 1] > 0) if name == "alpha" else expected  # nothing where it is transparent
        assert np.abs(values - shown).max() <= 1  # at .5 the float32 mean decides
    outcome = roofstack("predict", "--images", tmp_path / "new/rgb.png", "--run", run.path, "--part", "house")
    assert outcome.code == 0
    assert set(stamp_maps(run, "house")) == {"rgb"}


# A real network


def test_a_real_network_from_its_files(
    roofstack: RoofStack, tmp_path: Path, lite0_network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole command on weights from disk against the same network called by hand, view by view."""
    monkeypatch.setattr("members.training.networks.network.build_network", lambda spec: lite0_network)
    data = write_tiles(tmp_path / "data", 4, (64, 40))
    run = Run(tmp_path / "run")
    run.write_record(data, list_tiles(data), Split(fold_of_group={"g0": 0, "g1": -1}))
    write_weights(lite0_network, write_fold(run, "lite0_unet", 0))
    outcome = roofstack("predict", "--data", data, "--run", run.path, "--part", "valid", "--tta", "d4")
    assert (outcome.code, outcome.err) == (0, "")
    images = [read_image(data / f"images/{name}.tif") for name in ("tile0", "tile1")]
    padded = [np.pad(image, [(0, 0), (0, 24), (0, 0)], mode="symmetric") for image in images]
    total = np.zeros((2, 64, 64))
    for turn, undo in SYMMETRIES:
        turned = np.stack([turn(image) for image in padded]).astype(np.float32)
        total += [undo(seen) for seen in lite0_network.predict_on_batch(turned)[..., 0]]
    for name, naive in zip(("tile0", "tile1"), total[:, :, :40] / 8, strict=True):
        values = read_map(run.map_folder("valid", "lite0_unet") / f"{name}.tif", (64, 40))
        assert np.abs(values - naive * 255).max() <= 0.51
        assert np.ptp(values) > 0


def test_uncertainty_over_views_and_members(
    roofstack: RoofStack, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two members of two folds each: all four say another share of the truth."""
    slopes = {("lite0_unet", "fold0"): 0.1, ("lite0_unet", "fold1"): 0.3, ("two", "fold0"): 0.5, ("two", "fold1"): 0.9}
    add_member(run, "two")
    monkeypatch.setattr(
        sharing, "load_network", lambda folder, engine: Standin(slopes[folder.parent.name, folder.name]).network
    )
    image = draw_stack(40, 50)
    write_raster(tmp_path / "new/a.tif", image)
    command = ("predict", "--images", tmp_path / "new", "--run", run.path, "--part", "town", "--tta", "flips")
    assert roofstack(*command).code == 0
    outcome = roofstack(*command, "--uncertainty")  # makes anew what has no standard deviation yet
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.count("1 new of 1") == 2
    red = image[..., 0].astype(float)
    values = read_map(run.path / "uncertainty/town/a.tif", (40, 50))
    assert np.abs(values - red * np.std(list(slopes.values()))).max() <= 1.5  # of steps of 1 / 255
    values = read_map(run.path / "uncertainty/town/two/a.tif", (40, 50))
    assert np.abs(values - red * 0.2).max() <= 0.51


def test_views_that_nobody_knows(roofstack: RoofStack, run: Run, data_set: Path) -> None:
    before = hash_folder(run.path)
    command = ("predict", "--data", data_set, "--run", run.path, "--part", "valid", "--tta")
    assert (
        "error: --tta d5: no view 'd5'; there are the sets none, flips, d4, d4_scale" in roofstack(*command, "d5").err
    )
    outcome = roofstack(*command, "scale0.75,scale1.25")
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert "lite0_unet: not trained to support any of the views scale0.75, scale1.25" in outcome.err
    assert hash_folder(run.path) == before


def test_a_disk_that_fills_up(run: Run, data_set: Path) -> None:
    """Files above a size fail, as on a full disk: one line, what is written stays, and nothing half-written is left."""
    write_raster(data_set / "new/a.tif", np.zeros((40, 50, 3), np.uint8))
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8)
    write_raster(data_set / "new/b.tif", noise)
    program = f"""
import resource, signal, sys
from pathlib import Path
import numpy as np
from ensemble import predict
from ensemble.inference import rehearsal, sharing
from ensemble.inference.networks import Network
from members.common.console import run_command
from members.training.catalog import find_spec

predict.choose_backend = lambda: None
network = Network(find_spec("lite0_unet"), lambda batch: batch[..., :1] / np.float32(255))
sharing.load_network = lambda folder, engine="keras": network
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
sys.argv = ["predict", "--images", {str(data_set / "new")!r}, "--run", {str(run.path)!r}, "--part", "town"]
run_command(predict.predict)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2, ended.stderr
    [line] = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert ".npy: cannot be written (" in line
    assert "make room and run the same command again, it goes on from here" in line
    left = {path.name for path in run.map_folder("town", "lite0_unet").rglob("*")}
    blocks = find_blocks(Path(), "b", hash_image(data_set / "new/b.tif")).name
    assert left <= {"a.tif", "manifest.json", blocks, "1", "0-96-0-600.npy"}  # the last one is b's first block, whole
