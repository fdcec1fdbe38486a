"""The command that draws one image with all that is known about it."""

import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import shapely
import typer
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ensemble.mapfolder.maps import read_maps
from ensemble.selection.blend import read_blend
from members.common.console import run_command, stdout
from members.common.errors import InputError
from members.data.raster import read_image, read_mask
from members.data.run import Run
from members.data.tiles import list_tiles
from postproc.formats.targets import check_target, write_target
from postproc.pipeline.outlines import OutlineRecipe, outline_buildings
from postproc.polygons.buildings import Building, rasterize_outlines
from postproc.scoring.pixels import count_overlap
from postproc.submit import choose_outlines, choose_recipe, describe_recipe

ERRORS = {  # Okabe and Ito's colours, told apart by the colour-blind
    "true positive": "#ffffff",
    "false positive": "#d55e00",
    "false negative": "#56b4e9",
}
LINE, HALO = "#f0e442", "#000000"
PANEL = (4.0, 12.0)
"""Width of a panel: at least, and at most; between them 150 px of the image are an inch."""
DPI = 150
SUGGESTIONS = 3


def show(
    image_id: Annotated[str, typer.Argument(metavar="IMAGE_ID", help="The image: its file name without the ending.")],
    data: Annotated[Path, typer.Option(help="The data set that holds the image, and its mask where there is one.")],
    run: Annotated[Path, typer.Option(help="The run whose maps are used.")],
    part: Annotated[str, typer.Option(help="Whose maps: valid or test.")] = "valid",
    output: Annotated[Path | None, typer.Option(metavar="PNG", help="Default: RUN/report/IMAGE_ID.png.")] = None,
) -> None:
    """Draw an image: truth, probability map, mask, outlines, and errors coloured, with the IoU in the title.

    Maps become masks and outlines as submit makes them, by RUN/tuned.json; before tuning by threshold 128 alone.
    Without a mask in the data set there is neither truth nor errors.
    """
    place = Run(run)
    source = "tuned" if place.tuned_file.is_file() else "default"
    recipe, blend = choose_recipe(place, part, source)
    outlines = choose_outlines(place, source) or OutlineRecipe()
    folders = [place.map_folder(part, member) for member in blend.used]
    _, sizes = read_maps(folders)
    check_known(image_id, sizes, folders[0].parent)
    tiles = {tile.image_id: tile for tile in list_tiles(data, "training" if part == "valid" else "test")}
    check_known(image_id, tiles, data)
    path = output or place.report_folder / f"{image_id}.png"
    if output is not None:
        check_target(output, (".png",))
    tile, size = tiles[image_id], sizes[image_id]
    image, truth = read_image(tile.image), None if tile.mask is None else read_mask(tile.mask)
    values = read_blend(folders[0].parent, blend, image_id, size)
    for found, file in ((image.shape[:2], tile.image), (size if truth is None else truth.shape, tile.mask)):
        if found != tuple(size):
            raise InputError(f"{file}: {found[1]}x{found[0]} px, its map {size[1]}x{size[0]} px; predict it again")
    mask = recipe.apply(values)
    buildings = outline_buildings(mask, values, outlines)
    with write_target(path) as temporary:
        figure = draw_panels(image, truth, values, mask, buildings)
        figure.suptitle(
            f"{image_id}: {describe_scores(truth, mask, buildings)}\n"
            f"{part}, {blend}, {describe_recipe(recipe)}",
            x=0.01, ha="left", fontsize=11,
        )  # fmt: skip
        figure.savefig(temporary, dpi=DPI, format="png")
    stdout.print(f"{image_id}: {describe_scores(truth, mask, buildings)}")
    stdout.print(f"written: {path}")


def check_known(image_id: str, known: Collection[str], where: Path) -> None:
    """Refuse an image that is not there, and name those that are called most like it.

    Raises:
        InputError: it is not among the known ones.
    """
    if image_id not in known:
        near = difflib.get_close_matches(image_id, known, SUGGESTIONS, cutoff=0) or ["none"]
        raise InputError(f"{where}: no image {image_id} among {len(known)}; the nearest are {', '.join(near)}")


def describe_scores(truth: np.ndarray | None, mask: np.ndarray, buildings: Collection[Building]) -> str:
    """How many buildings there are, and the IoU of mask and outlines where the truth is known."""
    count = f"{len(buildings)} building{'' if len(buildings) == 1 else 's'}"
    if truth is None:
        return f"{count}; truth unknown"
    drawn = rasterize_outlines([building.outline for building in buildings], mask.shape)
    return f"IoU {count_overlap(truth, mask).iou:.3f}, of outlines {count_overlap(truth, drawn).iou:.3f}; {count}"


def draw_panels(
    image: np.ndarray, truth: np.ndarray | None, blend: np.ndarray, mask: np.ndarray, buildings: Collection[Building]
) -> Figure:
    """Draw the panels of an image; those of the truth and of the errors where it is known.

    Args:
        image: uint8 (h, w, 3).
        truth: bool (h, w), or None.
        blend: uint8 (h, w), probability = value / 255.
        mask: bool (h, w).
        buildings: outlines in the image's pixels.
    """
    height, width = mask.shape
    across = float(np.clip(width / DPI, *PANEL))
    down = across * height / width + 0.3
    columns = 2 if truth is None else 3
    figure = Figure(figsize=(columns * across, 2 * down + 0.9), layout="compressed")
    panels: dict[str, Axes] = {}
    names = ("image", *(() if truth is None else ("truth",)), "probability", "mask", "outlines")
    for number, name in enumerate((*names, *(() if truth is None else ("errors",))), 1):
        panels[name] = figure.add_subplot(2, columns, number)
        panels[name].set_title(name, loc="left", fontsize=10)
        panels[name].set_axis_off()
    panels["image"].imshow(image)
    panels["mask"].imshow(mask, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    heat = panels["probability"].imshow(blend / 255, cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
    scale = panels["probability"].inset_axes((0.2, -0.045, 0.6, 0.02))  # beside the panels it would shrink its own
    figure.colorbar(heat, cax=scale, orientation="horizontal").ax.tick_params(labelsize=8)
    draw_outlines(panels["outlines"], image, buildings)
    if truth is not None:
        panels["truth"].imshow(truth, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        draw_errors(panels["errors"], image, truth, mask)
    return figure


def draw_outlines(axes: Axes, image: np.ndarray, buildings: Collection[Building]) -> None:
    """Draw outlines, courtyards too, over an image."""
    rings = shapely.get_rings([building.outline for building in buildings])
    lines = [shapely.get_coordinates(ring) - 0.5 for ring in rings]  # imshow has a pixel's centre at whole numbers
    axes.imshow(image)
    for colour, width in ((HALO, 2.6), (LINE, 1.3)):
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=width, capstyle="round"))


def draw_errors(axes: Axes, image: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> None:
    """Colour true positives, false positives and false negatives over the image in dark grey."""
    axes.imshow(image.mean(axis=2) * 0.6, cmap="gray", vmin=0, vmax=255)
    kinds = np.full(mask.shape, np.nan)
    cases: Mapping[str, np.ndarray] = dict(zip(ERRORS, (mask & truth, mask & ~truth, truth & ~mask), strict=True))
    for number, case in enumerate(cases.values()):
        kinds[case] = number
    axes.imshow(
        kinds, cmap=ListedColormap(list(ERRORS.values())), vmin=-0.5, vmax=2.5, alpha=0.75, interpolation="nearest"
    )
    keys = [Patch(facecolor=colour, edgecolor="#666666", label=name) for name, colour in ERRORS.items()]
    axes.legend(
        handles=keys, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, fontsize=8, frameon=False,
        handlelength=1, columnspacing=1,
    )  # fmt: skip


if __name__ == "__main__":
    run_command(show)
