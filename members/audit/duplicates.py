"""Near-duplicates among images: the same picture turned, mirrored, recompressed, or cropped by a few pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from members.audit.prints import Print, shrink, turn
from members.common.progress import Progress, silent

DISTANCE = 12
"""Bits, of 64, in which hashes of near-duplicates may differ: all of those that lose 8 px of 256 at any side do."""
CORRELATION = 0.88
"""Of the aligned pixels of near-duplicates, at least. Pictures cropped by 8 px of 256 and saved as JPEG of quality 30
correlate at 0.90 and more, different ones of hash distances up to 17 at 0.82 and less."""
COARSE_TO_FINE = (32, 96)
"""Sides that images are shrunk to before they are aligned, px."""
OVERLAP = 0.7
"""Share of the pixels that have to be common."""
ROWS = 512
STEPS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-4)


@dataclass(frozen=True)
class Duplicate:
    """Two images that show the same.

    Attributes:
        one: the number of an image.
        other: the number of a later one.
        symmetry: how `turn` turns the other so that it looks like the first.
        distance: bits in which their hashes differ.
        correlation: of their pixels, after they are aligned; -1 to 1.
        exact: whether every pixel is equal.
    """

    one: int
    other: int
    symmetry: int
    distance: int
    correlation: float
    exact: bool


def find_duplicates(
    prints: Sequence[Print], read_image: Callable[[int], np.ndarray], progress: Progress = silent
) -> list[Duplicate]:
    """Find near-duplicates: candidates by their hashes, then each compared pixel by pixel.

    Of many copies of one image only as many pairs are given as connect them all. Images without contrast are passed
    over.

    Args:
        prints: of the images.
        read_image: reads an image by its number, uint8 (h, w, 3).
        progress: shows how many candidates have been compared.

    Returns:
        Pairs, the nearest first.
    """
    cluster = list(range(len(prints)))

    def find_root(number: int) -> int:
        while cluster[number] != number:
            cluster[number] = number = cluster[cluster[number]]
        return number

    found = []
    candidates = find_candidates(prints)
    for distance, one, other, symmetry in progress(candidates, "compare", len(candidates)):
        roots = find_root(one), find_root(other)
        if roots[0] == roots[1]:
            continue
        image, turned = read_image(one), turn(read_image(other), symmetry)
        exact = np.array_equal(image, turned)
        correlation = 1.0 if exact else correlate(image, turned)
        if correlation >= CORRELATION:
            cluster[roots[1]] = roots[0]
            found.append(Duplicate(one, other, symmetry, distance, correlation, exact))
    return found


def find_candidates(prints: Sequence[Print]) -> list[tuple[int, int, int, int]]:
    """Find the pairs whose hashes are near; (distance, one, other, symmetry of the other), sorted."""
    numbers = np.array([number for number, print_ in enumerate(prints) if not print_.is_flat], int)
    if len(numbers) < 2:
        return []
    hashes = np.stack([prints[number].hashes for number in numbers])
    found = []
    for top in range(0, len(numbers), ROWS):
        own = hashes[top : top + ROWS, :1]
        distances = np.stack([np.bitwise_count(own ^ turned) for turned in hashes[top:].T])
        nearest = distances.min(axis=0)
        one, other = np.nonzero(np.triu(nearest <= DISTANCE, 1))
        symmetries = distances[:, one, other].argmin(axis=0)
        pairs = (nearest[one, other], numbers[top + one], numbers[top + other], symmetries)
        found += list(zip(*(column.tolist() for column in pairs), strict=True))
    return sorted(found)


def correlate(one: np.ndarray, other: np.ndarray) -> float:
    """Align an image to another, both uint8 (h, w, 3), and correlate the grey values that they have in common.

    The affine alignment maximises the enhanced correlation coefficient (Evangelidis and Psarakis 2008,
    doi:10.1109/TPAMI.2008.113), coarse to fine, beginning with no shift.
    """
    neutral = np.eye(2, 3, dtype=np.float32)
    warp, former = neutral, COARSE_TO_FINE[0]
    for side in COARSE_TO_FINE:
        pictures = shrink(one, side), shrink(other, side)
        warp = warp * np.array([1, 1, side / former], np.float32)
        warp, former = max(warp, _refine(*pictures, warp), key=lambda way: _compare(*pictures, way)), side
    return max(_compare(*pictures, neutral), _compare(*pictures, warp))


def _refine(one: np.ndarray, other: np.ndarray, warp: np.ndarray) -> np.ndarray:
    try:
        return cv2.findTransformECC(one, other, warp.copy(), cv2.MOTION_AFFINE, STEPS, None, 3)[1]
    except cv2.error:  # it does not converge: they are not alike
        return warp


def _compare(one: np.ndarray, other: np.ndarray, warp: np.ndarray) -> float:
    """Correlate a picture with another that is brought onto it; 0 where too little is common, or one is flat."""
    flags, size = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, one.shape[::-1]
    common = cv2.warpAffine(np.ones_like(other), warp, size, flags=flags) > 0.99
    if common.mean() < OVERLAP:
        return 0.0
    inside = one[common], cv2.warpAffine(other, warp, size, flags=flags)[common]
    if min(values.std() for values in inside) == 0:
        return 0.0
    return float(np.corrcoef(*inside)[0, 1])
