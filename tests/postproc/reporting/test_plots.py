"""Plots of a tuning: what is drawn, read off the figure."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import optuna
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ensemble.selection.blend import Blend
from ensemble.statistics.counts import Counts, count_maps, count_pixels
from ensemble.statistics.gains import CROSS_FITTED, IN_SAMPLE, Gain
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.steps import Areas, Morphology
from postproc.reporting.figures import GREEN, GREY, ORANGE, save_figure
from postproc.reporting.plots import list_numbers, plot_gains, plot_importance, plot_step, plot_thresholds
from postproc.search.grid import Choice, Grid
from postproc.tuning.fits import Fit
from postproc.tuning.verdict import StepVerdict

TRUTH = np.zeros((4, 10), bool)
TRUTH[:, :5] = True
GRADE = np.tile(np.arange(200, 0, -20, dtype=np.uint8), (4, 1))  # 200, 180, .. 20 from left to right


def list_texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def list_labels(figure: Figure) -> list[str]:
    return figure.axes[0].get_legend_handles_labels()[1]


def list_ticks(axes: Axes) -> tuple[list[str], list[str]]:
    """The labels across, and upwards."""
    x, y = ([label.get_text() for label in labels] for labels in (axes.get_xticklabels(), axes.get_yticklabels()))
    return x, y


def read_line(axes: Axes, number: int) -> tuple[np.ndarray, np.ndarray]:
    line = axes.lines[number]
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def list_bars(axes: Axes) -> list[tuple[float, tuple[float, ...]]]:
    """Heights and colours."""
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    return [(round(bar.get_height(), 9), to_rgb(bar.get_facecolor())) for bar in bars]


def test_score_over_the_threshold() -> None:
    """At 101 to 120 the mask is the truth; at 128 the pixels of 120 are missed."""
    maps = {"as given": GRADE, "chosen recipe": np.minimum(GRADE, 190)}
    curves = {label: count_maps([values] * 2, [TRUTH] * 2, ["a", "b"]) for label, values in maps.items()}
    figure = plot_thresholds(curves, "as given", ("chosen recipe", 120), "pooled_iou")
    (axes,) = figure.axes
    first, second, theoretical, neutral, chosen = (read_line(axes, number) for number in range(5))
    assert list(theoretical[0]) == [127.5, 127.5]  # 255 IoU/(1 + IoU), where IoU is 1
    assert first[1][[109, 127, 199]] == pytest.approx([1, 4 / 5, 1 / 5])
    assert second[1][199] == 0
    assert [*map(list, neutral), *map(list, chosen)] == [[128], [0.8], [120], [1.0]]
    assert list_labels(figure)[3:] == ["neutral: threshold 128, 0.8000", "chosen: threshold 120, 1.0000"]
    assert axes.get_ylabel() == "pooled IoU"
    assert axes.get_ylim()[0] == pytest.approx(0.85)


def make_grid(scores: Mapping[Recipe, float]) -> Grid:
    """Recipes that score alike at all thresholds."""
    tiles = [count_pixels(np.full(255, round(1000 * score)), np.full(255, 1000)) for score in scores.values()]
    return Grid(tuple(scores), Counts.from_tiles(["a"], [{n: np.stack([tile[n] for tile in tiles]) for n in tiles[0]}]))


def test_gain_over_the_sizes_of_kernels() -> None:
    ellipse = Recipe(close=3, kernel="ellipse")
    grid = make_grid({Recipe(): 0.5, Recipe(close=3): 0.51, ellipse: 0.53, Recipe(open=5): 0.46})
    axes = plot_step(grid, Morphology, "pooled_iou", ellipse.model_copy(update={"min_hole": 8})).axes[0]
    gains: np.ndarray = np.ma.filled(np.ma.asarray(axes.images[0].get_array()), np.nan)
    np.testing.assert_allclose(
        gains, np.array([[0, -4], [3, np.nan]])
    )  # upwards: closing off, 3; across: opening off, 5
    assert list_texts(axes) == ["+0.00", "-4.00", "+3.00"]
    assert list_ticks(axes) == (["off", "5"], ["off", "3"])
    assert axes.get_ylabel() == "kernel size of the closing, odd; 1 = off [px]"
    assert axes.get_title(loc="left").startswith("morphology: gain over the neutral recipe in points of pooled IoU")
    neutral, chosen = (np.mean([side[:4] for side in read_line(axes, number)], axis=1) for number in range(2))
    assert (neutral, chosen) == (pytest.approx([0, 0]), pytest.approx([0, 1]))  # the centres of the squares


def test_the_parameters_are_the_steps_own() -> None:
    assert (list_numbers(Morphology), list_numbers(Areas)) == (["close", "open"], ["min_hole", "min_object"])
    grid = make_grid({Recipe(): 0.5, Recipe(min_hole=8): 0.52, Recipe(min_object=64): 0.45})
    axes = plot_step(grid, Areas, "pooled_iou", Recipe(min_hole=8)).axes[0]
    assert list_ticks(axes) == (["off", "64"], ["off", "8"])
    assert list_texts(axes) == ["+0.00", "-5.00", "+2.00"]


def test_a_step_of_one_parameter_is_one_row() -> None:
    class Objects(Areas):
        min_hole: str = "no number"  # type: ignore[assignment]

    axes = plot_step(make_grid({Recipe(): 0.5, Recipe(min_object=64): 0.45}), Objects, "pooled_iou", Recipe()).axes[0]
    assert (list_ticks(axes), list_texts(axes)) == ((["off", "64"], []), ["+0.00", "-5.00"])


def make_step(name: str, score: float, rival: float, gain: Gain) -> StepVerdict:
    counts = make_grid({Recipe(): score}).counts[0, 127]
    ours, theirs = (Fit((Choice(Recipe(), each, counts),), (Blend({"net": 1}),)) for each in (score, rival))
    return StepVerdict(name, ours, theirs, None, gain)


def test_gain_of_each_step() -> None:
    steps = [
        make_step("threshold", 0.75, 0.70, Gain(0.04, (0.01, 0.06), 0.99, CROSS_FITTED, 9)),
        make_step("areas", 0.76, 0.75, Gain(-0.002, (-0.01, 0.004), 0.3, CROSS_FITTED, 9)),
    ]
    figure = plot_gains(steps, "mean_iou")
    (axes,) = figure.axes
    grey, green, orange = (to_rgb(colour) for colour in (GREY, GREEN, ORANGE))
    assert list_bars(axes)[:4] == [(5, grey), (1, grey), (4, green), (-0.2, orange)]  # in sample, then cross-fitted
    assert list_texts(axes) == ["+5.00", "+1.00", "+4.00", "-0.20"]
    np.testing.assert_allclose([read_line(axes, number)[1] for number in range(2)], np.array([[1, 6], [-1, 0.4]]))
    assert list_ticks(axes)[0] == ["threshold\nkept", "areas\nrefused"]
    assert {"cross-fitted: chosen on the other folds; kept", "cross-fitted; not kept"} < set(list_labels(figure))
    assert axes.get_title(loc="left").endswith("in points of mean IoU")


def test_gain_of_too_few_groups_has_no_interval() -> None:
    figure = plot_gains([make_step("threshold", 0.75, 0.70, Gain(0.04, None, None, CROSS_FITTED, 4))], "mean_iou")
    assert list_texts(figure.axes[0]) == ["+5.00", "+4.00"]
    assert list_ticks(figure.axes[0])[0] == ["threshold\nunknown"]


def test_without_folds_gains_are_in_sample_alone() -> None:
    figure = plot_gains([make_step("threshold", 0.75, 0.70, Gain(0.05, None, None, IN_SAMPLE, 1))], "dice")
    assert list_texts(figure.axes[0]) == ["+5.00"]
    assert list_labels(figure) == ["in sample: chosen and scored on the same tiles"]


def test_importance_of_parameters() -> None:
    """The score depends on the closing alone."""
    study = optuna.create_study(direction="maximize")
    sizes = optuna.distributions.IntDistribution(1, 15, step=2)
    for close in range(1, 16, 2):
        for opening in range(1, 16, 2):
            params = {"close": close, "open": opening}
            study.add_trial(optuna.create_trial(params=params, distributions=dict.fromkeys(params, sizes), value=close))
    axes = plot_importance(study).axes[0]
    of_opening, of_closing = (bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle))
    assert list_ticks(axes)[1] == ["open", "close"]  # upwards, the most important on top
    assert of_closing > 0.9 > 0.1 > of_opening
    assert "64 trials" in axes.get_title(loc="left")


def test_a_figure_is_written_whole(tmp_path: Path) -> None:
    save_figure(Figure(figsize=(2, 1)), tmp_path / "new/figure.png")
    picture = cv2.imread(str(tmp_path / "new/figure.png"))
    assert picture is not None
    assert picture.shape == (150, 300, 3)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["figure.png"]
