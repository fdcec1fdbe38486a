"""What maps say against the truth, as counts per group: scores at every threshold without the pixels.

Counts add up, so from one pass over the pixels follow the scores of any fold, of any bootstrap draw and of
any choice made on other folds. They are integers throughout: no result depends on the order of the tiles.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from members.common.errors import InputError

Objective = Literal["pooled_iou", "mean_iou", "dice", "boundary_iou"]

THRESHOLDS = 255  # 1..255; a mask is map >= threshold
IOU_UNIT = 2**32  # a tile's IoU is summed in this fixed point, since floats would depend on the order


@dataclass(frozen=True)
class Evidence:
    """Counts per group for a set of choices, such as thresholds, or settings x thresholds.

    The arrays are int64 with the groups first, then the axes of the choices; none is left once every group's
    choice is made. The last axis of a map's evidence is the threshold - 1.

    Attributes:
        groups: their names, sorted.
        tiles: (groups,), how many tiles.
        intersection: (groups, *choices), pixels that are building in mask and truth, or in both bands.
        union: (groups, *choices), pixels that are building in either.
        iou_sum: (groups, *choices), sum over tiles of round(IoU * IOU_UNIT), empty against empty counting 1.
    """

    groups: tuple[str, ...]
    tiles: np.ndarray
    intersection: np.ndarray
    union: np.ndarray
    iou_sum: np.ndarray

    def __getitem__(self, choice: Any) -> "Evidence":
        """Index the axes of the choices, the same for every group."""
        index = (slice(None), *choice) if isinstance(choice, tuple) else (slice(None), choice)
        return Evidence(self.groups, self.tiles, self.intersection[index], self.union[index], self.iou_sum[index])

    def score(self, objective: Objective, weights: np.ndarray | None = None) -> np.ndarray:
        """Score every choice, from 0 to 1.

        Args:
            objective: `pooled_iou` and `dice` are of the sums over tiles, `mean_iou` is the mean over tiles;
                `boundary_iou` is pooled too, of evidence that was collected on bands.
            weights: (..., groups), how often each group counts: which ones a fold keeps, or how often a
                bootstrap drew them; without it each counts once.

        Returns:
            float64 (..., *choices). Where nothing is there to be found and nothing was, the score is 1.
        """
        weights = np.ones(len(self.groups)) if weights is None else np.asarray(weights, np.float64)
        if objective == "mean_iou":
            tiles = _sum_groups(weights, np.expand_dims(self.tiles, tuple(range(1, self.iou_sum.ndim))))
            return _sum_groups(weights, self.iou_sum) / IOU_UNIT / np.maximum(tiles, 1)
        intersection, union = _sum_groups(weights, self.intersection), _sum_groups(weights, self.union)
        if objective == "dice":
            intersection, union = 2 * intersection, union + intersection
        return np.divide(intersection, union, out=np.ones_like(union), where=union > 0)


def _sum_groups(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sum over groups; exact in float64, as the sums stay below 2**53 (two million tiles of IoU)."""
    return np.tensordot(weights, counts.astype(np.float64), axes=1)


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
    """Return the sorted names of the groups and, for each entry of `groups`, its place among them.

    Raises:
        InputError: there is no entry.
    """
    if len(groups) == 0:
        raise InputError("no tile to score, at least one map with its truth is needed; check the folders")
    names, index = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    return tuple(names.tolist()), index


def collect_evidence(maps: Iterable[np.ndarray], truths: Iterable[np.ndarray], groups: Sequence[str]) -> Evidence:
    """Count one map per tile against the truth at every threshold.

    Args:
        maps: uint8 (height, width) each; tiles may differ in size. Taken one at a time.
        truths: bool, each of its map's shape.
        groups: the group of each tile.

    Returns:
        Evidence with one axis of choices: index t - 1 is the threshold t, 1..255.

    Raises:
        InputError: there is no tile, a map or truth of a wrong type or shape, or no building in any truth.
        ValueError: `maps`, `truths` and `groups` are not equally many.
    """
    names, index = index_groups(groups)
    tiles = np.bincount(index, minlength=len(names))
    intersection, union, iou_sum = (np.zeros((len(names), THRESHOLDS), np.int64) for _ in range(3))
    buildings = 0
    for number, (blend, truth, group) in enumerate(zip(maps, truths, index, strict=True)):
        check_tile(blend, truth, f"tile {number} of group {names[group]}")
        tile_intersection, tile_union = count_thresholds(blend, truth)
        buildings += int(np.count_nonzero(truth))
        intersection[group] += tile_intersection
        union[group] += tile_union
        iou_sum[group] += fix_iou(tile_intersection, tile_union)
    check_truth(buildings, len(groups))
    return Evidence(names, tiles, intersection, union, iou_sum)


def count_thresholds(blend: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return intersection and union, int64 (255,), of the masks blend >= 1, .., blend >= 255 with `truth`."""
    inside, outside = (np.bincount(blend[where], minlength=THRESHOLDS + 1) for where in (truth, ~truth))
    intersection, outside = (counts[::-1].cumsum()[-2::-1] for counts in (inside, outside))
    return intersection, outside + np.count_nonzero(truth)


def fix_iou(intersection: np.ndarray, union: np.ndarray) -> np.ndarray:
    """Return round(IoU * IOU_UNIT), int64; an empty union counts 1."""
    ratio = np.divide(intersection, union, out=np.ones(np.shape(union)), where=union > 0)
    return np.rint(ratio * IOU_UNIT).astype(np.int64)


def assign_folds(groups: Sequence[str], folds: int, seed: int = 0) -> np.ndarray:
    """Deal the groups out to folds, as evenly as their number allows.

    Args:
        groups: names; equal names get the same fold, so it can be the group of every tile.
        folds: at least 2 and at most the number of different groups.
        seed: of the shuffle; the result depends on it and on the set of names alone.

    Returns:
        int64 (len(groups),), 0 <= fold < folds.

    Raises:
        InputError: there are fewer groups than folds, or less than 2 folds.
    """
    names, index = index_groups(groups)
    if not 2 <= folds <= len(names):
        raise InputError(
            f"{folds} folds of {len(names)} groups: cross-fitting takes 2 folds or more, each with a group; "
            "give more tiles or another number of folds"
        )
    return np.random.default_rng(seed).permutation(len(names))[index] % folds


def pool_groups(groups: Sequence[str], most: int = 100, seed: int = 0) -> list[str]:
    """Return the group of each tile, where there are more than `most` groups pooled into `most` larger ones.

    This bounds the memory of evidence for many tiles that are each their own group. A pooled group is still
    independent of the others, and its tiles stay together, so estimates by group stay honest.
    """
    if len(set(groups)) <= most:
        return list(groups)
    return [f"pool {pool}" for pool in assign_folds(groups, most, seed)]


def mix_folds(parts: Sequence[Evidence], folds: np.ndarray) -> Evidence:
    """Join what was chosen for each fold to the cross-fitted evidence: a group's counts come from its fold.

    Args:
        parts: one a fold, of the same groups and choices; parts[k] is of a choice made on the other folds.
        folds: int (groups,), the fold of each of the evidence's groups.
    """
    group = np.arange(len(folds))
    intersection, union, iou_sum = (
        np.stack([getattr(part, name) for part in parts])[folds, group] for name in ("intersection", "union", "iou_sum")
    )
    return Evidence(parts[0].groups, parts[0].tiles, intersection, union, iou_sum)


def draw_groups(groups: int, draws: int = 2000, seed: int = 0) -> np.ndarray:
    """Draw bootstrap samples of whole groups: int64 (draws, groups), how often each was drawn.

    Tiles of a group resemble one another, so groups are drawn, not tiles (Davison and Hinkley 1997, Bootstrap
    Methods and their Application, section 3.8, doi:10.1017/CBO9780511802843).
    """
    return np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=draws)


def find_interval(values: np.ndarray, level: float = 0.90) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and the upper end of the percentile interval over the first axis, the draws."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def compare_evidence(
    before: Evidence, after: Evidence, objective: Objective, draws: np.ndarray, level: float = 0.90
) -> tuple[float, float, float]:
    """Return the gain of `after` over `before` and its bootstrap interval, paired by group.

    Args:
        before: evidence with every group's choice made, as by `mix_folds`.
        after: the same of the step that is judged.
        objective: what is compared.
        draws: (draws, groups), as by `draw_groups`.
        level: share of the draws inside the interval.

    Returns:
        The gain, the interval's lower and its upper end; from -1 to 1.
    """
    gain = after.score(objective) - before.score(objective)
    low, high = find_interval(after.score(objective, draws) - before.score(objective, draws), level)
    return float(gain), float(low), float(high)
