"""The verdict: which steps of a recipe earn their place on tiles that they were not chosen on.

A step is kept only where the cross-validated score improves, as nnU-Net does it (Isensee et al. 2021,
doi:10.1038/s41592-020-01008-z); here the gain's bootstrap interval over groups has to be above nought.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ensemble.statistics.crossfit import CrossFit
from ensemble.statistics.estimates import IN_SAMPLE, Gain, measure_gain
from ensemble.statistics.metrics import Objective
from members.common.errors import InputError
from postproc.study.steps import Fit


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
        gain: of the cross-fitted score over the rival's; of the in-sample score without folds.
    """

    name: str
    fit: Fit
    rival: Fit
    in_sample: float
    in_sample_gain: float
    cross_fitted: float | None
    gain: Gain

    @property
    def kept(self) -> bool:
        """Whether the gain is proven: its interval is above 0; without folds, whether it is above 0 in sample."""
        return self.gain.proven


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


def deal_folds(groups: Sequence[str]) -> CrossFit:
    """Deal groups to folds.

    Raises:
        InputError: a single group, so that nothing can be held out.
    """
    crossfit = CrossFit.deal(groups)
    if crossfit.folds is None:
        raise InputError(
            f"all validation tiles are of one group ({groups[0]}), so no score can be cross-fitted; train with more "
            "groups or --folds, or give --no-cross-fit for in-sample scores alone"
        )
    return crossfit


def judge_steps(neutral: Fit, fits: Mapping[str, Fit], crossfit: CrossFit, objective: Objective) -> Verdict:
    """Keep the nested steps that pay.

    Args:
        neutral: the neutral recipe, whatever the fold.
        fits: step -> what it chooses, simple to complex, all of the same groups.
        crossfit: that the fits were made with; without folds the in-sample score judges, which overstates.
        objective: what was maximised.
    """
    verdict = Verdict(neutral.full.score, (), neutral)
    for name, fit in fits.items():
        verdict = add_step(verdict, name, fit, crossfit, objective)
    return verdict


def add_step(verdict: Verdict, name: str, fit: Fit, crossfit: CrossFit, objective: Objective) -> Verdict:
    """Judge one more step against the last kept one."""
    kept = verdict.kept
    more = fit.full.score - kept.full.score
    before, after = crossfit.mix(kept.counts), crossfit.mix(fit.counts)
    if before is None or after is None:
        step = Step(name, fit, kept, fit.full.score, more, None, Gain(more, None, None, IN_SAMPLE))
    else:
        gain = measure_gain(before, after, objective)
        step = Step(name, fit, kept, fit.full.score, more, float(after.score(objective)), gain)
    return Verdict(verdict.neutral, (*verdict.steps, step), fit if step.kept else kept)
