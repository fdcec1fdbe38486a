"""Figures: how they begin, the colours that they share, and how they are written."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from members.common.files import write_target

GREY, BLUE, ORANGE, GREEN = "#666666", "#0072b2", "#d55e00", "#009e73"  # told apart by the colour-blind
SKY, YELLOW = "#56b4e9", "#f0e442"  # likewise, all of Okabe and Ito's
DPI = 150
SMALL = 0.05
"""Points of a small gain: colours of gains go by the inverse hyperbolic sine, which is even up to there."""


def start_figure(title: str, size: tuple[float, float] = (8.0, 4.8)) -> tuple[Figure, Axes]:
    """Begin a figure of a size in inches."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG.

    Raises:
        InputError: it cannot be written; `path` is as it was.
    """
    with write_target(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png")
