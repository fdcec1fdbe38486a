"""Simplification of all outlines of an image at once, shared walls kept."""

from collections.abc import Sequence

import numpy as np
import shapely
from shapely import Polygon

AREA_CHANGE = 0.2  # an outline whose area would change more has lost its shape


def simplify_outlines(outlines: Sequence[Polygon] | np.ndarray, tolerance: float) -> np.ndarray:
    """Drop the vertices that matter least, the same ones on both sides of a shared wall.

    Visvalingam and Whyatt 1993, https://doi.org/10.1179/000870493786962263, as `shapely.coverage_simplify` does it:
    outlines that touch keep touching, and none that were apart come to overlap.

    Args:
        outlines: n valid polygons that don't overlap; those that touch share their vertices, as `trace_labels`
            gives them.
        tolerance: square root of the area of the largest triangle that a dropped vertex may span, px; 0 drops only
            vertices on straight walls.

    Returns:
        Polygon (n,), valid, in the same order; those that would lose their shape keep it.
    """
    before = np.asarray(outlines, object)
    if not len(before):
        return before
    after = shapely.coverage_simplify(before, tolerance)
    kept = (shapely.get_type_id(after) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(after)
    after = np.where(kept, after, before)
    lost = np.flatnonzero(np.abs(shapely.area(after) / shapely.area(before) - 1) > AREA_CHANGE)
    if len(lost):
        # an outline that touches none can stay as it was, where that is clear of the others' new forms
        clashes = shapely.STRtree(after).query(before[lost], predicate="intersects")
        alone = np.bincount(clashes[0], weights=clashes[1] != lost[clashes[0]], minlength=len(lost)) == 0
        after[lost[alone]] = before[lost[alone]]
    return after
