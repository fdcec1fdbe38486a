"""The verdict: which steps of a pipeline earn their keep on tiles that they were not chosen on.

A step is kept only where the cross-validated score improves, as nnU-Net does it (Isensee et al. 2021,
doi:10.1038/s41592-020-01008-z); here that has to be likely on new groups, or proven, as `Gain` says.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ensemble.statistics.crossfit import CrossFit
from ensemble.statistics.gains import Gain, measure_gain
from members.common.choices import KeepName, Objective
from postproc.pipeline.pipeline import Pipeline
from postproc.tuning.fits import Fit


@dataclass(frozen=True)
class StepVerdict:
    """One nested step, compared with the last kept one.

    Attributes:
        name: of the step, such as "threshold", "morphology" or "outlines".
        fit: what it chooses, on all groups and for each fold.
        rival: what the last kept step chooses, or the neutral recipe.
        cross_fitted: the score where each fold's choice is made on the other folds, the mean over the deals; None
            without folds.
        gain: of the cross-fitted score over the rival's; of the in-sample score without folds.
        keep: how sure the gain has to be.
    """

    name: str
    fit: Fit
    rival: Fit
    cross_fitted: float | None
    gain: Gain
    keep: KeepName = "likely"

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
        """Whether it is kept."""
        return self.gain.is_kept(self.keep)

    @property
    def word(self) -> str:
        """The verdict in a word: kept, refused or unknown."""
        return self.gain.judge(self.keep)

    @property
    def reason(self) -> str:
        """What decided, in a sentence."""
        return self.gain.explain(self.keep)


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


def judge_steps(
    neutral: Fit, fits: Mapping[str, Fit], crossfit: CrossFit, objective: Objective, keep: KeepName = "likely"
) -> Verdict:
    """Keep the nested steps that pay.

    Args:
        neutral: the neutral recipe, whatever the fold.
        fits: step -> what it chooses, simple to complex, all of the same groups.
        crossfit: that the fits were made with; without folds the in-sample score judges, which overstates.
        objective: what was maximised.
        keep: how sure a gain has to be.
    """
    verdict = Verdict(neutral.score, (), neutral)
    for name, fit in fits.items():
        verdict = add_step(verdict, name, fit, crossfit, objective, keep)
    return verdict


def add_step(
    verdict: Verdict, name: str, fit: Fit, crossfit: CrossFit, objective: Objective, keep: KeepName = "likely"
) -> Verdict:
    """Judge one more step against the last kept one."""
    kept = verdict.kept
    mixed = crossfit.mix(fit.counts)
    cross_fitted = float(np.mean([counts.score(objective) for counts in mixed])) if mixed else None
    gain = measure_gain(kept.counts, fit.counts, objective, crossfit, pieces=fit.drops_pieces)
    step = StepVerdict(name, fit, kept, cross_fitted, gain, keep)
    return Verdict(verdict.neutral, (*verdict.steps, step), fit if step.kept else kept)
