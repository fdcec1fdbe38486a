"""The tune command: what it writes, what it draws, what it refuses, and that killed or shared it loses nothing."""

import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import optuna
import pytest
from campaign_runs import Server
from conftest import Outcome, hash_folder, write_raster

import roofstack
from ensemble.mapfolder.manifest import Manifest, read_manifest, write_manifest
from ensemble.selection.blend import blend_maps
from ensemble.statistics.gains import LIKELY
from members.common.console import run_command
from members.data.raster import read_mask
from members.data.run import Run
from members.data.split import Split
from members.data.tiles import list_tiles
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe
from postproc.study.storage import Address
from postproc.tune import tune

Tune = Callable[..., Outcome]
TILES = 12
SIZE = 48


def draw_tile(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A roof with pin holes, seen too faintly by one member; the other one knows nothing."""
    truth = np.zeros((SIZE, SIZE), bool)
    top, left = rng.integers(2, 20, 2)
    truth[top : top + 22, left : left + 20] = True
    pins = (rng.random(truth.shape) < 0.06) & (cv2.erode(truth.astype(np.uint8), np.ones((5, 5))) > 0)
    fair = np.where(truth & ~pins, rng.integers(110, 180, truth.shape), rng.integers(0, 70, truth.shape))
    return {"fair": fair.astype(np.uint8), "noise": rng.integers(0, 256, truth.shape).astype(np.uint8)}, truth


def make_run(folder: Path, groups: int = 6, empty: bool = False) -> Run:
    """A data set of a dozen tiles, and a run with two members' maps of them."""
    rng = np.random.default_rng(5)
    data, run = folder / "data", Run(folder / "run")
    names = [f"tile{number:02}" for number in range(TILES)]
    made = {name: draw_tile(rng) for name in names}
    for name, (_, truth) in made.items():
        write_raster(data / "images" / f"{name}.png", rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8))
        write_raster(data / "masks" / f"{name}.png", (truth & (not empty)) * np.uint8(255))
    rows = [f"{name},g{number % groups}\n" for number, name in enumerate(names)]
    (data / "groups.csv").write_text("image_id,group\n" + "".join(rows))
    split = Split(folds=2, fold_of_group={f"g{group}": group % 2 for group in range(groups)})
    run.write_record(data, list_tiles(data), split)
    for member in ("fair", "noise"):
        folder = run.map_folder("valid", member)
        for name, (maps, _) in made.items():
            write_raster(folder / f"{name}.tif", maps[member])
        sizes = dict.fromkeys(names, (SIZE, SIZE))
        spec = Manifest(member=member, spec={}, tta="none", weights={}, split=split, images=sizes)
        write_manifest(folder, spec)
    return run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Tune:
    """Run the command in this process; its plots, which take half of the time, are drawn where a test wants them."""

    def call(run: Run, *arguments: object, plots: bool = False) -> Outcome:
        if not plots:
            monkeypatch.setattr("postproc.tune.draw_plots", lambda tuning, study, folder: None)
        options = ["--data", run.path.parent / "data", "--run", run.path, *arguments]
        monkeypatch.setattr(sys, "argv", ["roofstack", *map(str, options)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            run_command(tune)
        return Outcome(int(end.value.code or 0), *capfd.readouterr())

    return call


def read_grey(path: Path) -> np.ndarray:
    values = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert values is not None
    return values


def score_naively(run: Run, pipeline: Pipeline) -> float:
    intersection = union = 0
    for tile in list_tiles(run.path.parent / "data"):
        maps = [read_grey(run.map_folder("valid", m) / f"{tile.image_id}.tif") for m in pipeline.blend.weights]
        assert tile.mask is not None
        mask, truth = pipeline.mask(blend_maps(maps, list(pipeline.blend.weights.values()))), read_mask(tile.mask)
        intersection += (mask & truth).sum()
        union += (mask | truth).sum()
    return intersection / union


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Run:
    """A run tuned with weights by a process that is killed among the trials, and then by two at once."""
    run = make_run(tmp_path_factory.mktemp("tuned"))
    command = ["tune", "--data", run.path.parent / "data", "--run", run.path, "--tune-weights", "--trials", 6]
    killed = server.run(run.path, *command, signal=signal.SIGKILL, event=300)
    assert killed.code == -signal.SIGKILL
    assert count_lines(run.study_file) > 50
    assert not run.tuned_file.exists()
    server.start(run.path, *command)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["roofstack", *map(str, command)])
        with pytest.raises(SystemExit) as end:
            roofstack.main()
    ended = server.wait()
    assert (end.value.code or 0, ended.code) == (0, 0), ended.printed
    return run


def count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize(
    "options",
    [
        ("--tune-weights", "--trials", 2, "--no-cross-fit"),
        pytest.param(("--tune-weights", "--trials", 4), marks=pytest.mark.slow),
        pytest.param(("--objective", "building_f1", "--trials", 2), marks=pytest.mark.slow),
    ],
)
def test_a_cluster_tunes_to_the_same_bit(
    tmp_path: Path, scheduler: str, call: Tune, options: tuple[object, ...]
) -> None:
    alone, shared = make_run(tmp_path / "alone"), make_run(tmp_path / "shared")
    for run, more in ((alone, ()), (shared, ("--scheduler", scheduler))):
        outcome = call(run, *options, *more)
        assert outcome.code == 0, outcome.err
    assert shared.tuned_file.read_text() == alone.tuned_file.read_text()


def test_tuned_json_holds_what_applying_its_recipe_gives(tuned: Run) -> None:
    content = json.loads(tuned.tuned_file.read_text())
    pipeline = Pipeline.load(tuned.tuned_file)
    scores = content["scores"]
    assert scores["default"] == score_naively(tuned, Pipeline(pipeline.blend))
    assert scores["tuned_in_sample"] == score_naively(tuned, pipeline)
    assert scores["default"] < scores["tuned_cross_fitted"]
    low, high = scores["tuned_cross_fitted_interval"]
    assert low <= scores["tuned_cross_fitted"] <= high
    assert [step["name"] for step in content["steps"]] == ["threshold", "morphology", "areas", "weights", "outlines"]
    kept = [step for step in content["steps"] if step["kept"]][-1]
    assert all(kept[key] == content[key] for key in ("recipe", "members", "outlines"))
    assert all(step["kept"] == (step["chance"] >= LIKELY) for step in content["steps"])
    assert all(step["verdict"].startswith(("kept: ", "refused: ")) for step in content["steps"])


def test_plots_are_written(tuned: Run) -> None:
    plots = {path.stem: read_grey(path) for path in tuned.report_folder.glob("*.png")}
    assert set(plots) == {"threshold", "morphology", "gains", "importance"}
    assert all(plot.shape[1] >= 900 and np.ptp(plot) == 255 for plot in plots.values())


def test_studies_that_processes_shared_hold_every_trial_once(tuned: Run) -> None:
    storage = Address(tuned.study_file).open()
    found = {study.study_name.split("-", 2)[2]: study for study in storage.get_all_studies()}
    folds = [f"pooled_iou-weights-without-fold{fold}" for fold in range(5)]
    assert sorted(found) == sorted(["pooled_iou", "pooled_iou-weights", *folds])
    for kind, study in found.items():
        trials = storage.get_all_trials(study._study_id, states=(optuna.trial.TrialState.COMPLETE,))
        if kind == "pooled_iou":
            assert len({json.dumps(trial.params) for trial in trials}) == len(trials) == 225
        else:
            assert 6 <= len(trials) <= 7  # the second process may have been at its last one


@pytest.mark.parametrize("objective", ["mean_iou", "dice", "boundary_iou"])
def test_other_objectives_report_pooled_iou_too(run: Run, call: Tune, objective: str) -> None:
    outcome = call(run, "--objective", objective, "--trials", 5, "--no-cross-fit", plots=objective == "mean_iou")
    assert outcome.code == 0, outcome.err
    content = json.loads(run.tuned_file.read_text())
    assert content["objective"] == objective
    assert content["scores"]["tuned_in_sample"] == score_naively(run, Pipeline.load(run.tuned_file))
    assert content["scores"]["tuned_cross_fitted"] is None
    assert "in-sample scores, higher than what new tiles will show" in outcome.out


def test_opening_that_costs_true_objects_is_told(run: Run, call: Tune, tmp_path: Path) -> None:
    specks = sorted((tmp_path / "data/masks").glob("*.png"))
    for path in specks:  # a roof of 2x2 px that the member sees, among noise of that size that it sees too
        mask, map_path = read_grey(path), run.map_folder("valid", "fair") / f"{path.stem}.tif"
        values = read_grey(map_path)
        mask[45:47, 45:47] = values[45:47, 45:47] = 255
        values[::5, 40:44] = values[45:, ::5] = 255
        write_raster(path, mask)
        write_raster(map_path, values)
        write_raster(run.map_folder("valid", "noise") / f"{path.stem}.tif", values)
    split = run.read_record().split
    run.record_file.unlink()
    run.write_record(tmp_path / "data", list_tiles(tmp_path / "data"), split)
    outcome = call(run)
    steps = {step["name"]: step for step in json.loads(run.tuned_file.read_text())["steps"]}
    assert steps["morphology"]["recipe"]["open"] > 1 or steps["areas"]["recipe"]["min_object"] > 4
    assert max(step["objects_lost"] for step in steps.values()) == 0.5  # every second true object is a speck
    assert "50.0%" in outcome.out
    assert "of 24 true objects" in outcome.out


# Bad input


def refuse(call: Tune, run: Run, message: str, *arguments: object) -> None:
    before = hash_folder(run.path.parent)
    outcome = call(run, *arguments)
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    (line,) = outcome.err.splitlines()
    assert re.fullmatch(f"error: .*{message}.*", line), line
    assert hash_folder(run.path.parent) == before


def test_a_dry_run_tells_and_writes_nothing(run: Run, call: Tune) -> None:
    before = hash_folder(run.path)
    outcome = call(run, "--trials", 5, "--no-cross-fit", "--dry-run")
    assert (outcome.code, outcome.err) == (0, "")
    assert "12 tiles in 6 groups, maps of fair, noise; studies in " in outcome.out
    assert re.search(r"about \d+ (s|min) on this machine", outcome.out)
    studied = call(run, "--tune-weights", "--dry-run", "--json")
    assert json.loads(studied.out) | {"seconds": None} == json.loads(studied.out)
    assert hash_folder(run.path) == before


def test_no_maps(run: Run, call: Tune) -> None:
    run.part_folder("valid").rename(run.part_folder("other"))
    refuse(call, run, "no member has maps of this part; run roofstack predict")


def test_maps_of_tiles_that_members_trained_on(run: Run, call: Tune) -> None:
    for member in ("fair", "noise"):
        folder = run.map_folder("valid", member)
        manifest = read_manifest(folder)
        other = manifest.split.model_copy(update={"fold_of_group": dict.fromkeys(manifest.split.fold_of_group, -1)})
        write_manifest(folder, manifest.model_copy(update={"split": other}))
    refuse(call, run, "run/maps/valid/fair: maps by a member trained on another split .*; predict them again")


def test_single_group(tmp_path: Path, call: Tune) -> None:
    run = make_run(tmp_path, groups=1)
    refuse(call, run, r"one group \(g0\), so no score can be cross-fitted; .* give --no-cross-fit")
    assert call(run, "--no-cross-fit", "--trials", 3).code == 0


def test_too_few_groups_keep_nothing_and_say_what_to_do(tmp_path: Path, call: Tune) -> None:
    run = make_run(tmp_path, groups=3)
    outcome = call(run, "--trials", 3)
    assert outcome.code == 0, outcome.err
    content = json.loads(run.tuned_file.read_text())
    assert not any(step["kept"] for step in content["steps"])
    assert all(step["interval"] is step["chance"] is None for step in content["steps"])
    assert "3 groups can't tell, 6 are the least" in " ".join(outcome.out.split())
    assert "next: 3 groups can't tell which step helps; train with --folds 5" in " ".join(outcome.out.split())


def test_truth_all_empty(tmp_path: Path, call: Tune) -> None:
    refuse(call, make_run(tmp_path, empty=True), "the truth of all 12 tiles is empty")


def test_weights_of_a_single_member(run: Run, call: Tune, tmp_path: Path) -> None:
    run.map_folder("valid", "noise").rename(tmp_path / "noise")
    refuse(call, run, "maps of 1 member; --tune-weights takes two", "--tune-weights")


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("postgresql://tuner:secret@127.0.0.1:1/studies", r"postgresql\+psycopg://tuner:\*\*\*@.* cannot be reached"),
        ("mysql://here/studies", "a study is kept in a journal file, in sqlite:///FILE or in postgresql://"),
        ("sqlite:////dev/null/study.db", "cannot be reached or used"),
    ],
)
def test_storage_that_cannot_be_reached(run: Run, call: Tune, storage: str, message: str) -> None:
    refuse(call, run, message, "--storage", storage)


def test_storage_with_a_study_of_other_data(run: Run, call: Tune, tmp_path: Path) -> None:
    storage = tmp_path / "shared.journal"
    assert call(run, "--storage", storage, "--trials", 3, "--no-cross-fit").code == 0
    other = make_run(tmp_path / "other", groups=4)
    before = storage.read_bytes()
    refuse(call, other, r"its study run-\w+-pooled_iou is of a run run on other data .*; give", "--storage", storage)
    assert storage.read_bytes() == before


def test_a_promise_stands_in_place_of_the_steps(tmp_path: Path, call: Tune) -> None:
    run = make_run(tmp_path)
    outcome = call(run, "--trials", 3, "--no-cross-fit", "--promise", "recall=0.8")
    assert outcome.code == 0, outcome.err
    content = json.loads(run.tuned_file.read_text())
    promise, pipeline = content["promise"], Pipeline.load(run.tuned_file)
    assert (promise["measure"], promise["level"], promise["confidence"], promise["groups"]) == ("recall", 0.8, None, 6)
    assert pipeline.recipe == Recipe(threshold=promise["threshold"])
    assert pipeline.outlines is None
    assert "margin" not in content
    words = " ".join(outcome.out.split())
    assert f"promised at threshold {promise['threshold']}: on average over new places drawn like the 6 groups" in words


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--promise", "recall=0.9"), r"promise recall=0\.9: takes 9 groups or more, here are 6; promise less"),
        (("--promise", "recall"), r"promise recall: it is written recall=0\.9 or precision=0\.9"),
        (("--promise", "recall=1.5"), "promise recall 1.5: a share is more than 0 and less than 1"),
        (("--confidence", 0.9), r"--confidence 0\.9: of what\? give --promise recall=0\.9"),
    ],
)
def test_a_promise_that_cannot_be_given(run: Run, call: Tune, options: tuple[object, ...], message: str) -> None:
    refuse(call, run, message, *options)
