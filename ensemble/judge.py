"""What a blend is worth on groups of tiles that neither its weights nor its threshold were chosen on."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.evidence import Evidence, assign_folds, compare_evidence, draw_groups, find_interval, mix_folds
from ensemble.greedy import Library, Picks, average_bags, collect_blend, select_members
from members.errors import InputError

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
        gain: of the cross-fitted score over the mean's, and the lower and upper end of its interval, paired by group.
    """

    method: str
    weights: dict[str, int]
    threshold: int
    in_sample: float
    cross_fitted: float | None
    interval: tuple[float, float] | None
    gain: tuple[float, float, float] | None


def judge_blends(library: Library, bags: int, given: Sequence[int] | None = None) -> list[Judgement]:
    """Judge the mean, the best single member, the greedy blend, and weights that were given.

    Args:
        library: all members' maps.
        bags: draws of groups that the greedy choice is averaged over, at least 1.
        given: weights to judge too, one a member.
    """
    count = functools.cache(functools.partial(collect_blend, library))  # folds often choose the same blend
    alone = [tuple(row) for row in np.eye(len(library.members), dtype=int).tolist()]
    singles = [count(weights) for weights in alone]
    names, groups = singles[0].groups, len(singles[0].groups)
    fold_of = assign_folds(names, min(FOLDS, groups), SEED) if groups > 1 else np.zeros(groups, int)
    # which groups count: all of them, then for each fold those of the others
    masks = [np.ones(groups, bool), *(fold_of != fold for fold in range(fold_of.max() + 1) if groups > 1)]
    best = [np.argmax([one.score("pooled_iou", mask).max() for one in singles]) for mask in masks]
    chosen = {
        "mean": [(1,) * len(singles)] * len(masks),
        "single": [alone[place] for place in best],
        "greedy": choose_greedily(library, masks, bags),
        "given": [tuple(given)] * len(masks) if given is not None else [],
    }
    judgements: list[Judgement] = []
    mean: Evidence | None = None
    for method, weights in chosen.items():
        if weights:
            evidence = [count(each) for each in weights]
            thresholds = [
                find_threshold(one.score("pooled_iou", mask)) for one, mask in zip(evidence, masks, strict=True)
            ]
            named = dict(zip(library.members, weights[0], strict=True))
            in_sample = float(evidence[0].score("pooled_iou")[thresholds[0] - 1])
            mixed = mix_choices(evidence[1:], thresholds[1:], fold_of) if groups > 1 else None
            mean = mean or mixed
            judgements.append(Judgement(method, named, thresholds[0], in_sample, *score_mixed(mixed, mean)))
    return judgements


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


def score_mixed(mixed: Evidence | None, mean: Evidence | None) -> tuple[Any, Any, Any]:
    """Cross-fitted score, its interval, and the gain over the mean with its interval; None without folds."""
    if mixed is None or mean is None:
        return None, None, None
    draws = draw_groups(len(mixed.groups), seed=SEED)
    low, high = find_interval(mixed.score("pooled_iou", draws))
    gain = compare_evidence(mean, mixed, "pooled_iou", draws)
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
