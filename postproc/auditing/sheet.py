"""A sheet of the worst that an audit has found, as pictures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from ensemble.statistics.metrics import NEUTRAL_THRESHOLD
from members.audit.checks import Finding, tell_direction
from members.audit.prints import turn
from postproc.reporting.figures import GREEN, ORANGE, SKY, YELLOW

COLUMNS = 6
SIDE = 2.6
"""Width and height of a picture, inches."""
AROUND = 128
"""What is drawn of a large image around what is meant, px."""
EACH = 6
"""Pictures of each check, at most."""
LINES = {"mask": YELLOW, "map": SKY, "mask, moved back": GREEN}

Reader = Callable[[str], np.ndarray]
"""Reads an image, mask or map by image id."""


@dataclass(frozen=True)
class Picture:
    """One picture of the sheet.

    Attributes:
        title: what it shows.
        image: uint8 (h, w, 3).
        lines: what is outlined -> bool (h, w).
        box: top, left, bottom, right of what is meant, px.
    """

    title: str
    image: np.ndarray
    lines: Mapping[str, np.ndarray] = field(default_factory=dict)
    box: Sequence[int] | None = None


def choose_pictures(
    findings: Iterable[Finding], read_image: Reader, read_mask: Reader, read_map: Reader | None = None
) -> list[Picture]:
    """Choose the worst cases of each check that pictures can show; without maps `read_map` is not needed."""
    cases = {finding.check: finding.cases for finding in findings}
    pictures: list[Picture] = []
    for check in ("copies in training", "copies in training and test"):
        for case in cases.get(check, ())[: EACH // 2]:
            words = "equal" if case["exact"] else f"correlation {case['correlation']:.2f}"
            pictures.append(Picture(f"{case['one']}\n{check}: {words}", read_image(case["one"])))
            other = turn(read_image(case["other"]), case["symmetry"])
            pictures.append(Picture(f"{case['other']}\nturned likewise", other))
    for case in cases.get("one ground in two groups", ())[: EACH // 2]:
        for name in ("one", "other"):
            title = f"{case[name]}\n{case['overlap']:.0%} of one ground in two groups"
            pictures.append(Picture(title, read_image(case[name])))
    for case in cases.get("blank images", ())[:EACH]:
        pictures.append(Picture(f"{case['image']}\n{case['plain']:.0%} of one value", read_image(case["image"])))
    for kind in ("missing", "invented"):
        suspicious = [case for case in cases.get("suspicious labels", ()) if case["kind"] == kind]
        for case in suspicious[: 2 * EACH]:
            lines = {"mask": read_mask(case["image"])}
            if read_map is not None:
                lines["map"] = read_map(case["image"]) >= NEUTRAL_THRESHOLD
            title = f"{case['image']}\nseems {kind}: {case['confidence']:.2f}, {case['area']} px"
            pictures.append(Picture(title, read_image(case["image"]), lines, case["box"]))
    for check in ("shifted masks", "masks off their maps"):
        for case in cases.get(check, ())[:EACH]:
            mask = read_mask(case["image"])
            lines = {"mask": mask, "mask, moved back": move(mask, -case["down"], -case["right"])}
            title = f"{case['image']}\n{check}: {tell_direction(case['down'], case['right'])}"
            pictures.append(Picture(title, read_image(case["image"]), lines))
    return pictures


def move(mask: np.ndarray, down: float, right: float) -> np.ndarray:
    """Move a mask, bool (h, w), by whole pixels; what comes in is background."""
    way = np.array([[1, 0, round(right)], [0, 1, round(down)]], np.float32)
    return cv2.warpAffine(mask.astype(np.uint8), way, mask.shape[::-1], flags=cv2.INTER_NEAREST).astype(bool)


def find_window(picture: Picture) -> tuple[slice, slice]:
    """Return the rows and columns that are drawn: all, or of a large image what is around the box."""
    height, width = picture.image.shape[:2]
    top, left, bottom, right = picture.box or (0, 0, height, width)
    rows, columns = (max(start - AROUND, 0) for start in (top, left))
    if picture.box is None or max(height, width) <= 3 * AROUND:
        return slice(0, height), slice(0, width)
    return slice(rows, bottom + AROUND), slice(columns, right + AROUND)


def draw_sheet(pictures: Sequence[Picture], title: str) -> Figure:
    """Draw pictures in rows of six."""
    rows = -(-len(pictures) // COLUMNS)
    figure = Figure(figsize=(COLUMNS * SIDE, rows * (SIDE + 0.4) + 0.7), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    for number, picture in enumerate(pictures, 1):
        axes = figure.add_subplot(rows, COLUMNS, number)
        axes.set_title(picture.title, loc="left", fontsize=7)
        axes.set_axis_off()
        rows_shown, columns_shown = find_window(picture)
        axes.imshow(picture.image[rows_shown, columns_shown])
        for name, mask in picture.lines.items():
            shown = mask[rows_shown, columns_shown].astype(float)
            if shown.min() < shown.max():
                axes.contour(shown, [0.5], colors=LINES[name], linewidths=0.9)
        if picture.box is not None:
            top, left, bottom, right = picture.box
            corner = left - columns_shown.start - 3, top - rows_shown.start - 3
            axes.set_autoscale_on(False)  # a box may reach over the border
            axes.add_patch(
                Rectangle(corner, right - left + 5, bottom - top + 5, fill=False, color=ORANGE, linewidth=1.4)
            )
    keys = [Line2D([], [], color=colour, label=name) for name, colour in LINES.items()]
    figure.legend(handles=keys, loc="upper right", ncols=len(keys), fontsize=8, frameon=False)
    return figure
