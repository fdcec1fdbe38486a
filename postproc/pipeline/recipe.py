"""Recipe: every post-processing parameter once, and the straight-line code that turns a map into a mask."""

from typing import Any, Literal

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from skimage.morphology import remove_small_holes, remove_small_objects

from members.common.errors import InputError

Order = Literal["close-open", "open-close"]
Kernel = Literal["square", "ellipse"]

KERNEL_SHAPES: dict[Kernel, int] = {"square": cv2.MORPH_RECT, "ellipse": cv2.MORPH_ELLIPSE}
NEUTRAL_THRESHOLD = 128


def draw_kernel(kernel: Kernel, size: int) -> np.ndarray:
    """Return the structuring element, uint8 (size, size) of {0, 1}, as OpenCV draws it."""
    return cv2.getStructuringElement(KERNEL_SHAPES[kernel], (size, size))


class Recipe(BaseModel):
    """How a probability map becomes a building mask; the default is the neutral recipe.

    The steps, in this order: threshold, closing and opening in `order`, fill small holes, drop small objects.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    threshold: int = Field(
        default=NEUTRAL_THRESHOLD, ge=1, le=255, description="a pixel is building where map >= threshold [1/255]"
    )
    order: Order = Field(default="close-open", description="which of closing and opening comes first")
    kernel: Kernel = Field(default="square", description="shape of the closing's and the opening's kernel")
    close: int = Field(default=1, ge=1, description="kernel size of the closing, odd; 1 = off [px]")
    open: int = Field(default=1, ge=1, description="kernel size of the opening, odd; 1 = off [px]")
    min_hole: int = Field(default=0, ge=0, description="holes of a smaller area are filled; 0 = off [px area]")
    min_object: int = Field(default=0, ge=0, description="objects of a smaller area are dropped; 0 = off [px area]")

    @field_validator("close", "open")
    @classmethod
    def _check_odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError("a kernel size is odd")
        return size

    @classmethod
    def parse(cls, value: Any, where: str) -> "Recipe":
        """Make a recipe of a JSON object; keys left out take their defaults.

        Args:
            value: what `json.loads` gave.
            where: names the source in the error, such as a file's path.

        Raises:
            InputError: `value` is not an object, has an unknown key, or a value is wrong or out of range.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if first["type"] == "extra_forbidden":
                rule = f"a recipe's keys are {', '.join(cls.model_fields)}"
            else:
                rule = f"got {first['input']!r}: {first['msg'].removeprefix('Value error, ')}"
            key = "".join(f".{part}" for part in first["loc"])
            raise InputError(f"{where}: recipe{key}: {rule}; correct it or leave it out") from None

    def normalise(self) -> "Recipe":
        """Return the one spelling among the recipes that give the same mask for every map.

        Where closing or opening is off the order means nothing, where both are off the kernel doesn't either,
        and a minimum area of 1 drops nothing.
        """
        same: dict[str, Any] = {}
        if self.close == 1 or self.open == 1:
            same["order"] = "close-open"
        if self.close == 1 and self.open == 1:
            same["kernel"] = "square"
        for area in ("min_hole", "min_object"):
            if getattr(self, area) == 1:
                same[area] = 0
        return self.model_copy(update=same)

    @property
    def complexity(self) -> tuple[int | str, ...]:
        """Sort key that settles ties between equal scores: the least is preferred.

        Fewer steps on, smaller kernels, smaller areas, threshold nearest 128, lower threshold; the rest only
        makes the order total.
        """
        recipe = self.normalise()
        sizes, areas = (recipe.close, recipe.open), (recipe.min_hole, recipe.min_object)
        steps = sum(size > 1 for size in sizes) + sum(area > 0 for area in areas)
        distance = abs(recipe.threshold - NEUTRAL_THRESHOLD)
        rest = (recipe.close, recipe.min_hole, recipe.order, recipe.kernel)
        return (steps, sum(sizes), sum(areas), distance, recipe.threshold, *rest)

    def apply(self, blend: np.ndarray) -> np.ndarray:
        """Turn one map into its mask.

        Args:
            blend: uint8 (height, width), probability = value / 255.

        Returns:
            bool (height, width), True = building.

        Raises:
            InputError: `blend` is not a uint8 array of two dimensions.
        """
        if blend.dtype != np.uint8 or blend.ndim != 2:
            raise InputError(
                f"a recipe is applied to a uint8 map (height, width), got {blend.dtype} {blend.shape}; "
                "store probabilities as round(255 * p)"
            )
        mask = self.close_and_open((blend >= self.threshold).astype(np.uint8)).astype(bool)
        if self.min_hole > 0:
            mask = remove_small_holes(mask, max_size=self.min_hole - 1, connectivity=1)
        if self.min_object > 0:
            mask = remove_small_objects(mask, max_size=self.min_object - 1, connectivity=1)
        return mask

    def close_and_open(self, picture: np.ndarray) -> np.ndarray:
        """Close and open a mask or a map, uint8 (height, width), in the recipe's order; other steps left out."""
        closing, opening = (cv2.MORPH_CLOSE, self.close), (cv2.MORPH_OPEN, self.open)
        for operation, size in (closing, opening) if self.order == "close-open" else (opening, closing):
            if size > 1:
                picture = cv2.morphologyEx(picture, operation, draw_kernel(self.kernel, size))
        return picture
