"""An audit told on the page of a run's report: each check, and pictures of the worst."""

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from members.audit.checks import Finding
from members.common.errors import InputError
from members.common.files import read_json
from members.common.tables import ResultTable
from postproc.auditing.sheet import LINES, Picture, Reader, choose_pictures, find_window
from postproc.webpage.gallery import encode
from postproc.webpage.page import Section

SIDE = 320
"""Longest side of a picture, px."""
AGAIN = "run roofstack audit again"


def read_audit(path: Path) -> dict[str, Any] | None:
    """Read what an audit has found; None where none was made.

    Raises:
        InputError: the file is damaged.
    """
    if not path.is_file():
        return None
    content = read_json(path, AGAIN)
    if not isinstance(content, dict) or not isinstance(content.get("checks"), dict):
        raise InputError(f"{path}: not an audit; {AGAIN}")
    return content


def list_findings(content: Mapping[str, Any], path: Path, images: Set[str]) -> list[Finding]:
    """Return the findings of an audit that was read; cases of images that are no longer there are left out.

    Raises:
        InputError: the file is damaged.
    """
    try:
        return [
            Finding(
                check, found["found"], found["words"], [case for case in found["cases"] if name_images(case) <= images]
            )
            for check, found in content["checks"].items()
        ]
    except (KeyError, TypeError):
        raise InputError(f"{path}: not an audit; {AGAIN}") from None


def name_images(case: Mapping[str, Any]) -> set[str]:
    """Return the images that a case names."""
    return {str(case[key]) for key in ("image", "one", "other") if key in case}


def tell_audit(
    findings: list[Finding], read_image: Reader, read_mask: Reader, read_map: Reader, outdated: bool
) -> Section:
    """Tell an audit.

    Args:
        findings: of each check.
        read_image, read_mask, read_map: read by image id.
        outdated: whether it is of other maps than the run has now.
    """
    section = Section("Audit", "What may be wrong with the data, and labels that the maps contradict.")
    if outdated:
        section.add_notes([f"this is of other maps than the run has now: {AGAIN}"])
    rows = [(finding.check, str(finding.count), finding.words) for finding in findings]
    section.add_table(ResultTable("checks", ("check", "found", "what"), rows))
    pictures = choose_pictures(findings, read_image, read_mask, read_map)
    if pictures:
        words = ", ".join(f"{COLOURS[name][0]}: {name}" for name in LINES)
        section.add_notes([f"the worst of each check; {words}; orange box: what is meant"])
        section.add_pictures([(encode(paint(picture)), picture.title) for picture in pictures])
    return section


COLOURS = {
    "mask": ("yellow", (240, 228, 66)),
    "map": ("blue", (86, 180, 233)),
    "mask, moved back": ("green", (0, 158, 115)),
}
BOX = (213, 94, 0)


def paint(picture: Picture) -> np.ndarray:
    """Draw a picture, uint8 RGB, at most `SIDE` px high and wide."""
    rows, columns = find_window(picture)
    image = picture.image[rows, columns]
    scale = SIDE / max(image.shape[:2])
    size = max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    canvas = np.ascontiguousarray(cv2.resize(image, size, interpolation=how))
    for name, mask in picture.lines.items():
        large = cv2.resize(mask[rows, columns].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        contours, _ = cv2.findContours(large, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, contours, -1, COLOURS[name][1], 1, cv2.LINE_AA)
    if picture.box is not None:
        top, left, bottom, right = picture.box
        corner = round((left - columns.start - 3) * scale), round((top - rows.start - 3) * scale)
        opposite = round((right - columns.start + 3) * scale), round((bottom - rows.start + 3) * scale)
        cv2.rectangle(canvas, corner, opposite, BOX, 2, cv2.LINE_AA)
    return canvas
