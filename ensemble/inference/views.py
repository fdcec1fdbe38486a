"""Test-time augmentation: views of an image, each a forward transform and its inverse, and how to merge them.

The transforms are albumentations' own functions, the same that members are trained under.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from albumentations.augmentations.geometric import functional as geometric
from albumentations.augmentations.pixel import functional as pixel

from members.common.errors import InputError
from members.training.augment import pad_tile
from members.training.spec import STRIDE, MemberSpec

INVERSE_OF = {"r90": "r270", "r270": "r90"}  # every other symmetry of the square undoes itself
D4 = ("e", "h", "v", "r180", "r90", "r270", "t", "hvt")
SCALES = (0.75, 1.25)


@dataclass(frozen=True)
class View:
    """A way to look at an image.

    Attributes:
        element: one of the eight symmetries of the square, named as albumentations names them.
        scale: the image's sides are multiplied by it, above 0.
        gamma: exponent on pixel values as 0..1; below 1 is lighter.
        bright: factor on pixel values, cut off at 255.
    """

    element: str = "e"
    scale: float = 1.0
    gamma: float = 1.0
    bright: float = 1.0

    @property
    def name(self) -> str:
        """As it is typed: what differs from the image as it is, joined by "-", such as `r90-scale0.75`."""
        parts = [self.element] if self.element != "e" else []
        parts += [f"{kind}{getattr(self, kind):g}" for kind in ("scale", "gamma", "bright") if getattr(self, kind) != 1]
        return "-".join(parts) or "e"

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The view of an image (h, w) or (h, w, c); quarter turns and transposes swap h and w."""
        if self.gamma != 1:
            image = pixel.gamma_transform(image, self.gamma)
        if self.bright != 1:
            image = pixel.adjust_brightness_torchvision(image, self.bright)
        if self.scale != 1:
            height, width = (max(1, round(side * self.scale)) for side in image.shape[:2])
            how = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_LINEAR
            image = geometric.resize(image, (height, width), how)
        return np.ascontiguousarray(geometric.d4(image, self.element))

    def undo(self, seen: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Bring what was seen of an image of `size` (h, w) back to its place, exactly where the scale is 1.

        Values stay as they are: it is meant for probabilities, which colours do not change.
        """
        back = np.ascontiguousarray(geometric.d4(seen, INVERSE_OF.get(self.element, self.element)))
        return geometric.resize(back, size, cv2.INTER_LINEAR) if self.scale != 1 else back


VIEW_SETS: dict[str, tuple[View, ...]] = {
    "none": (View(),),
    "flips": tuple(map(View, D4[:4])),
    "d4": tuple(map(View, D4)),
    "d4_scale": tuple(View(element, scale) for scale, element in itertools.product((1.0, *SCALES), D4)),
}
PHOTOMETRIC = (View(gamma=0.8), View(gamma=1.25), View(bright=0.85), View(bright=1.15))


def parse_views(text: str) -> tuple[View, ...]:
    """The views of a set's name, or of a list such as `e,h,scale0.75,r90-gamma0.8`.

    Raises:
        InputError: an unknown name, or a view named twice.
    """
    if text in VIEW_SETS:
        return VIEW_SETS[text]
    views = [parse_view(name.strip(), text) for name in text.split(",")]
    if len(set(views)) < len(views):
        raise InputError(f"--tta {text}: a view is named twice; each counts once")
    return tuple(views)


def parse_view(name: str, text: str) -> View:
    settings: dict[str, float] = {}
    element = "e"
    for part in name.split("-"):
        number = re.fullmatch(r"(scale|gamma|bright)(\d+(?:\.\d+)?)", part)
        if part in D4:
            element = part
        elif number and 0.25 <= float(number[2]) <= 4:
            settings[number[1]] = float(number[2])
        else:
            raise InputError(
                f"--tta {text}: no view {name!r}; there are the sets {', '.join(VIEW_SETS)}, or a list of "
                f"{', '.join(D4)}, and scale, gamma or bright with a number from 0.25 to 4, as in e,h,r90-scale0.75"
            )
    return View(element, **settings)


def bears_view(spec: MemberSpec, view: View) -> bool:
    """Whether a member was trained on the like of a view: its symmetries, its scales, its light."""
    if view.element not in {known.element for known in VIEW_SETS[spec.views]}:
        return False
    if view.scale != 1 and spec.augment != "strong":
        return False
    return (view.gamma == 1 and view.bright == 1) or spec.augment in ("d4_photo", "strong")


@dataclass(frozen=True)
class Merge:
    """A mean in some sense: `finish(combine over views of prepare(probability), number of views)`, from `start` on."""

    start: float
    prepare: Callable[[np.ndarray], np.ndarray]
    combine: np.ufunc
    finish: Callable[[np.ndarray, int], np.ndarray]


def take_log(probability: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):  # the log of 0 is -inf, and makes the mean 0, as it should
        return np.log(probability)


MERGES: dict[str, Merge] = {
    "mean": Merge(0, lambda p: p, np.add, lambda total, count: total / count),
    # of logs, since a product of many small probabilities underflows
    "gmean": Merge(0, take_log, np.add, lambda total, count: np.exp(total / count)),
    "power": Merge(0, np.square, np.add, lambda total, count: np.sqrt(total / count)),
    "max": Merge(-np.inf, lambda p: p, np.maximum, lambda total, count: total),
    "min": Merge(np.inf, lambda p: p, np.minimum, lambda total, count: total),
}
"""mean; gmean, the geometric mean; power, the mean of squares, rooted; max; min."""

Predict = Callable[[np.ndarray], np.ndarray]


def see_views(networks: Sequence[Predict], stack: np.ndarray, view: View, multiple: int = STRIDE) -> list[np.ndarray]:
    """What each network sees in one view, brought back to its place.

    Args:
        networks: from RGB 0..255, float32 (n, h, w, 3), h and w multiples of `multiple`, to (n, h, w, 1) in 0..1.
        stack: uint8 (n, h, w, 3) of any h and w; padded by reflection, cropped again.
        view: which.
        multiple: the spec's `size_multiple`, px.

    Returns:
        float32 (n, h, w) a network.
    """
    height, width = stack.shape[1:3]
    padded = [pad_tile(image, 0, multiple) for image in stack]
    size = padded[0].shape[:2]
    views = [view.apply(image) for image in padded]
    inner = views[0].shape[:2]  # a scaled view need not be of a multiple, and is padded once more
    batch = np.stack([pad_tile(image, 0, multiple) for image in views]).astype(np.float32)
    return [
        np.stack([view.undo(seen[: inner[0], : inner[1], 0], size)[:height, :width] for seen in network(batch)])
        for network in networks
    ]


def merge_views(
    networks: Sequence[Predict],
    stack: np.ndarray,
    views: Sequence[View],
    multiple: int = STRIDE,
    merge: str = "mean",
    spread: bool = False,
) -> np.ndarray:
    """One probability out of all networks and views, and on request how far they are apart.

    Args:
        networks: as for `see_views`.
        stack: uint8 (n, h, w, 3).
        views: what to look at.
        multiple: the spec's `size_multiple`, px.
        merge: one of `MERGES`.
        spread: whether to give the standard deviation over networks and views too.

    Returns:
        float32 (1, n, h, w), or (2, n, h, w) with the standard deviation; the first in 0..1, the second in 0..0.5.
    """
    rule = MERGES[merge]
    total = np.full(stack.shape[:3], rule.start, np.float32)
    sums = np.zeros((2, *stack.shape[:3])) if spread else None
    for view in views:
        for seen in see_views(networks, stack, view, multiple):
            rule.combine(total, rule.prepare(seen), out=total)
            if sums is not None:
                sums += seen, np.square(seen, dtype=np.float64)
    count = len(views) * len(networks)
    merged = np.asarray(rule.finish(total, count), np.float32)[None]
    if sums is None:
        return merged
    variance = np.maximum(sums[1] / count - (sums[0] / count) ** 2, 0)  # rounding may take it below
    return np.concatenate([merged, np.sqrt(variance)[None].astype(np.float32)])
