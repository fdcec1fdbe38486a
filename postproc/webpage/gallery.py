"""Tiles of a report: each as pictures of one size, as they are put into the page."""

import base64
from dataclasses import dataclass

import cv2
import numpy as np
import shapely

from postproc.reporting.panels import ImageResult

SIDE, QUALITY = 320, 70
"""Longest side of a picture, px, and how well it is kept, of 100."""
CARD, PICTURE = 120_000, 30_000
"""Letters that all pictures of a tile, and any picture, take at most, so that a page of any run is under 15 MB. Real
tiles take half as many, up to 115,000 in a dense town; noise would take 640,000."""
LEAST_QUALITY = 15
LAYERS = ("image", "truth", "probability", "mask", "outlines", "errors")
UNCERTAINTY = "uncertainty"
"""The layer of the standard deviation; from 0.25 on it is as bright as it gets."""
BACKGROUND = 0.55  # of the image's brightness, below coloured errors
RIGHT, EXTRA, MISSED = (255, 255, 255), (213, 94, 0), (86, 180, 233)


@dataclass(frozen=True)
class Card:
    """A tile in the page.

    Attributes:
        image_id, group: of it.
        kind: why it is shown: worst, median, or best.
        iou, f1: its scores.
        words: how many buildings.
        pictures: layer -> data address of a WebP.
    """

    image_id: str
    group: str
    kind: str
    iou: float
    f1: float
    words: str
    pictures: dict[str, str]


def paint_layers(result: ImageResult, std: np.ndarray | None = None) -> dict[str, str]:
    """Return the layers of an image as addresses that hold the pictures, WebP.

    Args:
        result: the image, and what is known of it.
        std: its standard deviation, uint8 (h, w), value / 255; then there is a layer more.
    """
    image = result.image
    height, width = image.shape[:2]
    scale = min(SIDE / max(height, width), 1.0)
    truth = np.zeros((height, width), bool) if result.truth is None else result.truth
    heat = cv2.applyColorMap(result.values, cv2.COLORMAP_VIRIDIS)[..., ::-1]
    grey = np.repeat((image.mean(axis=2, keepdims=True) * BACKGROUND).astype(np.uint8), 3, axis=2)
    errors = grey.copy()
    for colour, where in ((RIGHT, result.mask & truth), (EXTRA, result.mask & ~truth), (MISSED, truth & ~result.mask)):
        errors[where] = (0.25 * grey[where] + 0.75 * np.array(colour)).astype(np.uint8)
    pictures = {
        "image": image,
        "truth": _paint_mask(truth),
        "probability": heat,
        "mask": _paint_mask(result.mask),
        "outlines": _draw_outlines(result),
        "errors": errors,
    }
    if std is not None:
        pictures[UNCERTAINTY] = cv2.applyColorMap(cv2.multiply(std, 4), cv2.COLORMAP_INFERNO)[..., ::-1]
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = {name: cv2.resize(each, size, interpolation=cv2.INTER_AREA) for name, each in pictures.items()}
    encoded = {name: encode(each) for name, each in small.items()}
    shrink = min(CARD / (sum(map(len, encoded.values())) + len(encoded["errors"])), 1.0)  # these are shown twice
    if shrink == 1:
        return encoded
    return {name: encode(each, most=int(shrink * len(encoded[name]))) for name, each in small.items()}


def _paint_mask(mask: np.ndarray) -> np.ndarray:
    return np.repeat((mask * np.uint8(255))[..., None], 3, axis=2)


def _draw_outlines(result: ImageResult) -> np.ndarray:
    """Draw outlines, courtyards too, over the image."""
    canvas = np.array(result.image, order="C")
    rings = shapely.get_rings(np.array([building.outline for building in result.buildings], object))
    lines = [np.rint((shapely.get_coordinates(ring) - 0.5) * 16).astype(np.int32) for ring in rings]
    for colour, width in (((0, 0, 0), 3), ((240, 228, 66), 1)):
        cv2.polylines(canvas, lines, True, colour, width, cv2.LINE_AA, shift=4)
    return canvas


def encode(picture: np.ndarray, quality: int = QUALITY, most: int = PICTURE) -> str:
    """Return a picture as a data address.

    Args:
        picture: uint8 RGB (h, w, 3), or RGB and alpha (h, w, 4).
        quality: how well it is kept, of 100.
        most: letters. What would take more is kept less well, and then comes smaller, as long as it has pixels.
    """
    order = [2, 1, 0, 3][: picture.shape[2]]
    bgr = np.ascontiguousarray(picture[..., order])
    while True:
        _, content = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])
        address = "data:image/webp;base64," + base64.b64encode(content.tobytes()).decode()
        if len(address) <= most or max(bgr.shape[:2]) < 2:
            return address
        if quality > LEAST_QUALITY:
            quality = max(quality // 2, LEAST_QUALITY)
        else:
            bgr = cv2.resize(bgr, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)


def choose_tiles(
    ious: np.ndarray, wrong: np.ndarray, worst: int = 12, median: int = 12, best: int = 6
) -> list[tuple[int, str]]:
    """Choose tiles to show: the number of each, and why; no tile twice.

    Args:
        ious: float (tiles,), by which they are ranked.
        wrong: int (tiles,), pixels that are wrong: of equal IoU, where they are most is the worst.
        worst, median, best: how many of each.

    >>> choose_tiles(np.array([0.9, 0.1, 0.5, 0.7]), np.zeros(4), 1, 1, 1)
    [(1, 'worst'), (3, 'median'), (0, 'best')]
    """
    order = np.lexsort((-wrong, ious)).tolist()
    low = order[:worst]
    high = order[len(low) :][-best:] if best else []
    middle = order[len(low) : len(order) - len(high)]
    start = max((len(middle) - median) // 2 + (len(middle) - median) % 2, 0)
    chosen = [(number, "worst") for number in low]
    chosen += [(number, "median") for number in middle[start : start + median]]
    return chosen + [(number, "best") for number in reversed(high)]
