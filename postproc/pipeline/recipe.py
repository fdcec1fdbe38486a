"""Recipe: every post-processing parameter once, and the straight-line code that turns a map into a mask."""

import functools
from typing import Any

import numpy as np
from pydantic import ValidationError

from members.common.errors import InputError
from postproc.pipeline.steps import Areas, Morphology, Step, Threshold

STEPS: tuple[type[Step], ...] = (Threshold, Morphology, Areas)
"""In the order in which they are applied, and tuned."""
FLAT_STEPS = STEPS[1:]


class Recipe(Areas, Morphology, Threshold):  # the last comes first among the fields
    """How a probability map becomes a building mask; the default is the neutral recipe, threshold 128 alone.

    Its parameters are those of its steps: threshold; closing and opening; areas of holes and of objects.
    """

    label = "recipe"

    @classmethod
    def parse(cls, value: Any, source: str) -> "Recipe":
        """Make a recipe of a JSON object; keys left out take their defaults.

        Args:
            value: what `json.loads` gave.
            source: names where it is from in the error, such as a file's path.

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
            raise InputError(f"{source}: recipe{key}: {rule}; correct it or leave it out") from None

    def take(self, step: type[Step]) -> Step:
        """Return one step with the recipe's parameters."""
        return step.model_construct(**{name: getattr(self, name) for name in step.model_fields})

    @property
    def steps(self) -> list[Step]:
        """All steps with the recipe's parameters, in their order."""
        return [self.take(step) for step in STEPS]

    def normalise(self) -> "Recipe":
        """Return the one spelling among the recipes that give the same mask for every map."""
        same = {name: value for step in self.steps for name, value in step.normalise().model_dump().items()}
        return self.model_copy(update=same)

    @property
    def active(self) -> int:
        return sum(step.active for step in self.steps)

    @property
    def size(self) -> tuple[int, ...]:
        first, *flat = self.steps
        return tuple(size for step in (*flat, first) for size in step.size)

    @property
    def rest(self) -> tuple[Any, ...]:
        return tuple(value for step in self.steps for value in step.rest)

    @property
    def reach(self) -> int:
        return sum(step.reach for step in self.steps)

    @property
    def complexity(self) -> tuple[Any, ...]:
        """Sort key that settles ties between equal scores: the least is preferred.

        Fewer operations on, smaller kernels, smaller areas, threshold nearest 128, lower threshold; the rest only
        makes the order total.
        """
        return find_complexity(self)

    def describe(self) -> list[str]:
        return [words for step in self.steps for words in step.describe()]

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
        mask = blend >= self.threshold
        for step in FLAT_STEPS:
            mask = self.take(step).apply(mask)
        return mask

    def apply_grey(self, picture: np.ndarray) -> np.ndarray:
        """Apply all flat steps to a map, uint8 (height, width), which is then the recipe's at every threshold."""
        for step in FLAT_STEPS:
            picture = self.take(step).apply_grey(picture)
        return picture

    def __str__(self) -> str:
        return ", ".join(self.describe())


@functools.lru_cache(maxsize=10_000)
def find_complexity(recipe: Recipe) -> tuple[Any, ...]:
    """Return a recipe's complexity; searches ask for that of a few recipes again and again."""
    plain = recipe.normalise()
    return plain.active, *plain.size, *plain.rest
