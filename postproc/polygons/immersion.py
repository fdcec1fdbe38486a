"""Pieces of a relief: its peaks, each with what lies around it, where they are high and large enough to stand alone.

Everything that calls one another is in this file: numba's cache would not see a change in another one.
"""

import numpy as np

from members.common.compiled import compiled

LEVELS = 2**16
"""Of a relief."""


@compiled
def find_pieces(relief: np.ndarray, components: np.ndarray, contrast: int, least: int) -> np.ndarray:
    """Cut components along the valleys of a relief.

    Pixels are taken from the highest to the lowest. One without a neighbour that was taken is a new peak; others go to
    the piece of their highest neighbour. Where two pieces meet they become one, unless both peaks stand by the contrast
    above that pixel, and both have some size by then: peaks are told by dynamics (Grimaud 1992, doi:10.1117/12.60650)
    and area, and walls are those of a watershed by immersion (Vincent and Soille 1991, doi:10.1109/34.87344).

    Args:
        relief: uint16 (h, w).
        components: int32 (h, w), 0 = outside; no piece reaches from one component into another (4-connected).
        contrast: how much both peaks stand above the pass between them, 1 or more.
        least: pixels of a piece when it meets another, at least.

    Returns:
        int32 (h, w), 0 = outside, 1..n = pieces in the order of their first pixels, each 4-connected.
    """
    lines, columns = components.shape
    width = columns + 2  # a border is outside: no neighbour has to be tested for it
    heights, inside = np.zeros((lines + 2, width), np.int32), np.zeros((lines + 2, width), np.int32)
    heights[1:-1, 1:-1], inside[1:-1, 1:-1] = relief, components
    height, component = heights.ravel(), inside.ravel()
    order = sort_down(height, component)
    piece = np.full(height.size, -1, np.int32)
    parent, peak, size = np.empty(len(order), np.int32), np.empty(len(order), np.int32), np.empty(len(order), np.int32)
    count = 0
    for pixel in order:
        value, own, best = height[pixel], -1, -1
        for step in (-width, -1, 1, width):
            near = pixel + step
            if piece[near] < 0 or component[near] != component[pixel]:
                continue
            root = find_root(parent, piece[near])
            if height[near] > best:
                best, own = height[near], root
        if own < 0:
            parent[count], peak[count], size[count] = count, value, 1
            piece[pixel] = count
            count += 1
            continue
        for step in (-width, -1, 1, width):
            near = pixel + step
            if piece[near] < 0 or component[near] != component[pixel]:
                continue
            own, other = find_root(parent, own), find_root(parent, piece[near])
            if own == other:
                continue
            lower = min(peak[own], peak[other])
            if lower - value < contrast or min(size[own], size[other]) < least:
                parent[other] = own
                peak[own] = max(peak[own], peak[other])
                size[own] += size[other]
        piece[pixel] = own
        size[own] += 1
    return number_pieces(piece.reshape(heights.shape)[1:-1, 1:-1], parent[:count])


@compiled
def sort_down(height: np.ndarray, component: np.ndarray) -> np.ndarray:
    """List the pixels of components, the highest first, of equals in their order: int32 (pixels,)."""
    starts = np.zeros(LEVELS + 1, np.int64)
    for pixel in range(len(height)):
        if component[pixel] > 0:
            starts[LEVELS - height[pixel]] += 1
    starts = np.cumsum(starts)
    order = np.empty(starts[-1], np.int32)
    for pixel in range(len(height) - 1, -1, -1):
        if component[pixel] > 0:
            level = LEVELS - height[pixel]
            starts[level] -= 1
            order[starts[level]] = pixel
    return order


@compiled
def find_root(parent: np.ndarray, piece: int) -> int:
    """Return what a piece has become part of, and shorten the way there."""
    while parent[piece] != piece:
        parent[piece] = parent[parent[piece]]
        piece = parent[piece]
    return piece


@compiled
def number_pieces(piece: np.ndarray, parent: np.ndarray) -> np.ndarray:
    """Give pieces, -1 = outside, numbers from 1 by their first pixels, once all are joined."""
    numbers, labels, count = np.zeros(len(parent), np.int32), np.zeros(piece.shape, np.int32), 0
    for y in range(piece.shape[0]):
        for x in range(piece.shape[1]):
            if piece[y, x] >= 0:
                root = find_root(parent, piece[y, x])
                if numbers[root] == 0:
                    count += 1
                    numbers[root] = count
                labels[y, x] = numbers[root]
    return labels
