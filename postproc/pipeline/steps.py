"""The steps of a recipe, a class each: parameters, operators, what is tried, what settles ties, and words.

A flat step is the same on every threshold set of a map: its grey operator, applied to the map which is then cut at t,
gives the mask that its binary operator makes of the mask cut at t. So all thresholds are scored in one pass.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any, ClassVar, Literal, Self

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from ensemble.statistics.metrics import NEUTRAL_THRESHOLD, rank_threshold

Order = Literal["close-open", "open-close"]
Kernel = Literal["square", "ellipse"]

KERNEL_SHAPES: dict[Kernel, int] = {"square": cv2.MORPH_RECT, "ellipse": cv2.MORPH_ELLIPSE}
ORDERS: tuple[Order, ...] = ("close-open", "open-close")
LARGEST_KERNEL = 15  # px, of those that are tried
MOST_PX = 999  # of a kernel: OpenCV allocates its square
AREAS = (0, 4, 8, 16, 32, 64, 128, 256, 512)  # px, that are tried


class Step(BaseModel):
    """One step of a recipe; its default is off.

    Attributes:
        label: what tables call it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    label: ClassVar[str]

    def apply(self, mask: np.ndarray) -> np.ndarray:
        """Change a mask, bool (h, w)."""
        raise NotImplementedError

    def apply_grey(self, picture: np.ndarray) -> np.ndarray:
        """Change a map, uint8 (h, w), as `apply` changes each of its threshold sets."""
        raise NotImplementedError

    @classmethod
    def list_settings(cls) -> Iterator[dict[str, Any]]:
        """Yield the parameters that tuning tries, in any order; some may mean the same."""
        raise NotImplementedError

    def normalise(self) -> Self:
        """Return the one spelling among the settings that do the same to every mask."""
        return self

    @property
    def active(self) -> int:
        """How many of its operations are on."""
        raise NotImplementedError

    @property
    def size(self) -> tuple[int, ...]:
        """What of it is to be small where scores are equal."""
        raise NotImplementedError

    @property
    def rest(self) -> tuple[Any, ...]:
        """What else tells two settings apart, so that their order is total."""
        return ()

    @property
    def reach(self) -> int:
        """How far off the pixels are, at most, that decide on one [px]."""
        raise NotImplementedError

    def describe(self) -> list[str]:
        """Return its operations in words, those that are off left out."""
        raise NotImplementedError


class Threshold(Step):
    """Cut the map: the one step that makes a mask of it, and is always on."""

    label = "threshold"

    threshold: int = Field(
        default=NEUTRAL_THRESHOLD, ge=1, le=255, description="a pixel is building where map >= threshold [1/255]"
    )

    @property
    def active(self) -> int:
        return 0

    @property
    def size(self) -> tuple[int, ...]:
        return rank_threshold(self.threshold)

    @property
    def reach(self) -> int:
        return 0

    def describe(self) -> list[str]:
        return [f"threshold {self.threshold}"]


class Morphology(Step):
    """Closing and opening, with kernels and borders as OpenCV has them."""

    label = "morphology"

    order: Order = Field(default="close-open", description="which of closing and opening comes first")
    kernel: Kernel = Field(default="square", description="shape of the closing's and the opening's kernel")
    close: int = Field(default=1, ge=1, le=MOST_PX, description="kernel size of the closing, odd; 1 = off [px]")
    open: int = Field(default=1, ge=1, le=MOST_PX, description="kernel size of the opening, odd; 1 = off [px]")

    @field_validator("close", "open")
    @classmethod
    def _check_odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError("a kernel size is odd")
        return size

    @property
    def operations(self) -> list[tuple[str, int]]:
        """Closing and opening with their sizes, in their order, those that are off left out."""
        both = [("close", self.close), ("open", self.open)]
        if self.order == "open-close":
            both.reverse()
        return [(name, size) for name, size in both if size > 1]

    def apply(self, mask: np.ndarray) -> np.ndarray:
        return self.apply_grey(mask.astype(np.uint8)).astype(bool)

    def apply_grey(self, picture: np.ndarray) -> np.ndarray:
        for name, size in self.operations:
            operation = cv2.MORPH_CLOSE if name == "close" else cv2.MORPH_OPEN
            picture = cv2.morphologyEx(picture, operation, draw_kernel(self.kernel, size))
        return picture

    @classmethod
    def list_settings(cls) -> Iterator[dict[str, Any]]:
        return cls.list_kernels(LARGEST_KERNEL)

    @staticmethod
    def list_kernels(largest: int) -> Iterator[dict[str, Any]]:
        """Yield the settings with kernels up to a size, odd, px."""
        sizes = range(1, largest + 1, 2)
        for order, kernel, close, opening in product(ORDERS, KERNEL_SHAPES, sizes, sizes):
            yield {"order": order, "kernel": kernel, "close": close, "open": opening}

    def normalise(self) -> Self:
        """Drop the order where closing or opening is off, and the kernel where both are."""
        same: dict[str, Any] = {}
        if self.active < 2:
            same["order"] = "close-open"
        if self.active == 0:
            same["kernel"] = "square"
        return self.model_copy(update=same)

    @property
    def active(self) -> int:
        return len(self.operations)

    @property
    def size(self) -> tuple[int, ...]:
        return (self.close + self.open,)

    @property
    def rest(self) -> tuple[Any, ...]:
        return self.close, self.order, self.kernel

    @property
    def reach(self) -> int:
        return self.close - 1 + self.open - 1  # half a kernel, there and back

    def describe(self) -> list[str]:
        return [f"{name} {size}x{size} {self.kernel}" for name, size in self.operations]


class Areas(Step):
    """Fill small holes, then drop small objects: 4-connected, those at the border included."""

    label = "areas"

    min_hole: int = Field(default=0, ge=0, description="holes of a smaller area are filled; 0 = off [px area]")
    min_object: int = Field(default=0, ge=0, description="objects of a smaller area are dropped; 0 = off [px area]")

    def apply(self, mask: np.ndarray) -> np.ndarray:
        if self.min_hole > 0:
            mask = ~drop_small(~mask, self.min_hole)
        if self.min_object > 0:
            mask = drop_small(mask, self.min_object)
        return mask

    def apply_grey(self, picture: np.ndarray) -> np.ndarray:
        from postproc.operators.component_tree import drop_objects, fill_holes  # brings the compiler

        if self.min_hole > 0:
            picture = fill_holes(picture, np.array([self.min_hole]))[0]
        if self.min_object > 0:
            picture = drop_objects(picture, np.array([self.min_object]))[0]
        return picture

    @classmethod
    def list_settings(cls) -> Iterator[dict[str, Any]]:
        for hole, least in product(AREAS, AREAS):
            yield {"min_hole": hole, "min_object": least}

    def normalise(self) -> Self:
        """Turn minimum areas of 1 off, which drop nothing."""
        return self.model_copy(update={name: 0 for name in type(self).model_fields if getattr(self, name) == 1})

    @property
    def active(self) -> int:
        return (self.min_hole > 0) + (self.min_object > 0)

    @property
    def size(self) -> tuple[int, ...]:
        return (self.min_hole + self.min_object,)

    @property
    def rest(self) -> tuple[Any, ...]:
        return (self.min_hole,)

    @property
    def reach(self) -> int:
        # what is cut off at the end of a window and reaches so far into it has that many pixels there, so is not small
        return max(self.min_hole - 1, 0) + max(self.min_object - 1, 0)

    def describe(self) -> list[str]:
        words = []
        if self.min_hole > 0:
            words.append(f"fill holes under {self.min_hole} px")
        if self.min_object > 0:
            words.append(f"drop objects under {self.min_object} px")
        return words


def drop_small(mask: np.ndarray, least: int) -> np.ndarray:
    """Return a mask, bool (height, width), without its 4-connected objects of less than `least` pixels."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    large = np.bincount(labels.ravel()) >= least
    large[0] = False  # label 0 is what lies around
    return large[labels]


def draw_kernel(kernel: Kernel, size: int) -> np.ndarray:
    """Return the structuring element, uint8 (size, size) of {0, 1}, as OpenCV draws it."""
    return cv2.getStructuringElement(KERNEL_SHAPES[kernel], (size, size))
