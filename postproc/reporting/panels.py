"""Panels of one image: truth, probability map, mask, outlines, and errors coloured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Patch

from ensemble.selection.layers import split_layers
from postproc.pipeline.pipeline import Pipeline
from postproc.polygons.buildings import Building, rasterize_outlines
from postproc.reporting.figures import DPI, ORANGE, SKY, YELLOW
from postproc.scoring.pixels import score_mask

ERRORS = {"true positive": "#ffffff", "false positive": ORANGE, "false negative": SKY}
LINE, HALO = YELLOW, "#000000"
PANEL = (4.0, 12.0)
"""Width of a panel in inches: at least, and at most; between them 150 px of the image are an inch."""
ROW_PANEL = 3.2  # inches, the width of a panel where images are drawn in rows: that of the legend below it


@dataclass(frozen=True)
class ImageResult:
    """One image with all that is known about it.

    Attributes:
        image: uint8 (h, w, 3).
        truth: bool (h, w); None where it is not known.
        values: the blended map, uint8 (h, w), probability = value / 255.
        mask: bool (h, w), as it was cut from the map.
        buildings: outlines in the image's pixels.
    """

    image: np.ndarray
    truth: np.ndarray | None
    values: np.ndarray
    mask: np.ndarray
    buildings: Sequence[Building]

    @classmethod
    def of_map(
        cls, image: np.ndarray, truth: np.ndarray | None, values: np.ndarray, pipeline: Pipeline
    ) -> "ImageResult":
        """Cut and outline a blended map, as `read_blend` gives it."""
        mask = pipeline.cut(values)
        return cls(image, truth, split_layers(values)[0], mask, pipeline.outline_mask(mask, values))

    def describe(self) -> str:
        """Return how many buildings there are, and the IoU of mask and outlines where the truth is known."""
        count = f"{len(self.buildings)} building{'' if len(self.buildings) == 1 else 's'}"
        if self.truth is None:
            return f"{count}; truth unknown"
        drawn = rasterize_outlines([building.outline for building in self.buildings], self.mask.shape)
        ious = score_mask(self.truth, self.mask), score_mask(self.truth, drawn)
        return f"IoU {ious[0]:.3f}, of outlines {ious[1]:.3f}; {count}"


def draw_panels(result: ImageResult, title: str = "") -> Figure:
    """Draw the panels of an image; those of the truth and of the errors where it is known."""
    height, width = result.mask.shape
    across = float(np.clip(width / DPI, *PANEL))
    down = across * height / width + 0.3
    columns = len(list_panels(result)) // 2
    figure = Figure(figsize=(columns * across, 2 * down + 0.9), layout="compressed")
    fill_panels(figure, result, rows=2)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def draw_rows(results: Mapping[str, ImageResult]) -> Figure:
    """Draw images one below the other, each with its panels in a row.

    Args:
        results: what stands above a row -> its image.
    """
    columns = max(len(list_panels(result)) for result in results.values())
    heights = [ROW_PANEL * result.mask.shape[0] / result.mask.shape[1] + 0.9 for result in results.values()]
    figure = Figure(figsize=(columns * ROW_PANEL, sum(heights)), layout="constrained")
    rows = figure.subfigures(len(results), 1, height_ratios=heights, squeeze=False).ravel()
    for row, (title, result) in zip(rows, results.items(), strict=True):
        row.suptitle(title, x=0.01, ha="left", fontsize=10)
        fill_panels(row, result, rows=1)
    return figure


def fill_panels(figure: FigureBase, result: ImageResult, rows: int) -> None:
    """Draw the panels of an image into a figure or a part of one, in some rows."""
    names = list_panels(result)
    for number, name in enumerate(names, 1):
        axes = figure.add_subplot(rows, len(names) // rows, number)
        axes.set_title(name, loc="left", fontsize=10)
        axes.set_axis_off()
        PANELS[name](axes, result)


def list_panels(result: ImageResult) -> list[str]:
    """List the panels of an image: four, or six where the truth is known."""
    return [name for name in PANELS if result.truth is not None or name not in NEED_TRUTH]


def draw_image(axes: Axes, result: ImageResult) -> None:
    """Draw the image as it is."""
    axes.imshow(result.image)


def draw_truth(axes: Axes, result: ImageResult) -> None:
    """Draw the truth, white."""
    axes.imshow(np.asarray(result.truth), cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def draw_probability(axes: Axes, result: ImageResult) -> None:
    """Draw the map from 0 to 1, with the scale of its colours below."""
    heat = axes.imshow(result.values / 255, cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
    scale = axes.inset_axes((0.2, -0.045, 0.6, 0.02))  # beside the panels it would shrink its own
    axes.figure.colorbar(heat, cax=scale, orientation="horizontal").ax.tick_params(labelsize=8)


def draw_mask(axes: Axes, result: ImageResult) -> None:
    """Draw the mask, white."""
    axes.imshow(result.mask, cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def draw_outlines(axes: Axes, result: ImageResult) -> None:
    """Draw outlines, courtyards too, over the image."""
    rings = shapely.get_rings([building.outline for building in result.buildings])
    lines = [shapely.get_coordinates(ring) - 0.5 for ring in rings]  # imshow has a pixel's centre at whole numbers
    axes.imshow(result.image)
    for colour, width in ((HALO, 2.6), (LINE, 1.3)):
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, capstyle="round"), autolim=False)


def draw_errors(axes: Axes, result: ImageResult) -> None:
    """Colour true positives, false positives and false negatives over the image in dark grey."""
    mask, truth = result.mask, np.asarray(result.truth)
    axes.imshow(result.image.mean(axis=2) * 0.6, cmap="gray", vmin=0, vmax=255)
    kinds = np.full(mask.shape, np.nan)
    for number, case in enumerate((mask & truth, mask & ~truth, truth & ~mask)):  # in the order of ERRORS
        kinds[case] = number
    colours = ListedColormap(list(ERRORS.values()))
    axes.imshow(kinds, cmap=colours, vmin=-0.5, vmax=2.5, alpha=0.75, interpolation="nearest")
    keys = [Patch(facecolor=colour, edgecolor="#666666", label=name) for name, colour in ERRORS.items()]
    axes.legend(
        handles=keys, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, fontsize=8, frameon=False,
        handlelength=1, columnspacing=1,
    )  # fmt: skip


PANELS: dict[str, Callable[[Axes, ImageResult], None]] = {
    "image": draw_image,
    "truth": draw_truth,
    "probability": draw_probability,
    "mask": draw_mask,
    "outlines": draw_outlines,
    "errors": draw_errors,
}
NEED_TRUTH = ("truth", "errors")
