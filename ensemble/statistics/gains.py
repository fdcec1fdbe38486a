"""What a choice is worth on new groups: its cross-fitted gain, an interval that covers, and the rule that keeps it.

A cross-fitted gain errs for two reasons. The groups that it was measured on are a sample; and so are those that the
choice was made on, so that the choice itself could have been another. A bootstrap of the cross-fitted counts sees the
first alone, and its nominal 90 % intervals hold the realised gain in 30 to 75 % of simulated cases. Here the groups are
dealt to folds several times, and the variance is that of the cross-fitted gains: between groups, by the jackknife, the
mean over deals, and 1/(K-1) more, as the choices of K folds share groups (Nadeau and Bengio 2003,
doi:10.1023/A:1024068626366); and between deals. Of a single deal the second is taken to be as large as the first.

A step that drops or fills whole pieces of a mask turns a tile without buildings from IoU 0 to 1 or back, and a
building from found to lost. Such jumps are rare, and most samples of tens show none. For such steps the variance is at
least that of all that was chosen, each on all groups: between groups, the mean over choices, and between choices. And
for means over tiles it is assumed that there is `UNSEEN` of one more tile that flips.

The interval is of Student's t with n - 1 degrees of freedom. `benchmarks/bench_honesty.py` measures what it covers, and
chose the constants; `docs/statistics.md` has its table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from ensemble.statistics.counts import Counts
from ensemble.statistics.crossfit import CrossFit
from ensemble.statistics.estimates import LEVEL, Estimate
from ensemble.statistics.metrics import METRICS, MetricName
from members.common.choices import KeepName
from members.common.errors import InputError

CROSS_FITTED, IN_SAMPLE = "cross-fitted", "in sample"
FEWEST = 6  # groups; of fewer a verdict is a guess: at 6 every fourth of the steps that look likely loses
LIKELY = 0.9  # chance that a kept gain is above 0
UNSEEN = 0.2  # of a tile that flips, and that no group shows


@dataclass(frozen=True)
class Gain(Estimate):
    """A gain in score of one choice over another, paired by group.

    Attributes:
        value: the mean over the deals.
        interval: of what it is on new groups, 90 %; None where there are too few groups, or none is held out.
        chance: that it is above 0 on new groups; None without an interval.
        measured_on: "cross-fitted", on groups that the choice did not look at, or "in sample", which overstates.
        groups: how many it was measured on.
    """

    chance: float | None
    measured_on: str
    groups: int

    def is_kept(self, keep: KeepName) -> bool:
        """Tell whether what gains this is kept; in sample, whatever the rule, if the gain is above 0."""
        if self.measured_on == IN_SAMPLE:
            return self.value > 0
        if self.interval is None or self.chance is None:
            return False
        return self.interval[0] > 0 if keep == "proven" else self.chance >= LIKELY

    def judge(self, keep: KeepName) -> str:
        """Return the verdict in a word: kept, refused, or unknown where too few groups can't tell."""
        if self.is_kept(keep):
            return "kept"
        return "unknown" if self.interval is None and self.measured_on == CROSS_FITTED else "refused"

    def explain(self, keep: KeepName) -> str:
        """Say in one sentence what decided."""
        verdict = self.judge(keep)
        if self.measured_on == IN_SAMPLE:
            return f"{verdict}: {self.value:+.4f} on the very tiles that it was chosen on"
        if self.interval is None or self.chance is None:
            return f"unknown, so not kept: {self.groups} groups can't tell, {FEWEST} are the least"
        if self.value == 0 and self.interval == (0, 0):
            return f"{verdict}: it changes nothing"
        low, high = self.interval
        if keep == "proven":
            sign = "above" if low > 0 else "not all above"
            return f"{verdict}: its interval, {low:+.4f} .. {high:+.4f}, is {sign} 0"
        reach = "reaches" if verdict == "kept" else "is below"
        return f"{verdict}: a chance of {self.chance:.0%} to help on new groups {reach} {LIKELY:.0%}"

    @property
    def cells(self) -> tuple[str, str, str]:
        """Gain, interval and chance as tables have them; empty where there is none."""
        interval = "" if self.interval is None else "{:+.4f} .. {:+.4f}".format(*self.interval)
        return f"{self.value:+.4f}", interval, "" if self.chance is None else f"{self.chance:.0%}"

    def describe(self) -> dict[str, Any]:
        """Return the gain as it is written to JSON."""
        return {"gain": self.value, "interval": self.interval, "chance": self.chance, "measured_on": self.measured_on}


def check_keep(keep: str) -> None:
    """Raise InputError unless it is a rule to keep gains by."""
    if keep not in get_args(KeepName):
        raise InputError(f"keep {keep!r}: no rule to keep a gain by; there are {', '.join(get_args(KeepName))}")


def measure_gain(
    before: Sequence[Counts], after: Sequence[Counts], metric: MetricName, crossfit: CrossFit, pieces: bool = False
) -> Gain:
    """Measure the gain of one choice over another.

    Args:
        before: for each training mask what was chosen for it, counts of all groups, as `CrossFit.mix` takes them.
        after: the same of the choice that is judged; if they are of different numbers of deals, the first count.
        metric: what is compared.
        crossfit: who was to look at what; without folds the gain is in sample.
        pieces: whether the choice may drop or fill whole pieces of a mask, which the other leaves as they are.
    """
    shared = min(len(before), len(after))
    pairs = list(zip(crossfit.mix(before[:shared]), crossfit.mix(after[:shared]), strict=True))
    groups = crossfit.groups
    if not pairs:
        return Gain(float(after[0].score(metric) - before[0].score(metric)), None, None, IN_SAMPLE, groups)
    gains = np.array([float(new.score(metric) - old.score(metric)) for old, new in pairs])
    value = float(gains.mean())
    if groups < FEWEST:
        return Gain(value, None, None, CROSS_FITTED, groups)
    within = float(np.mean([find_variance(old, new, metric) for old, new in pairs]))
    between = float(gains.var(ddof=1)) if len(gains) > 1 else within
    variance = within * (1 + 1 / (crossfit.size - 1)) + between
    if pieces:
        variance = max(variance, find_spread(list(zip(before, after, strict=False)), metric, crossfit.size))
        if "tiles" in METRICS[metric].columns:
            variance += UNSEEN / float(before[0].tiles.sum()) ** 2
    interval, chance = bound_gain(value, variance, groups)
    return Gain(value, interval, chance, CROSS_FITTED, groups)


def compare_fixed(before: Counts, after: Counts, metric: MetricName) -> Gain:
    """Measure the gain of one thing over another on groups that neither was chosen on: they alone are a sample."""
    value, groups = float(after.score(metric) - before.score(metric)), len(before.groups)
    if groups < 2:
        return Gain(value, None, None, CROSS_FITTED, groups)
    return Gain(value, *bound_gain(value, find_variance(before, after, metric), groups), CROSS_FITTED, groups)


def find_variance(before: Counts, after: Counts, metric: MetricName) -> float:
    """Return the variance of a gain between samples of groups, by leaving out each group once."""
    groups = len(before.groups)
    rest = 1 - np.eye(groups)
    gains = after.score(metric, rest) - before.score(metric, rest)
    return float((groups - 1) / groups * np.square(gains - gains.mean()).sum())


def find_spread(chosen: Sequence[tuple[Counts, Counts]], metric: MetricName, folds: int) -> float:
    """Return the variance of a gain from the choices of all training masks, each on all groups.

    That is the variance between samples of groups, the mean over the choices, and that of their gains between choices,
    which share all groups but a fold (delete-d jackknife: Shao and Wu 1989, doi:10.1214/aos/1176347263).
    """
    within = float(np.mean([find_variance(old, new, metric) for old, new in chosen]))
    gains = [float(new.score(metric) - old.score(metric)) for old, new in chosen[1:]]
    return within + (folds - 1) * float(np.var(gains, ddof=1))


def bound_gain(value: float, variance: float, groups: int) -> tuple[tuple[float, float], float]:
    """Return the interval of a gain, within -1 and 1, and its chance to be above 0, by Student's t."""
    from scipy.special import stdtr, stdtrit  # the numbers of scipy.stats, which takes far longer to load

    if variance == 0:
        return (value, value), float(value > 0)
    std = float(np.sqrt(variance))
    reach = float(stdtrit(groups - 1, (1 + LEVEL) / 2)) * std
    return (max(value - reach, -1.0), min(value + reach, 1.0)), float(stdtr(groups - 1, value / std))
