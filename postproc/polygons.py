"""OutlineRecipe: from a mask to its buildings, outlined: trace, split, simplify, regularise."""

import numpy as np
import shapely
from pydantic import BaseModel, ConfigDict, Field
from skimage.measure import label

from members.errors import InputError
from postproc.buildings import Building, Status
from postproc.regularisation import regularise_outlines
from postproc.simplification import simplify_outlines
from postproc.splitting import split_by_distance, split_by_map
from postproc.tracing import check_mask, trace_components

LEAST_OVERLAP = 0.5  # px area: less is rounding


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
    min_iou: float = Field(
        default=0.8, ge=0, le=1, description="walls are squared where the IoU with the traced outline reaches this"
    )
    max_distance: float = Field(
        default=12.0, ge=0, description="and the Hausdorff distance to it is at most this; 0 = never [px]"
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
    outlines, statuses = reshape_outlines(trace_components(components), recipe)
    confidences = measure_confidence(components, blend).tolist()
    return [Building(*building) for building in zip(outlines, statuses, confidences, strict=True)]


def reshape_outlines(traced: np.ndarray, recipe: OutlineRecipe) -> tuple[np.ndarray, list[Status]]:
    """Simplify and regularise traced outlines, each as far as it stays close to what it was.

    Args:
        traced: Polygon (n,), as `trace_components` gives them.
        recipe: the parameters.

    Returns:
        Polygon (n,), valid, and the status of each.
    """
    simplified = simplify_outlines(traced, recipe.tolerance)
    regular, accepted = regularise_outlines(traced, recipe.tolerance, recipe.min_iou, recipe.max_distance)
    accepted = keep_apart(regular, simplified, accepted)
    changed = ~shapely.equals_identical(simplified, traced)
    statuses: list[Status] = [
        "regularised" if squared else "simplified" if simpler else "traced"
        for squared, simpler in zip(accepted, changed, strict=True)
    ]
    return np.where(accepted, regular, simplified), statuses


def keep_apart(regular: np.ndarray, simplified: np.ndarray, accepted: np.ndarray) -> np.ndarray:
    """Give up regularised outlines that overlap a neighbour's; simplified ones never overlap each other.

    Args:
        regular, simplified: Polygon (n,), both forms of each building.
        accepted: bool (n,), which buildings would take the regularised form.

    Returns:
        bool (n,), which take it.
    """
    accepted = accepted.copy()
    while accepted.any():
        outlines = np.where(accepted, regular, simplified)
        one, other = shapely.STRtree(outlines).query(outlines[accepted], predicate="intersects")
        one = np.flatnonzero(accepted)[one]
        one, other = one[one != other], other[one != other]
        overlapping = shapely.area(shapely.intersection(outlines[one], outlines[other])) > LEAST_OVERLAP
        if not overlapping.any():
            break
        accepted[one[overlapping]] = False
    return accepted


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
