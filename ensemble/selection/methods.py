"""What a blend is worth on groups of tiles that neither its weights nor its threshold were chosen on."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ensemble.selection.greedy import Library, Picks, average_bags, collect_blend, select_members
from ensemble.statistics.counts import Counts
from ensemble.statistics.crossfit import CrossFit
from ensemble.statistics.estimates import Estimate, Gain, draw_groups, estimate_score, measure_gain
from ensemble.statistics.metrics import best_threshold
from members.common.errors import InputError


@dataclass(frozen=True)
class Judgement:
    """One way to blend, chosen on all tiles and judged across folds of groups.

    Attributes:
        method: "mean", "single" (the best member alone), "greedy" or "given".
        weights: member -> non-negative integer, chosen on all tiles.
        threshold: the best of 1..255 for it, on all tiles.
        in_sample: its pooled IoU on the tiles that all this was chosen on.
        cross_fitted: pooled IoU where each fold's weights and threshold are chosen on the other folds, and its
            interval; None with a single group.
        gain: of the cross-fitted score over that of what it is compared with, such as the mean; likewise.
        counts: the cross-fitted counts that these are scores of.
    """

    method: str
    weights: dict[str, int]
    threshold: int
    in_sample: float
    cross_fitted: Estimate | None
    gain: Gain | None
    counts: Counts | None = field(default=None, repr=False)

    def describe(self) -> dict[str, Any]:
        """Return it as it is written to JSON."""
        score, gain = self.cross_fitted, self.gain
        return {
            "weights": self.weights,
            "threshold": self.threshold,
            "in_sample": self.in_sample,
            "cross_fitted": score and score.value,
            "interval": score and score.interval,
            "gain": gain and (gain.value, *(gain.interval or ())),
        }


def judge_blends(library: Library, bags: int, given: Sequence[int] | None = None) -> list[Judgement]:
    """Judge the mean, the best single member, the greedy blend, and weights that were given.

    Args:
        library: all members' maps.
        bags: draws of groups that the greedy choice is averaged over, at least 1.
        given: weights to judge too, one a member.
    """
    count = functools.cache(functools.partial(collect_blend, library))  # folds often choose the same blend
    crossfit = CrossFit.deal(library.groups)
    judgements: list[Judgement] = []
    for method in ("mean", "single", "greedy", *(["given"] if given is not None else [])):
        weights = choose_weights(method, library, crossfit.training_masks, bags, given, count)
        before = judgements[0].counts if judgements else None
        judgements.append(judge_choice(method, library.members, weights, list(map(count, weights)), crossfit, before))
    return judgements


def choose_weights(
    method: str,
    library: Library,
    masks: Sequence[np.ndarray],
    bags: int,
    given: Sequence[int] | None,
    count: Callable[[Picks], Counts],
) -> list[Picks]:
    """Choose weights by a method on each set of groups; `count` counts a blend of the library."""
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
    counts: Sequence[Counts],
    crossfit: CrossFit,
    before: Counts | None,
) -> Judgement:
    """Judge what was chosen on each training mask: weights, and the counts of that blend on all groups.

    Args:
        method: what chose.
        members: whom the weights are of.
        weights: for each training mask.
        counts: for each training mask, at every threshold.
        crossfit: who may look at what.
        before: the cross-fitted counts of what it is compared with; None: itself.
    """
    masks = crossfit.training_masks
    thresholds = [best_threshold(one.score("pooled_iou", mask)) for one, mask in zip(counts, masks, strict=True)]
    chosen = [one[threshold - 1] for one, threshold in zip(counts, thresholds, strict=True)]
    mixed = crossfit.mix(chosen)
    return Judgement(
        method,
        dict(zip(members, weights[0], strict=True)),
        thresholds[0],
        float(chosen[0].score("pooled_iou")),
        None if mixed is None else estimate_score(mixed, "pooled_iou"),
        None if mixed is None else measure_gain(before or mixed, mixed, "pooled_iou"),
        mixed,
    )


def choose_greedily(library: Library, masks: Sequence[np.ndarray], bags: int) -> list[Picks]:
    """Choose greedy weights for each set of groups, all together, since they share their counts."""
    draws = np.zeros((len(masks), bags, len(masks[0])), np.int64)
    for mask, bag in zip(masks, draws, strict=True):
        bag[:, mask] = draw_groups(int(mask.sum()), bags)
    picks = select_members(library, draws.reshape(-1, len(masks[0])))
    return [average_bags(each) for each in picks.reshape(len(masks), bags, -1)]


def take_method(judgements: Sequence[Judgement], method: str) -> Judgement:
    """Return the judgement of a method.

    "auto" is the mean, unless others are proven better: the interval of their cross-fitted gain is above 0. Of those
    the one with the highest cross-fitted score is taken.
    """
    if method != "auto":
        return next(each for each in judgements if each.method == method)
    mean = next(each for each in judgements if each.method == "mean")
    better = [each for each in judgements if each.method != "given" and each.gain is not None and each.gain.proven]
    return max(better, key=lambda each: each.cross_fitted.value if each.cross_fitted else 0.0, default=mean)


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
