"""One map out of several members' maps."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ensemble.maps import map_path, read_map
from members.errors import InputError


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


def read_blend(part: Path, weights: Mapping[str, int], image_id: str, size: tuple[int, int]) -> np.ndarray:
    """Blend one image's maps in a part's folder of maps, uint8 (h, w); members of weight 0 are not read."""
    used = {member: weight for member, weight in weights.items() if weight}
    maps = [read_map(map_path(part / member, image_id), size) for member in used]
    return blend_maps(maps, list(used.values()))
