"""What a blend is worth on groups of tiles that neither its weights nor its threshold were chosen on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ensemble.selection.blend import Picks
from ensemble.selection.greedy import choose_greedily
from ensemble.selection.library import Library
from ensemble.statistics.counts import Counts
from ensemble.statistics.crossfit import CrossFit
from ensemble.statistics.estimates import Estimate, estimate_mean_score
from ensemble.statistics.gains import Gain, measure_gain
from ensemble.statistics.metrics import best_threshold
from members.common.choices import BlendObjective, KeepName


@dataclass(frozen=True)
class Judgement:
    """One way to blend, chosen on all tiles and judged across folds of groups.

    Attributes:
        method: "mean", "single" (the best member alone), "greedy" or "given".
        weights: member -> non-negative integer, chosen on all tiles.
        threshold: the best of 1..255 for it, on all tiles.
        in_sample: its score on the tiles that all this was chosen on.
        cross_fitted: the score where each fold's weights and threshold are chosen on the other folds, the mean over
            the deals, and its interval; None with a single group.
        gain: of the cross-fitted score over that of what it is compared with, such as the mean; likewise.
        choices: counts of all groups of what was chosen for each training mask.
    """

    method: str
    weights: dict[str, int]
    threshold: int
    in_sample: float
    cross_fitted: Estimate | None
    gain: Gain | None
    choices: tuple[Counts, ...] = field(default=(), repr=False, compare=False)

    def describe(self) -> dict[str, Any]:
        """Return the judgement as it is written to JSON."""
        score, gain = self.cross_fitted, self.gain
        return {
            "weights": self.weights,
            "threshold": self.threshold,
            "in_sample": self.in_sample,
            "cross_fitted": score and score.value,
            "interval": score and score.interval,
            "gain": gain and gain.describe(),
        }


def judge_blends(library: Library, bags: int, given: Picks | None = None) -> list[Judgement]:
    """Judge the mean, the best single member, the greedy blend, and weights that were given.

    Args:
        library: all members' maps.
        bags: draws of groups that the greedy choice is averaged over, at least 1.
        given: weights to judge too, one a member.
    """
    crossfit = CrossFit.deal(library.groups)
    judgements: list[Judgement] = []
    for method in ("mean", "single", "greedy") if given is None else ("mean", "single", "greedy", "given"):
        weights = choose_weights(method, library, crossfit.training_masks, bags, given)
        counts = [library.count_blend(each) for each in weights]
        before = judgements[0].choices if judgements else ()
        named = dict(zip(library.members, weights[0], strict=True))
        judgements.append(judge_choice(method, named, counts, crossfit, before, library.objective))
    return judgements


def choose_weights(
    method: str, library: Library, masks: Sequence[np.ndarray], bags: int, given: Picks | None = None
) -> list[Picks]:
    """Choose weights on each set of groups.

    Args:
        method: "mean", "single", "greedy" or "given".
        library: all members' maps.
        masks: the groups that each choice may look at, bool (groups,).
        bags: draws of groups that a greedy choice is averaged over.
        given: the weights of "given", one a member.
    """
    if method == "single":
        return choose_single(library, masks)
    if method == "greedy":
        return choose_greedily(library, masks, bags)
    weights = (1,) * len(library.members) if given is None or method == "mean" else given
    return [weights] * len(masks)


def choose_single(library: Library, masks: Sequence[np.ndarray]) -> list[Picks]:
    """Choose the member that is best alone on each set of groups, bool (groups,); of equals the first."""
    alone = [tuple(row) for row in np.eye(len(library.members), dtype=int).tolist()]
    counts = [library.count_blend(weights) for weights in alone]
    return [alone[np.argmax([each.score(library.objective, mask).max() for each in counts])] for mask in masks]


def judge_choice(
    method: str,
    weights: dict[str, int],
    counts: Sequence[Counts],
    crossfit: CrossFit,
    before: Sequence[Counts],
    objective: BlendObjective,
) -> Judgement:
    """Judge a blend by what was chosen for each training mask.

    Args:
        method: what chose.
        weights: member -> weight, chosen on all groups.
        counts: for each training mask, those of the blend that was chosen for it, on all groups at every threshold.
        crossfit: who may look at what.
        before: what was chosen for each mask of what it is compared with; none: itself.
        objective: what threshold, score and gain are of.
    """
    masks = crossfit.training_masks
    thresholds = [best_threshold(each.score(objective, mask)) for each, mask in zip(counts, masks, strict=True)]
    chosen = tuple(each[threshold - 1] for each, threshold in zip(counts, thresholds, strict=True))
    mixed = crossfit.mix(chosen)
    return Judgement(
        method=method,
        weights=weights,
        threshold=thresholds[0],
        in_sample=float(chosen[0].score(objective)),
        cross_fitted=estimate_mean_score(mixed, objective) if mixed else None,
        gain=measure_gain(before or chosen, chosen, objective, crossfit) if mixed else None,
        choices=chosen,
    )


def take_method(judgements: Sequence[Judgement], method: str, keep: KeepName = "likely") -> Judgement:
    """Return the judgement of a method.

    "auto" is the mean, unless others are likely, or proven, to be better. Of those the one with the highest
    cross-fitted gain is taken.
    """
    if method != "auto":
        return next(each for each in judgements if each.method == method)
    mean = next(each for each in judgements if each.method == "mean")
    better = [each for each in judgements if each.method != "given" and each.gain and each.gain.is_kept(keep)]
    return max(better, key=lambda each: each.gain.value if each.gain else 0.0, default=mean)
