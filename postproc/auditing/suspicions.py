"""Labels that the maps contradict: buildings that seem to be missing, or to be invented, ranked by how sure that is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from ensemble.statistics.metrics import NEUTRAL_THRESHOLD

BORDER = 3
"""Distance from labels or maps within which they agree, px: outlines are rarely truer than that."""
SMALL = 20
"""Area of the smallest contradiction, px."""

Kind = Literal["missing", "invented"]
"""What a label seems to be."""


@dataclass(frozen=True)
class Suspicion:
    """A place where a label and the map contradict each other.

    Attributes:
        tile: the number of the tile.
        kind: "missing" where the map has a building that the label lacks, "invented" where it is the other way round.
        box: top, left, bottom, right, px; bottom and right are exclusive.
        area: px.
        confidence: mean probability that the label is wrong, by the map; 0 to 1.
        whole: whether it is most of a building, not a part of one.
    """

    tile: int
    kind: Kind
    box: tuple[int, int, int, int]
    area: int
    confidence: float
    whole: bool

    @property
    def score(self) -> float:
        """Return how much it deserves a look: sure ones first, and of equally sure ones the larger."""
        return (2 * self.confidence - 1) * float(np.log(self.area))


@dataclass(frozen=True)
class Ranking:
    """Suspicions, the strongest first.

    Attributes:
        suspicions: all of them.
        objects: how many buildings labels and maps have together: what the suspicions are a part of.
    """

    suspicions: Sequence[Suspicion]
    objects: int


def rank_suspicions(suspicions: Iterable[Suspicion], objects: int) -> Ranking:
    """Rank the suspicions of all tiles that have so many buildings."""
    return Ranking(sorted(suspicions, key=lambda suspicion: -suspicion.score), objects)


def suspect_labels(values: np.ndarray, mask: np.ndarray, number: int = 0) -> tuple[list[Suspicion], int]:
    """Find what is suspicious in one mask, bool (h, w), by its map, uint8 (h, w); and count the buildings of both."""
    predicted = values >= NEUTRAL_THRESHOLD
    wrong = np.abs(values / 255 - mask)
    found: list[Suspicion] = []
    objects = 0
    sides: tuple[tuple[Kind, np.ndarray, np.ndarray], ...]
    sides = ("missing", predicted, mask), ("invented", mask, predicted)
    for kind, own, other in sides:
        count, labels = cv2.connectedComponents(own.astype(np.uint8), connectivity=4)
        objects += count - 1
        sizes = np.bincount(labels.ravel())
        rest = (own & ~_widen(other)).astype(np.uint8)
        _, parts, stats, _ = cv2.connectedComponentsWithStats(rest, connectivity=4)
        for part in np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= SMALL) + 1:
            left, top, width, height, area = stats[part].tolist()
            window = np.s_[top : top + height, left : left + width]
            inside = parts[window] == part
            size = sizes[labels[window][inside][0]]
            confidence = float(wrong[window][inside].mean())
            box = top, left, top + height, left + width
            found.append(Suspicion(number, kind, box, area, confidence, bool(area >= size / 2)))
    return found, objects


def _widen(mask: np.ndarray) -> np.ndarray:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * BORDER + 1,) * 2)
    return cv2.dilate(mask.astype(np.uint8), disc).astype(bool)
