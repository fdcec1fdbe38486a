"""Bad input to train and predict: exit code 2, one line that names file, rule and cure, and nothing changed on disk."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Outcome, hash_folder, write_fold, write_raster, write_tiles

from members.common.files import write_json
from members.data.run import FoldFolder, Run
from members.data.split import Split
from members.data.tiles import list_tiles
from members.training.catalog import find_spec
from members.training.training_set import TrainingSet

RoofStack = Callable[..., Outcome]

RGB = np.random.default_rng(9).integers(0, 256, (64, 64, 3), np.uint8)
ROOF = (RGB[..., 0] > 127) * np.uint8(255)


def cut(path: Path, share: float = 0.5) -> None:
    """Keep the first part of a file only."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def replace(path: Path, pixels: np.ndarray, suffix: str | None = None) -> Path:
    path.unlink()
    return write_raster(path.with_suffix(suffix or path.suffix), pixels)


def refuse(roofstack: RoofStack, folder: Path, message: str, *arguments: object) -> None:
    """Check that a command line ends as bad input must, leaving `folder` as it was."""
    before = hash_folder(folder)
    outcome = roofstack(*arguments)
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert len(lines) == 1, outcome.err
    assert re.fullmatch(f"error: .*{message}.*", lines[0]), lines[0]
    assert hash_folder(folder) == before


# Data sets

BAD_IMAGES = {
    "tiff cut short": (
        lambda images: cut(images / "tile3.tif"),
        r"tile3.tif: truncated or damaged \(.*\); restore the file or remove it",
    ),
    "header cut short": (
        lambda images: cut(images / "tile3.tif", 0.001),
        r"tile3.tif: not a readable raster \(.*\); restore the file or remove it",
    ),
    "png cut short": (
        lambda images: cut(replace(images / "tile3.tif", RGB, ".png")),
        r"tile3.png: truncated or damaged \(.*\); restore the file or remove it",
    ),
    "jpeg cut short": (
        lambda images: cut(replace(images / "tile3.tif", RGB, ".jpg"), 0.9),
        r"tile3.jpg: truncated or damaged \(.*\); restore the file or remove it",
    ),
    "zero bytes": (
        lambda images: (images / "tile3.tif").write_bytes(b""),
        r"tile3.tif: zero bytes; restore the file or remove it",
    ),
    "16 bits": (
        lambda images: replace(images / "tile3.tif", RGB.astype(np.uint16)),
        r"tile3.tif: uint16 samples; images have 8 bits a band \(gdal_translate -ot Byte -scale\)",
    ),
    "two bands": (
        lambda images: replace(images / "tile3.tif", RGB[..., :2]),
        r"tile3.tif: 2 bands; images have 1 \(grey\), 3 \(RGB\) or 3 and alpha \(gdal_translate .*\)",
    ),
    "five bands": (
        lambda images: replace(images / "tile3.tif", np.dstack([RGB, RGB[..., :2]])),
        r"tile3.tif: 5 bands; images have 1 \(grey\), 3 \(RGB\) or 3 and alpha \(gdal_translate .*\)",
    ),
    "below 32 px": (
        lambda images: replace(images / "tile3.tif", RGB[:31]),
        r"tile3.tif: 64x31 px; tiles have at least 32 px a side",
    ),
    "empty folder": (
        lambda images: [path.unlink() for path in images.iterdir()],
        r"images: empty folder, no .tif.* file in it; point at a folder of tiles",
    ),
    "one stem twice": (
        lambda images: write_raster(images / "tile3.png", RGB),
        r"images: tile3.png and tile3.tif share one stem; a stem is an id, so remove one",
    ),
}
BAD_MASKS = {
    "no mask": (
        lambda data: (data / "masks/tile3.tif").unlink(),
        r"images/tile3.tif: image without a mask; add .*masks/tile3.tif or remove the image",
    ),
    "another size": (
        lambda data: replace(data / "masks/tile3.tif", ROOF[:, :63]),
        r"masks/tile3.tif: mask of 63x64 px for an image of 64x64 px; they must be equal",
    ),
    "other values": (
        lambda data: replace(data / "masks/tile3.tif", ROOF // 2),
        r"masks/tile3.tif: values 0, 127; a mask has values \{0, 1\} or \{0, 255\}; threshold it first",
    ),
    "colours": (
        lambda data: replace(data / "masks/tile3.tif", RGB),
        r"masks/tile3.tif: 3 bands; a mask has one",
    ),
    "mask cut short": (
        lambda data: cut(data / "masks/tile3.tif"),
        r"masks/tile3.tif: truncated or damaged \(.*\); restore the file or remove it",
    ),
    "empty mask file": (
        lambda data: (data / "masks/tile3.tif").write_bytes(b""),
        r"masks/tile3.tif: zero bytes; restore the file or remove it",
    ),
    "no masks": (
        lambda data: shutil.rmtree(data / "masks"),
        r"data: no folder of training masks \(.*\); see the README for the layouts",
    ),
    "a tile without a group": (
        lambda data: (data / "groups.csv").write_text("image_id,group\ntile0,g0\n"),
        r"groups.csv: no group for tile1; every tile needs a row",
    ),
}


@pytest.mark.parametrize(("damage", "message"), BAD_IMAGES.values(), ids=BAD_IMAGES)
def test_images_to_train_on(
    roofstack: RoofStack, tmp_path: Path, data_set: Path, damage: Callable, message: str
) -> None:
    damage(data_set / "images")
    refuse(roofstack, tmp_path, message, "train", "lite0_unet", "--data", data_set, "--run", tmp_path / "run")


@pytest.mark.parametrize(("damage", "message"), BAD_MASKS.values(), ids=BAD_MASKS)
def test_masks_to_train_on(
    roofstack: RoofStack, tmp_path: Path, data_set: Path, damage: Callable, message: str
) -> None:
    damage(data_set)
    refuse(roofstack, tmp_path, message, "train", "lite0_unet", "--data", data_set, "--run", tmp_path / "run")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["no_such_unet"],
            r"no_such_unet: no such member; there are .*lite0_unet.*, or give the path",
        ),
        (["lite0_unet", "--valid-fraction", "1.5"], r"valid_fraction = 1.5: Input should be less than 1"),
        (["lite0_unet", "--valid-fraction", "0"], r"valid_fraction = 0.0: Input should be greater than 0"),
        (
            ["lite0_unet", "--folds", "99"],
            r"3 group\(s\) cannot be split into 99 parts; fewer --folds, or finer groups",
        ),
        (["lite0_unet", "--crop", "100"], r"lite0_unet: crop = 100: Input should be a multiple of 32"),
        (["lite0_unet", "--crop", "0"], r"lite0_unet: crop = 0: Input should be greater than or equal to 32"),
        (["lite0_unet", "--epochs", "0"], r"lite0_unet: epochs = 0: Input should be greater than or equal to 1"),
        (["lite0_unet", "--batch-size", "-1"], r"lite0_unet: batch_size = -1: Input should be greater than or equal"),
        (["lite0_unet", "--seed", "-1"], r"lite0_unet: seed = -1: Input should be greater than or equal to 0"),
        (["lite0_unet", "--group-by", "region"], r"groups.csv: no column region among image_id, group; add it"),
        (["lite0_unet", "--encoder-weights", "absent.h5"], r"absent.h5: no such file; imagenet, lite, none or a"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_settings_of_train(
    roofstack: RoofStack, tmp_path: Path, data_set: Path, arguments: list[str], message: str
) -> None:
    refuse(roofstack, tmp_path, message, "train", *arguments, "--data", data_set, "--run", tmp_path / "run")


@pytest.mark.parametrize(
    "arguments",
    [["train", "lite0_unet", "--folds", "0"], ["train", "lite0_unet", "--epochs", "many"], ["train"]],
    ids=" ".join,
)
def test_what_the_command_line_itself_refuses(
    roofstack: RoofStack, tmp_path: Path, data_set: Path, arguments: list[str]
) -> None:
    before = hash_folder(tmp_path)
    outcome = roofstack(*arguments, "--data", data_set, "--run", tmp_path / "run")
    assert (outcome.code, outcome.out) == (2, "")
    assert "Usage: " in outcome.err
    assert "Traceback" not in outcome.err
    assert hash_folder(tmp_path) == before


def test_a_folder_that_is_none(roofstack: RoofStack, tmp_path: Path, data_set: Path) -> None:
    run, absent = tmp_path / "run", tmp_path / "absent"
    refuse(roofstack, tmp_path, r"absent: no folder of training images \(.*\); see the README", "train", "lite0_unet",
           "--data", absent, "--run", run)  # fmt: skip
    refuse(roofstack, tmp_path, r"groups.csv: a file; --run names a folder", "train", "lite0_unet",
           "--data", data_set, "--run", data_set / "groups.csv")  # fmt: skip


def test_grey_and_alpha_are_warnings(
    roofstack: RoofStack, tmp_path: Path, data_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: dict[str, Any] = {}

    def take(specs: object, data: TrainingSet, *_: object) -> None:
        taken.update({tile.image_id: image for tile, (image, _) in zip(data.tiles, data.pairs, strict=True)})

    monkeypatch.setattr("members.training.train.fit_members", take)
    replace(data_set / "images/tile3.tif", RGB[..., 1])
    replace(data_set / "images/tile4.tif", np.dstack([RGB, ROOF]), ".png")
    outcome = roofstack("train", "lite0_unet", "--data", data_set, "--run", tmp_path / "run")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err.splitlines() == [
        "warning: 1 of 6 images are grey; the band is repeated to RGB",
        "warning: 1 of 6 images have a fourth band that is alpha; it is dropped",
        "warning: 1 of 3 groups held out, fewer than 10: what is tuned on them is mostly noise; finer groups "
        "(--group-by), or images of more places, are the cure",
    ]
    np.testing.assert_array_equal(taken["tile3"], np.dstack([RGB[..., 1]] * 3))
    np.testing.assert_array_equal(taken["tile4"], RGB)


# Backends


@pytest.mark.parametrize(
    ("chosen", "installed", "message"),
    [
        (None, (), r"no Keras backend is installed; networks need one of: pip install -e '\.\[cpu\]', \[gpu\] or"),
        ("jax", ("tensorflow",), r"KERAS_BACKEND=jax is not installed; networks need one of: pip install -e"),
    ],
)
@pytest.mark.parametrize("command", ["train", "predict"])
def test_no_backend(
    roofstack: RoofStack, tmp_path: Path, data_set: Path, monkeypatch: pytest.MonkeyPatch,
    chosen: str | None, installed: tuple[str, ...], message: str, command: str,
) -> None:  # fmt: skip
    find = importlib.util.find_spec
    hidden = {"tensorflow", "jax", "torch"} - set(installed)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in hidden else find(name))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if chosen:
        monkeypatch.setenv("KERAS_BACKEND", chosen)
    arguments = ["lite0_unet"] if command == "train" else ["--part", "valid"]
    refuse(roofstack, tmp_path, message, command, *arguments, "--data", data_set, "--run", tmp_path / "run")


def test_members_are_listed_without_a_backend(roofstack: RoofStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    outcome = roofstack("members")
    assert (outcome.code, outcome.err) == (0, "")
    assert "lite0_unet" in outcome.out
    assert "parameters" not in outcome.out
    assert "no Keras backend is installed; networks need one of: pip install -e '.[cpu]', [gpu] or [jax]" in outcome.out


def test_no_backend_from_a_member_script(tmp_path: Path, data_set: Path) -> None:
    before = hash_folder(tmp_path)
    script = subprocess.run(
        [sys.executable, "-m", "members.lite0_unet", "--data", str(data_set), "--run", str(tmp_path / "run")],
        cwd=ROOT, env=os.environ | {"KERAS_BACKEND": "no_such_backend"}, capture_output=True, text=True,
    )  # fmt: skip
    assert (script.returncode, script.stdout) == (2, "")
    assert script.stderr.splitlines() == [
        "error: KERAS_BACKEND=no_such_backend is not installed; networks need one of: pip install -e '.[cpu]', "
        "[gpu] or [jax]"
    ]
    assert hash_folder(tmp_path) == before


# Runs


@pytest.fixture
def run(tmp_path: Path, data_set: Path) -> Run:
    """A run of one member, as after training, whose weights file is not one."""
    run = Run(tmp_path / "run")
    run.write_record(data_set, list_tiles(data_set), Split(fold_of_group={"g0": -1, "g1": 0, "g2": -1}))
    write_fold(run, "lite0_unet", 0)
    return run


@pytest.mark.parametrize("command", ["train", "predict"])
def test_a_run_of_other_data(roofstack: RoofStack, tmp_path: Path, data_set: Path, run: Run, command: str) -> None:
    other = write_tiles(tmp_path / "other", 4)
    arguments = ["lite0_unet"] if command == "train" else ["--part", "valid"]
    message = rf"run: a run of other data \({data_set}, 6 tiles: .*\); give that --data, or begin another --run"
    refuse(roofstack, tmp_path, message, command, *arguments, "--data", other, "--run", run.path)
    replace(data_set / "masks/tile5.tif", 255 - ROOF)
    refuse(roofstack, tmp_path, message, command, *arguments, "--data", data_set, "--run", run.path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folds", "3"], r"run: this run has folds 1, not 3; its members share one split, so leave the option out"),
        (["--seed", "1"], r"run: this run has seed 42, not 1; its members share one split"),
        (["--group-by", "region"], r"run: this run has group_by None, not region; its members share one split"),
    ],
)
def test_another_split_than_the_runs(
    roofstack: RoofStack, tmp_path: Path, data_set: Path, run: Run, arguments: list[str], message: str
) -> None:
    command = ("train", "lite0_unet", "--data", data_set, "--run", run.path, *arguments)
    refuse(roofstack, tmp_path, message, *command)


@pytest.mark.parametrize("command", ["train", "predict"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: cut(run.record_file), r"run.json: not a readable JSON file \(.*\); copy .*run.json"),
        (
            lambda run: run.record_file.write_text("{}"),
            r"run.json: command: Field required; copy \S*/run.json to",
        ),
        (
            lambda run: run.record_file.unlink(),
            r"run.json: missing, though members were trained; copy ",
        ),
        (
            lambda run: cut(run.fold("lite0_unet", 0).spec_file),
            r"lite0_unet/fold0/spec.json: not a readable JSON file \(.*\); restore it, or train .* --restart",
        ),
        (
            lambda run: write_json(
                run.fold("lite0_unet", 0).spec_file,
                find_spec("lite0_unet").model_dump() | {"backbone": "lite99"},
            ),
            r"lite0_unet/fold0/spec.json: backbone = 'lite99': Input should be .*",
        ),
    ],
    ids=["run.json cut short", "run.json empty", "run.json gone", "spec.json cut short", "spec.json of no network"],
)
def test_damaged_records(
    roofstack: RoofStack, tmp_path: Path, data_set: Path, run: Run, command: str, damage: Callable, message: str
) -> None:
    damage(run)
    arguments = ["lite0_unet"] if command == "train" else ["--part", "valid"]
    refuse(roofstack, tmp_path, message, command, *arguments, "--data", data_set, "--run", run.path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("history.csv", b"epoch,loss\n1,0.5\n"), ("history.csv", b"\xff\n"), ("last/state.npz", b"PK\x03\x04"),
     ("last/state.npz", b"")],
)  # fmt: skip
def test_damaged_progress(
    roofstack: RoofStack, tmp_path: Path, data_set: Path, run: Run, name: str, content: bytes
) -> None:
    path = run.fold("lite0_unet", 0).path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    message = rf"fold0/{name}: damaged \(.*\); restore it, or train this member anew with --restart"
    refuse(roofstack, tmp_path, message, "train", "lite0_unet", "--data", data_set, "--run", run.path)


def test_weights_that_are_gone(roofstack: RoofStack, tmp_path: Path, data_set: Path, run: Run) -> None:
    """Else train would say that all is trained, and predict that nothing is."""
    fold = run.fold("lite0_unet", 0)
    fold.history_file.write_text("epoch,loss\n")
    fold.weights_file.unlink()
    message = r"best.weights.h5: gone, though epochs were trained; restore it, or train this member anew with --restart"
    refuse(roofstack, tmp_path, message, "train", "lite0_unet", "--data", data_set, "--run", run.path)


def test_weights_that_are_damaged_are_not_taken_for_trained(
    roofstack: RoofStack, tmp_path: Path, data_set: Path, run: Run
) -> None:
    fold = run.fold("lite0_unet", 0)
    fold.history_file.write_text("epoch,loss\n")
    fold.weights_file.write_bytes(b"other bytes")
    message = r"best.weights.h5: damaged, not the file that training wrote .* train this member anew with --restart"
    refuse(roofstack, tmp_path, message, "train", "lite0_unet", "--data", data_set, "--run", run.path)


# Prediction


@pytest.mark.parametrize(("damage", "message"), BAD_IMAGES.values(), ids=BAD_IMAGES)
def test_images_to_predict(
    roofstack: RoofStack, tmp_path: Path, data_set: Path, run: Run, damage: Callable, message: str
) -> None:
    shutil.copytree(data_set / "images", tmp_path / "new/test/images/img")
    damage(tmp_path / "new/test/images/img")
    message = message.replace("images: ", "img: ")
    refuse(roofstack, tmp_path, message, "predict", "--data", tmp_path / "new", "--run", run.path, "--part", "test")
    arguments = ("--images", tmp_path / "new/test/images/img", "--part", "town")
    refuse(roofstack, tmp_path, message, "predict", *arguments, "--run", run.path)


def test_a_damaged_validation_tile_is_named(roofstack: RoofStack, tmp_path: Path, data_set: Path, run: Run) -> None:
    cut(data_set / "images/tile2.tif")
    command = ("predict", "--data", data_set, "--run", run.path, "--part", "valid")
    refuse(roofstack, tmp_path, r"images/tile2.tif: truncated or damaged \(.*\); restore the file", *command)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--data", "DATA", "--part", "nonsense"],
            r"--part nonsense: its images are not known; give --images, or --part",
        ),
        (
            ["--images", "DATA/images", "--part", "valid"],
            r"--part valid with --images: it is of the run's data; give a",
        ),
        (["--data", "DATA", "--images", "DATA/images", "--part", "town"], r"--data with --images: .*; drop --data"),
        (["--data", "DATA/absent", "--part", "test"], r"absent: no folder of test images \(.*\); see the README"),
        (["--images", "DATA/images", "--part", "../away"], r"--part ../away: it names a folder, by letters, digits"),
        (["--images", "DATA/images", "--part", ""], r"--part : it names a folder, by letters, digits"),
        (["--images", "DATA/absent", "--part", "town"], r"absent: no such folder"),
        (["--images", "DATA/groups.csv", "--part", "town"], r"groups.csv: ending .csv; a raster has one of .tif"),
        (["--data", "DATA", "--part", "test"], r"data: no folder of test images \(.*\); see the README"),
        (
            ["--data", "DATA", "--part", "valid", "--members", "b7_unet"],
            r"run: no trained member b7_unet; there are lite0_unet",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_settings_of_predict(
    roofstack: RoofStack, tmp_path: Path, data_set: Path, run: Run, arguments: list[str], message: str
) -> None:
    arguments = [argument.replace("DATA", str(data_set)) for argument in arguments]
    refuse(roofstack, tmp_path, message, "predict", "--run", run.path, *arguments)


def test_predicting_before_training(roofstack: RoofStack, tmp_path: Path, data_set: Path, run: Run) -> None:
    command = ("predict", "--data", data_set, "--part", "valid", "--run")
    message = r"absent: no run here \(no run.json\); train members first: roofstack train"
    refuse(roofstack, tmp_path, message, *command, tmp_path / "absent")
    run.fold("lite0_unet", 0).weights_file.unlink()
    message = r"lite0_unet/fold0: not trained yet; run roofstack train lite0_unet first"
    refuse(roofstack, tmp_path, message, *command, run.path)
    run.fold("lite0_unet", 0).spec_file.unlink()
    refuse(roofstack, tmp_path, r"run: no trained members; run roofstack train first", *command, run.path)


def test_damaged_weights_cost_no_map(
    roofstack: RoofStack, tmp_path: Path, data_set: Path, run: Run, write_small: Callable[..., FoldFolder]
) -> None:
    """Maps of the whole weights are there; the weights are no file of weights, cut short, or another network's."""
    import keras

    weights = write_small(0, run.fold("lite0_unet", 0).path).weights_file
    command = ("predict", "--data", data_set, "--run", run.path, "--part", "valid", "--tta", "none")
    assert roofstack(*command).code == 0
    assert len(list(run.map_folder("valid", "lite0_unet").glob("*.tif"))) == 2
    changed = r"lite0_unet: its maps were made with other weights than fold 0 of lite0_unet has now"
    damaged = r"fold0/best.weights.h5: damaged, not the file that training wrote \(.*\); restore both files, or train"
    elsewhere = ("predict", "--images", data_set / "images", "--run", run.path, "--part", "elsewhere", "--tta", "none")
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    for damage in (cut, lambda path: path.write_bytes(b"no weights"), other.save_weights):
        damage(weights)
        refuse(roofstack, tmp_path, changed, *command)
        refuse(roofstack, tmp_path, damaged, *elsewhere)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: cut(folder / "manifest.json"), r"lite0_unet/manifest.json: not a readable JSON file"),
        (
            lambda folder: (folder / "manifest.json").write_text("{}"),
            r"lite0_unet/manifest.json: Field required; restore it, or move the folder elsewhere and predict",
        ),
        (
            lambda folder: (folder / "manifest.json").unlink(),
            r"lite0_unet: maps without a manifest.json, so of unknown origin; restore it, or move the folder elsewhere",
        ),
    ],
    ids=["cut short", "empty", "absent"],
)
def test_maps_whose_manifest_is_damaged(
    roofstack: RoofStack, tmp_path: Path, data_set: Path, run: Run, damage: Callable, message: str
) -> None:
    folder = run.map_folder("valid", "lite0_unet")
    write_raster(folder / "tile2.tif", RGB[..., 0])
    write_json(folder / "manifest.json", {"member": "lite0_unet"})
    damage(folder)
    refuse(roofstack, tmp_path, message, "predict", "--data", data_set, "--run", run.path, "--part", "valid")
