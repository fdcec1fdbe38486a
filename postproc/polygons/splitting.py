"""Splitting of buildings that touch, by the mask's shape or by the valleys of the probability map."""

import numpy as np
import scipy
import skimage

from members.common.compiled import compiled
from postproc.polygons.flooding import flood
from postproc.polygons.labelling import label_components


def split_by_map(mask: np.ndarray, blend: np.ndarray, level: int) -> np.ndarray:
    """Cut components where several cores of high probability have grown together.

    Each 4-connected core, where the map reaches `level`, becomes a building; the others' pixels go to the
    core that a flooding of the map from its peaks reaches first, so cuts run along valleys.

    Args:
        mask: bool (height, width), True = building.
        blend: uint8 (height, width), probability = value / 255.
        level: 1..255; a core is where blend >= level.

    Returns:
        int32 (height, width), 0 = background, 1..n = buildings; a component without a core stays one.
    """
    components, cores = label_components(mask), label_components(mask & (blend >= level))
    return _flood(components, cores, 255 - blend.astype(np.int32))


def split_by_distance(labels: np.ndarray, depth: float) -> np.ndarray:
    """Cut buildings at necks: the watershed of the distance to the outside.

    Two bulges are two buildings if the neck between them is narrower than the smaller bulge by more than `depth` on
    each side (Meyer 1994, https://doi.org/10.1016/0165-1684(94)90060-4; peaks by dynamics, Grimaud 1992).

    Args:
        labels: integer (height, width), 0 = background.
        depth: px, more than 0.

    Returns:
        int32 (height, width), 0 = background, 1..n = buildings.
    """
    from skimage.morphology import local_maxima, reconstruction  # here, as it takes a while to load

    components = skimage.measure.label(labels, background=0, connectivity=1).astype(np.int32)
    inside = (components > 0) & ~skimage.segmentation.find_boundaries(components, connectivity=1, mode="inner")
    distance = scipy.ndimage.distance_transform_edt(inside)
    # h_maxima would mark two peaks of equal height however high the saddle between them
    peaks = local_maxima(reconstruction(distance - depth, distance)) & inside
    marked = skimage.measure.label(peaks, connectivity=2).astype(np.int32)
    squares = np.rint(distance**2).astype(np.int32)  # whole numbers, which the flood takes in the same order
    return _flood(components, marked, squares.max(initial=0) - squares)


def _flood(components: np.ndarray, cores: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Grow cores within their components, up `height`; components without a core are one."""
    low, high = span_cores(components, cores)
    grown = low[components]  # where there is but one core
    contested = (low < high)[components]
    grown[contested] = flood(height, np.where(contested, cores, 0), contested)[contested]
    whole = (components > 0) & (grown == 0)
    # two cores may grow into one component only, so a pair of component and core is one building
    grown[whole] = components[whole] + grown.max(initial=0)
    return skimage.measure.label(grown, background=0, connectivity=1).astype(np.int32)


@compiled
def span_cores(components: np.ndarray, cores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest number of a core in each component, int32 (n + 1,) each; 0 where none is."""
    count = 0
    for label in components.flat:
        count = max(count, label)
    low, high = np.zeros(count + 1, np.int32), np.zeros(count + 1, np.int32)
    for y in range(components.shape[0]):
        for x in range(components.shape[1]):
            component, core = components[y, x], cores[y, x]
            if component > 0 and core > 0:
                low[component] = core if low[component] == 0 else min(core, low[component])
                high[component] = max(core, high[component])
    return low, high
