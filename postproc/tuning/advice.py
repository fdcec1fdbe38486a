"""What to do after a tuning, from what it saw."""

import numpy as np

from ensemble.statistics.counts import Counts
from ensemble.statistics.gains import FEWEST
from ensemble.statistics.metrics import METRICS, NEUTRAL_THRESHOLD, find_theoretical_cut
from members.common.choices import Objective
from postproc.search.grid import Grid
from postproc.tuning.fits import Task
from postproc.tuning.losses import Losses
from postproc.tuning.verdict import Verdict

ENOUGH = 15  # groups; of fewer an interval is as wide as most gains are
NEAR = 10  # thresholds: at the theoretical cut within what differs from tuning to tuning
ROOM = 0.005  # of a score, in sample: less than this is never worth a step
WHOLE, RAGGED = 0.4, 0.5  # shares of the wrong pixels that are worth a word


def advise(verdict: Verdict, losses: Losses, grid: Grid | None, task: Task) -> list[str]:
    """Return what to do next, in sentences.

    Args:
        verdict: on the steps.
        losses: what the kept pipeline does to the tiles.
        grid: every setting of the first flat step, where it was searched.
        task: what was tuned on, and for.
    """
    return [
        *advise_on_groups(task.crossfit.groups, verdict),
        *([] if grid is None else [*advise_on_maps(grid.counts[0]), *advise_on_room(grid, task)]),
        *advise_on_objective(task.objective, verdict),
        *advise_on_errors(losses),
    ]


def advise_on_groups(groups: int, verdict: Verdict) -> list[str]:
    """Say where the groups are too few."""
    if groups < FEWEST:
        return [
            f"{groups} groups can't tell which step helps; train with --folds 5, then every group is tuned on, or "
            "bring tiles of more places"
        ]
    if groups < ENOUGH and any(step.gain.value > 0 and not step.kept for step in verdict.steps):
        return [
            f"{groups} groups leave wide intervals; with --folds in training, or tiles of more places, steps that look "
            "good but are refused may be decided"
        ]
    return []


def advise_on_objective(objective: Objective, verdict: Verdict) -> list[str]:
    """Name the objective that has steps of its own, where no step of another was kept."""
    if objective == "building_f1" or any(step.kept for step in verdict.steps):
        return []
    return [
        f"no step helps {METRICS[objective].title} surely enough; where buildings count, not pixels, roofstack tune "
        "--objective building_f1 has others: areas, splits, and a model that tells false ones"
    ]


def advise_on_maps(alone: Counts) -> list[str]:
    """Say whether the maps are cut at their theoretical best; counts of the bare map, (255,)."""
    if "intersection" not in alone.sums:
        return []
    scores = alone.score("pooled_iou")
    best = int(np.argmax(scores)) + 1
    cut = find_theoretical_cut(float(scores.max()))
    share = find_share(alone, best)
    told = f"best cut {best}, theoretical {cut:.0f}, where {share:.0%} of the pixels are building"
    if abs(best - cut) <= NEAR:
        return [f"maps are calibrated where they are cut ({told}): no threshold and no calibration has more to give"]
    return [f"maps are not calibrated where they are cut ({told}): try roofstack blend --calibrate isotonic"]


def find_share(alone: Counts, threshold: int, around: int = 8) -> float:
    """Return the share of building among the pixels whose values are near a threshold, 0 to 1."""
    low, high = max(threshold - around, 1), min(threshold + around, 255)
    inside, union = (
        int(np.ptp(alone.sums[name].sum(axis=0)[[low - 1, high - 1]])) for name in ("intersection", "union")
    )
    return inside / max(inside + union, 1)


def advise_on_room(grid: Grid, task: Task) -> list[str]:
    """Say which objective had room, in sample, for threshold, closing and opening."""
    names = ("pooled_iou", "mean_iou", "dice") if "intersection" in grid.counts.sums else (task.objective,)
    room = {}
    for name in names:
        scores = grid.counts.score(name)
        room[name] = float(scores.max() - scores[0, NEUTRAL_THRESHOLD - 1])
    listed = ", ".join(f"{METRICS[name].title} {gain:+.4f}" for name, gain in room.items())
    told = f"threshold, closing and opening had room for {listed}, in sample at their best"
    if room[task.objective] < ROOM:
        return [f"{told}: too little to look for here; more or better members, or views, are worth more"]
    return [told]


def advise_on_errors(losses: Losses) -> list[str]:
    """Say what kind of errors is left."""
    errors = losses.errors
    missed, invented = errors.find_share("missed"), errors.find_share("invented")
    border = errors.find_share("border")
    told = f"wrong pixels: {border:.0%} at borders, {missed:.0%} buildings missed whole, {invented:.0%} invented ones"
    if missed + invented >= WHOLE:
        return [f"{told}: no clean-up mends that; look at them (roofstack show), at their labels too"]
    if border >= RAGGED:
        return [f"{told}: finer maps help, by larger images, scale views, or members that differ"]
    return [told]
