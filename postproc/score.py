"""Scores of masks against the truth: IoU pooled and per tile, Dice, precision, recall.

Everything follows from three counts of pixels a tile (`Overlap`), which add up over tiles. What would be
nought by nought is decided once: an empty union scores 1, a precision or recall of nothing scores 0.
"""

import csv
import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from members.console import run_command, stdout
from members.dataset import MASK_SUFFIXES, list_files, read_mask
from members.errors import InputError
from members.files import write_whole
from postproc.submission import check_ids, read_ids, read_submission

MASK_FOLDERS = ("masks/img", "masks", "test/masks/img", "test/masks", "training/masks/img", "training/masks")


@dataclass(frozen=True)
class Overlap:
    """Building pixels of one tile, or of many together."""

    intersection: int
    truth: int
    predicted: int

    def __add__(self, other: "Overlap") -> "Overlap":
        return Overlap(
            self.intersection + other.intersection, self.truth + other.truth, self.predicted + other.predicted
        )

    @property
    def iou(self) -> float:
        """Intersection over union, 0..1; empty against empty is 1."""
        return _divide(self.intersection, self.truth + self.predicted - self.intersection, 1.0)

    @property
    def dice(self) -> float:
        """Dice coefficient, which is also the pixels' F1, 0..1; empty against empty is 1."""
        return _divide(2 * self.intersection, self.truth + self.predicted, 1.0)

    @property
    def precision(self) -> float:
        """Share of the predicted pixels that are true, 0..1; 0 if nothing was predicted."""
        return _divide(self.intersection, self.predicted, 0.0)

    @property
    def recall(self) -> float:
        """Share of the true pixels that were predicted, 0..1; 0 if nothing was true."""
        return _divide(self.intersection, self.truth, 0.0)


@dataclass(frozen=True)
class MaskScores:
    """Scores over tiles, 0..1, and the number of tiles; all but `mean_iou` are of the pooled pixels."""

    pooled_iou: float
    mean_iou: float
    dice: float
    precision: float
    recall: float
    images: int


def count_overlap(truth: np.ndarray, predicted: np.ndarray) -> Overlap:
    """Count the pixels of two bool masks (height, width).

    Raises:
        InputError: the sizes differ.

    >>> count_overlap(np.array([[True, True, False]]), np.array([[False, True, True]])).iou
    0.3333333333333333
    """
    if truth.shape != predicted.shape:
        (height, width), (true_height, true_width) = predicted.shape, truth.shape
        raise InputError(
            f"mask of {width}x{height} px for a truth of {true_width}x{true_height} px; "
            "predict each image at its own size"
        )
    return Overlap(
        int(np.count_nonzero(truth & predicted)),
        int(np.count_nonzero(truth)),
        int(np.count_nonzero(predicted)),
    )


def score_overlaps(overlaps: Iterable[Overlap]) -> MaskScores:
    """Score tiles from their pixel counts.

    Raises:
        InputError: the truth is empty over all tiles, so that no score says anything.
    """
    tiles = list(overlaps)
    pooled = sum(tiles, Overlap(0, 0, 0))
    if pooled.truth == 0:
        raise InputError(f"no building pixel in the truth of {len(tiles)} images; score images with buildings")
    return MaskScores(
        pooled_iou=pooled.iou,
        mean_iou=float(np.mean([tile.iou for tile in tiles])),
        dice=pooled.dice,
        precision=pooled.precision,
        recall=pooled.recall,
        images=len(tiles),
    )


def find_truth(folder: Path) -> dict[str, Path]:
    """Map image id -> mask file, for a folder of masks or a data set that has them at one of `MASK_FOLDERS`.

    Test masks come before training masks where a data set has both.

    Raises:
        InputError: no such folder, or no masks in it.
    """
    places = [folder / place for place in MASK_FOLDERS if (folder / place).is_dir()]
    return list_files(places[0] if places else folder, MASK_SUFFIXES)


def overlap_submission(truth: Mapping[str, Path], submission: Path) -> dict[str, Overlap]:
    """Compare a submission CSV with the truth's mask files; one image at a time is in memory.

    Raises:
        InputError: the images are not the truth's, a size differs, or either file is bad.
    """
    check_ids(submission, read_ids(submission), truth)
    overlaps = {}
    for image_id, predicted in read_submission(submission):
        true = read_mask(truth[image_id])
        try:
            overlaps[image_id] = count_overlap(true, predicted)
        except InputError as error:
            raise InputError(f"{submission}, image {image_id}: {error}") from None
    return overlaps


def score(
    truth: Annotated[
        Path, typer.Option(metavar="DIR", help="The true masks: their folder, or a data set that holds them.")
    ],
    submission: Annotated[Path, typer.Option(metavar="FILE", help="The submission CSV to score.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object in place of the table.")] = False,
    per_image: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write each image's IoU and pixel counts to this CSV.")
    ] = None,
) -> None:
    """Score a submission CSV against true masks."""
    overlaps = overlap_submission(find_truth(truth), submission)
    scores = score_overlaps(overlaps.values())
    if per_image is not None:
        _write_overlaps(per_image, overlaps)
    if json:
        typer.echo(dumps(dataclasses.asdict(scores)))
    else:
        stdout.print(_tabulate(scores))


def _write_overlaps(path: Path, overlaps: Mapping[str, Overlap]) -> None:
    with write_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("ImageId", "IoU", "Intersection", "Truth", "Predicted"))
        for image_id, tile in overlaps.items():
            writer.writerow((image_id, f"{tile.iou:.6f}", tile.intersection, tile.truth, tile.predicted))


def _tabulate(scores: MaskScores) -> Table:
    table = Table(title=f"{scores.images} images")
    table.add_column("score")
    table.add_column("value", justify="right")
    for name, value in (
        ("IoU, all pixels pooled", scores.pooled_iou),
        ("IoU, mean over images", scores.mean_iou),
        ("Dice (F1)", scores.dice),
        ("precision", scores.precision),
        ("recall", scores.recall),
    ):
        table.add_row(name, f"{value:.4f}")
    return table


def _divide(part: int, whole: int, of_nothing: float) -> float:
    return part / whole if whole else of_nothing


if __name__ == "__main__":
    run_command(score)
