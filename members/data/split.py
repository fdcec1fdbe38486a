"""Splits into training and validation tiles that never tear a group apart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from members.common.errors import InputError
from members.data.groups import read_groups
from members.data.tiles import Tile

NEVER_VALID = -1
DRAWS = 200
ENOUGH_GROUPS = 10
"""Groups that have to be held out, at least, for what is chosen on them to be told from noise."""


class Split(BaseModel):
    """A deal of groups to folds: which fold validates each group.

    With `folds` = 1 (hold-out) the groups of fold 0 validate and those of fold -1 always train; with K folds
    each group validates in exactly one of the folds 0..K-1 and trains in the others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 42
    folds: Annotated[int, Field(ge=1, description="1 = a hold-out of valid_fraction")] = 1
    valid_fraction: Annotated[float, Field(gt=0, lt=1, description="share of tiles held out; without folds")] = 0.15
    group_by: Annotated[
        str | None, Field(description="column of the table of groups, pattern, or squares, as for `group_images`")
    ] = None
    leave_out: Annotated[str | None, Field(description="COLUMN=VALUE: the hold-out is the groups of these tiles")] = (
        None
    )
    inner_valid: Annotated[bool, Field(description="early stopping looks at a share of the training groups")] = False
    fold_of_group: dict[str, int] = {}

    @model_validator(mode="after")
    def check_folds(self) -> Self:
        """Refuse folds that are none: nobody would validate their groups."""
        for group, fold in self.fold_of_group.items():
            if not NEVER_VALID <= fold < self.folds:
                raise ValueError(f"group {group} is in fold {fold}, and the folds are 0 to {self.folds - 1}")
        return self

    def validates(self, group: str, fold: int) -> bool:
        """Tell whether the member trained for `fold` has never seen this group."""
        return self.fold_of_group[group] == fold

    def choose_folds(self, fold: int | None) -> Sequence[int]:
        """Return the folds that are worked on: all, or the one that the option --fold names.

        Raises:
            InputError: there is no such fold.
        """
        if fold is not None and fold >= self.folds:
            raise InputError(f"--fold {fold}: the folds of this run are 0 to {self.folds - 1}; name one of them")
        return range(self.folds) if fold is None else [fold]

    @property
    def valid_groups(self) -> frozenset[str]:
        """The groups that some fold's member has never seen."""
        return frozenset(group for group, fold in self.fold_of_group.items() if fold != NEVER_VALID)


def remark_on_groups(split: Split) -> str | None:
    """Say so where too few groups are held out for what is chosen on them to be told from noise, and the cure."""
    held, groups = len(split.valid_groups), len(split.fold_of_group)
    if held >= ENOUGH_GROUPS:
        return None
    few = f"{held} of {groups} groups held out, fewer than {ENOUGH_GROUPS}: what is tuned on them is mostly noise"
    if split.folds == 1 and split.leave_out is None and groups >= ENOUGH_GROUPS:
        return f"{few}; --folds 5 holds all {groups} out in turn"
    return f"{few}; finer groups (--group-by), or images of more places, are the cure"


def remark_on_count(groups: int) -> str | None:
    """Say so where a hold-out of the usual share would have too few of a data set's groups."""
    held = round(Split().valid_fraction * groups)
    return remark_on_groups(Split(fold_of_group={str(n): 0 if n < held else NEVER_VALID for n in range(groups)}))


def plan_split(**options: object) -> Split:
    """Make a split yet to be drawn, with the options that are not None.

    Raises:
        InputError: an option is outside its range.
    """
    try:
        return Split.model_validate({name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        problem = error.errors()[0]
        raise InputError(f"split: {problem['loc'][0]} = {problem['input']!r}: {problem['msg']}") from None


def assign_folds(root: Path, tiles: Sequence[Tile], areas: Sequence[int], plan: Split) -> Split:
    """Fill in which fold validates each group of a data set: drawn at random, or the groups that `leave_out` names.

    Args:
        root: the data set's folder.
        tiles: its tiles.
        areas: building pixels of each.
        plan: as by `plan_split`.

    Raises:
        InputError: `leave_out` contradicts another option, is malformed, or names no tile.
    """
    groups = [tile.group for tile in tiles]
    if plan.leave_out is None:
        return draw_split(groups, areas, plan)
    column, equals, value = plan.leave_out.partition("=")
    if not equals or plan.folds > 1:
        raise InputError(f"--leave-out {plan.leave_out}: is COLUMN=VALUE, and goes without --folds; correct that")
    values = read_groups(root, [tile.image_id for tile in tiles], column)
    return leave_out_split(groups, [values[tile.image_id] == value for tile in tiles], plan)


def leave_out_split(groups: Sequence[str], left_out: Sequence[bool], plan: Split) -> Split:
    """Hold out exactly the tiles marked.

    Args:
        groups: the group of each tile.
        left_out: whether each tile is held out.
        plan: whose `leave_out` says which those are.

    Returns:
        The plan with `fold_of_group` filled in.

    Raises:
        InputError: no tile is marked, or all are, or a group would be torn apart.
    """
    if all(left_out) or not any(left_out):
        raise InputError(
            f"--leave-out {plan.leave_out}: {'all' if any(left_out) else 'none'} of the tiles; name another"
        )
    fold_of_group: dict[str, int] = {}
    for group, out in zip(groups, left_out, strict=True):
        fold = 0 if out else NEVER_VALID
        if fold_of_group.setdefault(group, fold) != fold:
            raise InputError(
                f"--leave-out {plan.leave_out}: tears group {group} apart; give --group-by a coarser column"
            )
    return plan.model_copy(update={"fold_of_group": dict(sorted(fold_of_group.items()))})


def split_training(groups: Sequence[str], areas: Sequence[int], seed: int) -> list[bool]:
    """Choose the training tiles that early stopping looks at instead of held-out ones: whole groups, about 15 %."""
    inner = draw_split(groups, areas, Split(seed=seed))
    return [inner.validates(group, 0) for group in groups]


def draw_split(groups: Sequence[str], areas: Sequence[int], plan: Split) -> Split:
    """Deal whole groups to folds whose shares of tiles and of building area are close to their targets.

    Of 200 random orders, each dealt greedily to the fold that lacks most of its target, the one whose shares
    of tiles and of building area are nearest to the targets is taken. The tiles' order does not matter.

    Args:
        groups: the group of each tile.
        areas: building pixels of each tile.
        plan: seed, number of folds, and the hold-out's share of tiles; its `fold_of_group` is not looked at.

    Returns:
        The plan with `fold_of_group` filled in.

    Raises:
        InputError: fewer groups than folds.
    """
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    held_out = plan.valid_fraction
    parts = max(plan.folds, 2)
    if len(names) < parts:
        raise InputError(f"{len(names)} group(s) cannot be split into {parts} parts; fewer --folds, or finer groups")
    targets = np.full(parts, 1 / parts) if plan.folds > 1 else np.array([held_out, 1 - held_out])
    shares = np.stack([np.bincount(index), np.bincount(index, weights=areas)], axis=1).astype(float)
    shares /= np.maximum(shares.sum(axis=0), 1)
    rng = np.random.default_rng(plan.seed)
    best_cost, best_fold = np.inf, np.zeros(len(names), int)
    for _ in range(DRAWS):
        fold_of, held = np.empty(len(names), int), np.zeros(len(targets))
        for group in rng.permutation(len(names)):
            fold_of[group] = np.argmin(held / targets)
            held[fold_of[group]] += shares[group, 0]
        dealt = np.stack([np.bincount(fold_of, shares[:, kind], len(targets)) for kind in (0, 1)])
        cost = np.abs(dealt - targets).sum()
        if cost < best_cost:
            best_cost, best_fold = cost, fold_of
    if plan.folds == 1:
        best_fold = np.where(best_fold == 0, 0, NEVER_VALID)
    fold_of_group = {str(name): int(fold) for name, fold in zip(names, best_fold, strict=True)}
    return plan.model_copy(update={"fold_of_group": fold_of_group})
