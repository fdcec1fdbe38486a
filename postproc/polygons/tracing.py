"""Outlines of a mask's or a label picture's components, exact to the pixel, holes kept."""

import numpy as np
import shapely
import skimage
from shapely import GeometryType, Polygon

from members.common.compiled import compiled
from members.common.errors import InputError
from postproc.polygons.labelling import label_components

EAST, SOUTH, WEST, NORTH = range(4)


def trace_mask(mask: np.ndarray) -> list[Polygon]:
    """Trace the outline of each 4-connected component.

    Args:
        mask: bool (height, width), True = building.

    Returns:
        One valid polygon a component, from top to bottom, in pixels as in `Building`; its holes are its interiors.
        `rasterize_outlines` of them gives the mask back. Components that touch at a corner
        share that vertex, and stay apart.

    Raises:
        InputError: `mask` is not a bool array of two dimensions.

    >>> [outline.area for outline in trace_mask(np.array([[1, 1, 0], [0, 0, 1]], bool))]
    [2.0, 1.0]
    """
    check_mask(mask)
    return list(trace_components(label_components(mask)))


def trace_labels(labels: np.ndarray) -> tuple[list[Polygon], np.ndarray]:
    """Trace the outline of each 4-connected area of one label; areas that touch share their vertices.

    A shared wall has the same vertices in both outlines, also where it meets a third label in the middle of a
    straight side, so that the outlines are a valid coverage for `shapely.coverage_simplify`.

    Args:
        labels: integer (height, width), 0 = background.

    Returns:
        The outlines, as `trace_mask` gives them, and the label of each, int64 (outlines,).
    """
    components, count = skimage.measure.label(labels, background=0, connectivity=1, return_num=True)
    owners = np.zeros(count + 1, np.int64)
    owners[components] = labels
    return list(trace_components(components.astype(np.int32))), owners[1:]


def check_mask(mask: np.ndarray) -> None:
    """Refuse what is no mask.

    Raises:
        InputError: `mask` is not a bool array of two dimensions.
    """
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise InputError(
            f"outlines are traced from a bool mask (height, width), got {mask.dtype} {mask.shape}; "
            "threshold the map first"
        )


def trace_components(components: np.ndarray) -> np.ndarray:
    """Trace components that are numbered already.

    Args:
        components: int32 (height, width), 0 = background, each of the numbers 1..n a 4-connected area.

    Returns:
        Polygon (n,), in the order of the numbers.
    """
    points, ends, owners = follow_edges(np.pad(components, 1))
    # the first ring that a scan from the top meets is a component's outer one, so a stable sort puts it first
    order = np.argsort(owners, kind="stable")
    lengths = np.diff(ends, prepend=0)
    starts = np.concatenate([[0], np.cumsum(lengths[order])])
    indices = np.arange(len(points)) + np.repeat((ends - lengths)[order] - starts[:-1], lengths[order])
    rings = np.concatenate([[0], np.cumsum(np.bincount(owners - 1))]) if len(owners) else np.zeros(1, np.int64)
    return shapely.from_ragged_array(GeometryType.POLYGON, points[indices], (starts, rings))


@compiled
def follow_edges(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Follow the pixel edges between labels, around each area once for its outside and once for each hole.

    The area lies on the right. Where two of its own pixels meet at a corner only, the ring crosses from one to the
    other: so it never touches itself, and a hole may touch the outer ring at a point. A vertex is set at each turn,
    and where three labels meet.

    Args:
        labels: int32 (height + 2, width + 2), with a border of 0; each other number is a 4-connected area.

    Returns:
        points: float64 (m, 2), x and y, rings one after the other, each closed by its first point.
        ends: int64 (rings,), where in `points` each ring ends, exclusive.
        owners: int64 (rings,), the label of each.
    """
    points = np.empty((1024, 2))
    ends = np.empty(64, np.int64)
    owners = np.empty(64, np.int64)
    seen = np.zeros(labels.shape, np.bool_)  # the pixel's upper edge: every ring has at least one
    count = rings = 0
    ahead = ((0, 1), (1, 0), (0, -1), (-1, 0))
    corner = ((0, 1), (1, 1), (1, 0), (0, 0))
    for top in range(1, labels.shape[0] - 1):
        for left in range(1, labels.shape[1] - 1):
            owner = labels[top, left]
            if owner == 0 or labels[top - 1, left] == owner or seen[top, left]:
                continue
            start, y, x, way = count, top, left, EAST
            while not (way == EAST and seen[y, x]):
                if way == EAST:
                    seen[y, x] = True
                front_y, front_x = y + ahead[way][0], x + ahead[way][1]
                left_y, left_x = front_y + ahead[way - 1][0], front_x + ahead[way - 1][1]
                front, beside = labels[front_y, front_x], labels[left_y, left_x]
                opposite = labels[y + ahead[way - 1][0], x + ahead[way - 1][1]]
                straight = front == owner and beside != owner
                if not (straight and beside == opposite):
                    if count + 1 >= len(points):
                        points = np.concatenate((points, np.empty_like(points)))
                    points[count, 0] = x + corner[way][1] - 1
                    points[count, 1] = y + corner[way][0] - 1
                    count += 1
                if beside == owner:
                    y, x, way = left_y, left_x, (way + 3) % 4
                elif straight:
                    y, x = front_y, front_x
                else:
                    way = (way + 1) % 4
            points[count, 0], points[count, 1] = points[start]
            count += 1
            if rings == len(ends):
                ends = np.concatenate((ends, np.empty_like(ends)))
                owners = np.concatenate((owners, np.empty_like(owners)))
            ends[rings], owners[rings] = count, owner
            rings += 1
    return points[:count], ends[:rings], owners[:rings]
