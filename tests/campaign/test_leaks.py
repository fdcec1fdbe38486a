"""Ways to make a run meet other data, another split, other weights or other tables than it has: all are refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from campaign_runs import Server, copy_run, is_one_line, list_commands, make_finished, report
from conftest import GEOREFERENCE, hash_folder, write_fold, write_raster

from members.data.run import Run
from members.data.split import Split
from members.data.tiles import list_tiles

Tamper = Callable[[Path], object]
NOISE = np.random.default_rng(5).integers(0, 256, (32, 32, 3), np.uint8)


def edit(path: Path, change: Callable[[Any], None]) -> None:
    """Change the content of a JSON file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def add_tile(work: Path) -> None:
    write_raster(work / "data/images/tile9.tif", NOISE, **GEOREFERENCE)
    write_raster(work / "data/masks/tile9.tif", np.zeros((32, 32), np.uint8), **GEOREFERENCE)
    with (work / "data/groups.csv").open("a") as rows:
        rows.write("tile9,g0\n")


def remove_tile(work: Path) -> None:
    for kind in ("images", "masks"):
        (work / f"data/{kind}/tile5.tif").unlink()


def move_tile(work: Path) -> None:
    path = work / "data/groups.csv"
    path.write_text(path.read_text().replace("tile5,g2", "tile5,g1"))


def swap_folds(work: Path) -> None:
    folder = work / "run/members/first"
    (folder / "fold0").rename(folder / "swap")
    (folder / "fold1").rename(folder / "fold0")
    (folder / "swap").rename(folder / "fold1")
    shutil.rmtree(work / "run/maps/valid")


def take_other_split(work: Path) -> None:
    edit(work / "run/run.json", lambda record: record["split"]["fold_of_group"].update(g0=1, g1=0))


def retrain(work: Path) -> None:
    for fold in range(2):
        write_fold(Run(work / "run"), "first", fold, b"another network %d" % fold)


def retrain_and_predict_test(work: Path) -> None:
    edit(work / "run/maps/test/first/manifest.json", lambda manifest: manifest["weights"].update({"0": "0" * 32}))


def make_other_run(work: Path) -> Run:
    """A run of the same data with another split, whose second fold has the groups of the first."""
    other = Run(work / "other")
    tiles = list_tiles(work / "data")
    other.write_record(work / "data", tiles, Split(folds=2, fold_of_group={"g0": 1, "g1": 0, "g2": 1}))
    for fold in range(2):
        write_fold(other, "first", fold, b"of another split")
    return other


def take_member_of_other_run(work: Path) -> None:
    shutil.rmtree(work / "run/members/first")
    shutil.copytree(make_other_run(work).members_folder / "first", work / "run/members/first")


def take_record_of_other_run(work: Path) -> None:
    shutil.copy(make_other_run(work).record_file, work / "run/run.json")


def take_maps_of_other_run(work: Path) -> None:
    split = {"folds": 2, "fold_of_group": {"g0": 1, "g1": 0, "g2": 1}}
    for member in ("first", "second"):
        edit(work / f"run/maps/valid/{member}/manifest.json", lambda manifest: manifest.update(split=split))


def take_maps_of_other_images(work: Path) -> None:
    def rename(manifest: Any) -> None:
        manifest["images"]["tile9"] = manifest["images"].pop("tile5")

    for member in ("first", "second"):
        edit(work / f"run/maps/valid/{member}/manifest.json", rename)
        (work / f"run/maps/valid/{member}/tile5.tif").rename(work / f"run/maps/valid/{member}/tile9.tif")


def repredict_valid(work: Path) -> None:
    for member in ("first", "second"):
        edit(work / f"run/maps/valid/{member}/manifest.json", lambda manifest: manifest.update(tta="d4"))


def lose_record(work: Path) -> None:
    (work / "run/run.json").unlink()


def lose_own_record(work: Path) -> None:
    (work / "run/members/first/fold0/run.json").unlink()


def damage_weights(work: Path) -> None:
    (work / "run/members/first/fold0/best.weights.h5").write_bytes(b"by another program")
    shutil.rmtree(work / "run/maps/valid")


def change_image(work: Path) -> None:
    write_raster(work / "data/images/tile0.tif", NOISE, **GEOREFERENCE)


def change_mask(work: Path) -> None:
    write_raster(work / "data/masks/tile0.tif", np.full((32, 32), 255, np.uint8), **GEOREFERENCE)


def take_study_of_other_data(work: Path) -> None:
    edit(work / "run/run.json", lambda record: record.update(fingerprint="0" * 32))
    for path in (work / "run/members").glob("*/*/run.json"):
        shutil.copy(work / "run/run.json", path)


def nothing(work: Path) -> None:
    """Change nothing: the options alone ask for something else."""


def list_leaks(work: Path) -> dict[str, tuple[Tamper, list[object]]]:
    """Return what is tampered with, and the command that meets it."""
    commands = list_commands(work)
    train = ["train", "first", "--data", work / "data", "--run", work / "run"]
    predict, blend, tune, submit = (commands[name] for name in ("predict", "blend", "tune", "submit"))
    gain = ["tta-gain", "--data", work / "data", "--run", work / "run"]
    return {
        "another image": (change_image, predict),
        "another image to tune on": (change_image, tune),
        "another mask": (change_mask, blend),
        "another mask to tune on": (change_mask, tune),
        "one tile more": (add_tile, predict),
        "one tile less": (remove_tile, tune),
        "a tile in another group": (move_tile, predict),
        "a tile in another group, to blend on": (move_tile, blend),
        "another seed": (nothing, [*train, "--seed", "1"]),
        "other folds": (nothing, [*train, "--folds", "3"]),
        "another hold-out": (nothing, [*train, "--valid-fraction", "0.5"]),
        "the record gone": (lose_record, [*train, "--valid-fraction", "0.5"]),
        "the record gone, to predict": (lose_record, predict),
        "a fold's own record gone": (lose_own_record, predict),
        "another split in the record": (take_other_split, predict),
        "another split in the record, to tune on": (take_other_split, tune),
        "another split in the record, to measure views on": (take_other_split, gain),
        "the record of another run": (take_record_of_other_run, predict),
        "a member of another run": (take_member_of_other_run, predict),
        "maps of another run": (take_maps_of_other_run, blend),
        "maps of another run to tune on": (take_maps_of_other_run, tune),
        "maps of other images": (take_maps_of_other_images, tune),
        "folds that changed places": (swap_folds, predict),
        "weights by another program": (damage_weights, predict),
        "weights trained on since the maps": (retrain, predict),
        "a blend chosen on other maps": (repredict_valid, tune),
        "tables chosen on other maps": (repredict_valid, submit),
        "tables chosen on other weights": (retrain_and_predict_test, submit),
        "a study of other data": (take_study_of_other_data, tune),
    }  # fmt: skip


def try_leaks(server: Server, source: Path, work: Path, names: list[str] | None = None) -> tuple[int, list[str]]:
    """Try leaks, all or these; return how many, and what was not refused in one line with nothing changed."""
    leaks, wrong = list_leaks(work), []
    for name in names or list(leaks):
        tamper, argv = leaks[name]
        copy_run(source, work)
        tamper(work)
        before = hash_folder(work)
        ended = server.run(work, *argv)
        if ended.code != 2 or not is_one_line(ended.printed) or hash_folder(work) != before:
            wrong.append(f"{name}: {ended.code} {ended.printed[-1000:]}")
    return len(names or leaks), wrong


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_all_leaks(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    made = make_finished(server, tmp_path / "made")
    tried, wrong = try_leaks(server, made, tmp_path / "work")
    report(request, "leaks", tried=tried, refused=tried - len(wrong))
    assert wrong == []
