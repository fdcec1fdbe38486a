"""Pictures of what the stages did."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from members.common.files import write_whole

GAP, HEADER = 6, 22
HIT, FALSE_ALARM, MISS = (255, 255, 255), (230, 90, 60), (70, 120, 240)
COLUMNS = ("image", "truth", "probability", "mask: hit, false alarm, miss")
Panel = tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def draw_sheet(panels: Sequence[Panel], path: Path, width: int = 256) -> None:
    """Write a PNG with one row a tile: image, truth, probability map, mask.

    Args:
        panels: caption, image uint8 (h, w, 3), truth bool (h, w), map uint8 (h, w), mask bool (h, w).
        path: the PNG.
        width: of a column, px; tiles are scaled to it.
    """
    header = np.full((HEADER, len(COLUMNS) * (width + GAP) - GAP, 3), 255, np.uint8)
    for column, title in enumerate(COLUMNS):
        write_text(header, title, column * (width + GAP) + 2)
    rows = [header]
    for caption, *pictures in panels:
        cells = [scale_picture(picture, width) for picture in draw_panel(*pictures)]
        gap = np.full((cells[0].shape[0], GAP, 3), 255, np.uint8)
        row = np.hstack([part for cell in cells for part in (cell, gap)][:-1])
        line = np.full((HEADER, row.shape[1], 3), 255, np.uint8)
        write_text(line, caption, 2)
        rows += [row, line]
    with write_whole(path) as temporary:
        cv2.imwrite(str(temporary), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def draw_panel(image: np.ndarray, truth: np.ndarray, blend: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
    """The four pictures of one tile, each uint8 (h, w, 3)."""
    errors = np.zeros((*mask.shape, 3), np.uint8)
    errors[mask & truth], errors[mask & ~truth], errors[~mask & truth] = HIT, FALSE_ALARM, MISS
    outlined = image.copy()
    contours, _ = cv2.findContours(truth.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(outlined, contours, -1, (255, 235, 0), 1)
    heat = cv2.cvtColor(cv2.applyColorMap(blend, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    return [image, outlined, heat, errors]


def scale_picture(picture: np.ndarray, width: int) -> np.ndarray:
    """Scale to a width, sides in proportion."""
    height = round(picture.shape[0] * width / picture.shape[1])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST)


def write_text(picture: np.ndarray, text: str, left: int) -> None:
    """Write one line of small text into a strip of `HEADER` px."""
    cv2.putText(picture, text, (left, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (30, 30, 30), 1, cv2.LINE_AA)
