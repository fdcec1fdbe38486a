"""Greedy selection of members: which of them, how often, make the blend with the highest score.

Caruana et al. 2004, Ensemble Selection from Libraries of Models, doi:10.1145/1015330.1015432: start from the best
member, then add again and again, with replacement, the member that helps most; bagging keeps it from fitting noise.
Here the bags are draws of whole groups of tiles, since tiles of a group resemble one another.

A blend's pixels are counted once per tile and value, and its score in every bag and at every threshold follows from
these counts. Bags that meet at the same blend share them, so fifty bags cost little more than a few.
"""

from collections.abc import Sequence

import numpy as np

from ensemble.selection.blend import Picks, reduce_weights
from ensemble.selection.library import Library
from ensemble.statistics.estimates import draw_groups

ROUNDS = 20
"""Members that a bag picks at most; its weights are twentieths at the finest."""


def choose_greedily(library: Library, masks: Sequence[np.ndarray], bags: int) -> list[Picks]:
    """Choose greedy weights for each set of groups, all together, since they share their counts.

    Args:
        library: all members' maps.
        masks: the groups that each choice may look at, bool (groups,).
        bags: draws of groups that each choice is averaged over, at least 1.
    """
    draws = np.zeros((len(masks), bags, len(masks[0])), np.int64)
    for mask, bag in zip(masks, draws, strict=True):
        bag[:, mask] = draw_groups(int(mask.sum()), bags)
    picks = select_members(library, draws.reshape(-1, len(masks[0])))
    return [average_bags(each) for each in picks.reshape(len(masks), bags, -1)]


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


class Scores:
    """The score of any blend at its best threshold, in all bags at once; a blend is counted only once.

    Args:
        library: the maps.
        draws: int (bags, groups), how often each bag drew each group.
    """

    def __init__(self, library: Library, draws: np.ndarray) -> None:
        self.library, self.draws = library, np.asarray(draws, np.float64)
        self.known: dict[Picks, np.ndarray] = {}

    def score_additions(self, picks: Picks) -> list[np.ndarray]:
        """Score the blends that one more pick of each member makes: float64 (bags,) each."""
        keys = [reduce_weights(add_pick(picks, member)) for member in range(len(picks))]
        new = [member for member, key in enumerate(keys) if key not in self.known]
        if new:
            for member, counts in zip(new, self.library.count_additions(picks, new), strict=True):
                self.known[keys[member]] = counts.score(self.library.objective, self.draws).max(axis=1)
        return [self.known[key] for key in keys]


def select_in_bag(scores: Scores, bag: int, rounds: int) -> Picks:
    """Return the picks of one bag."""
    picks = best = (0,) * len(scores.library.members)
    best_score = -1.0
    for _ in range(rounds):
        found = [score[bag] for score in scores.score_additions(picks)]
        member = max(range(len(picks)), key=lambda each: (found[each], picks[each] > 0, -each))
        picks = add_pick(picks, member)
        if found[member] > best_score:
            best, best_score = picks, found[member]
    return best


def add_pick(picks: Picks, member: int) -> Picks:
    """Return the picks with one more of a member."""
    return (*picks[:member], picks[member] + 1, *picks[member + 1 :])


def average_bags(picks: np.ndarray) -> Picks:
    """Return the mean of the bags' shares as weights in percent, by the largest remainders, in the smallest integers.

    Args:
        picks: int (bags, members), each bag with at least one.
    """
    shares = (picks / picks.sum(axis=1, keepdims=True)).mean(axis=0) * 100
    weights = np.floor(shares + 1e-9).astype(int)  # 1e-9: a share of 29 % must not become 28.999..
    for member in np.argsort(weights - shares, kind="stable")[: 100 - weights.sum()]:
        weights[member] += 1
    return reduce_weights(weights.tolist())
