"""Tuning: what is chosen on maps with truth, step by step, and the verdict on each step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble.mapfolder.samples import ArraySamples, Samples
from ensemble.selection.blend import Blend
from ensemble.statistics.counts import Counts, index_groups
from ensemble.statistics.crossfit import CrossFit, pool_groups
from ensemble.statistics.estimates import LEVEL, Estimate, estimate_score
from ensemble.statistics.gains import check_keep
from ensemble.statistics.metrics import METRICS
from members.common.choices import BUILDING_TRIALS, WEIGHT_TRIALS, KeepName, Objective
from members.common.errors import InputError
from members.common.progress import Progress, silent
from members.common.tables import ResultTable
from members.common.workers import Threads, Workers
from members.data.frames import Frame
from postproc.pipeline.pipeline import Pipeline
from postproc.search.counting import collect_counts, count_recipe
from postproc.search.grid import Grid
from postproc.tuning.advice import advise
from postproc.tuning.fits import BlendedTiles, Task, fit_blends, fit_flat_steps, take_neutral
from postproc.tuning.joined import Joined, score_joined
from postproc.tuning.losses import Losses, apply_verdict
from postproc.tuning.steps.outlines import fit_outlines
from postproc.tuning.steps.tiles import fit_tile_cuts
from postproc.tuning.verdict import StepVerdict, Verdict, add_step, judge_steps

if TYPE_CHECKING:
    from postproc.study.studies import Studies


@dataclass(frozen=True, repr=False)
class Tuning:
    """What was tuned.

    Attributes:
        task: what it was tuned on, and for.
        verdict: the steps, and which were kept.
        losses: the chosen pipelines, applied to the tiles.
        grid: every setting of the first flat step, where it was searched; None for `building_f1`.
        study: name of the Optuna study of all groups, where there is one.
        joined: buildings in tiles that touch, joined and one by one; None where none do, or pixels were tuned for.
    """

    task: Task
    verdict: Verdict
    losses: Losses
    grid: Grid | None
    study: str | None = None
    joined: Joined | None = None

    @property
    def pipeline(self) -> Pipeline:
        """What was kept."""
        return self.verdict.pipeline

    @property
    def objective(self) -> Objective:
        """What was maximised."""
        return self.task.objective

    @cached_property
    def cross_fitted(self) -> Estimate | None:
        """Pooled IoU of the kept pipeline where each group's was chosen without its fold; None without folds."""
        counts = self.losses.cross_fitted
        return None if counts is None else estimate_score(counts, "pooled_iou")

    def describe(self) -> dict[str, Any]:
        """Return what tuned.json has beside the pipeline: its scores in pooled IoU; the steps' as tuned for."""
        return {
            "scores": {
                "default": float(self.losses.default.score("pooled_iou")),
                "tuned_in_sample": float(self.losses.tuned.score("pooled_iou")),
                "tuned_cross_fitted": self.cross_fitted and self.cross_fitted.value,
                "tuned_cross_fitted_interval": self.cross_fitted and self.cross_fitted.interval,
            },
            "objective": self.objective,
            "steps": [self.describe_step(step) for step in self.verdict.steps],
            "advice": list(self.advice),
            "margin": None if self.losses.margin is None else self.losses.margin.describe(),
            "joined": self.joined and self.joined.describe(),
        } | ({} if self.study is None else {"study": self.study})

    def describe_step(self, step: StepVerdict) -> dict[str, Any]:
        """Return a step's entry in tuned.json."""
        content = step.fit.pipelines[0].describe()
        return {
            "name": step.name,
            "kept": step.kept,
            "verdict": step.reason,
            **{name: content[name] for name in ("recipe", "outlines", "members")},
            "in_sample": step.in_sample,
            "in_sample_gain": step.in_sample_gain,
            "cross_fitted": step.cross_fitted,
            "gain": None if step.cross_fitted is None else step.gain.value,
            "interval": step.gain.interval,
            "chance": step.gain.chance,
            "objects_lost": self.losses.find_share(step.name),
        }

    def tabulate(self) -> ResultTable:
        """Return the nested steps as a table."""
        groups = len(set(self.task.groups))
        notes = [
            f"gain: over the last kept step; lost: of {self.losses.objects} true objects, those that had a pixel of "
            "the mask before the step and have none after it; helps: chance that the gain is above 0 on new groups",
            *(f"{step.name} {step.reason}" for step in self.verdict.steps),
        ]
        if self.losses.cross_fitted is None:
            notes.append("without cross-fitting these are in-sample scores, higher than what new tiles will show")
        return ResultTable(
            f"{METRICS[self.objective].title} on {len(self.task.groups)} validation tiles of {groups} groups; neutral: "
            f"{self.verdict.neutral:.4f}",
            (
                "step",
                "in sample",
                "cross-fitted",
                "gain",
                f"{LEVEL:.0%} interval",
                "helps",
                "lost",
                "verdict",
                "what it chooses",
            ),
            [self._list_cells(step) for step in self.verdict.steps],
            notes,
        )

    def _list_cells(self, step: StepVerdict) -> tuple[str, ...]:
        chosen = step.fit.pipelines[0]
        words = chosen.describe_masks()
        if chosen.blend != self.verdict.steps[0].fit.blends[0]:
            words = f"{chosen.blend}, {words}"
        cross_fitted = "" if step.cross_fitted is None else f"{step.cross_fitted:.4f}"
        lost = f"{self.losses.find_share(step.name):.1%}"
        return (step.name, f"{step.in_sample:.4f}", cross_fitted, *step.gain.cells, lost, step.word, words)

    def __str__(self) -> str:
        return "\n".join(
            (
                str(self.tabulate()),
                *self.remarks,
                *(f"next: {words}" for words in self.advice),
                f"kept: {self.pipeline}",
            )
        )

    @property
    def remarks(self) -> list[str]:
        """What the table does not tell, in sentences."""
        return [str(remark) for remark in (self.joined, self.losses.margin) if remark is not None]

    __repr__ = __str__  # a notebook stores it beside the HTML

    def _repr_html_(self) -> str:
        return self.tabulate()._repr_html_()

    @cached_property
    def advice(self) -> list[str]:
        """What to do next, in sentences, from what was seen."""
        return advise(self.verdict, self.losses, self.grid, self.task)

    def trace_curve(self, pipeline: Pipeline) -> Counts:
        """Count a pipeline's recipe at every threshold, its own left out; the counts' choices are (255,)."""

        recipe, objective = pipeline.recipe, self.objective

        def count(tile: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
            return count_recipe(*tile, recipe, objective)

        task, tiles = self.task, BlendedTiles(self.task.samples, pipeline.blend)
        purpose = "every threshold of the recipe"
        return collect_counts(count, tiles, task.groups, objective, task.workers, task.progress, purpose)[0]


def tune_pipeline(
    maps: Samples | Mapping[str, Sequence[np.ndarray]],
    truths: Sequence[np.ndarray] | None = None,
    groups: Sequence[str] | None = None,
    blend: Blend | None = None,
    objective: Objective = "pooled_iou",
    tune_weights: bool = False,
    trials: int | None = None,
    cross_fit: bool = True,
    keep: KeepName = "likely",
    studies: "Callable[[], Studies] | None" = None,
    progress: Progress = silent,
    frames: Sequence[Frame] = (),
    workers: Workers | None = None,
) -> Tuning:
    """Tune threshold, closing, opening, areas, blend weights and outlines; keep only the steps that pay.

    The steps are nested. Each is chosen on all tiles, and again on four fifths of the groups to be scored on the last
    fifth; it is kept where that cross-fitted gain is likely to be one on new groups, too.

    Args:
        maps: samples; or member -> one map a tile, uint8 (h, w), probability = value / 255, by models that did not see
            the tile.
        truths: with such maps, one mask a tile, bool (h, w), True = building.
        groups: with such maps, one name a tile; tiles of a group resemble one another, and are never torn apart.
        blend: how much each member counts; all alike without it.
        objective: what is maximised, see `METRICS`. With `building_f1` the steps are threshold, areas and splits.
        tune_weights: whether to search the members' weights too, by an Optuna study; not with `building_f1`.
        trials: of each study, by default 200, with `building_f1` 50; where there is none, how many of the simplest
            settings of closing and opening are tried, by default all 225.
        cross_fit: whether to judge on held-out groups; without it scores are in sample, and overstate.
        keep: "likely": a step is kept where the chance that it helps on new groups is 90 % or more; "proven": where the
            whole 90 % interval of its gain is above 0.
        studies: opens where studies are kept; in memory without it.
        progress: watches the passes over the tiles.
        frames: where each tile lies; then outlines of tiles that touch are drawn together, as `submit` does.
        workers: who goes through the tiles; by default a thread a core.

    Returns:
        The tuning; `.pipeline` is what was kept, `str()` its table.

    Raises:
        InputError: arrays of wrong types or shapes, no building in any truth, a single group, or weights to tune of a
            single member.
    """
    check_keep(keep)
    samples = ArraySamples(maps, truths or (), groups or ()) if isinstance(maps, Mapping) else maps
    if tune_weights and (objective == "building_f1" or len(samples.members) < 2):
        raise InputError(
            f"tune_weights with {objective} and {len(samples.members)} member(s): weights are searched for scores of "
            "pixels and two members or more; leave it out"
        )
    pooled = tuple(pool_groups(list(samples.groups)))
    crossfit = deal_crossfit(pooled, cross_fit)
    task = Task(samples, pooled, objective, crossfit, progress, tuple(frames), workers or Threads())
    blend = blend or Blend.mean(samples.members)
    if objective == "building_f1":
        return tune_buildings(task, blend, studies, trials or BUILDING_TRIALS, keep)
    fits, grid = fit_flat_steps(task, blend, None if tune_weights else trials)
    study = None
    if tune_weights:
        from postproc.tuning.steps.weights import find_blends  # brings Optuna

        blends, study = find_blends(task, blend, grid, studies or keep_in_memory, trials or WEIGHT_TRIALS)
        fits["weights"] = fit_blends(task, blends)
    verdict = judge_steps(take_neutral(grid, blend, task), fits, task.crossfit, objective, keep)
    if objective == "mean_iou":
        verdict = add_step(verdict, "tiles", fit_tile_cuts(task, verdict.kept), task.crossfit, objective, keep)
    drawn = fit_outlines(task, verdict.kept)
    verdict = add_step(verdict, "outlines", drawn, task.crossfit, objective, keep)
    return Tuning(task, verdict, apply_verdict(task, verdict), grid, study)


def tune_buildings(
    task: Task, blend: Blend, studies: "Callable[[], Studies] | None", trials: int, keep: KeepName
) -> Tuning:
    """Judge threshold, areas and splits by the F1 of buildings; the arguments are as for `tune_pipeline`."""
    from postproc.tuning.steps.buildings import judge_buildings  # brings Optuna

    task = replace(task, crossfit=task.crossfit.take(1))  # a study for each fold: more deals would take hours
    verdict, study = judge_buildings(task, blend, studies or keep_in_memory, trials, keep)
    return Tuning(task, verdict, apply_verdict(task, verdict), None, study, score_joined(task, verdict.pipeline))


def keep_in_memory() -> "Studies":
    """Open studies that are gone with the process."""
    from postproc.study.studies import MemoryStudies  # brings Optuna

    return MemoryStudies()


def deal_crossfit(groups: Sequence[str], cross_fit: bool) -> CrossFit:
    """Deal groups to folds, or to none.

    Raises:
        InputError: a single group, so that nothing can be held out.
    """
    names, _ = index_groups(groups)
    if not cross_fit:
        return CrossFit(len(names), None)
    crossfit = CrossFit.deal(names)
    if crossfit.folds is None:
        raise InputError(
            f"all validation tiles are of one group ({names[0]}), so no score can be cross-fitted; train with more "
            "groups or --folds, or give --no-cross-fit for in-sample scores alone"
        )
    return crossfit
