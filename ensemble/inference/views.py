"""Test-time augmentation: views of an image, each with its way back.

`FAMILIES` is the table that all else follows from: a family of views is one class, which says how an image is changed,
how what was seen is brought back, how it is written, which members support it, and which settings are worth a try.
A view is a combination of them, such as a quarter turn of a smaller image.
"""

import itertools
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np

from members.common.errors import InputError
from members.training.augment import SYMMETRIES
from members.training.spec import MemberSpec

INVERSES = {"r90": "r270", "r270": "r90"}  # every other symmetry undoes itself
SYMMETRY_SETS = {"none": ("e",), "flips": ("e", "h", "v", "r180"), "d4": tuple(SYMMETRIES)}


@dataclass(frozen=True)
class Transform(ABC):
    """One change of an image, which is what a family makes of a setting.

    Attributes:
        setting: what is different.
    """

    setting: Any
    NEUTRAL: ClassVar[Any]
    """The setting that changes nothing."""
    TRIED: ClassVar[tuple[Any, ...]]
    """Settings whose gain is measured one by one."""

    @property
    @abstractmethod
    def name(self) -> str:
        """As it is written in a view's name."""

    @classmethod
    @abstractmethod
    def parse(cls, text: str) -> "Transform | None":
        """Read a part of a view's name; None where it is not of this family."""

    @abstractmethod
    def apply(self, image: np.ndarray) -> np.ndarray:
        """Change an image, uint8 (h, w) or (h, w, c)."""

    def undo(self, seen: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Bring probabilities, (h, w), back to where they are in the image, whose size before `apply` was `size`."""
        return seen

    @abstractmethod
    def is_supported(self, spec: MemberSpec) -> bool:
        """Tell whether a member was trained on images that are changed alike."""


class Symmetry(Transform):
    """One of the eight symmetries of the square; quarter turns and transposes swap height and width."""

    setting: str
    NEUTRAL = "e"
    TRIED = tuple(SYMMETRIES)[1:]

    @property
    def name(self) -> str:
        return self.setting

    @classmethod
    def parse(cls, text: str) -> Transform | None:
        return cls(text) if text in SYMMETRIES else None

    def apply(self, image: np.ndarray) -> np.ndarray:
        return SYMMETRIES[self.setting](image)

    def undo(self, seen: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        return SYMMETRIES[INVERSES.get(self.setting, self.setting)](seen)

    def is_supported(self, spec: MemberSpec) -> bool:
        return self.setting in SYMMETRY_SETS[spec.views]


class Factor(Transform):
    """A family whose setting is a number from 0.25 to 4, written behind the family's word."""

    setting: float
    WORD: ClassVar[str]
    NEUTRAL = 1.0
    LOWEST, HIGHEST = 0.25, 4.0

    @property
    def name(self) -> str:
        return f"{self.WORD}{self.setting:g}"

    @classmethod
    def parse(cls, text: str) -> Transform | None:
        number = re.fullmatch(rf"{cls.WORD}(\d+(?:\.\d+)?)", text)
        if number is None or not cls.LOWEST <= float(number[1]) <= cls.HIGHEST:
            return None
        return cls(float(number[1]))


class Scale(Factor):
    """The image with its sides multiplied by a factor."""

    WORD = "scale"
    TRIED = (0.75, 1.25)

    def apply(self, image: np.ndarray) -> np.ndarray:
        height, width = (max(1, round(side * self.setting)) for side in image.shape[:2])
        return cv2.resize(
            image, (width, height), interpolation=cv2.INTER_AREA if self.setting < 1 else cv2.INTER_LINEAR
        )

    def undo(self, seen: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        return cv2.resize(np.ascontiguousarray(seen), size[::-1], interpolation=cv2.INTER_LINEAR)

    def is_supported(self, spec: MemberSpec) -> bool:
        return spec.scale > 1


class Light(Factor):
    """A change of colour values alone: what is where stays as it is."""

    @abstractmethod
    def change(self, values: np.ndarray) -> np.ndarray:
        """Change colour values, float64 0..255; what leaves that range is cut off."""

    def apply(self, image: np.ndarray) -> np.ndarray:
        return cv2.LUT(image, np.clip(self.change(np.arange(256.0)), 0, 255).astype(np.uint8))

    def is_supported(self, spec: MemberSpec) -> bool:
        return spec.augment in ("d4_photo", "d4_cutmix", "strong")


class Brightness(Light):
    """Colour values times a factor."""

    WORD = "bright"
    TRIED = (0.85, 1.15)

    def change(self, values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32) * np.float32(self.setting)


class Gamma(Light):
    """Colour values, as 0..1, to a power: below 1 is lighter."""

    WORD = "gamma"
    TRIED = (0.8, 1.25)

    def change(self, values: np.ndarray) -> np.ndarray:
        return (values * (1 / 255)) ** self.setting * 255


FAMILIES: tuple[type[Transform], ...] = (Symmetry, Scale, Brightness, Gamma)
"""In the order in which they are written; the last is the first to be applied, as in a chain of functions."""


@dataclass(frozen=True)
class View:
    """A way to look at an image: at most one transform of each family, in the order of `FAMILIES`."""

    transforms: tuple[Transform, ...] = ()

    @classmethod
    def of(cls, *transforms: Transform) -> "View":
        """Combine transforms, in whatever order; those that change nothing are left out."""
        changing = [each for each in transforms if each.setting != each.NEUTRAL]
        return cls(tuple(sorted(changing, key=lambda each: FAMILIES.index(type(each)))))

    @property
    def name(self) -> str:
        """As it is written: what differs from the image as it is, joined by "-", such as `r90-scale0.75`."""
        return "-".join(each.name for each in self.transforms) or Symmetry.NEUTRAL

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Return the view of an image, uint8 (h, w) or (h, w, c)."""
        for each in reversed(self.transforms):
            image = each.apply(image)
        return np.ascontiguousarray(image)

    def undo(self, seen: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Bring what was seen of an image of `size` (h, w) back to where it is there, exactly where the scale is 1.

        Values stay as they are: it is meant for probabilities, which colours do not change.
        """
        for each in self.transforms:
            seen = each.undo(seen, size)
        return np.ascontiguousarray(seen)

    def is_supported(self, spec: MemberSpec) -> bool:
        """Tell whether a member was trained on the like of this view."""
        return all(each.is_supported(spec) for each in self.transforms)


SINGLE_VIEWS = tuple(View.of(family(setting)) for family in FAMILIES for setting in family.TRIED)
"""Every setting that is worth a try, by itself."""
VIEW_SETS: dict[str, tuple[View, ...]] = {
    **{name: tuple(View.of(Symmetry(each)) for each in names) for name, names in SYMMETRY_SETS.items()},
    "d4_scale": tuple(
        View.of(Symmetry(symmetry), Scale(scale))
        for scale, symmetry in itertools.product((1.0, *Scale.TRIED), SYMMETRIES)
    ),
}


def parse_views(text: str) -> tuple[View, ...]:
    """Return the views of a set's name, or of a list such as `e,h,scale0.75,r90-gamma0.8`.

    Raises:
        InputError: a name is unknown, or a view is named twice.
    """
    if text in VIEW_SETS:
        return VIEW_SETS[text]
    views = tuple(parse_view(name.strip()) for name in text.split(","))
    if len(set(views)) < len(views):
        raise InputError("a view is named twice; each counts once, so name it once")
    return views


def parse_view(name: str) -> View:
    """Return the view of a name such as `r90-scale0.75`.

    Raises:
        InputError: a part of it is of no family, or two are of one.
    """
    found = [transform for part in name.split("-") for family in FAMILIES if (transform := family.parse(part))]
    if len(found) != name.count("-") + 1 or len({type(each) for each in found}) < len(found):
        words = [family.WORD for family in FAMILIES if issubclass(family, Factor)]
        raise InputError(
            f"no view {name!r}; there are the sets {', '.join(VIEW_SETS)}, or a list of {', '.join(SYMMETRIES)}, and "
            f"{', '.join(words[:-1])} or {words[-1]} with a number from {Factor.LOWEST:g} to {Factor.HIGHEST:g}, "
            "as in e,h,r90-scale0.75"
        )
    return View.of(*found)


def name_views(views: tuple[View, ...]) -> str:
    """Return what `parse_views` takes for views: a set's name where they are one, or a list."""
    names = [name for name, those in VIEW_SETS.items() if those == views]
    return names[0] if names else ",".join(view.name for view in views)
