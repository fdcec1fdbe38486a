"""Plots of a tuning: score over threshold, gain by closing and opening, gain by step, importance of parameters."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import optuna
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ensemble.statistics.counts import THRESHOLDS, Counts
from ensemble.statistics.estimates import LEVEL, draw_groups, find_interval
from ensemble.statistics.metrics import METRICS, NEUTRAL_THRESHOLD, Objective
from members.common.files import write_whole
from postproc.pipeline.recipe import Recipe
from postproc.search.grid import Grid
from postproc.study.verdict import StepVerdict

GREY, BLUE, ORANGE, GREEN = "#666666", "#0072b2", "#d55e00", "#009e73"  # told apart by the colour-blind
POINTS = 100  # a hundredth of a score is a point


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG."""
    with write_whole(path) as temporary:
        figure.savefig(temporary, dpi=150, format="png")


def start_figure(title: str, size: tuple[float, float] = (8.0, 4.8)) -> tuple[Figure, Axes]:
    """Begin a figure of a size in inches."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def plot_thresholds(
    curves: Mapping[str, Counts], neutral: str, chosen: tuple[str, int], objective: Objective, path: Path
) -> None:
    """Plot scores over the threshold with their bootstrap interval over groups.

    Args:
        curves: label -> counts whose choices are (255,).
        neutral: the curve that the neutral threshold is marked on.
        chosen: the curve and the threshold that were chosen.
        objective: what is plotted.
        path: the PNG.
    """
    groups = next(iter(curves.values())).groups
    draws = draw_groups(len(groups))
    thresholds = np.arange(1, THRESHOLDS + 1)
    figure, axes = start_figure(f"{METRICS[objective].title} over the threshold, on the tiles that it was chosen on")
    scores = {label: counts.score(objective) for label, counts in curves.items()}
    for (label, counts), colour in zip(curves.items(), (GREY, BLUE), strict=False):
        low, high = find_interval(counts.score(objective, draws), LEVEL)
        axes.fill_between(thresholds, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(thresholds, scores[label], color=colour, label=f"{label}, {LEVEL:.0%} interval over groups")
    marks = (("neutral", "o", "black", 12, neutral, NEUTRAL_THRESHOLD), ("chosen", "D", ORANGE, 7, *chosen))
    for name, marker, colour, size, curve, threshold in marks:
        score = scores[curve][threshold - 1]
        label = f"{name}: threshold {threshold}, {score:.4f}"
        face = "none" if name == "neutral" else colour
        axes.plot(threshold, score, marker, color=colour, markersize=size, markerfacecolor=face, label=label, zorder=3)
    top = max(score.max() for score in scores.values())
    near = np.concatenate([thresholds[score > top - 0.15] for score in scores.values()])
    axes.set_xlim(near.min(), near.max() + 1)
    axes.set_ylim(bottom=top - 0.15 if top > 0.15 else 0)
    axes.set(xlabel="threshold [1/255]", ylabel=METRICS[objective].title)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="lower center")
    save_figure(figure, path)


def plot_kernels(grid: Grid, objective: Objective, chosen: Recipe, path: Path) -> None:
    """Plot the gain over the neutral recipe by closing and opening, all else at its best."""
    scores = grid.counts.score(objective)
    neutral = scores[0, NEUTRAL_THRESHOLD - 1]
    sizes = range(1, max(max(recipe.close, recipe.open) for recipe in grid.recipes) + 1, 2)
    gains = np.full((len(sizes), len(sizes)), np.nan)
    for recipe, score in zip(grid.recipes, scores.max(axis=-1), strict=True):
        place = recipe.close // 2, recipe.open // 2
        gains[place] = np.fmax(gains[place], POINTS * (score - neutral))
    figure, axes = start_figure(
        f"gain over the neutral recipe in points of {METRICS[objective].title}, in sample\n"
        "(threshold, order and shape at their best in every cell)",
        (7.2, 6.0),
    )
    reach = max(float(np.nanmax(gains)), float(np.nanmax(np.abs(gains[:2, :2]))), 0.1)
    picture = axes.imshow(gains, cmap="RdBu", vmin=-reach, vmax=reach, origin="lower")
    for (close, opening), gain in np.ndenumerate(gains):
        if np.isfinite(gain):
            colour = "white" if abs(gain) > 0.6 * reach else "black"
            axes.text(opening, close, f"{gain:+.2f}", ha="center", va="center", fontsize=8, color=colour)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])  # of a square
    marks = (("neutral", "black", 0.38, Recipe()), ("chosen", ORANGE, 0.46, chosen))
    for name, colour, size, recipe in marks:
        x, y = (size * corners + [recipe.open // 2, recipe.close // 2]).T
        axes.plot(x, y, color=colour, linewidth=2.5, label=name)
    labels = ["off", *map(str, sizes[1:])]
    axes.set_xticks(range(len(sizes)), labels)
    axes.set_yticks(range(len(sizes)), labels)
    axes.set(xlabel="opening [px]", ylabel="closing [px]")
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.08), ncols=2, frameon=False, fontsize=9)
    figure.colorbar(picture, ax=axes, label="points", extend="both", shrink=0.8)
    save_figure(figure, path)


def plot_gains(steps: Sequence[StepVerdict], objective: Objective, path: Path) -> None:
    """Plot what each step gains over the last kept one, in sample and cross-fitted."""
    figure, axes = start_figure(f"gain of each step over the last kept one, in points of {METRICS[objective].title}")
    places = np.arange(len(steps))
    in_sample = [POINTS * step.in_sample_gain for step in steps]
    bars = axes.bar(places - 0.2, in_sample, 0.36, color=GREY, label="in sample: chosen and scored on the same tiles")
    axes.bar_label(bars, fmt="%+.2f", fontsize=8, padding=2)
    for place, step in zip(places, steps, strict=True):
        if step.gain.interval is not None:
            gain, low, high = (POINTS * value for value in (step.gain.value, *step.gain.interval))
            axes.bar(place + 0.2, gain, 0.36, color=GREEN if step.kept else ORANGE)
            axes.plot([place + 0.2] * 2, [low, high], color="black", linewidth=1.2, marker="_", markersize=9)
            top = max(high, gain, 0)
            axes.annotate(f"{gain:+.2f}", (place + 0.2, top), (0, 3), textcoords="offset points", ha="center", size=8)
    if any(step.gain.interval is not None for step in steps):
        axes.bar(0, 0, color=GREEN, label="cross-fitted: chosen on the other folds; kept")
        axes.bar(0, 0, color=ORANGE, label="cross-fitted; refused")
        axes.plot([], [], color="black", marker="_", linewidth=1.2, label=f"{LEVEL:.0%} bootstrap interval over groups")
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(places, [f"{step.name}\n{'kept' if step.kept else 'refused'}" for step in steps])
    axes.set_ylabel("points")
    axes.margins(y=0.12)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    save_figure(figure, path)


def plot_importance(study: optuna.Study, path: Path) -> None:
    """Plot how far each parameter tells good trials from the rest.

    By PED-ANOVA (Watanabe et al. 2023, doi:10.24963/ijcai.2023/488), Optuna's own measure.
    """
    found = optuna.importance.get_param_importances(study)
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
    save_figure(figure, path)
