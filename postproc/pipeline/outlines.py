"""OutlineRecipe: from a mask to its buildings, outlined: trace, split, straighten, regularise."""

from collections.abc import Sequence

import numpy as np
import shapely
from pydantic import BaseModel, ConfigDict, Field

from ensemble.selection.layers import split_layers
from members.common.errors import InputError
from postproc.polygons.buildings import Building, Status
from postproc.polygons.gate import Gate
from postproc.polygons.labelling import label_components
from postproc.polygons.regularisation import Forms
from postproc.polygons.splitting import LARGEST_SMOOTHING, split_by_distance, split_by_relief
from postproc.polygons.tracing import check_mask, trace_components

LEAST_OVERLAP = 0.5  # px area: less is rounding
Splits = tuple[float, float, int, float]
"""Contrast, smoothing, area and depth of an `OutlineRecipe`: those that have it in common find the same buildings."""


class OutlineRecipe(BaseModel):
    """How a mask becomes outlines.

    The steps, in this order: split by the relief, split at necks, trace, straighten, regularise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    split_contrast: float = Field(
        default=0.0,
        ge=0,
        le=255,
        description="cut between peaks of the relief that stand by this above the pass; 0 = off [1/255]",
    )
    split_smoothing: float = Field(
        default=4.0, ge=0, le=LARGEST_SMOOTHING, description="of the relief before: standard deviation [px]"
    )
    split_area: int = Field(default=256, ge=0, description="smaller pieces join a neighbour [px area]")
    split_depth: float = Field(
        default=0.0, ge=0, description="cut at necks narrower by more than this on each side; 0 = off [px]"
    )
    tolerance: float = Field(default=6.0, ge=0, description="details of about this size are dropped; 0 = none [px]")
    min_iou: float = Field(
        default=0.85, ge=0, le=1, description="walls are straight, or square, where the IoU with the mask reaches this"
    )
    max_distance: float = Field(
        default=16.0, ge=0, description="and the Hausdorff distance to it is at most this; 0 = never [px]"
    )

    @property
    def splits(self) -> "Splits":
        """How touching buildings are told apart."""
        return self.split_contrast, self.split_smoothing, self.split_area, self.split_depth

    @property
    def gate(self) -> Gate:
        """How close a form must be to what was traced."""
        return Gate(self.min_iou, self.max_distance)

    def __str__(self) -> str:
        changed = self.model_dump(exclude_defaults=True)
        return ", ".join(f"{name} {value:g}" for name, value in changed.items()) or "as by default"


def outline_buildings(mask: np.ndarray, blend: np.ndarray, recipe: OutlineRecipe) -> list[Building]:
    """Outline each building of a mask.

    Args:
        mask: bool (height, width), True = building.
        blend: uint8 (height, width), probability = value / 255: for the confidence, and to split by; or
            (height, width, 2), where the second layer, a relief, is what is split by, see `stack_layers`.
        recipe: the parameters.

    Returns:
        The buildings from top to bottom; empty for an empty mask.

    Raises:
        InputError: `mask` is not a bool array of two dimensions, or `blend` not a uint8 array of the same size.
    """
    check_mask(mask)
    if blend.dtype != np.uint8 or blend.shape not in (mask.shape, (*mask.shape, 2)):
        raise InputError(
            f"a mask {mask.shape} is outlined with the uint8 map that it was cut from, got {blend.dtype} "
            f"{blend.shape}; store probabilities as round(255 * p)"
        )
    components, touching = separate_buildings(mask, blend, recipe.splits)
    outlines, statuses = reshape_outlines(trace_components(components), recipe, touching)
    confidences = measure_confidence(components, split_layers(blend)[0]).tolist()
    return [Building(*building) for building in zip(outlines, statuses, confidences, strict=True)]


def outline_settings(mask: np.ndarray, blend: np.ndarray, recipes: Sequence[OutlineRecipe]) -> list[np.ndarray]:
    """Outline the buildings of a mask by several recipes; what is split alike is traced, straightened and squared once.

    Args:
        mask, blend: as for `outline_buildings`.
        recipes: the parameters of each.

    Returns:
        For each recipe Polygon (n,), the outlines that `outline_buildings` finds.
    """
    touching: dict[Splits, np.ndarray | None] = {}
    traced: list[np.ndarray] = []
    for recipe in recipes:
        if recipe.splits not in touching:
            components, touching[recipe.splits] = separate_buildings(mask, blend, recipe.splits)
            traced.append(trace_components(components))
    alike = np.unique(shapely.to_wkb(np.concatenate(traced)), return_index=True, return_inverse=True)
    sources = np.concatenate(traced)[alike[1]]
    ends = np.cumsum([len(each) for each in traced])
    numbers = dict(zip(touching, np.split(alike[2], ends[:-1]), strict=True))
    forms: dict[Gate, Forms] = {}
    outlines = []
    for recipe in recipes:
        own = forms.setdefault(recipe.gate, Forms(sources, recipe.gate))
        outlines.append(choose_forms(own, numbers[recipe.splits], recipe.tolerance, touching[recipe.splits])[0])
    return outlines


def separate_buildings(mask: np.ndarray, blend: np.ndarray, splits: Splits) -> tuple[np.ndarray, np.ndarray | None]:
    """Label the buildings of a mask, 1..n, from top to bottom.

    Args:
        mask, blend: as for `outline_buildings`.
        splits: as `OutlineRecipe.splits` has them.

    Returns:
        int32 (height, width), 0 = background, each building 4-connected; and which of them share a wall with another,
        bool (n,), None where nothing was split, so that none do.
    """
    contrast, smoothing, area, depth = splits
    if contrast == 0 and depth == 0:
        return label_components(mask), None
    if contrast > 0:
        components = split_by_relief(mask, split_layers(blend)[1], contrast, smoothing, area)
    else:
        components = label_components(mask)
    if depth > 0:
        components = split_by_distance(components, depth)
    return components, find_touching(components)


def reshape_outlines(
    traced: np.ndarray, recipe: OutlineRecipe, touching: np.ndarray | None = None
) -> tuple[np.ndarray, list[Status]]:
    """Straighten and square traced outlines, each as far as it stays close to what it was.

    Those that share a wall with a neighbour, and those that would come to overlap one, are simplified
    instead: all of these together, so that shared walls stay shared and they remain a valid coverage.

    Args:
        traced: Polygon (n,), as `trace_components` gives them.
        recipe: the parameters.
        touching: bool (n,), which share a wall; None where none do.

    Returns:
        Polygon (n,), valid, which overlap by no more than `LEAST_OVERLAP`; and the status of each, where
        straight walls count as simplified.
    """
    outlines, levels = choose_forms(Forms(traced, recipe.gate), np.arange(len(traced)), recipe.tolerance, touching)
    changed = ~shapely.equals_identical(outlines, traced)
    statuses: list[Status] = [
        "regularised" if level == 2 else "simplified" if simpler else "traced"
        for level, simpler in zip(levels, changed, strict=True)
    ]
    return outlines, statuses


def choose_forms(
    forms: Forms, which: np.ndarray, tolerance: float, touching: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Choose forms that do not overlap: Polygon (n,), and int (n,), 2 squared, 1 straight, 0 simplified."""
    straight, squared, levels = forms.regularise(which, tolerance, touching)
    traced = forms.sources[which]
    simplified, simpler = traced, np.zeros(len(which), bool)
    while True:
        if not np.array_equal(simpler, levels == 0):
            simpler, simplified = levels == 0, traced.copy()
            simplified[simpler] = forms.simplify(which[simpler], tolerance)
        outlines = np.choose(levels, [simplified, straight, squared]) if len(traced) else traced
        overlapping = find_overlapping(outlines, levels > 0)
        if not overlapping.any():
            return outlines, levels
        levels[overlapping] -= 1


def find_overlapping(outlines: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Tell which of the outlines that are chosen, bool (n,), overlap any by more than `LEAST_OVERLAP`, bool (n,)."""
    overlapping = np.zeros(len(outlines), bool)
    numbers = np.flatnonzero(chosen)
    one, other = shapely.STRtree(outlines).query(outlines[numbers], predicate="intersects")
    one = numbers[one]
    once = (one < other) | ((one > other) & ~chosen[other])
    one, other = one[once], other[once]
    over = shapely.area(shapely.intersection(outlines[one], outlines[other])) > LEAST_OVERLAP
    overlapping[one[over]] = overlapping[other[over]] = True
    return overlapping & chosen


def find_touching(components: np.ndarray) -> np.ndarray:
    """Tell which components share a wall with another.

    Args:
        components: int (height, width), 0 = background, 1..n = components.

    Returns:
        bool (n,).
    """
    touching = np.zeros(components.max(initial=0) + 1, bool)
    for one, other in ((components[1:], components[:-1]), (components[:, 1:], components[:, :-1])):
        walls = (one != other) & (one > 0) & (other > 0)
        touching[one[walls]] = touching[other[walls]] = True
    return touching[1:]


def measure_confidence(components: np.ndarray, blend: np.ndarray) -> np.ndarray:
    """Measure the mean probability of each component's pixels.

    Args:
        components: int (height, width), 0 = background, 1..n = components.
        blend: uint8 (height, width), probability = value / 255.

    Returns:
        float (n,), 0..1.
    """
    inside = components > 0
    numbers = components[inside] - 1
    return np.bincount(numbers, weights=blend[inside]) / np.bincount(numbers) / 255
