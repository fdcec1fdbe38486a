"""Component trees, compiled: every minimum area of holes and of objects at once, at every threshold.

The connected components of a picture's masks at all thresholds form a tree (Salembier et al. 1998,
doi:10.1109/83.663500). Dropping the small ones at every threshold gives each pixel the level of the nearest
node above it that is large enough; filling small holes is the same on the complement.
"""

import numpy as np

from members.common.compiled import compiled


@compiled
def count_areas(
    image: np.ndarray, truth: np.ndarray, hole_areas: np.ndarray, object_areas: np.ndarray, counts: np.ndarray
) -> None:
    """Count every pair of a minimum area of holes and then one of objects, 4-connected.

    Args:
        image: uint8 (height, width).
        truth: bool (height, width).
        hole_areas: int64 (holes,), increasing; holes of a smaller area are filled, 0 fills none.
        object_areas: int64 (objects,); objects of a smaller area are dropped, 0 drops none.
        counts: int32 (holes, objects, 2, 256), filled: pixels of the truth's background and building by value.
    """
    filled = fill_holes(image, hole_areas)
    for number in range(len(hole_areas)):
        if number > 0 and (filled[number] == filled[number - 1]).all():
            counts[number] = counts[number - 1]
        else:
            count_objects(filled[number], truth, object_areas, counts[number])


@compiled
def fill_holes(image: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Return the picture without its small holes, uint8 (areas, height, width), for each minimum area."""
    return ~drop_objects(~image, areas)


@compiled
def drop_objects(image: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Return the picture without its small objects, uint8 (areas, height, width), for each minimum area."""
    parents, levels, nodes = build_tree(image)
    node_areas = sum_areas(parents, nodes)
    dropped = np.empty((len(areas), *image.shape), np.uint8)
    for number in range(len(areas)):
        values = drop_small(parents, levels, node_areas, areas[number])
        for y in range(image.shape[0]):
            for x in range(image.shape[1]):
                dropped[number, y, x] = values[nodes[y, x]]
    return dropped


@compiled
def count_objects(image: np.ndarray, truth: np.ndarray, object_areas: np.ndarray, counts: np.ndarray) -> None:
    """Fill counts, int32 (objects, 2, 256), with the picture's values for each minimum area of objects."""
    parents, levels, nodes = build_tree(image)
    areas = sum_areas(parents, nodes)
    pixels = np.zeros((2, len(parents)), np.int32)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            pixels[int(truth[y, x]), nodes[y, x]] += 1
    counts[:] = 0
    for number in range(len(object_areas)):
        values = drop_small(parents, levels, areas, object_areas[number])
        for kind in range(2):
            for node in range(len(parents)):
                counts[number, kind, values[node]] += pixels[kind, node]


@compiled
def drop_small(parents: np.ndarray, levels: np.ndarray, areas: np.ndarray, least: int) -> np.ndarray:
    """Return the value of each node's own pixels without components of area < least, uint8 (nodes,)."""
    values = np.zeros(len(parents), np.uint8)
    for node in range(len(parents)):
        values[node] = levels[node] if areas[node] >= least else values[parents[node]]
    return values


@compiled
def sum_areas(parents: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Return the area of each node's component, int64 (nodes,)."""
    areas = np.bincount(nodes.ravel(), minlength=len(parents))
    for node in range(len(parents) - 1, 0, -1):
        areas[parents[node]] += areas[node]
    return areas


@compiled
def build_tree(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Build the tree of the bright components by union-find (Berger et al. 2007, doi:10.1109/ICIP.2007.4379949).

    Returns:
        parents: int32 (nodes,), the node around each; parents come first, the root 0 is its own.
        levels: uint8 (nodes,), the highest threshold at which the component is whole.
        nodes: int32 (height, width), the smallest component that each pixel is in.
    """
    height, width = image.shape
    stride = width + 1  # one column and two lines of padding, no pixel's neighbour, spare the loop every test
    above = np.zeros((height + 2) * stride, np.int32)
    roots = np.full((height + 2) * stride, -1, np.int32)
    values = np.zeros((height + 2) * stride, np.uint8)
    order = sort_values(image, stride, values)
    for i in range(len(order) - 1, -1, -1):
        pixel = order[i]
        top = above[pixel] = roots[pixel] = pixel
        for shift in (-1, 1, -stride, stride):
            root = pixel + shift
            if roots[root] < 0:
                continue
            while roots[root] != root:
                roots[root] = roots[roots[root]]
                root = roots[root]
            if root == top:
                continue
            if top == pixel and values[root] == values[pixel]:
                top = above[pixel] = roots[pixel] = root  # under its equal: flat zones stay shallow
            else:
                above[root] = roots[root] = top
    parents = np.zeros(len(order), np.int32)
    levels = np.zeros(len(order), np.uint8)
    numbers = roots  # from here on: the node that a component's representative is
    count = 0
    for pixel in order:
        top = above[pixel]
        while above[top] != top and values[above[top]] == values[top]:
            top = above[top]
        above[pixel] = top
        if top == pixel or values[top] < values[pixel]:
            parents[count], levels[count] = numbers[top] if top != pixel else count, values[pixel]
            numbers[pixel] = count
            count += 1
    nodes = np.empty((height, width), np.int32)
    for y in range(height):
        for x in range(width):
            pixel = (y + 1) * stride + x
            same = above[pixel] if values[above[pixel]] == values[pixel] else pixel
            nodes[y, x] = numbers[same]
    return parents[:count], levels[:count], nodes


@compiled
def sort_values(image: np.ndarray, stride: int, values: np.ndarray) -> np.ndarray:
    """Return the indices of the pixels in the padded `values`, which are filled, from dark to bright."""
    starts = np.zeros(257, np.int64)
    for value in image.ravel():
        starts[value + 1] += 1
    starts = np.cumsum(starts)
    order = np.empty(image.size, np.int32)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            position = (y + 1) * stride + x
            values[position] = image[y, x]
            order[starts[image[y, x]]] = position
            starts[image[y, x]] += 1
    return order
