"""tune --objective building_f1: from maps on disk to the files that submit makes of it, and what it refuses."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import geopandas
import numpy as np
from conftest import Outcome, hash_folder, write_raster
from optuna.trial import TrialState

from ensemble.mapfolder.manifest import Manifest, write_manifest
from members.data.run import Run
from members.data.split import Split
from members.data.tiles import list_tiles
from postproc.formats.submission import read_submission
from postproc.pipeline.outlines import OutlineRecipe
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe
from postproc.polygons.buildings import rasterize_outlines
from postproc.study.storage import Address

RoofStack = Callable[..., Outcome]
Pair = tuple[np.ndarray, np.ndarray]
TILES, GROUPS = 12, 6
SIZE = (24, 48)
TUNE = ("tune", "--objective", "building_f1", "--trials", 5)


def draw_necks(rng: np.random.Generator) -> Pair:
    """Two houses that the map joins by a neck as sure as they are: no threshold and no area tells them apart."""
    blend, truth = np.zeros(SIZE, np.uint8), np.zeros(SIZE, bool)
    left = int(rng.integers(2, 8))
    truth[4:20, left : left + 16] = truth[4:20, left + 20 : left + 36] = True
    blend[truth] = 220
    blend[11:13, left + 16 : left + 20] = 220
    return blend, truth


def draw_noise(rng: np.random.Generator) -> Pair:
    """Six sheds, each alone, sure or not; whether it is true is known at 128, with errors alike on both sides."""
    blend, truth = np.zeros(SIZE, np.uint8), np.zeros(SIZE, bool)
    for top in (2, 14):
        for left in (2, 18, 34):
            shed = np.s_[top : top + 8, left : left + 10]
            real = rng.random() < 0.5
            blend[shed] = np.clip(rng.normal(160 if real else 96, 32), 1, 255)
            truth[shed] = real
    return blend, truth


def make_run(folder: Path, draw: Callable[[np.random.Generator], Pair], tiles: int = TILES) -> Run:
    """A data set, and a run with one member's maps of it."""
    rng = np.random.default_rng(4)
    data, run = folder / "data", Run(folder / "run")
    names = [f"tile{number:02}" for number in range(tiles)]
    for name in names:
        blend, truth = draw(rng)
        write_raster(data / "images" / f"{name}.png", np.zeros((*SIZE, 3), np.uint8))
        write_raster(data / "masks" / f"{name}.png", truth * np.uint8(255))
        write_raster(run.map_folder("valid", "net") / f"{name}.tif", blend)
    rows = [f"{name},g{number % GROUPS}\n" for number, name in enumerate(names)]
    (data / "groups.csv").write_text("image_id,group\n" + "".join(rows))
    split = Split(folds=2, fold_of_group={f"g{group}": group % 2 for group in range(GROUPS)})
    run.write_record(data, list_tiles(data), split)
    images = dict.fromkeys(names, SIZE)
    manifest = Manifest(member="net", spec={}, tta="none", weights={}, split=split, images=images)
    write_manifest(run.map_folder("valid", "net"), manifest)
    return run


def list_options(run: Run) -> list[object]:
    return ["--data", run.path.parent / "data", "--run", run.path]


def test_split_that_alone_tells_houses_apart_is_kept_and_written(tmp_path: Path, roofstack: RoofStack) -> None:
    run = make_run(tmp_path, draw_necks)
    for name in ("morphology", "threshold"):  # as tuning for pixels leaves
        write_raster(run.report_folder / f"{name}.png", np.zeros((2, 2), np.uint8))
    outcome = roofstack(*TUNE, *list_options(run))
    assert outcome.code == 0, outcome.err
    assert "building F1 on 12 validation tiles of 6 groups; neutral: 0.0000" in outcome.out
    content = json.loads(run.tuned_file.read_text())
    steps = {step["name"]: step for step in content["steps"]}
    assert {name: step["kept"] for name, step in steps.items()} == {"threshold": False, "areas": False, "splits": True}
    assert (steps["splits"]["cross_fitted"], steps["splits"]["gain"], steps["areas"]["gain"]) == (1, 1, 0)
    assert content["objective"] == "building_f1"
    assert all(content[key] == steps["splits"][key] for key in ("recipe", "outlines", "members"))
    outlines = Pipeline.of_run(run, "valid").outlines
    assert outlines is not None
    assert outlines.split_depth > 0
    picture = cv2.imread(str(run.report_folder / "gains.png"))
    assert picture is not None
    assert picture.shape[1] >= 900
    assert {path.name for path in run.report_folder.iterdir()} == {"gains.png"}

    files = {"--output": tmp_path / "s.csv", "--vector": tmp_path / "b.gpkg"}
    arguments = [value for pair in files.items() for value in pair]
    written = roofstack("submit", "--part", "valid", "--run", run.path, *arguments)
    assert written.code == 0, written.err
    assert "24 buildings; s.csv from outlines, as tuned; b.gpkg from outlines" in written.out
    truth = ["--truth", tmp_path / "data"]
    vector = [*truth, "--vector", files["--vector"], "--images", tmp_path / "data"]
    scores = json.loads(roofstack("score", *vector, "--json").out)
    assert scores["building_f1"] == steps["splits"]["in_sample"] == 1
    assert scores["pooled_iou"] == content["scores"]["tuned_in_sample"]
    assert (
        json.loads(roofstack("score", *truth, "--submission", files["--output"], "--json").out)["pooled_iou"]
        == (scores["pooled_iou"])
    )
    table = geopandas.read_file(files["--vector"])
    for image_id, mask in read_submission(files["--output"]):
        drawn = rasterize_outlines(table.geometry[table["image_id"] == image_id], SIZE)
        np.testing.assert_array_equal(mask, drawn)


def test_noise_around_a_fitted_optimum_is_refused(tmp_path: Path, roofstack: RoofStack) -> None:
    run = make_run(tmp_path, draw_noise, 24)
    outcome = roofstack(*TUNE, *list_options(run))
    assert outcome.code == 0, outcome.err
    content = json.loads(run.tuned_file.read_text())
    assert [step["kept"] for step in content["steps"]] == [False] * 4
    assert max(step["in_sample_gain"] for step in content["steps"]) > 0  # which tempts
    pipeline = Pipeline.of_run(run, "valid")
    assert pipeline.recipe == Recipe()
    assert pipeline.outlines == OutlineRecipe()  # what is neutral was scored with these
    assert outcome.out.count("refused:") == 4


def draw_ghosts(rng: np.random.Generator) -> Pair:
    """Houses of 9x9 px, and bars of as many pixels and as sure that are none."""
    blend, truth = np.zeros(SIZE, np.uint8), np.zeros(SIZE, bool)
    for left in (1, 13, 25, 37):
        real = rng.random() < 0.5
        shape = np.s_[6:15, left : left + 9] if real else np.s_[1:22, left + 2 : left + 6]
        blend[shape] = 220
        truth[shape] = real
    return blend, truth


def test_what_is_hardly_a_building_is_left_out_and_of_the_others_it_is_told_how_likely_they_are(
    tmp_path: Path, roofstack: RoofStack
) -> None:
    run = make_run(tmp_path, draw_ghosts, 48)
    outcome = roofstack("tune", "--objective", "building_f1", "--trials", 1, *list_options(run))
    assert outcome.code == 0, outcome.err
    *_, objects = json.loads(run.tuned_file.read_text())["steps"]
    assert (objects["name"], objects["kept"], objects["cross_fitted"]) == ("objects", True, 1)
    pipeline = Pipeline.of_run(run, "valid")
    assert pipeline.objects is not None
    written = roofstack("submit", "--part", "valid", "--run", run.path, "--vector", tmp_path / "b.gpkg")
    assert written.code == 0, written.err
    table = geopandas.read_file(tmp_path / "b.gpkg")
    assert (table["confidence"] > 0.9).all()
    assert (np.ptp(table.bounds[["miny", "maxy"]].to_numpy(), axis=1) < 12).all()  # no bar
    vector = ["--truth", tmp_path / "data", "--vector", tmp_path / "b.gpkg", "--images", tmp_path / "data"]
    scores = json.loads(roofstack("score", *vector, "--json").out)
    assert scores["building_f1"] == 1
    assert scores["pooled_iou"] == json.loads(run.tuned_file.read_text())["scores"]["tuned_in_sample"]


def test_killed_it_goes_on_with_its_trials(tmp_path: Path, roofstack: RoofStack) -> None:
    run = make_run(tmp_path, draw_necks, 6)
    arguments = [str(each) for each in (*TUNE[1:], *list_options(run))]
    victim = subprocess.Popen([sys.executable, "-m", "postproc.tune", *arguments], stderr=subprocess.PIPE)
    while victim.poll() is None and not (run.study_file.exists() and b"without-fold1" in run.study_file.read_bytes()):
        time.sleep(0.02)
    os.kill(victim.pid, signal.SIGKILL)
    victim.communicate()
    assert not run.tuned_file.exists()
    before = count_trials(run)
    assert sum(before.values()) > 5
    assert roofstack(*TUNE, *list_options(run)).code == 0
    after = count_trials(run)
    kinds = ["", *(f"-without-fold{fold}" for fold in range(5))]
    assert set(after) == {f"building_f1-{step}{kind}" for step in ("areas", "splits") for kind in kinds}
    assert set(after.values()) == {5}
    tuned = run.tuned_file.read_bytes()
    assert roofstack(*TUNE, *list_options(run)).code == 0
    assert (count_trials(run), run.tuned_file.read_bytes()) == (after, tuned)


def count_trials(run: Run) -> dict[str, int]:
    """How many trials of each study were scored or ended early."""
    ends = TrialState.COMPLETE, TrialState.PRUNED
    storage = Address(run.study_file).open()
    return {
        study.study_name.split("-", 2)[2]: len(storage.get_all_trials(study._study_id, states=ends))
        for study in storage.get_all_studies()
    }


def test_without_folds_scores_are_in_sample(tmp_path: Path, roofstack: RoofStack) -> None:
    run = make_run(tmp_path, draw_necks, 6)
    outcome = roofstack(*TUNE, *list_options(run), "--no-cross-fit")
    assert "in-sample scores, higher than what new tiles will show" in outcome.out
    assert json.loads(run.tuned_file.read_text())["steps"][2]["cross_fitted"] is None
    assert set(count_trials(run)) == {"building_f1-areas", "building_f1-splits"}


# Bad input


def refuse(roofstack: RoofStack, run: Run, message: str, *arguments: object) -> None:
    before = hash_folder(run.path.parent)
    outcome = roofstack(*TUNE, *list_options(run), *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert re.fullmatch(f"error: .*{message}.*", line), line
    assert hash_folder(run.path.parent) == before


def test_weights_are_not_searched_by_it(tmp_path: Path, roofstack: RoofStack) -> None:
    run = make_run(tmp_path, draw_necks, 6)
    refuse(roofstack, run, r"building_f1 searches no weights, RUN/blend.json's count; drop", "--tune-weights")


def test_truth_without_a_building(tmp_path: Path, roofstack: RoofStack) -> None:
    run = make_run(tmp_path, lambda rng: (draw_necks(rng)[0], np.zeros(SIZE, bool)), 6)
    refuse(roofstack, run, "the truth of all 6 tiles is empty")
