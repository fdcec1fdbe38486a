"""What the values of another program's maps stand for."""

from dataclasses import dataclass

import numpy as np

from ensemble.mapfolder.raster import quantise
from members.common.choices import Activation
from members.common.errors import InputError


@dataclass(frozen=True)
class Coding:
    """What the values of another program's maps stand for.

    Attributes:
        activation: what makes a probability of a value: none, or sigmoid, of logits.
        scale: what values are divided by before that, such as 65535 for uint16, or 100 for percent; without it uint8 is
            divided by 255, and floats are taken as they are.

    Raises:
        InputError: the scale is not above 0.
    """

    activation: Activation = "none"
    scale: float | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and not (0 < self.scale < np.inf):
            raise InputError(f"scale {self.scale:g}: what stands for 1 is a number above 0, such as 65535 or 100")

    def decode(self, values: np.ndarray) -> np.ndarray:
        """Return values as a map, uint8 of their shape.

        Raises:
            InputError: they stand for no probabilities.

        >>> Coding("sigmoid").decode(np.array([[-9.0, 0.0, 9.0]])).tolist()
        [[0, 128, 255]]
        >>> Coding(scale=65535).decode(np.uint16([[0, 32768, 65535]])).tolist()
        [[0, 128, 255]]
        """
        floats = np.issubdtype(values.dtype, np.floating)
        if self.scale is None and not floats:
            if values.dtype == np.uint8 and self.activation == "none":
                return np.asarray(values)
            raise InputError(f"{values.dtype} values; {self._tell_rule()}")
        if not floats and not np.issubdtype(values.dtype, np.integer):
            raise InputError(f"{values.dtype} values; {self._tell_rule()}")
        numbers = values.astype(np.float64) / (self.scale or 1.0)
        if self.activation == "sigmoid" and np.isfinite(numbers).all():
            return quantise((1 + np.tanh(numbers / 2)) / 2)
        inside = (numbers >= 0) & (numbers <= 1) & (self.activation == "none")
        if not inside.all():
            wrong = values[~inside]
            rule = self._tell_rule() if self.scale or self.activation != "none" else FLOATS
            raise InputError(f"{wrong.size} values such as {wrong[0]}; {rule}")
        return quantise(numbers)

    def _tell_rule(self) -> str:
        if self.activation == "sigmoid":
            return "logits are finite floats, or other numbers and a scale that they are divided by"
        if self.scale is not None:
            return f"values from 0 to {self.scale:g} are probabilities from 0 to 1"
        return (
            "a map has floats from 0 to 1, or uint8; of logits the activation is sigmoid, of other numbers the scale "
            "is the one that stands for 1"
        )


PROBABILITIES = Coding()
FLOATS = "floats are probabilities from 0 to 1; of logits the activation is sigmoid, of 0..255 the scale 255, of % 100"
