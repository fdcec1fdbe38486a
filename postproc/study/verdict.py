"""The verdict: which steps of a recipe earn their place on tiles that they were not chosen on.

A step is kept only where the cross-validated score improves, as nnU-Net does it (Isensee et al. 2021,
doi:10.1038/s41592-020-01008-z); here the gain's bootstrap interval over groups has to be above nought.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.statistics.counts import (
    Evidence,
    Objective,
    assign_folds,
    compare_evidence,
    draw_groups,
    find_interval,
    mix_folds,
)
from members.common.errors import InputError
from postproc.study.steps import Fit

FOLDS, DRAWS, LEVEL, SEED = 5, 2000, 0.90, 42


@dataclass(frozen=True)
class Step:
    """One nested step, compared with the last kept one.

    Attributes:
        name: "threshold", "morphology", "areas", "weights" or "outlines".
        fit: what it chooses, on all groups and for each fold.
        rival: what the last kept step chooses, or the neutral recipe.
        in_sample: its score on the tiles that it was chosen on.
        in_sample_gain: the gain of that over the rival's.
        cross_fitted: the score where each fold's recipe is chosen on the other folds; None without folds.
        gain: of the cross-fitted score over the rival's; None without folds.
        interval: the gain's 90 % bootstrap interval over groups; None without folds.
        kept: whether the interval's lower end is above 0; without folds, whether the in-sample gain is.
    """

    name: str
    fit: Fit
    rival: Fit
    in_sample: float
    in_sample_gain: float
    cross_fitted: float | None
    gain: float | None
    interval: tuple[float, float] | None
    kept: bool


@dataclass(frozen=True)
class Verdict:
    """The steps with their gains, and what the last kept one chooses.

    Attributes:
        neutral: score of the neutral recipe.
        steps: in their order.
        kept: the last kept step's choice, which is what is written and applied; the neutral recipe if none is.
    """

    neutral: float
    steps: tuple[Step, ...]
    kept: Fit


def deal_folds(groups: Sequence[str]) -> np.ndarray:
    """Deal groups to five folds, or fewer where there are fewer groups: int (groups,).

    Raises:
        InputError: a single group, so that nothing can be held out.
    """
    if len(groups) < 2:
        raise InputError(
            f"all validation tiles are of one group ({groups[0]}), so no score can be cross-fitted; train with more "
            "groups or --folds, or give --no-cross-fit for in-sample scores alone"
        )
    return assign_folds(groups, min(FOLDS, len(groups)), SEED)


def judge_steps(neutral: Fit, fits: Mapping[str, Fit], folds: np.ndarray | None, objective: Objective) -> Verdict:
    """Keep the nested steps that pay.

    Args:
        neutral: the neutral recipe, whatever the fold.
        fits: step -> what it chooses, simple to complex, all of the same groups.
        folds: int (groups,), that the fits were made with; None judges by the in-sample score, which overstates.
        objective: what was maximised.
    """
    verdict = Verdict(neutral.whole.score, (), neutral)
    for name, fit in fits.items():
        verdict = add_step(verdict, name, fit, folds, objective)
    return verdict


def add_step(verdict: Verdict, name: str, fit: Fit, folds: np.ndarray | None, objective: Objective) -> Verdict:
    """Judge one more step against the last kept one."""
    kept = verdict.kept
    more = fit.whole.score - kept.whole.score
    if folds is None:
        step = Step(name, fit, kept, fit.whole.score, more, None, None, None, more > 0)
    else:
        before, after = join_folds(kept, folds), join_folds(fit, folds)
        draws = draw_groups(len(before.groups), DRAWS, SEED)
        gain, low, high = compare_evidence(before, after, objective, draws, LEVEL)
        step = Step(name, fit, kept, fit.whole.score, more, float(after.score(objective)), gain, (low, high), low > 0)
    return Verdict(verdict.neutral, (*verdict.steps, step), fit if step.kept else kept)


def join_folds(fit: Fit, folds: np.ndarray) -> Evidence:
    """Return the cross-fitted evidence: each group's is of what was chosen without its fold."""
    return mix_folds([choice.evidence for choice in fit.others], folds)


def bound_score(evidence: Evidence, objective: Objective) -> tuple[float, float]:
    """Return the 90 % bootstrap interval, over groups, of a score whose choices are made."""
    draws = draw_groups(len(evidence.groups), DRAWS, SEED)
    low, high = find_interval(evidence.score(objective, draws), LEVEL)
    return float(low), float(high)
