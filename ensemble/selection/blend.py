"""One map out of several members' maps: the weights, the calibration tables, and the weighted mean."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.mapfolder.maps import map_path, read_map
from members.common.errors import InputError
from members.common.files import read_json
from members.data.run import Run


def blend_maps(maps: Sequence[np.ndarray], weights: Sequence[int]) -> np.ndarray:
    """The weighted mean of maps, rounded half to even.

    Args:
        maps: uint8 (h, w) each, probability = value / 255.
        weights: non-negative integers, one a map, not all 0.

    Returns:
        uint8 (h, w): rint(sum(weight * value) / sum(weight)), computed in float64.

    Raises:
        InputError: a weight is negative, or all are 0.
    """
    if sum(weights) == 0 or min(weights) < 0:
        raise InputError(f"weights {list(weights)}; they are non-negative integers and not all 0")
    total = sum(weight * values.astype(np.float64) for weight, values in zip(weights, maps, strict=True))
    return np.rint(total / sum(weights)).astype(np.uint8)


@dataclass(frozen=True, eq=False)  # compared as a mapping, so by weights alone
class Blend(Mapping[str, int]):
    """How much each member counts: a mapping of members to weights, with the tables that calibrate their maps.

    Attributes:
        weights: member -> non-negative integer, not all 0.
        tables: member -> uint8 (256,), what its maps' values are replaced by before they are blended; members
            without a table are blended as they are.
    """

    weights: Mapping[str, int]
    tables: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __getitem__(self, member: str) -> int:
        return self.weights[member]

    def __iter__(self) -> Iterator[str]:
        return iter(self.weights)

    def __len__(self) -> int:
        return len(self.weights)

    @classmethod
    def parse(cls, content: Any, source: Path, cure: str) -> "Blend":
        """Take a blend from the content of blend.json or tuned.json.

        Raises:
            InputError: it holds none.
        """
        weights = content.get("members") if isinstance(content, dict) else None
        if (
            not isinstance(weights, dict)
            or not all(type(weight) is int and weight >= 0 for weight in weights.values())
            or not any(weights.values())
        ):
            raise InputError(
                f"{source}: members: {weights!r}; non-negative integer weights by member, not all 0; {cure}"
            )
        tables = content.get("tables", {})
        if not isinstance(tables, dict) or not all(map(is_table, tables.values())):
            raise InputError(f"{source}: tables: not 256 whole numbers from 0 to 255 by member, none falling; {cure}")
        return cls(weights, {member: np.array(table, np.uint8) for member, table in tables.items()})

    def __str__(self) -> str:
        return ", ".join(f"{weight} x {member}" for member, weight in self.weights.items() if weight)

    def calibrate(self, member: str, values: np.ndarray) -> np.ndarray:
        """Replace the values of a member's map, uint8, by those of its table, where it has one."""
        return self.tables[member][values] if member in self.tables else values

    def mix(self, maps: Sequence[np.ndarray]) -> np.ndarray:
        """Blend one tile's maps, uint8 (h, w), one a member in the order of `weights`."""
        pairs = zip(self.weights.items(), maps, strict=True)
        used = [(weight, self.calibrate(member, values)) for (member, weight), values in pairs if weight]
        return blend_maps([values for _, values in used], [weight for weight, _ in used])

    def describe(self) -> dict[str, Any]:
        """As `parse` takes it, for JSON."""
        tables = {member: table.tolist() for member, table in self.tables.items()}
        return {"members": dict(self.weights)} | ({"tables": tables} if tables else {})


def is_table(table: Any) -> bool:
    """Whether it is what a calibration is: 256 integers of 0..255 that begin with 0 and never fall."""
    return (
        isinstance(table, list)
        and len(table) == 256
        and all(type(value) is int and 0 <= value <= 255 for value in table)
        and table[0] == 0
        and table == sorted(table)
    )


def read_blend(part: Path, blend: Mapping[str, int], image_id: str, size: tuple[int, int]) -> np.ndarray:
    """Blend one image's maps, uint8 (h, w).

    Args:
        part: folder of the members' folders of maps.
        blend: member -> weight; those of weight 0 are not read. A `Blend` calibrates the maps first.
        image_id: whose maps.
        size: (h, w), px.
    """
    used = {member: weight for member, weight in blend.items() if weight}
    tables = blend.tables if isinstance(blend, Blend) else {}
    maps = [read_member(part, member, image_id, size, tables) for member in used]
    return blend_maps(maps, list(used.values()))


def read_member(
    part: Path, member: str, image_id: str, size: tuple[int, int], tables: Mapping[str, np.ndarray]
) -> np.ndarray:
    """One member's map as it is blended, uint8 (h, w): calibrated, where there is a table for the member."""
    values = read_map(map_path(part / member, image_id), size)
    return tables[member][values] if member in tables else values


def read_weights(run: Run, members: Sequence[str]) -> Blend:
    """The blend of the run's blend.json; without that file all members count alike.

    Args:
        run: the run.
        members: those that have maps.

    Raises:
        InputError: the file is damaged, or was chosen among other members.
    """
    path = run.blend_file
    if not path.is_file():
        return Blend(dict.fromkeys(members, 1))
    blend = Blend.parse(read_json(path), path, "run roofstack blend again")
    if set(blend) != set(members):
        raise InputError(
            f"{path}: chosen among {', '.join(blend)}, but there are maps of {', '.join(members)}; "
            "run roofstack blend again, or delete it to count all alike"
        )
    return blend
