"""Plots of a tuning: score over threshold, gain over a step's parameters, gain by step, importance of parameters."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ensemble.statistics.counts import THRESHOLDS, Counts
from ensemble.statistics.estimates import LEVEL, draw_groups, find_interval
from ensemble.statistics.gains import CROSS_FITTED
from ensemble.statistics.metrics import METRICS, NEUTRAL_THRESHOLD, find_theoretical_cut
from members.common.choices import Objective
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.steps import Step
from postproc.reporting.figures import BLUE, GREEN, GREY, ORANGE, SMALL, start_figure
from postproc.search.grid import Grid
from postproc.tuning.verdict import StepVerdict

if TYPE_CHECKING:
    import optuna

POINTS = 100  # a hundredth of a score is a point
DEPTH = 0.15  # how far below the best score the plot over the threshold reaches


def plot_thresholds(
    curves: Mapping[str, Counts], neutral: str, chosen: tuple[str, int], objective: Objective
) -> Figure:
    """Plot scores over the threshold with their bootstrap interval over groups.

    Args:
        curves: label -> counts whose choices are (255,).
        neutral: the curve that the neutral threshold is marked on.
        chosen: the curve and the threshold that were chosen.
        objective: what is plotted.
    """
    groups = next(iter(curves.values())).groups
    draws = draw_groups(len(groups))
    thresholds = np.arange(1, THRESHOLDS + 1)
    figure, axes = start_figure(f"{METRICS[objective].title} over the threshold, on the tiles that it was chosen on")
    scores = {label: counts.score(objective) for label, counts in curves.items()}
    for (label, counts), colour in zip(curves.items(), (GREY, BLUE), strict=False):
        low, high = find_interval(counts.score(objective, draws), len(groups))
        axes.fill_between(thresholds, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(thresholds, scores[label], color=colour, label=f"{label}, {LEVEL:.0%} interval over groups")
    if objective == "pooled_iou":
        cut = find_theoretical_cut(float(scores[chosen[0]].max()))
        label = f"IoU/(1 + IoU) = {cut:.0f}: the best cut of calibrated maps"
        axes.axvline(cut, color="black", linestyle=":", linewidth=1, label=label)
    marks = (("neutral", "o", "black", 12, neutral, NEUTRAL_THRESHOLD), ("chosen", "D", ORANGE, 7, *chosen))
    for name, marker, colour, size, curve, threshold in marks:
        score = scores[curve][threshold - 1]
        label = f"{name}: threshold {threshold}, {score:.4f}"
        face = "none" if name == "neutral" else colour
        axes.plot(threshold, score, marker, color=colour, markersize=size, markerfacecolor=face, label=label, zorder=3)
    top = max(score.max() for score in scores.values())
    near = np.concatenate([thresholds[score > top - DEPTH] for score in scores.values()])
    axes.set_xlim(near.min(), near.max() + 1)
    axes.set_ylim(bottom=max(top - DEPTH, 0))
    axes.set(xlabel="threshold [1/255]", ylabel=METRICS[objective].title)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="lower center")
    return figure


def plot_step(grid: Grid, step: type[Step], objective: Objective, chosen: Recipe) -> Figure:
    """Plot the gain over the neutral recipe by a step's first two numbers, upwards and across, all else at its best.

    Args:
        grid: every setting of the step; its first recipe is the neutral one.
        step: whose parameters span the plot.
        objective: what is plotted.
        chosen: the recipe that was chosen.
    """
    scores = grid.counts.score(objective)
    neutral = scores[0, NEUTRAL_THRESHOLD - 1]
    names = list_numbers(step)[:2]
    values = [sorted({getattr(recipe, name) for recipe in grid.recipes}) for name in names]
    gains = np.full((len(values[0]) if len(names) == 2 else 1, len(values[-1])), np.nan)

    def find_cell(recipe: Recipe) -> tuple[int, int]:
        cell = [known.index(getattr(recipe, name)) for name, known in zip(names, values, strict=True)]
        return (cell[0] if len(cell) == 2 else 0), cell[-1]

    for recipe, score in zip(grid.recipes, scores.max(axis=-1), strict=True):
        cell = find_cell(recipe)
        gains[cell] = np.fmax(gains[cell], POINTS * (score - neutral))
    figure, axes = start_figure(
        f"{step.label}: gain over the neutral recipe in points of {METRICS[objective].title}, in sample\n"
        "(threshold and the step's other parameters at their best in every cell)",
        (7.2, 6.0),
    )
    reach = max(float(np.nanmax(np.abs(gains))), 2 * SMALL)
    norm = AsinhNorm(SMALL, vmin=-reach, vmax=reach)
    picture = axes.imshow(gains, cmap="RdBu", norm=norm, origin="lower")
    for (row, column), gain in np.ndenumerate(gains):
        if np.isfinite(gain):
            colour = "white" if abs(norm(gain) - 0.5) > 0.35 else "black"
            axes.text(column, row, f"{gain:+.2f}", ha="center", va="center", fontsize=8, color=colour)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])  # of a square
    for name, colour, size, recipe in (("neutral", "black", 0.38, Recipe()), ("chosen", ORANGE, 0.46, chosen)):
        row, column = find_cell(recipe)
        x, y = (size * corners + [column, row]).T
        axes.plot(x, y, color=colour, linewidth=2.5, label=name)
    axes.set_xticks(range(len(values[-1])), list_ticks(step, names[-1], values[-1]))
    axes.set_xlabel(str(step.model_fields[names[-1]].description))
    axes.set_yticks([])
    if len(names) == 2:
        axes.set_yticks(range(len(values[0])), list_ticks(step, names[0], values[0]))
        axes.set_ylabel(str(step.model_fields[names[0]].description))
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.08), ncols=2, frameon=False, fontsize=9)
    ticks = [-reach, -2 * SMALL, -SMALL, 0, SMALL, 2 * SMALL, reach]
    figure.colorbar(picture, ax=axes, label="points", shrink=0.8, ticks=ticks, format="%+.2f").minorticks_off()
    return figure


def list_numbers(step: type[Step]) -> list[str]:
    """List the parameters of a step that are numbers."""
    return [name for name, field in step.model_fields.items() if field.annotation in (int, float)]


def list_ticks(step: type[Step], parameter: str, values: Sequence[float]) -> list[str]:
    """Return the labels of a parameter's values; its default is off."""
    return ["off" if value == step.model_fields[parameter].default else f"{value:g}" for value in values]


def plot_gains(steps: Sequence[StepVerdict], objective: Objective) -> Figure:
    """Plot what each step gains over the last kept one, in sample and cross-fitted."""
    figure, axes = start_figure(f"gain of each step over the last kept one, in points of {METRICS[objective].title}")
    positions = np.arange(len(steps))
    in_sample = [POINTS * step.in_sample_gain for step in steps]
    label = "in sample: chosen and scored on the same tiles"
    bars = axes.bar(positions - 0.2, in_sample, 0.36, color=GREY, label=label)
    axes.bar_label(bars, fmt="%+.2f", fontsize=8, padding=2)
    for position, step in zip(positions + 0.2, steps, strict=True):
        if step.gain.measured_on == CROSS_FITTED:
            gain, *ends = (POINTS * value for value in (step.gain.value, *(step.gain.interval or ())))
            axes.bar(position, gain, 0.36, color=GREEN if step.kept else ORANGE)
            if ends:
                axes.plot([position] * 2, ends, color="black", linewidth=1.2, marker="_", markersize=9)
            top = max(*ends, gain, 0)
            axes.annotate(f"{gain:+.2f}", (position, top), (0, 3), textcoords="offset points", ha="center", size=8)
    if any(step.gain.measured_on == CROSS_FITTED for step in steps):
        axes.bar(0, 0, color=GREEN, label="cross-fitted: chosen on the other folds; kept")
        axes.bar(0, 0, color=ORANGE, label="cross-fitted; not kept")
        axes.plot([], [], color="black", marker="_", linewidth=1.2, label=f"{LEVEL:.0%} interval on new groups")
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(positions, [f"{step.name}\n{step.word}" for step in steps])
    axes.set_ylabel("points")
    axes.margins(y=0.12)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return figure


def plot_importance(study: "optuna.Study") -> Figure:
    """Plot how far each parameter tells good trials from the rest.

    By PED-ANOVA (Watanabe et al. 2023, doi:10.24963/ijcai.2023/488), Optuna's own measure.
    """
    from optuna.importance import get_param_importances

    found = get_param_importances(study)
    names = sorted(found, key=lambda name: (found[name], name))
    figure, axes = start_figure(
        f"importance of parameters to be among the best tenth of {len(study.trials)} trials (PED-ANOVA)\n"
        "the threshold is solved exactly inside each trial",
        (8.0, 1.6 + 0.35 * len(names)),
    )
    bars = axes.barh(names, [found[name] for name in names], color=BLUE)
    axes.bar_label(bars, fmt="{:.0%}", fontsize=8, padding=3)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.margins(x=0.1)
    axes.set_xlabel("share")
    return figure
