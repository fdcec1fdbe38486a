"""Counts per group: scores of any choice, fold or bootstrap draw without the pixels.

Counts are integers throughout, so no result depends on the order of the tiles.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.statistics.metrics import IOU_UNIT, METRICS, MetricName, divide
from members.common.errors import InputError

THRESHOLDS = 255  # 1..255; a mask is map >= threshold

TileCounts = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Counts:
    """Counts per group for a set of choices, such as thresholds, or settings x thresholds.

    Attributes:
        groups: their names, sorted.
        tiles: int64 (groups,), how many tiles.
        sums: column -> int64 (groups, *choices), summed over the group's tiles; the columns are those that metrics are
            formulas of, such as `intersection` and `union`. No axis of choices is left once every group's choice is
            made. The last axis of a map's counts is the threshold - 1.
    """

    groups: tuple[str, ...]
    tiles: np.ndarray
    sums: Mapping[str, np.ndarray]

    @classmethod
    def from_tiles(cls, groups: Sequence[str], tiles: Iterable[TileCounts]) -> "Counts":
        """Sum the counts of tiles.

        Args:
            groups: the group of each tile.
            tiles: column -> int (*choices) of each tile, the same columns and choices for all. Taken one at a time.

        Raises:
            InputError: there is no tile.
            ValueError: `groups` and `tiles` are not equally many.
        """
        names, index = index_groups(groups)
        sums: dict[str, np.ndarray] = {}
        for columns, group in zip(tiles, index, strict=True):
            for name, values in columns.items():
                if name not in sums:
                    sums[name] = np.zeros((len(names), *np.shape(values)), np.int64)
                sums[name][group] += values
        return cls(names, np.bincount(index, minlength=len(names)), sums)

    def __getitem__(self, choice: Any) -> "Counts":
        """Index the axes of the choices, the same for every group."""
        index = (slice(None), *choice) if isinstance(choice, tuple) else (slice(None), choice)
        return Counts(self.groups, self.tiles, {name: values[index] for name, values in self.sums.items()})

    def score(self, metric: MetricName, weights: np.ndarray | None = None) -> np.ndarray:
        """Score every choice.

        Args:
            metric: a name in `METRICS`, whose columns were counted.
            weights: (..., groups), how often each group counts: which ones a fold has, or how often a bootstrap drew
                them; without it each counts once.

        Returns:
            float64 (..., *choices), from 0 to 1.
        """
        weights = np.ones(len(self.groups)) if weights is None else np.asarray(weights, np.float64)
        formula = METRICS[metric]
        totals = {name: sum_groups(weights, self.sums[name]) for name in formula.columns if name != "tiles"}
        if "tiles" in formula.columns:
            choices = next(iter(self.sums.values())).ndim - 1
            totals["tiles"] = sum_groups(weights, np.expand_dims(self.tiles, tuple(range(1, choices + 1))))
        return formula.compute(totals)


def sum_groups(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sum over groups; exact in float64, as the sums stay below 2**53 (two million tiles of IoU)."""
    return np.tensordot(weights, counts.astype(np.float64), axes=1)


def count_pixels(intersection: np.ndarray, union: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of one tile's pixels.

    Args:
        intersection: int (*choices), pixels that are building in mask and truth.
        union: int (*choices), pixels that are building in either.

    Returns:
        `intersection`, `union`, and `iou_sum`: round(IoU * IOU_UNIT), an empty union counting 1.
    """
    iou = np.rint(divide(intersection, union, of_nothing=1) * IOU_UNIT).astype(np.int64)
    return {"intersection": intersection, "union": union, "iou_sum": iou}


def count_thresholds(blend: np.ndarray, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Count the masks blend >= 1, .., blend >= 255 of one tile against the truth.

    Args:
        blend: uint8 (h, w).
        truth: bool (h, w).

    Returns:
        The columns of `count_pixels`, int64 (255,) each.
    """
    inside, outside = (sum_above(np.bincount(blend[where], minlength=THRESHOLDS + 1)) for where in (truth, ~truth))
    return count_pixels(inside, outside + np.count_nonzero(truth))


def sum_above(histogram: np.ndarray) -> np.ndarray:
    """Turn histograms, int (..., 256), into how many values reach 1, .., 255, int64 (..., 255).

    >>> sum_above(np.bincount([1, 1, 3], minlength=256))[:4]
    array([3, 1, 1, 0])
    """
    reversed_sums = np.cumsum(histogram[..., :0:-1], axis=-1)  # from 255 down to 1
    return reversed_sums[..., ::-1]


def count_maps(maps: Iterable[np.ndarray], truths: Iterable[np.ndarray], groups: Sequence[str]) -> Counts:
    """Count one map a tile against the truth at every threshold.

    Args:
        maps: uint8 (h, w) each; tiles may differ in size. Taken one at a time.
        truths: bool, each of its map's shape.
        groups: the group of each tile.

    Returns:
        Counts with one axis of choices: index t - 1 is the threshold t, 1..255.

    Raises:
        InputError: there is no tile, a map or truth of a wrong type or shape, or no building in any truth.
        ValueError: `maps`, `truths` and `groups` are not equally many.
    """
    pixels = 0

    def count() -> Iterator[TileCounts]:
        nonlocal pixels
        for number, (blend, truth) in enumerate(zip(maps, truths, strict=True)):
            check_tile(blend, truth, f"tile {number}")
            pixels += int(np.count_nonzero(truth))
            yield count_thresholds(blend, truth)

    counts = Counts.from_tiles(groups, count())
    check_truth(pixels, len(groups))
    return counts


def check_tile(blend: np.ndarray, truth: np.ndarray, name: str) -> None:
    """Raise InputError unless `blend` is a uint8 map and `truth` a bool mask of the same two dimensions."""
    if blend.dtype != np.uint8 or truth.dtype != np.bool_ or blend.ndim != 2 or blend.shape != truth.shape:
        raise InputError(
            f"{name}: a map is uint8 (height, width) and its truth bool of the same shape, got {blend.dtype} "
            f"{blend.shape} and {truth.dtype} {truth.shape}; rewrite the map or the mask"
        )


def check_truth(pixels: int, tiles: int) -> None:
    """Raise InputError where no pixel of the truth is building: no score means anything then."""
    if pixels == 0:
        raise InputError(
            f"the truth of all {tiles} tiles is empty, at least one pixel must be building; "
            "check the masks' folder and values"
        )


def index_groups(groups: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the sorted names of the groups and, for each entry of `groups`, its index among them.

    Raises:
        InputError: there is no entry.
    """
    if len(groups) == 0:
        raise InputError("no tile to score, at least one map with its truth is needed; check the folders")
    names, index = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    return tuple(names.tolist()), index
