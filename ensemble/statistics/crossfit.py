"""Cross-fitting: which groups a choice may look at, and what it is scored on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.statistics.counts import Counts, index_groups
from members.common.errors import InputError

FOLDS, SEED = 5, 42


@dataclass(frozen=True)
class CrossFit:
    """A deal of groups to folds. A choice is made on all groups, and once without each fold to be scored there.

    Attributes:
        groups: how many there are, in the order of the counts' sorted names.
        folds: int64 (groups,), the fold of each; None where nothing is held out, so that every score is in sample.
    """

    groups: int
    folds: np.ndarray | None

    @classmethod
    def deal(cls, groups: Sequence[str], seed: int = SEED) -> "CrossFit":
        """Deal groups to five folds, or fewer where there are fewer groups; of a single group none can be held out.

        Args:
            groups: names, such as each tile's group; equal ones are one group.
            seed: of the shuffle.
        """
        names, _ = index_groups(groups)
        return cls(len(names), assign_folds(names, min(FOLDS, len(names)), seed) if len(names) > 1 else None)

    @property
    def training_masks(self) -> list[np.ndarray]:
        """The groups that each choice may look at, bool (groups,): all, then all but fold 0's, all but fold 1's, .."""
        held_out = [] if self.folds is None else [self.folds != fold for fold in range(self.folds.max() + 1)]
        return [np.ones(self.groups, bool), *held_out]

    def mix(self, counts: Sequence[Counts]) -> Counts | None:
        """Join what was chosen for each of `training_masks` to cross-fitted counts; None where nothing is held out.

        Args:
            counts: of all groups, the choice made: that on all groups first, then that without each fold.

        Returns:
            Counts of each group by the choice that was made without its fold.
        """
        if self.folds is None:
            return None
        per_fold, group = counts[1:], np.arange(self.groups)
        sums = {name: np.stack([each.sums[name] for each in per_fold])[self.folds, group] for name in counts[0].sums}
        return Counts(counts[0].groups, counts[0].tiles, sums)


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
