"""Steps whose tunings are simulated: what each chooses on some units, and what that gains on others.

Each fit returns what measure_gain takes, made by the library's own code on counts, and the gain of the written choice
on the other units.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.mapfolder.samples import ArraySamples
from ensemble.selection.blend import divide_sums
from ensemble.selection.calibration import fit_table
from ensemble.selection.greedy import average_bags
from ensemble.selection.library import IDENTITY, build_library
from ensemble.statistics.counts import Counts, count_pixels, sum_above
from ensemble.statistics.crossfit import CrossFit
from ensemble.statistics.estimates import draw_groups
from ensemble.statistics.metrics import best_threshold
from honesty.tables import Table, name_tiles
from honesty.tiles import Tiles

SHARES, BAGS = 20, 10  # blends of two members are twentieths; draws that greedy is averaged over
POOLED = "pooled_iou"


@dataclass(frozen=True)
class Fitted:
    """What was chosen for each training mask, counts of the units tuned on, and what that gains on the others."""

    before: Sequence[Counts]
    after: Sequence[Counts]
    realised: float


Fit = Callable[[np.ndarray, np.ndarray, CrossFit], Fitted]
"""From indices of units to tune on, of the others, and who may look at what."""


def take_units(counts: Counts, units: np.ndarray) -> Counts:
    """Return the counts of some units."""
    sums = {name: values[units] for name, values in counts.sums.items()}
    return Counts(tuple(counts.groups[unit] for unit in units), counts.tiles[units], sums)


def join_groups(counts: Counts, groups: Sequence[str]) -> Counts:
    """Sum counts of tiles over their groups."""
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    sums = {}
    for column, values in counts.sums.items():
        sums[column] = np.zeros((len(names), *values.shape[1:]), np.int64)
        np.add.at(sums[column], index, values)
    return Counts(tuple(names.tolist()), np.bincount(index), sums)


def fit_table_step(table: Table, metric: str, near: float = 0.0) -> Fit:
    """Choose the best setting of a table; of equals the simplest.

    Args:
        table: the settings.
        metric: what is maximised.
        near: of settings within so many standard errors of the best one, paired over units, the simplest is taken.
    """

    def fit(units: np.ndarray, others: np.ndarray, crossfit: CrossFit) -> Fitted:
        own, rest = take_units(table.counts, units), take_units(table.counts, others)
        masks = np.array(crossfit.training_masks, float)
        scores = own.score(metric, masks)
        best = scores.argmax(axis=1)
        if near:
            best = np.array([simplify(own, metric, *pair, near) for pair in zip(masks, scores, strict=True)])
        gains = rest[[int(best[0]), table.neutral]].score(metric)
        return Fitted([own[table.neutral]] * len(best), [own[int(each)] for each in best], float(gains[0] - gains[1]))

    return fit


def simplify(own: Counts, metric: str, mask: np.ndarray, scores: np.ndarray, near: float) -> int:
    """Return the simplest of the settings that are within some standard errors of the best, by the jackknife."""
    best = int(scores.argmax())
    close = np.flatnonzero(scores > scores[best] - 0.05)  # the others are never within the noise
    seen = np.flatnonzero(mask)
    rest = np.tile(mask, (len(seen), 1))
    rest[np.arange(len(seen)), seen] = 0
    out = own[close].score(metric, rest)
    out -= out[:, [int(np.flatnonzero(close == best)[0])]].copy()
    errors = np.sqrt((len(seen) - 1) * out.var(axis=0))
    return int(close[np.argmax(scores[best] - scores[close] <= near * errors + 1e-12)])


def fit_greedy(blends: Counts) -> Fit:
    """Choose the shares of two members by greedy selection in bags, over their mean, each at its best threshold.

    Args:
        blends: choices are (shares, 255).
    """

    def fit(units: np.ndarray, others: np.ndarray, crossfit: CrossFit) -> Fitted:
        own, rest = take_units(blends, units), take_units(blends, others)
        before, after, cuts = [], [], []
        for mask in crossfit.training_masks:
            bags = np.zeros((BAGS, len(mask)), np.int64)
            bags[:, mask] = draw_groups(int(mask.sum()), BAGS)
            picked = own.score(POOLED, bags).max(axis=-1).argmax(axis=-1)
            one, other = average_bags(np.stack([picked, SHARES - picked], axis=1))
            share = round(SHARES * one / (one + other))
            scores = own.score(POOLED, mask)
            cuts.append([(each, best_threshold(scores[each]) - 1) for each in (SHARES // 2, share)])
            before.append(own[cuts[-1][0]])
            after.append(own[cuts[-1][1]])
        old, new = (float(rest[cut].score(POOLED)) for cut in cuts[0])
        return Fitted(before, after, new - old)

    return fit


def count_shares(tiles: Tiles) -> Counts:
    """Count every blend of the two members, at every threshold, on each tile."""
    library = build_library(ArraySamples(tiles.maps, tiles.truths, name_tiles(tiles)))
    counted = [library.count_blend((share, SHARES - share)) for share in range(SHARES + 1)]
    sums = {name: np.stack([each.sums[name] for each in counted], axis=1) for name in counted[0].sums}
    return Counts(counted[0].groups, counted[0].tiles, sums)


def fit_calibration(tiles: Tiles, groups: Sequence[str] | None) -> Fit:
    """Calibrate both members, isotonic, and blend them by their mean, over the mean without it."""
    index = np.arange(len(tiles.truths)) if groups is None else np.unique(groups, return_inverse=True)[1]
    names = tuple(f"{number:04d}" for number in range(index.max() + 1))
    pairs = count_pairs(tiles)
    members = np.zeros((2, len(names), 2, 256), np.int64)
    for unit, own in zip(index, pairs, strict=True):
        for truth, (values, number) in enumerate(own):
            for member, value in enumerate((values >> 8, values & 255)):
                members[member, unit, 1 - truth] += np.bincount(value, number, 256).astype(np.int64)

    def count(tables: Sequence[np.ndarray], units: np.ndarray) -> Counts:
        blend_of = divide_sums(2)[(tables[0].astype(int)[:, None] + tables[1]).ravel()]
        chosen = np.flatnonzero(np.isin(index, units))
        counted = []
        for tile in chosen:
            outside, inside = (
                sum_above(np.bincount(blend_of[values], number, 256).astype(np.int64)) for values, number in pairs[tile]
            )
            counted.append(count_pixels(inside, outside + pairs[tile][1][1].sum()))
        return Counts.from_tiles([names[unit] for unit in index[chosen]], counted)

    def fit(units: np.ndarray, others: np.ndarray, crossfit: CrossFit) -> Fitted:
        before, after, first = [], [], []
        plain = count([IDENTITY, IDENTITY], units)
        for mask in crossfit.training_masks:
            tables = [fit_table(member[units[mask]].sum(axis=0), "isotonic") for member in members]
            calibrated = count(tables, units)
            cuts = [best_threshold(each.score(POOLED, mask)) - 1 for each in (plain, calibrated)]
            before.append(plain[cuts[0]])
            after.append(calibrated[cuts[1]])
            first = first or [([IDENTITY, IDENTITY], cuts[0]), (tables, cuts[1])]
        old, new = (float(count(tables, others)[cut].score(POOLED)) for tables, cut in first)
        return Fitted(before, after, new - old)

    return fit


def count_pairs(tiles: Tiles) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """Count each tile's pairs of values, 256 * one + other, of ground and of building: the pairs, and how often."""
    counted = []
    for one, other, truth in zip(*tiles.maps.values(), tiles.truths, strict=True):
        both = one.astype(np.int64) * 256 + other
        counted.append([np.unique(both[where], return_counts=True) for where in (~truth, truth)])
    return counted
