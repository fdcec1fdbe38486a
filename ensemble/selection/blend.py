"""One map out of several members' maps: the weights, the calibration tables, and the weighted mean."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.mapfolder.manifest import Manifest, find_difference
from ensemble.mapfolder.raster import map_path, read_bands_of_map, split_bands
from ensemble.selection.layers import stack_layers
from members.common.choices import BANDS
from members.common.errors import InputError
from members.common.files import read_json
from members.data.run import Run

MOST = 10_000
"""The largest weight: a sum of weighted values has a table of as many entries."""
Picks = tuple[int, ...]
"""Weights in the order of the members: how often each is in the blend."""
LARGEST_TABLE = 2**16
"""Sum of weights up to which every possible sum of values has its blended value in a table."""


def blend_maps(maps: Sequence[np.ndarray], weights: Sequence[int]) -> np.ndarray:
    """Return the weighted mean of maps, rounded half to even.

    Args:
        maps: uint8 (h, w) each, probability = value / 255.
        weights: non-negative integers, one a map, not all 0.

    Returns:
        uint8 (h, w): rint(sum(weight * value) / sum(weight)), computed in float64.

    Raises:
        InputError: a weight is negative, or all are 0.
    """
    check_weights(weights)
    weights = reduce_weights([int(weight) for weight in weights])
    if sum(weights) > LARGEST_TABLE:
        total = sum(weight * values.astype(np.float64) for weight, values in zip(weights, maps, strict=True))
        return np.rint(total / sum(weights)).astype(np.uint8)
    sums = np.zeros(maps[0].shape, np.uint16 if 255 * sum(weights) < 2**16 else np.uint32)
    for weight, values in zip(weights, maps, strict=True):
        sums += np.multiply(values, weight, dtype=sums.dtype)
    return divide_sums(sum(weights))[sums]


def check_weights(weights: Sequence[int]) -> None:
    """Raise InputError unless the weights are integers from 0 to `MOST`, at least one above 0."""
    integers = all(isinstance(weight, int | np.integer) and not isinstance(weight, bool) for weight in weights)
    if not integers or not any(weights) or min(weights) < 0 or max(weights) > MOST:
        raise InputError(f"weights {list(weights)}; they are integers from 0 to {MOST}, and not all 0")


def divide_sums(weight: int) -> np.ndarray:
    """Return the blended value of every sum of weight * value, uint8 (255 * weight + 1,): rint(sum / weight)."""
    return np.rint(np.arange(255 * weight + 1) / weight).astype(np.uint8)


def reduce_weights(weights: Sequence[int]) -> Picks:
    """Return the same shares in the smallest integers."""
    divisor = math.gcd(*weights)
    return tuple(weight // divisor for weight in weights)


@dataclass(frozen=True, eq=False)
class Blend:
    """How much each member counts, and how its maps are calibrated. Call it on maps to blend them.

    Attributes:
        weights: member -> non-negative integer, not all 0.
        tables: member -> uint8 (256,), what its maps' values are replaced by before they are blended; members
            without a table are blended as they are.

    Example:
        >>> blend = Blend({"a": 1, "b": 3})
        >>> blend({"a": [np.uint8([[0, 10]])], "b": [np.uint8([[4, 20]])]})
        [array([[ 3, 18]], dtype=uint8)]
    """

    weights: Mapping[str, int]
    tables: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def mean(cls, members: Iterable[str]) -> "Blend":
        """Return the blend in which all members count alike."""
        return cls(dict.fromkeys(members, 1))

    @property
    def members(self) -> tuple[str, ...]:
        """Every member that the weights were chosen among, those of weight 0 included."""
        return tuple(self.weights)

    @property
    def used(self) -> tuple[str, ...]:
        """The members of a weight above 0: those whose maps are needed."""
        return tuple(member for member, weight in self.weights.items() if weight)

    def __eq__(self, other: object) -> bool:
        """Tell whether weights and tables are the same."""
        if not isinstance(other, Blend):
            return NotImplemented
        return (
            self.weights == other.weights
            and self.tables.keys() == other.tables.keys()
            and all(np.array_equal(table, other.tables[member]) for member, table in self.tables.items())
        )

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, maps: Mapping[str, Sequence[np.ndarray]]) -> list[np.ndarray]:
        """Blend each tile's maps.

        Args:
            maps: member -> one map a tile, uint8 (h, w), of contact members (h, w, 3), as `predict_maps` gives them;
                all tiles in the same order. Members of weight 0 may be left out.

        Returns:
            One map a tile, uint8 (h, w); with contact members (h, w, 2), the second a relief that falls where
            buildings touch, as `Pipeline.outline` takes it.

        Raises:
            InputError: a member's maps are missing, or are of another type, number or size than the others'.
        """
        used = self.used
        for member in used:
            if member not in maps:
                raise InputError(f"maps: none of {member}, whose weight is {self.weights[member]}; predict them first")
            if len(maps[member]) != len(maps[used[0]]):
                raise InputError(
                    f"maps[{member!r}]: {len(maps[member])}, but {len(maps[used[0]])} of {used[0]}; give one a tile, "
                    "all in the same order"
                )
        tiles = zip(*(maps[member] for member in used), strict=True)
        return [self._blend_tile(number, tile) for number, tile in enumerate(tiles)]

    def _blend_tile(self, number: int, maps: Sequence[np.ndarray]) -> np.ndarray:
        for member, values in zip(self.used, maps, strict=True):
            fits = values.ndim == 2 or values.shape[2:] == (len(BANDS),)
            if values.dtype != np.uint8 or not fits or values.shape[:2] != maps[0].shape[:2]:
                raise InputError(
                    f"maps[{member!r}][{number}]: {values.dtype} {values.shape}; maps of a tile are uint8 arrays "
                    f"(h, w), of contact members (h, w, 3), of one size, here {maps[0].shape[:2]}"
                )
        first, gaps = zip(*map(split_bands, maps), strict=True)
        return stack_layers(self.mix_used(first), gaps, [self.weights[member] for member in self.used])

    def mix(self, maps: Sequence[np.ndarray]) -> np.ndarray:
        """Blend one tile's maps.

        Args:
            maps: uint8 (h, w), one a member, in the order of `members`.

        Returns:
            uint8 (h, w).
        """
        pairs = zip(self.weights.values(), maps, strict=True)
        return self.mix_used([values for weight, values in pairs if weight])

    def mix_used(self, maps: Sequence[np.ndarray]) -> np.ndarray:
        """Blend one tile's maps, uint8 (h, w), given for the members of `used` alone, in that order."""
        calibrated = [self.calibrate(member, values) for member, values in zip(self.used, maps, strict=True)]
        return blend_maps(calibrated, [self.weights[member] for member in self.used])

    def calibrate(self, member: str, values: np.ndarray) -> np.ndarray:
        """Return a member's map, uint8 (h, w), as it is blended: its values replaced where there is a table for it."""
        return self.tables[member][values] if member in self.tables else values

    @classmethod
    def parse(cls, content: Any, source: Path, cure: str) -> "Blend":
        """Take a blend from the content of blend.json or tuned.json.

        Raises:
            InputError: it holds none.
        """
        weights = content.get("members") if isinstance(content, dict) else None
        if (
            not isinstance(weights, dict)
            or not all(type(weight) is int and 0 <= weight <= MOST for weight in weights.values())
            or not any(weights.values())
        ):
            raise InputError(
                f"{source}: members: {weights!r:.200}; non-negative integer weights by member, not all 0, "
                f"{MOST} at most; {cure}"
            )
        tables = content.get("tables", {})
        if not isinstance(tables, dict) or not all(map(is_table, tables.values())):
            raise InputError(f"{source}: tables: not 256 whole numbers from 0 to 255 by member, none falling; {cure}")
        return cls(weights, {member: np.array(table, np.uint8) for member, table in tables.items()})

    def __str__(self) -> str:
        return ", ".join(f"{weight} x {member}" for member, weight in self.weights.items() if weight)

    def describe(self) -> dict[str, Any]:
        """Return the blend as `parse` takes it, for JSON."""
        tables = {member: table.tolist() for member, table in self.tables.items()}
        return {"members": dict(self.weights)} | ({"tables": tables} if tables else {})


def is_table(table: Any) -> bool:
    """Tell whether it is what a calibration is: 256 integers of 0..255 that begin with 0 and never fall."""
    return (
        isinstance(table, list)
        and len(table) == 256
        and all(type(value) is int and 0 <= value <= 255 for value in table)
        and table[0] == 0
        and table == sorted(table)
    )


def read_blend(
    part: Path, blend: Blend, image_id: str, size: tuple[int, int], window: tuple[slice, slice] | None = None
) -> np.ndarray:
    """Read and blend one image's maps, those of weight 0 not read: uint8 (h, w), or (h, w, 2) with a relief.

    Args:
        part: folder of the members' folders of maps.
        blend: how much each member counts.
        image_id: whose maps.
        size: (h, w), px.
        window: rows and columns that are read; by default all.

    Raises:
        InputError: a map is missing, truncated, or of another size.
    """
    paths = (map_path(part / member, image_id) for member in blend.used)
    read = [read_bands_of_map(path, size, window) for path in paths]
    values = blend.mix_used([building for building, _ in read])
    return stack_layers(values, [gaps for _, gaps in read], [blend.weights[member] for member in blend.used])


def read_weights(run: Run, manifests: Mapping[str, Manifest | None]) -> Blend:
    """Return the blend of the run's blend.json; without that file all members count alike.

    Args:
        run: the run.
        manifests: of the maps of each member that has some, as far as they are to be compared.

    Raises:
        InputError: the file is damaged, or was chosen among other members or on other maps.
    """
    path, cure = run.blend_file, "run roofstack blend again, or delete it to count all alike"
    if not path.is_file():
        return Blend.mean(manifests)
    content = read_json(path, cure)
    blend = Blend.parse(content, path, cure)
    if set(blend.members) != set(manifests):
        raise InputError(
            f"{path}: chosen among {', '.join(blend.members)}, but there are maps of {', '.join(manifests)}; {cure}"
        )
    for member, manifest in manifests.items():
        if manifest and (what := find_difference(content.get("maps"), member, manifest, images=True)):
            raise InputError(f"{path}: chosen on maps of {member} of other {what} than they are of now; {cure}")
    return blend
