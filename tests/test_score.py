"""Scores on masks whose answer is visible, and the command that scores a submission."""

import csv
import doctest
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from typer.testing import CliRunner

from members.dataset import list_files, read_mask
from members.errors import InputError
from postproc import score as score_module
from postproc.score import Overlap, count_overlap, find_truth, overlap_submission, score, score_overlaps
from postproc.submission import write_submission

TRUTH = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]], bool)
SHIFTED = np.array([[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]], bool)
EMPTY = np.zeros((3, 4), bool)
ONE = np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]], bool)

pairs = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: st.tuples(arrays(bool, shape), arrays(bool, shape))
)

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

app = typer.Typer()
app.command()(score)


def write_masks(folder: Path, masks: dict[str, np.ndarray]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for image_id, mask in masks.items():
        cv2.imwrite(str(folder / f"{image_id}.png"), mask.astype(np.uint8) * 255)
    return folder


def test_counts_and_scores_of_one_tile() -> None:
    tile = count_overlap(TRUTH, SHIFTED)
    assert tile == Overlap(intersection=2, truth=4, predicted=4)
    assert (tile.iou, tile.dice, tile.precision, tile.recall) == (2 / 6, 4 / 8, 2 / 4, 2 / 4)


@pytest.mark.parametrize(
    ("truth", "predicted", "iou", "dice", "precision", "recall"),
    [
        (EMPTY, EMPTY, 1, 1, 0, 0),
        (TRUTH, EMPTY, 0, 0, 0, 0),
        (EMPTY, TRUTH, 0, 0, 0, 0),
        (TRUTH, TRUTH, 1, 1, 1, 1),
        (TRUTH, ~TRUTH, 0, 0, 0, 0),
        (ONE, ~EMPTY, 1 / 12, 2 / 13, 1 / 12, 1),
    ],
)
def test_scores_at_the_limits(
    truth: np.ndarray, predicted: np.ndarray, iou: float, dice: float, precision: float, recall: float
) -> None:
    tile = count_overlap(truth, predicted)
    assert (tile.iou, tile.dice, tile.precision, tile.recall) == (iou, dice, precision, recall)


def test_pooled_and_mean_differ_as_they_should() -> None:
    scores = score_overlaps([count_overlap(TRUTH, SHIFTED), count_overlap(EMPTY, EMPTY), count_overlap(EMPTY, ONE)])
    assert scores.pooled_iou == 2 / 7
    assert scores.mean_iou == pytest.approx((2 / 6 + 1 + 0) / 3, abs=1e-15)
    assert (scores.dice, scores.precision, scores.recall, scores.images) == (4 / 9, 2 / 5, 2 / 4, 3)


@given(pairs)
def test_scores_agree_with_counting_pixel_by_pixel(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth, predicted = pair
    pixels = list(zip(truth.ravel().tolist(), predicted.ravel().tolist(), strict=True))
    hit, missed, false = (pixels.count(kind) for kind in ((True, True), (True, False), (False, True)))
    tile = count_overlap(truth, predicted)
    assert tile.iou == (hit / (hit + missed + false) if hit + missed + false else 1)
    assert tile.dice == (2 * hit / (2 * hit + missed + false) if hit + missed + false else 1)
    assert tile.precision == (hit / (hit + false) if hit + false else 0)
    assert tile.recall == (hit / (hit + missed) if hit + missed else 0)
    assert tile.dice == pytest.approx(2 * tile.iou / (1 + tile.iou))
    assert count_overlap(predicted, truth).iou == tile.iou


def test_truth_empty_over_all_tiles_is_refused() -> None:
    with pytest.raises(InputError, match="no building pixel in the truth of 2 images"):
        score_overlaps([count_overlap(EMPTY, ONE), count_overlap(EMPTY, EMPTY)])
    with pytest.raises(InputError, match="truth of 0 images"):
        score_overlaps([])


def test_sizes_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match="mask of 3x4 px for a truth of 4x3 px; predict each image at its own size"):
        count_overlap(TRUTH, TRUTH.T)


@pytest.mark.parametrize("place", ["", "masks/img", "masks", "training/masks/img", "test/masks/img", "test/masks"])
def test_masks_are_found_in_every_layout(tmp_path: Path, place: str) -> None:
    folder = write_masks(tmp_path / place, {"a": TRUTH})
    assert find_truth(tmp_path) == {"a": folder / "a.png"}


def test_test_masks_come_before_training_masks(tmp_path: Path) -> None:
    write_masks(tmp_path / "training/masks/img", {"a": TRUTH})
    write_masks(tmp_path / "test/masks/img", {"b": TRUTH})
    assert list(find_truth(tmp_path)) == ["b"]


def test_command_prints_json_table_and_per_image_file(tmp_path: Path) -> None:
    truth = write_masks(tmp_path / "masks", {"a": TRUTH, "b": EMPTY})
    file = tmp_path / "s.csv"
    write_submission(file, [("b", ONE), ("a", SHIFTED)], "ab")
    arguments = ["--truth", str(truth), "--submission", str(file)]

    run = CliRunner().invoke(app, [*arguments, "--json", "--per-image", str(tmp_path / "tiles.csv")])
    assert run.exit_code == 0
    assert json.loads(run.stdout) == {
        "pooled_iou": 2 / 7,
        "mean_iou": 1 / 6,
        "dice": 4 / 9,
        "precision": 2 / 5,
        "recall": 2 / 4,
        "images": 2,
    }
    with (tmp_path / "tiles.csv").open() as lines:
        assert list(csv.reader(lines)) == [
            ["ImageId", "IoU", "Intersection", "Truth", "Predicted"],
            ["b", "0.000000", "0", "0", "1"],
            ["a", "0.333333", "2", "4", "4"],
        ]

    table = CliRunner().invoke(app, [*arguments]).stdout
    for words in ("2 images", "0.2857", "0.1667", "0.4444", "0.4000", "0.5000"):
        assert words in table


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"a": TRUTH}, r"s.csv: of 2 expected image ids 1 missing \(b\)"),
        ({"a": TRUTH, "b": ONE, "c": ONE}, r"s.csv: of 2 expected image ids 1 surplus \(c\)"),
        ({"a": TRUTH.T, "b": ONE}, "s.csv, image a: mask of 3x4 px for a truth of 4x3 px"),
    ],
)
def test_submissions_that_do_not_fit_the_truth_are_refused(
    tmp_path: Path, rows: dict[str, np.ndarray], message: str
) -> None:
    truth = write_masks(tmp_path / "masks", {"a": TRUTH, "b": EMPTY})
    write_submission(tmp_path / "s.csv", rows.items(), rows)
    with pytest.raises(InputError, match=message):
        overlap_submission(find_truth(truth), tmp_path / "s.csv")


def test_each_option_is_explained() -> None:
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}).stdout
    for words in ("--truth", "--submission", "--json", "--per-image", "The true masks", "each image's IoU"):
        assert words in text


def test_real_masks_score_full_marks_and_a_closing_does_not(shared_data: Path, tmp_path: Path) -> None:
    files = find_truth(shared_data / "hot_buildings")
    assert files == list_files(shared_data / "hot_buildings/training/masks/img")
    some = dict(list(files.items())[::12])
    masks = {image_id: read_mask(path) for image_id, path in some.items()}
    write_submission(tmp_path / "exact.csv", masks.items(), masks)
    exact = score_overlaps(overlap_submission(some, tmp_path / "exact.csv").values())
    assert (exact.pooled_iou, exact.mean_iou, exact.precision, exact.recall) == (1, 1, 1, 1)

    grown = {k: cv2.dilate(m.astype(np.uint8), np.ones((5, 5), np.uint8)) for k, m in masks.items()}
    write_submission(tmp_path / "grown.csv", grown.items(), masks)
    scores = score_overlaps(overlap_submission(some, tmp_path / "grown.csv").values())
    true, predicted = (np.concatenate([m.ravel() for m in kind.values()]).astype(bool) for kind in (masks, grown))
    assert scores.pooled_iou == np.sum(true & predicted) / np.sum(true | predicted)
    assert scores.recall == 1
    assert scores.precision == np.sum(true) / np.sum(predicted) < 1


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(score_module, extraglobs={"np": np}) == doctest.TestResults(failed=0, attempted=1)
