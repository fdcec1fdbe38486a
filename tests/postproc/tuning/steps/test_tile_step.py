"""tune --objective mean_iou: tiles' own thresholds, kept where tiles differ, and written."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from conftest import Outcome, write_raster

from ensemble.mapfolder.manifest import Manifest, write_manifest
from members.data.run import Run
from members.data.split import Split
from members.data.tiles import list_tiles
from postproc.formats.submission import read_submission
from postproc.pipeline.pipeline import Pipeline

SIZE = (32, 32)


def draw_tile(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A dim hut of 6x6 px; or a house of 12x12 px, sure, in a halo that is surer than the hut; or bare ground."""
    values, truth = np.zeros(SIZE, np.uint8), np.zeros(SIZE, bool)
    if number % 3 == 0:
        truth[4:10, 5:11] = True
        values[truth] = 90
    elif number % 3 == 1:
        truth[8:20, 9:21] = True
        values[6:22, 7:23] = 110
        values[truth] = 220
    return values, truth


def test_tiles_that_differ_are_cut_each_at_its_own_threshold(tmp_path: Path, roofstack: Callable[..., Outcome]) -> None:
    data, run = tmp_path / "data", Run(tmp_path / "run")
    tiles = {f"tile{number:02}": draw_tile(number) for number in range(36)}
    for name, (values, truth) in tiles.items():
        write_raster(data / "images" / f"{name}.png", np.zeros((*SIZE, 3), np.uint8))
        write_raster(data / "masks" / f"{name}.png", truth * np.uint8(255))
        write_raster(run.map_folder("valid", "net") / f"{name}.tif", values)
    rows = [f"{name},g{number // 3:02}\n" for number, name in enumerate(tiles)]
    (data / "groups.csv").write_text("image_id,group\n" + "".join(rows))
    split = Split(folds=2, fold_of_group={f"g{group:02}": group % 2 for group in range(12)})
    run.write_record(data, list_tiles(data), split)
    images = dict.fromkeys(tiles, SIZE)
    manifest = Manifest(member="net", spec={}, tta="none", weights={}, split=split, images=images)
    write_manifest(run.map_folder("valid", "net"), manifest)

    tuned = roofstack("tune", "--run", run.path, "--objective", "mean_iou", "--trials", 1)
    assert tuned.code == 0, tuned.err
    steps = {step["name"]: step for step in json.loads(run.tuned_file.read_text())["steps"]}
    assert steps["threshold"]["cross_fitted"] < 0.9
    assert (steps["tiles"]["kept"], steps["tiles"]["cross_fitted"]) == (True, 1)
    assert "each image cut at its own threshold" in tuned.out
    pipeline = Pipeline.of_run(run, "valid")
    assert all((pipeline.mask(values) == truth).all() for values, truth in tiles.values())

    written = roofstack("submit", "--run", run.path, "--part", "valid", "--output", tmp_path / "s.csv")
    assert written.code == 0, written.err
    for name, mask in read_submission(tmp_path / "s.csv"):
        np.testing.assert_array_equal(mask, tiles[name][1])
