"""What a blend is worth on groups of tiles that neither its weights nor its threshold were chosen on."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from ensemble.selection.greedy import Library, Picks, average_bags, collect_blend, select_members
from ensemble.statistics.counts import (
    Evidence,
    assign_folds,
    compare_evidence,
    draw_groups,
    find_interval,
    index_groups,
    mix_folds,
)
from members.common.errors import InputError

FOLDS, SEED = 5, 42


@dataclass(frozen=True)
class Judgement:
    """One way to blend, chosen on all tiles and judged across folds of groups.

    Attributes:
        method: "mean", "single" (the best member alone), "greedy" or "given".
        weights: member -> non-negative integer, chosen on all tiles.
        threshold: the best of 1..255 for it, on all tiles.
        in_sample: its pooled IoU on the tiles that all this was chosen on.
        cross_fitted: pooled IoU where each fold's weights and threshold are chosen on the other folds; None with
            a single group.
        interval: its 90 % bootstrap interval over groups.
        gain: of the cross-fitted score over that of what it is compared with, such as the mean, and the lower and
            upper end of its interval, paired by group.
        evidence: the cross-fitted evidence that these are scores of.
    """

    method: str
    weights: dict[str, int]
    threshold: int
    in_sample: float
    cross_fitted: float | None
    interval: tuple[float, float] | None
    gain: tuple[float, float, float] | None
    evidence: Evidence | None = field(default=None, repr=False)

    def describe(self) -> dict[str, Any]:
        """As it is written to JSON."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name not in ("method", "evidence")}


def judge_blends(library: Library, bags: int, given: Sequence[int] | None = None) -> list[Judgement]:
    """Judge the mean, the best single member, the greedy blend, and weights that were given.

    Args:
        library: all members' maps.
        bags: draws of groups that the greedy choice is averaged over, at least 1.
        given: weights to judge too, one a member.
    """
    count = functools.cache(functools.partial(collect_blend, library))  # folds often choose the same blend
    folds = deal_folds(library)
    masks = list_masks(folds)
    judgements: list[Judgement] = []
    for method in ("mean", "single", "greedy", *(["given"] if given is not None else [])):
        weights = choose_weights(method, library, masks, bags, given, count)
        before = judgements[0].evidence if judgements else None
        judgements.append(judge_choice(method, library.members, weights, list(map(count, weights)), folds, before))
    return judgements


def deal_folds(library: Library) -> np.ndarray:
    """The fold of each of the library's sorted groups, int64 (groups,); all 0 where there is but one group."""
    names, _ = index_groups(library.groups)
    return assign_folds(names, min(FOLDS, len(names)), SEED) if len(names) > 1 else np.zeros(1, int)


def list_masks(folds: np.ndarray) -> list[np.ndarray]:
    """What choices are made on, bool (groups,): all groups, then for each fold, if there are several, the others'."""
    others = [folds != fold for fold in range(folds.max() + 1)] if folds.max() else []
    return [np.ones(len(folds), bool), *others]


def choose_weights(
    method: str,
    library: Library,
    masks: Sequence[np.ndarray],
    bags: int,
    given: Sequence[int] | None,
    count: Callable[[Picks], Evidence],
) -> list[Picks]:
    """The weights that a method chooses on each set of groups; `count` gives the evidence of a blend of the library."""
    alone = [tuple(row) for row in np.eye(len(library.members), dtype=int).tolist()]
    if method == "single":
        singles = [count(weights) for weights in alone]
        return [alone[np.argmax([one.score("pooled_iou", mask).max() for one in singles])] for mask in masks]
    if method == "greedy":
        return choose_greedily(library, masks, bags)
    return [tuple(given) if method == "given" and given is not None else (1,) * len(alone)] * len(masks)


def judge_choice(
    method: str,
    members: Sequence[str],
    weights: Sequence[Picks],
    evidence: Sequence[Evidence],
    folds: np.ndarray,
    before: Evidence | None,
) -> Judgement:
    """Judge what was chosen on each of `list_masks(folds)`: weights, and the evidence of that blend on all groups.

    Args:
        method: what chose.
        members: whom the weights are of.
        weights: for each mask.
        evidence: for each mask.
        folds: as by `deal_folds`.
        before: the cross-fitted evidence of what it is compared with; None: itself.
    """
    masks = list_masks(folds)
    thresholds = [find_threshold(one.score("pooled_iou", mask)) for one, mask in zip(evidence, masks, strict=True)]
    mixed = mix_choices(evidence[1:], thresholds[1:], folds) if len(masks) > 1 else None
    in_sample = float(evidence[0].score("pooled_iou")[thresholds[0] - 1])
    named = dict(zip(members, weights[0], strict=True))
    return Judgement(method, named, thresholds[0], in_sample, *score_mixed(mixed, before or mixed), mixed)


def choose_greedily(library: Library, masks: Sequence[np.ndarray], bags: int) -> list[Picks]:
    """Greedy weights for each set of groups; all are chosen together, since they share their counts."""
    draws = np.zeros((len(masks), bags, len(masks[0])), np.int64)
    for mask, bag in zip(masks, draws, strict=True):
        bag[:, mask] = draw_groups(int(mask.sum()), bags, SEED)
    picks = select_members(library, draws.reshape(-1, len(masks[0])))
    return [average_bags(each) for each in picks.reshape(len(masks), bags, -1)]


def mix_choices(evidence: Sequence[Evidence], thresholds: Sequence[int], fold_of: np.ndarray) -> Evidence:
    """The cross-fitted evidence: each fold's groups by the blend and the threshold chosen on the other folds."""
    return mix_folds([one[threshold - 1] for one, threshold in zip(evidence, thresholds, strict=True)], fold_of)


def score_mixed(mixed: Evidence | None, before: Evidence | None) -> tuple[Any, Any, Any]:
    """Cross-fitted score, its interval, and the gain over another with its interval; None without folds."""
    if mixed is None or before is None:
        return None, None, None
    draws = draw_groups(len(mixed.groups), seed=SEED)
    low, high = find_interval(mixed.score("pooled_iou", draws))
    gain = compare_evidence(before, mixed, "pooled_iou", draws)
    return float(mixed.score("pooled_iou")), (float(low), float(high)), gain


def find_threshold(scores: np.ndarray) -> int:
    """The threshold with the highest of 255 scores; of equals the one nearest 128, then the lower."""
    best = np.flatnonzero(scores == scores.max()) + 1
    return int(min(best, key=lambda threshold: (abs(threshold - 128), threshold)))


def take_method(judgements: Sequence[Judgement], method: str) -> Judgement:
    """The judgement of a method.

    "auto" is the mean, unless others are surely better: their cross-fitted gain's interval is above 0. Of those the
    one with the highest cross-fitted score is taken.
    """
    if method != "auto":
        return next(each for each in judgements if each.method == method)
    mean = next(each for each in judgements if each.method == "mean")
    better = [each for each in judgements if each.method != "given" and each.gain is not None and each.gain[1] > 0]
    return max(better, key=lambda each: each.cross_fitted or 0.0, default=mean)


def parse_weights(text: str, members: Sequence[str]) -> list[int]:
    """Weights written as `member=weight,member=weight`; members that are left out get 0.

    Raises:
        InputError: an unknown member, a weight that is no integer or negative, or all are 0.
    """
    weights = dict.fromkeys(members, 0)
    for part in text.split(","):
        member, _, weight = part.strip().partition("=")
        if member not in weights:
            raise InputError(f"--weights {text}: no maps of a member {member!r}; there are {', '.join(members)}")
        if not weight.isascii() or not weight.isdigit():
            raise InputError(f"--weights {text}: {member}={weight}; weights are non-negative integers, as in a=2,b=1")
        weights[member] = int(weight)
    if not any(weights.values()):
        raise InputError(f"--weights {text}: they sum to 0; at least one member needs a weight above 0")
    return list(weights.values())
