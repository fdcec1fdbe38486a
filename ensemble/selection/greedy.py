"""Greedy selection of members: which of them, how often, make the blend with the highest IoU.

Caruana et al. 2004, Ensemble Selection from Libraries of Models, doi:10.1145/1015330.1015432: start from the best
member, then add again and again, with replacement, the member that helps most; bagging keeps it from fitting noise.
Here the bags are draws of whole groups of tiles, since tiles of a group resemble one another.

A blend's pixels are counted once per tile and value, and its score in every bag and at every threshold follows from
these counts. Bags that meet at the same blend share them, so fifty bags cost little more than a few.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from ensemble.statistics.counts import Counts, check_tile, check_truth, count_pixels, index_groups, sum_above
from members.common.errors import InputError

ROUNDS = 20
"""Members that a bag picks at most; its weights are twentieths at the finest."""

Picks = tuple[int, ...]


@dataclass(frozen=True)
class Library:
    """All members' maps of the same tiles, laid out to be counted.

    Attributes:
        members: their names.
        groups: the group of each tile, in the tiles' order, equal ones together and sorted.
        values: uint8 (members, pixels), tile after tile, in each the truth's building pixels first.
        bounds: int64 (tiles, 3), in `values`: a tile's first pixel, its first that is no building, its end.
    """

    members: tuple[str, ...]
    groups: tuple[str, ...]
    values: np.ndarray
    bounds: np.ndarray


def build_library(
    members: Sequence[str], tiles: Iterable[tuple[Sequence[np.ndarray], np.ndarray]], groups: Sequence[str]
) -> Library:
    """Lay out the members' maps.

    Args:
        members: their names.
        tiles: for each tile one map a member, uint8 (h, w), and the truth, bool (h, w). Taken one at a time.
        groups: the group of each tile.

    Raises:
        InputError: there is no tile, a map or truth of a wrong type or shape, or no building in any truth.
    """
    index_groups(groups)  # says that there is none
    parts, sizes, buildings = [], [], []
    for number, ((maps, truth), group) in enumerate(zip(tiles, groups, strict=True)):
        for member, values in zip(members, maps, strict=True):
            check_tile(values, truth, f"{member}, tile {number} of group {group}")
        parts.append(np.hstack([np.stack(maps)[:, truth], np.stack(maps)[:, ~truth]]))
        sizes.append(truth.size)
        buildings.append(int(truth.sum()))
    check_truth(sum(buildings), len(parts))
    order = np.argsort(np.asarray(groups), kind="stable")
    ends = np.cumsum(np.asarray(sizes)[order])
    starts = ends - np.asarray(sizes)[order]
    bounds = np.stack([starts, starts + np.asarray(buildings)[order], ends], axis=1)
    values = np.hstack([parts[place] for place in order])
    return Library(tuple(members), tuple(groups[place] for place in order), values, bounds)


def collect_blend(library: Library, weights: Sequence[int]) -> Counts:
    """Count one blend at every threshold, as `count_maps` counts the blend's maps.

    Args:
        library: the maps.
        weights: non-negative integers, one a member, not all 0.
    """
    if min(weights) < 0 or sum(weights) == 0:
        raise InputError(f"weights {list(weights)}; they are non-negative integers and not all 0")
    return tally_counts(library, count_values(*prepare_blend(library, reduce_weights(weights)), library.bounds))


def prepare_blend(library: Library, weights: Picks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `count_values` takes of a blend: all but one pick summed up, the last one, and the blend of every sum."""
    last = next(place for place, weight in enumerate(weights) if weight)
    rest = [weight - (place == last) for place, weight in enumerate(weights)]
    return sum_members(library.values, rest), library.values[last], divide_sums(sum(weights))


def sum_members(values: np.ndarray, weights: Sequence[int]) -> np.ndarray:
    """Sum of weight * value over members, uint32 (pixels,)."""
    total = np.zeros(values.shape[1], np.uint32)
    for member, weight in zip(values, weights, strict=True):
        if weight:
            total += np.uint32(weight) * member
    return total


def divide_sums(weight: int) -> np.ndarray:
    """The blend for every sum of weight * value, uint8: rint(sum / weight), half to even."""
    return np.rint(np.arange(255 * weight + 1) / weight).astype(np.uint8)


@njit(nogil=True, cache=True)
def count_values(sums: np.ndarray, added: np.ndarray, blend_of: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Count every tile's building and other pixels by the value of their blend: int64 (tiles, 2, 256)."""
    counts = np.zeros((len(bounds), 2, 256), np.int64)
    other = np.zeros(256, np.int64)  # a second row, as counting one value twice running waits for the first count
    for tile in range(len(bounds)):
        for part in range(2):
            row = counts[tile, part]
            other[:] = 0
            start, end = bounds[tile, part], bounds[tile, part + 1]
            for pixel in range(start, end - 1, 2):
                row[blend_of[sums[pixel] + added[pixel]]] += 1
                other[blend_of[sums[pixel + 1] + added[pixel + 1]]] += 1
            if (end - start) % 2:
                row[blend_of[sums[end - 1] + added[end - 1]]] += 1
            row += other
    return counts


def tally_counts(library: Library, counts: np.ndarray) -> Counts:
    """Turn the counts of tiles by value into counts per group and threshold."""
    inside, outside = sum_above(counts).swapaxes(0, 1)
    buildings = library.bounds[:, 1] - library.bounds[:, 0]
    columns = count_pixels(inside, outside + buildings[:, None])
    tiles = ({name: values[tile] for name, values in columns.items()} for tile in range(len(buildings)))
    return Counts.from_tiles(library.groups, tiles)


def reduce_weights(weights: Sequence[int]) -> Picks:
    """The same shares in the smallest integers."""
    divisor = math.gcd(*weights)
    return tuple(weight // divisor for weight in weights)


class Scores:
    """Pooled IoU at the best threshold of any blend, in all bags at once; a blend is counted only once.

    Args:
        library: the maps.
        draws: int (bags, groups), how often each bag drew each group.
    """

    def __init__(self, library: Library, draws: np.ndarray) -> None:
        self.library, self.draws = library, np.asarray(draws, np.float64)
        self.known: dict[Picks, np.ndarray] = {}

    def score_additions(self, picks: Picks) -> list[np.ndarray]:
        """Scores (bags,) of the blends that one more pick of each member makes."""
        blends = [add_pick(picks, member) for member in range(len(picks))]
        keys = [reduce_weights(blend) for blend in blends]
        if any(key not in self.known for key in keys):
            sums, blend_of = sum_members(self.library.values, picks), divide_sums(sum(picks) + 1)
            for key, values in zip(keys, self.library.values, strict=True):
                if key not in self.known:
                    counts = count_values(sums, values, blend_of, self.library.bounds)
                    self.known[key] = self.score(tally_counts(self.library, counts))
        return [self.known[key] for key in keys]

    def score(self, counts: Counts) -> np.ndarray:
        return counts.score("pooled_iou", self.draws).max(axis=1)


def add_pick(picks: Picks, member: int) -> Picks:
    return tuple(count + (place == member) for place, count in enumerate(picks))


def select_members(library: Library, draws: np.ndarray, rounds: int = ROUNDS) -> np.ndarray:
    """Choose members greedily in every bag.

    A bag makes `rounds` picks and keeps those up to its best score, the earliest such. Among members that help
    equally one that is already in is picked, then the first.

    Args:
        library: the maps.
        draws: int (bags, groups), how often each bag drew each of the sorted groups.
        rounds: picks, at least 1.

    Returns:
        int64 (bags, members), how often each was picked.
    """
    scores = Scores(library, draws)
    return np.array([select_in_bag(scores, bag, rounds) for bag in range(len(draws))])


def select_in_bag(scores: Scores, bag: int, rounds: int) -> Picks:
    """One bag's picks."""
    picks = best = (0,) * len(scores.library.members)
    best_score = -1.0
    for _ in range(rounds):
        found = [score[bag] for score in scores.score_additions(picks)]
        member = max(range(len(picks)), key=lambda place: (found[place], picks[place] > 0, -place))
        picks = add_pick(picks, member)
        if found[member] > best_score:
            best, best_score = picks, found[member]
    return best


def average_bags(picks: np.ndarray) -> Picks:
    """The mean of the bags' shares as weights in percent, by the largest remainders, in the smallest integers.

    Args:
        picks: int (bags, members), each bag with at least one.
    """
    shares = (picks / picks.sum(axis=1, keepdims=True)).mean(axis=0) * 100
    weights = np.floor(shares + 1e-9).astype(int)  # 1e-9: a share of 29 % must not become 28.999..
    for place in np.argsort(weights - shares, kind="stable")[: 100 - weights.sum()]:
        weights[place] += 1
    return reduce_weights(weights.tolist())
