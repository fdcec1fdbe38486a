"""What is known of a blended image beside its map: where buildings that touch are to be cut apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ensemble.mapfolder.samples import Samples
    from ensemble.selection.blend import Blend


def stack_layers(values: np.ndarray, gaps: Sequence[np.ndarray | None], weights: Sequence[int]) -> np.ndarray:
    """Lay a relief over a blended map, which falls where contact members see that buildings touch.

    Args:
        values: uint8 (h, w), the blended map.
        gaps: as `measure_gaps` gives them, one a member; None of members that tell nothing of contacts.
        weights: how much each of these members counts.

    Returns:
        uint8 (h, w, 2): the map, and its product with the weighted mean of the gaps; `values` itself where there are
        none.

    >>> stack_layers(np.uint8([[200, 200]]), [None, np.uint8([[255, 0]])], [1, 3]).tolist()
    [[[200, 200], [200, 0]]]
    """
    known = [(weight, each) for weight, each in zip(weights, gaps, strict=True) if each is not None and weight]
    if not known:
        return values
    apart = sum(weight * each.astype(np.float64) for weight, each in known) / (255 * sum(weight for weight, _ in known))
    return np.dstack([values, np.rint(values * apart).astype(np.uint8)])


def split_layers(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a map and its relief, uint8 (h, w) each, of what `stack_layers` gives; without one the map is both."""
    return (values[..., 0], values[..., 1]) if values.ndim == 3 else (values, values)


def blend_sample(samples: Samples, number: int, blend: Blend) -> np.ndarray:
    """Blend the maps of one sample, with their relief: uint8 (h, w), or (h, w, 2)."""
    maps, _ = samples[number]
    return stack_layers(blend.mix(maps), samples.read_gaps(number), list(blend.weights.values()))
