"""A promise about new places: a recall or precision that the threshold is chosen to keep, whatever maps are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ensemble.mapfolder.samples import ArraySamples, Samples
from ensemble.selection.blend import Blend
from ensemble.statistics.counts import THRESHOLDS, count_thresholds, index_groups
from ensemble.statistics.metrics import divide
from ensemble.statistics.risk import control_on_average, control_with_confidence, count_needed
from members.common.errors import InputError
from members.common.progress import Progress, silent
from members.common.tables import ResultTable
from members.common.workers import Threads, Workers
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe

Measure = Literal["recall", "precision"]
SHARES: Mapping[str, str] = {
    "recall": "of a place's building area is found",
    "precision": "of what is found in a place is building",
}


@dataclass(frozen=True)
class Goal:
    """What is to be promised.

    Attributes:
        measure: recall or precision, of a group's pixels.
        level: at least this share, more than 0 and less than 1.
        confidence: with which it holds on average over new groups; None: on average over the groups at hand too.

    Raises:
        InputError: another measure, or a number out of its range.
    """

    measure: Measure
    level: float
    confidence: float | None = None

    def __post_init__(self) -> None:
        if self.measure not in get_args(Measure):
            raise InputError(f"promise {self.measure}: what can be promised is {' or '.join(get_args(Measure))}")
        for name, value in ((f"promise {self.measure}", self.level), ("confidence", self.confidence)):
            if value is not None and not 0 < value < 1:
                raise InputError(f"{name} {value:g}: a share is more than 0 and less than 1, such as 0.9")

    @classmethod
    def parse(cls, text: str, confidence: float | None = None) -> "Goal":
        """Read a goal that is written as recall=0.9.

        Raises:
            InputError: it is written otherwise, or cannot be promised.
        """
        measure, _, level = text.partition("=")
        try:
            share = float(level)
        except ValueError:
            raise InputError(f"promise {text}: it is written recall=0.9 or precision=0.9") from None
        return cls(measure, share, confidence)  # type: ignore[arg-type]

    @property
    def alpha(self) -> float:
        """The share that may be lost."""
        return 1 - self.level

    def check_groups(self, groups: int) -> None:
        """Refuse too few groups.

        Raises:
            InputError: no promise can be made on so few, whatever they are like.
        """
        if groups < (needed := count_needed(self.alpha, self.confidence)):
            sure = "" if self.confidence is None else f" with a confidence of {self.confidence:g}"
            raise InputError(
                f"promise {self.measure}={self.level:g}{sure}: takes {needed} groups or more, here are {groups}; "
                "promise less, train with --folds, or bring tiles of more places"
            )

    def __str__(self) -> str:
        return f"{self.measure}={self.level:g}"


@dataclass(frozen=True)
class Promise:
    """A promise that is made.

    Attributes:
        goal: what is promised.
        pipeline: what keeps it: a blend and a threshold.
        groups: on how many it rests.
        tiles: how many they have.
        mean: the share, on average over these groups.
    """

    goal: Goal
    pipeline: Pipeline
    groups: int
    tiles: int
    mean: float

    def describe(self) -> dict[str, Any]:
        """Return the promise as tuned.json holds it."""
        return {
            "measure": self.goal.measure,
            "level": self.goal.level,
            "confidence": self.goal.confidence,
            "threshold": self.pipeline.recipe.threshold,
            "groups": self.groups,
            "tiles": self.tiles,
            "mean": self.mean,
            "words": str(self),
        }

    def __str__(self) -> str:
        goal, cut = self.goal, self.pipeline.recipe.threshold
        sure = "" if goal.confidence is None else f"with a confidence of {goal.confidence:.0%}, "
        alone = ", each a tile by itself" if self.tiles == self.groups else ""
        return (
            f"promised at threshold {cut}: {sure}on average over new places drawn like the {self.groups} groups here"
            f"{alone}, "
            f"at least {goal.level:.0%} {SHARES[goal.measure]} (here {self.mean:.1%})"
        )

    def _repr_html_(self) -> str:
        rows = [(name, str(value)) for name, value in self.describe().items() if name != "words" and value is not None]
        return ResultTable(str(self), ("part", "value"), rows)._repr_html_()


def make_promise(
    maps: Samples | Mapping[str, Sequence[np.ndarray]],
    goal: Goal,
    truths: Sequence[np.ndarray] | None = None,
    groups: Sequence[str] | None = None,
    blend: Blend | None = None,
    progress: Progress = silent,
    workers: Workers | None = None,
) -> Promise:
    """Choose the threshold that keeps a promise on new groups: the highest for a recall, the lowest for a precision.

    Masks are what the threshold alone makes of blended maps, as closing, opening, areas and the weights of a blend were
    chosen by looking at the truth. What is promised is a share of each group's pixels, on average over groups, small
    and large alike.

    Args:
        maps: as for `tune_pipeline`.
        goal: what is to be promised.
        truths: as for `tune_pipeline`.
        groups: likewise.
        blend: how much each member counts; all alike without it. It should not have been chosen on these tiles.
        progress: is shown the tiles.
        workers: who counts; by default a thread a core.

    Raises:
        InputError: too few groups, or some that are copies, no building in any truth, or no threshold that will do.
    """
    samples = ArraySamples(maps, truths or (), groups or ()) if isinstance(maps, Mapping) else maps
    goal.check_groups(len(set(samples.groups)))
    blend = blend or Blend.mean(samples.members)
    losses = count_losses(samples, blend, goal.measure, progress, workers)
    # from the safest on: all that may be building is found at 1, what is surest alone at 255
    order = np.arange(THRESHOLDS) if goal.measure == "recall" else np.arange(THRESHOLDS)[::-1]
    chosen = choose(losses[order], goal)
    if chosen is None:
        safest = int(order[0])
        raise InputError(
            f"promise {goal}: no threshold keeps it; at {safest + 1}, the safest, {goal.measure} is "
            f"{1 - losses[safest].mean():.3f} on average over {losses.shape[1]} groups; promise less"
        )
    threshold = int(order[chosen]) + 1
    mean = float(1 - losses[threshold - 1].mean())
    return Promise(goal, Pipeline(blend, Recipe(threshold=threshold)), losses.shape[1], len(samples), mean)


def choose(losses: np.ndarray, goal: Goal) -> int | None:
    """Return the boldest choice that keeps a goal, of losses, float (choices, groups), from the safest on."""
    if goal.confidence is None:
        return control_on_average(losses, goal.alpha)
    return control_with_confidence(losses, goal.alpha, goal.confidence)


def count_losses(
    samples: Samples, blend: Blend, measure: Measure, progress: Progress = silent, workers: Workers | None = None
) -> np.ndarray:
    """Count what each group loses at each threshold, float (255, groups), groups sorted by name.

    Of recall the share of the true pixels that are not found, 0 where there are none; of precision the share of what
    is found that is wrong, 0 where nothing is found.

    Raises:
        InputError: no building in any truth, or two groups that are copies.
    """

    def count(number: int) -> tuple[np.ndarray, np.ndarray, int]:
        maps, truth = samples[number]
        counted = count_thresholds(blend.mix(maps), truth)
        return counted["intersection"], counted["union"], int(np.count_nonzero(truth))

    names, index = index_groups(samples.groups)
    found, union, true = (np.zeros((len(names), size), np.int64) for size in (THRESHOLDS, THRESHOLDS, 1))
    tiles = progress((workers or Threads()).map(count, range(len(samples))), "the promise", len(samples))
    for group, own in zip(index, tiles, strict=True):
        for total, value in zip((found, union, true), own, strict=True):
            total[group] += value
    if not true.any():
        raise InputError(f"no building pixel in the truth of {len(samples)} tiles; nothing can be promised")
    check_copies(names, np.hstack([found, union, true]), found[:, 0] > 0)
    return find_losses(found, union, true, measure)


def check_copies(names: Sequence[str], counts: np.ndarray, found: np.ndarray) -> None:
    """Refuse groups that have all counts in common, int (groups, counts), among those where any building was found.

    Raises:
        InputError: two are copies, so that they tell less of new groups than two would.
    """
    first: dict[bytes, str] = {}
    for name, row, any_found in zip(names, counts, found, strict=True):
        if any_found and (other := first.setdefault(row.tobytes(), name)) != name:
            raise InputError(
                f"groups {other} and {name}: equal at every threshold, so copies; a promise takes groups that are "
                "drawn independently; leave one out, or make them one group (roofstack audit finds copies)"
            )


def find_losses(found: np.ndarray, union: np.ndarray, true: np.ndarray, measure: Measure) -> np.ndarray:
    """Return losses, float (thresholds, groups), of int (groups, thresholds) pixels; of `true` (groups, 1)."""
    total = true if measure == "recall" else union - true + found
    return 1 - divide(found, np.broadcast_to(total, found.shape), of_nothing=1).T
