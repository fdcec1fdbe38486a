"""The four commands on a dozen real tiles, their results checked by independent naive code."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from conftest import ROOT as REPOSITORY

from postproc.pipeline.outlines import OutlineRecipe, outline_buildings
from postproc.polygons.buildings import rasterize_outlines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

GROUPS = ("banepa_193345_110120", "kampala_154806_130816", "zanzibar_159646_135480")
TILES_PER_GROUP, TEST_TILES = 3, 3


def run_roofstack(*arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, REPOSITORY / "roofstack.py", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def data(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine training tiles of three groups and three test tiles of hot_buildings."""
    source, folder = shared_data / "hot_buildings", tmp_path_factory.mktemp("data")
    with (source / "tiles.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    chosen = [row for row in rows if row["part"] == "test"][:TEST_TILES]
    for group in GROUPS:
        built = [row for row in rows if row["group"] == group and float(row["building_fraction"]) > 0.05]
        chosen += built[:TILES_PER_GROUP]
    for row in chosen:
        kinds = ("images", "masks") if row["part"] == "training" else ("images",)
        for kind in kinds:
            relative = Path(row["part"], kind, "img", f"{row['image_id']}.tif")
            (folder / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / relative, folder / relative)
    with (folder / "tiles.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, chosen[0])
        writer.writeheader()
        writer.writerows(chosen)
    return folder


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on those tiles: one member on three folds, predicted, tuned, submitted."""
    folder = tmp_path_factory.mktemp("runs") / "dozen"
    ours = ("--data", data, "--run", folder)
    run_roofstack("train", "lite0_unet", *ours, "--folds", 3, "--epochs", 1, "--crop", 128, "--batch-size", 3)
    run_roofstack("predict", *ours, "--part", "valid", "--tta", "none")
    run_roofstack("predict", *ours, "--part", "test", "--tta", "flips")
    run_roofstack("tune", *ours)
    run_roofstack("submit", *ours, "--part", "test")
    return folder


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        return raster.read(1)


def test_scores_in_tuned_json_are_those_of_the_map_files(data: Path, run: Path) -> None:
    tuned = json.loads((run / "tuned.json").read_text())
    assert tuned["members"] == {"lite0_unet": 1}
    maps = sorted((run / "maps/valid/lite0_unet").glob("*.tif"))
    assert len(maps) == len(GROUPS) * TILES_PER_GROUP
    written = tuned["recipe"], tuned["outlines"]
    for (recipe, outlines), score in ((({"threshold": 128}, None), "default"), (written, "tuned_in_sample")):
        intersection = union = 0
        for path in maps:
            mask = apply_naively(read(path), recipe, outlines)
            truth = read(data / "training/masks/img" / path.name) > 0
            intersection += int((mask & truth).sum())
            union += int((mask | truth).sum())
        assert tuned["scores"][score] == intersection / union


def apply_naively(values: np.ndarray, recipe: dict, outlines: dict | None) -> np.ndarray:
    mask = (values >= recipe["threshold"]).astype(np.uint8)
    steps = [(cv2.MORPH_CLOSE, recipe.get("close", 1)), (cv2.MORPH_OPEN, recipe.get("open", 1))]
    shape = cv2.MORPH_RECT if recipe.get("kernel", "square") == "square" else cv2.MORPH_ELLIPSE
    for operation, size in steps if recipe.get("order", "close-open") == "close-open" else steps[::-1]:
        mask = cv2.morphologyEx(mask, operation, cv2.getStructuringElement(shape, (size, size)))
    drop_small(1 - mask, recipe.get("min_hole", 0), mask, 1)
    drop_small(mask, recipe.get("min_object", 0), mask, 0)
    if outlines is None:
        return mask.astype(bool)
    buildings = outline_buildings(mask.astype(bool), values, OutlineRecipe(**outlines))
    return rasterize_outlines([building.outline for building in buildings], mask.shape)


def drop_small(parts: np.ndarray, least: int, mask: np.ndarray, value: int) -> None:
    """Set the mask to `value` in every 4-connected component of `parts` that has fewer pixels than `least`."""
    count, labels = cv2.connectedComponents(parts, connectivity=4)
    for number in range(1, count):
        if (labels == number).sum() < least:
            mask[labels == number] = value


def test_submission_holds_every_test_tile_as_the_recipe_makes_it(data: Path, run: Path) -> None:
    tuned = json.loads((run / "tuned.json").read_text())
    with (run / "submission.csv").open(newline="") as lines:
        rows = {row["ImageId"]: row for row in csv.DictReader(lines)}
    assert sorted(rows) == sorted(path.stem for path in (data / "test/images/img").iterdir())
    for image_id, row in rows.items():
        flat = np.zeros(int(row["Width"]) * int(row["Height"]), bool)
        numbers = [int(number) for number in row["EncodedPixels"].split()]
        for start, length in zip(numbers[::2], numbers[1::2], strict=True):
            flat[start - 1 : start - 1 + length] = True
        mask = flat.reshape(int(row["Width"]), int(row["Height"])).T
        values = read(run / f"maps/test/lite0_unet/{image_id}.tif")
        expected = apply_naively(values, tuned["recipe"], tuned["outlines"])
        np.testing.assert_array_equal(mask, expected)


def test_maps_keep_the_georeferencing_of_their_images(data: Path, run: Path) -> None:
    path = next((run / "maps/test/lite0_unet").glob("*.tif"))
    with rasterio.open(path) as found, rasterio.open(data / "test/images/img" / path.name) as image:
        assert (found.crs, found.transform, found.shape) == (image.crs, image.transform, image.shape)
        assert (found.count, found.dtypes) == (1, ("uint8",))


def test_same_command_again_does_nothing_anew(data: Path, run: Path) -> None:
    weights = [path.stat().st_mtime_ns for path in sorted(run.glob("members/*/*/best.weights.h5"))]
    ours = ("--data", data, "--run", run)
    run_roofstack("train", "lite0_unet", *ours, "--folds", 3, "--epochs", 1, "--crop", 128, "--batch-size", 3)
    assert "0 new of 9" in run_roofstack("predict", *ours, "--part", "valid", "--tta", "none")
    assert weights == [path.stat().st_mtime_ns for path in sorted(run.glob("members/*/*/best.weights.h5"))]


def test_new_places_are_predicted_from_a_folder_or_a_file(data: Path, run: Path) -> None:
    one = next((data / "test/images/img").iterdir())
    run_roofstack("predict", "--images", one, "--run", run, "--part", "one", "--tta", "flips")
    alone, among_others = (read(run / f"maps/{part}/lite0_unet/{one.stem}.tif") for part in ("one", "test"))
    # convolutions sum in another order in a batch of another size, which may tip a rounding
    np.testing.assert_allclose(alone.astype(int), among_others.astype(int), atol=1)


def test_score_of_a_submission_agrees_with_the_study(data: Path, run: Path, tmp_path: Path) -> None:
    run_roofstack("submit", "--run", run, "--part", "valid", "--recipe", "default", "--output", tmp_path / "valid.csv")
    printed = run_roofstack("score", "--truth", data, "--submission", tmp_path / "valid.csv", "--json")
    tuned = json.loads((run / "tuned.json").read_text())
    assert json.loads(printed)["pooled_iou"] == tuned["scores"]["default"]
