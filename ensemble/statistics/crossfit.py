"""Cross-fitting: which groups a choice may look at, and what it is scored on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.statistics.counts import Counts, index_groups
from members.common.errors import InputError

FOLDS, SEED = 5, 42
DEALS = 3  # how differently a choice fares when the folds are dealt anew is a part of its uncertainty


@dataclass(frozen=True)
class CrossFit:
    """Deals of groups to folds. A choice is made on all groups, and once without each fold to be scored there.

    Attributes:
        groups: how many there are, in the order of the counts' sorted names.
        folds: int64 (deals, groups), the fold of each; None where nothing is held out, so that every score is in
            sample.
    """

    groups: int
    folds: np.ndarray | None

    @classmethod
    def deal(cls, groups: Sequence[str], seed: int = SEED, deals: int = DEALS) -> "CrossFit":
        """Deal groups to five folds, or fewer where there are fewer groups; of a single group none can be held out.

        Args:
            groups: names, such as each tile's group; equal ones are one group.
            seed: of the first shuffle; each further deal has the next one.
            deals: how often the groups are dealt.
        """
        names, _ = index_groups(groups)
        if len(names) < 2:
            return cls(len(names), None)
        dealt = [assign_folds(names, min(FOLDS, len(names)), seed + deal) for deal in range(deals)]
        return cls(len(names), np.stack(dealt))

    @property
    def size(self) -> int:
        """How many folds a deal has; 0 where nothing is held out."""
        return 0 if self.folds is None else int(self.folds.max()) + 1

    @property
    def training_masks(self) -> list[np.ndarray]:
        """The groups that each choice may look at, bool (groups,): all, then all but each fold, deal after deal."""
        dealt = () if self.folds is None else self.folds
        held_out = [folds != fold for folds in dealt for fold in range(self.size)]
        return [np.ones(self.groups, bool), *held_out]

    def take(self, deals: int) -> "CrossFit":
        """Return the first deals alone, for choices that are too dear to be made more often."""
        return CrossFit(self.groups, None if self.folds is None else self.folds[:deals])

    def mix(self, counts: Sequence[Counts]) -> list[Counts]:
        """Join what was chosen for each of `training_masks` to cross-fitted counts, one of each deal.

        Args:
            counts: of all groups, the choice made: that on all groups first, then that without each fold; of all
                deals, or of the first ones.

        Returns:
            Counts of each group by the choice that was made without its fold; none where nothing is held out.
        """
        if self.folds is None:
            return []
        group, mixed = np.arange(self.groups), []
        for deal in range((len(counts) - 1) // self.size):
            own = counts[1 + deal * self.size :][: self.size]
            sums = {name: np.stack([each.sums[name] for each in own])[self.folds[deal], group] for name in own[0].sums}
            mixed.append(Counts(own[0].groups, own[0].tiles, sums))
        return mixed


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

    This bounds the memory of counts of many tiles that are each their own group. A pooled group is still
    independent of the others, and its tiles stay together, so estimates by group stay unbiased.
    """
    if len(set(groups)) <= most:
        return list(groups)
    return [f"pool {pool}" for pool in assign_folds(groups, most, seed)]
