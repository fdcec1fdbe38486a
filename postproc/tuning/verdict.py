"""The verdict: which steps of a pipeline earn their keep on tiles that they were not chosen on.

A step is kept only where the cross-validated score improves, as nnU-Net does it (Isensee et al. 2021,
doi:10.1038/s41592-020-01008-z); here the gain's bootstrap interval over groups has to be above 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ensemble.statistics.crossfit import CrossFit
from ensemble.statistics.estimates import IN_SAMPLE, Gain, measure_gain
from members.common.choices import Objective
from postproc.pipeline.pipeline import Pipeline
from postproc.tuning.fits import Fit


@dataclass(frozen=True)
class StepVerdict:
    """One nested step, compared with the last kept one.

    Attributes:
        name: of the step, such as "threshold", "morphology" or "outlines".
        fit: what it chooses, on all groups and for each fold.
        rival: what the last kept step chooses, or the neutral recipe.
        cross_fitted: the score where each fold's choice is made on the other folds; None without folds.
        gain: of the cross-fitted score over the rival's; of the in-sample score without folds.
    """

    name: str
    fit: Fit
    rival: Fit
    cross_fitted: float | None
    gain: Gain

    @property
    def in_sample(self) -> float:
        """The score on the tiles that it was chosen on."""
        return self.fit.score

    @property
    def in_sample_gain(self) -> float:
        """The gain of that over the rival's."""
        return self.fit.score - self.rival.score

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
    steps: tuple[StepVerdict, ...]
    kept: Fit

    @property
    def pipeline(self) -> Pipeline:
        """What was kept, chosen on all groups."""
        return self.kept.pipelines[0]


def judge_steps(neutral: Fit, fits: Mapping[str, Fit], crossfit: CrossFit, objective: Objective) -> Verdict:
    """Keep the nested steps that pay.

    Args:
        neutral: the neutral recipe, whatever the fold.
        fits: step -> what it chooses, simple to complex, all of the same groups.
        crossfit: that the fits were made with; without folds the in-sample score judges, which overstates.
        objective: what was maximised.
    """
    verdict = Verdict(neutral.score, (), neutral)
    for name, fit in fits.items():
        verdict = add_step(verdict, name, fit, crossfit, objective)
    return verdict


def add_step(verdict: Verdict, name: str, fit: Fit, crossfit: CrossFit, objective: Objective) -> Verdict:
    """Judge one more step against the last kept one."""
    kept = verdict.kept
    before, after = crossfit.mix(kept.counts), crossfit.mix(fit.counts)
    if before is None or after is None:
        step = StepVerdict(name, fit, kept, None, Gain(fit.score - kept.score, None, None, IN_SAMPLE))
    else:
        gain = measure_gain(before, after, objective)
        step = StepVerdict(name, fit, kept, float(after.score(objective)), gain)
    return Verdict(verdict.neutral, (*verdict.steps, step), fit if step.kept else kept)
