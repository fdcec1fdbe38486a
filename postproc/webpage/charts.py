"""Charts of a report, which show their values where one points at them; each is a piece of HTML."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from ensemble.statistics.counts import THRESHOLDS, Counts
from ensemble.statistics.estimates import LEVEL, draw_groups, find_interval
from ensemble.statistics.metrics import METRICS, NEUTRAL_THRESHOLD, MetricName, find_theoretical_cut
from postproc.pipeline.recipe import Recipe
from postproc.reporting.figures import BLUE, GREEN, GREY, ORANGE, SMALL
from postproc.search.grid import Grid
from postproc.webpage.measures import GroupScore

POINTS = 100
MOST_GROUPS = 40
FEW = 3
"""Epochs that are drawn as points: a line takes two, and of an only one nothing would be seen."""
SOFT = "rgb(128, 128, 128)"  # seen on light and on dark ground
COLOURS = (BLUE, ORANGE, GREEN, "#cc79a7", "#56b4e9", "#e69f00", "#f0e442", GREY)  # Okabe and Ito's
CONFIG = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}


def draw(traces: Sequence[Any], x: str, y: str, height: int = 380, **layout: Any) -> str:
    """Return a chart as HTML; colours of text and grid are the page's to set."""
    figure = go.Figure(list(traces))
    figure.update_layout(
        height=height, margin={"l": 60, "r": 20, "t": 60, "b": 50}, paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)", xaxis_title=x, yaxis_title=y, modebar_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )  # fmt: skip
    figure.update_layout(**layout)
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG))


def draw_threshold(curve: Counts, chosen: int, metric: MetricName) -> str:
    """Draw a score over the threshold, with its interval over groups; neutral, chosen and theoretical cut marked."""
    thresholds = np.arange(1, THRESHOLDS + 1)
    scores = curve.score(metric)
    low, high = find_interval(curve.score(metric, draw_groups(len(curve.groups))), len(curve.groups))
    band = go.Scatter(
        x=[*thresholds, *thresholds[::-1]], y=[*high.round(4), *low[::-1].round(4)], fill="toself", mode="none",
        fillcolor="rgba(0,114,178,0.18)", name=f"{LEVEL:.0%} interval over groups", hoverinfo="skip",
    )  # fmt: skip
    line = go.Scatter(x=thresholds, y=scores.round(4), mode="lines", line_color=BLUE, name=METRICS[metric].title)
    marks = [("neutral", NEUTRAL_THRESHOLD, "circle-open", GREY), ("chosen", chosen, "diamond", ORANGE)]
    if metric == "pooled_iou":
        cut = round(find_theoretical_cut(float(scores.max())))
        marks.append(("IoU/(1 + IoU), best of calibrated maps", min(max(cut, 1), THRESHOLDS), "line-ns-open", GREEN))
    points = [
        go.Scatter(
            x=[t], y=[round(float(scores[t - 1]), 4)], mode="markers", name=f"{name}: {t}",
            marker={"symbol": symbol, "size": 13, "color": colour, "line": {"width": 2}},
        )
        for name, t, symbol, colour in marks
    ]  # fmt: skip
    near = thresholds[scores > scores.max() - 0.15]
    reach = [max(float(scores.max()) - 0.15, 0.0), float(high.max()) + 0.01]
    return draw(
        [band, line, *points], "threshold [1/255]", METRICS[metric].title,
        xaxis_range=[int(near.min()) - 1, int(near.max()) + 1], yaxis_range=reach,
    )  # fmt: skip


def draw_kernels(grid: Grid, metric: MetricName, chosen: Recipe) -> str:
    """Draw the gain of closing and opening over the neutral recipe, threshold, order and shape at their best.

    Colours go by the inverse hyperbolic sine: those of large losses differ, and so do those of small gains.
    """
    scores = grid.counts.score(metric)
    gains = POINTS * (scores.max(axis=-1) - scores[0, NEUTRAL_THRESHOLD - 1])
    sizes = sorted({recipe.close for recipe in grid.recipes})
    cells: dict[tuple[int, int], tuple[float, str]] = {}
    for recipe, gain, own in zip(grid.recipes, gains, scores, strict=True):
        key, how = (recipe.close, recipe.open), f"{recipe.order}, {recipe.kernel}, threshold {own.argmax() + 1}"
        cells[key] = max(cells.get(key, (-np.inf, "")), (float(gain), how))
    z = [[round(cells[close, opened][0], 3) for opened in sizes] for close in sizes]
    words = [[cells[close, opened][1] for opened in sizes] for close in sizes]
    names = ["off" if size == 1 else str(size) for size in sizes]
    reach = max(2 * SMALL, *(abs(gain) for gain, _ in cells.values()))
    ticks = np.array([-reach, -2 * SMALL, -SMALL, 0, SMALL, 2 * SMALL, reach])
    ends = np.arcsinh(reach / SMALL)
    heat = go.Heatmap(
        x=names, y=names, z=np.arcsinh(np.array(z) / SMALL).round(3).tolist(), text=z, customdata=words,
        colorscale="RdBu", zmid=0, zmin=-ends, zmax=ends, texttemplate="%{text:+.2f}",
        colorbar={
            "title": "points", "tickvals": np.arcsinh(ticks / SMALL).tolist(),
            "ticktext": [f"{tick:+.2f}" for tick in ticks],
        },
        hovertemplate="close %{y}, open %{x}: %{text:+.3f} points<br>%{customdata}<extra></extra>",
    )  # fmt: skip
    column, row = sizes.index(chosen.open), sizes.index(chosen.close)
    mark = {
        "type": "rect", "x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5,
        "line": {"color": ORANGE, "width": 4},
    }  # fmt: skip
    return draw([heat], "opening, kernel [px]", "closing, kernel [px]", height=460, shapes=[mark])


def draw_steps(steps: Sequence[Mapping[str, Any]], metric: MetricName) -> str:
    """Draw what each step of tuned.json gains over the last kept one, in sample and cross-fitted."""
    names = [step["name"] for step in steps]
    in_sample = [POINTS * step["in_sample_gain"] for step in steps]
    traces = [go.Bar(x=names, y=in_sample, name="in sample", marker_color=GREY)]
    gains = [None if step["gain"] is None else POINTS * step["gain"] for step in steps]
    if any(gain is not None for gain in gains):
        ends = [step["interval"] or (step["gain"], step["gain"]) for step in steps]
        errors: list[list[float]] = [[], []]
        for gain, (low, high) in zip(gains, ends, strict=True):
            errors[0].append(0 if gain is None else POINTS * high - gain)
            errors[1].append(0 if gain is None else gain - POINTS * low)
        colours = [GREEN if step["kept"] else ORANGE for step in steps]
        bars = {"type": "data", "array": errors[0], "arrayminus": errors[1], "color": SOFT}
        name = f"cross-fitted, {LEVEL:.0%} interval; green: kept, orange: refused"
        traces.append(go.Bar(x=names, y=gains, error_y=bars, marker_color=colours, name=name))
    return draw(traces, "", f"gain, points of {METRICS[metric].title}", barmode="group")


def draw_calibration(bins: Sequence[tuple[float, float, int]]) -> str:
    """Draw how often pixels of a probability are building."""
    share = [count for _, _, count in bins]
    total = sum(share)
    diagonal = go.Scatter(x=[0, 1], y=[0, 1], mode="lines", name="calibrated", line={"dash": "dot", "color": GREY})
    line = go.Scatter(
        x=[round(mean, 4) for mean, _, _ in bins], y=[round(true, 4) for _, true, _ in bins], mode="lines+markers",
        line_color=BLUE, name="blended maps", customdata=[f"{count / total:.2%}" for count in share],
        hovertemplate="probability %{x:.3f}: %{y:.1%} building<br>%{customdata} of the pixels<extra></extra>",
    )  # fmt: skip
    return draw([diagonal, line], "probability", "share of building pixels")


def draw_doubts(bins: Sequence[tuple[float, float, int]]) -> str:
    """Draw how often pixels of a standard deviation are wrong."""
    total = sum(count for _, _, count in bins)
    line = go.Scatter(
        x=[round(mean, 4) for mean, _, _ in bins], y=[round(wrong, 4) for _, wrong, _ in bins], mode="lines+markers",
        line_color=ORANGE, name="masks", customdata=[f"{count / total:.2%}" for _, _, count in bins],
        hovertemplate="std %{x:.3f}: %{y:.1%} wrong<br>%{customdata} of the pixels<extra></extra>",
    )  # fmt: skip
    return draw([line], "standard deviation over views and members", "share of wrong pixels", showlegend=False)


def draw_groups_scores(scores: Sequence[GroupScore]) -> str:
    """Draw the pooled IoU and building F1 of groups, the worst first; of many the worst and the best."""
    shown = list(scores)
    if len(shown) > MOST_GROUPS:
        shown = shown[: MOST_GROUPS // 2] + shown[-MOST_GROUPS // 2 :]
    names = [score.name for score in shown]
    words = [f"{score.tiles} tiles" for score in shown]
    bars = [
        go.Bar(y=names, x=[round(value, 4) for value in values], name=name, orientation="h", marker_color=colour,
               customdata=words, hovertemplate="%{y}: %{x:.3f}, %{customdata}<extra></extra>")
        for name, values, colour in (
            ("building F1", [score.building_f1 for score in shown], ORANGE),
            ("pooled IoU", [score.iou for score in shown], BLUE),
        )
    ]  # fmt: skip
    return draw(bars, "", "", height=120 + 26 * len(shown), yaxis={"autorange": "reversed", "type": "category"})


def draw_sizes(classes: Sequence[tuple[str, int, int]]) -> str:
    """Draw which share of the true buildings of each size is found."""
    names = [name for name, count, _ in classes if count]
    shares = [found / count for _, count, found in classes if count]
    words = [f"{found} of {count}" for _, count, found in classes if count]
    bars = go.Bar(
        x=names, y=[round(share, 4) for share in shares], marker_color=BLUE, customdata=words, text=words,
        hovertemplate="%{x}: %{y:.1%}, %{customdata}<extra></extra>",
    )  # fmt: skip
    return draw([bars], "area of the true building", "share that is found, IoU 0.5 or more", yaxis_range=[0, 1])


def draw_training(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Draw the IoU of training and validation over the epochs of each member's folds."""
    traces = []
    for number, (name, rows) in enumerate(histories.items()):
        colour = COLOURS[number % len(COLOURS)]
        epochs = [row["epoch"] for row in rows]
        for column, dash, words in (("val_iou", "solid", "validation"), ("iou", "dot", "training")):
            values = [round(row[column], 4) for row in rows]
            line, mode = {"color": colour, "dash": dash}, "lines" if len(epochs) > FEW else "lines+markers"
            trace = go.Scatter(
                x=epochs, y=values, mode=mode, line=line, name=name, legendgroup=name, showlegend=dash == "solid",
                hovertemplate=f"{name}, {words}<br>epoch %{{x}}: %{{y:.4f}}<extra></extra>",
            )  # fmt: skip
            traces.append(trace)
    return draw(traces, "epoch", "IoU at 0.5")
