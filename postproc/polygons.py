"""OutlineRecipe: from a mask to its buildings, outlined: trace, split, simplify, regularise."""

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from skimage.measure import label

from members.errors import InputError
from postproc.buildings import Building
from postproc.simplification import simplify_outlines
from postproc.splitting import split_by_distance, split_by_map
from postproc.tracing import check_mask, trace_components


class OutlineRecipe(BaseModel):
    """How a mask becomes outlines.

    The steps, in this order: split by the map, split at necks, trace, simplify, regularise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    split_level: int = Field(
        default=0, ge=0, le=255, description="each core where map >= split_level is a building; 0 = off [1/255]"
    )
    split_depth: float = Field(
        default=0.0, ge=0, description="cut at necks narrower by more than this on each side; 0 = off [px]"
    )
    tolerance: float = Field(
        default=4.0, ge=0, description="smaller details, the square root of their area, are dropped [px]"
    )


def outline_buildings(mask: np.ndarray, blend: np.ndarray, recipe: OutlineRecipe) -> list[Building]:
    """Outline each building of a mask.

    Args:
        mask: bool (height, width), True = building.
        blend: uint8 (height, width), probability = value / 255: for the confidence, and to split by.
        recipe: the parameters.

    Returns:
        The buildings from top to bottom; empty for an empty mask.

    Raises:
        InputError: `mask` is not a bool array of two dimensions, or `blend` not a uint8 array of the same size.
    """
    check_mask(mask)
    if blend.dtype != np.uint8 or blend.shape != mask.shape:
        raise InputError(
            f"a mask {mask.shape} is outlined with the uint8 map that it was cut from, got {blend.dtype} "
            f"{blend.shape}; store probabilities as round(255 * p)"
        )
    labels = mask.astype(np.int32)
    if recipe.split_level > 0:
        labels = split_by_map(mask, blend, recipe.split_level)
    if recipe.split_depth > 0:
        labels = split_by_distance(labels, recipe.split_depth)
    components = label(labels, background=0, connectivity=1).astype(np.int32)
    simplified = simplify_outlines(list(trace_components(components)), recipe.tolerance)
    confidences = measure_confidence(components, blend)
    return [Building(outline, "simplified", float(p)) for outline, p in zip(simplified, confidences, strict=True)]


def measure_confidence(components: np.ndarray, blend: np.ndarray) -> np.ndarray:
    """Measure the mean probability of each component's pixels.

    Args:
        components: int (height, width), 0 = background, 1..n = components.
        blend: uint8 (height, width), probability = value / 255.

    Returns:
        float (n,), 0..1.
    """
    numbers = components.ravel()
    return (np.bincount(numbers, weights=blend.ravel()) / np.bincount(numbers) / 255)[1:]
