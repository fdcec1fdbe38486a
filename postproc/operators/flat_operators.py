"""Flat grey operators and histograms, compiled: all closings and openings of one tile counted at once.

They work on planes, as `postproc.operators.layout` lays them out. The padding is 0, the neutral element of dilation;
erosion is dilation of the complement, so it is neutral there too: the outside of the picture is ignored, as
OpenCV does by default.

Everything that calls one another is in this file: numba's cache would not see a change in another one.
"""

import numpy as np

from members.common.compiled import compiled
from postproc.operators.layout import WORD, Kernels, Shape, Words

NO_BITS, ALL_BITS = np.uint64(0), np.uint64(2**64 - 1)


@compiled
def count_chains(
    plane: np.ndarray,
    shape: Shape,
    classes: np.ndarray,
    words: Words,
    kernels: Kernels,
    rows: np.ndarray,
    flip: int,
    counts: np.ndarray,
) -> None:
    """Count every chain of a closing and then an opening by one family of kernels.

    Opening and then closing is the same on the complement of the picture (flip = 255, and rows[r, s] for the
    opening radius r and the closing radius s).

    Args:
        plane: uint8 (plane,), the picture, complemented for flip = 255; the padding is 0.
        shape: its height, width and stride.
        classes: uint8 (plane,), the truth; the padding is OUTSIDE.
        words: as by `sort_words`.
        kernels: as by `measure_kernels`.
        rows: int64 (radius + 1, radius + 1); [r, s] is the row of `counts` for closing radius r and opening
            radius s, or -1 to leave it out.
        flip: 0 or 255.
        counts: int32 (settings, 2, 256), filled: pixels of the truth's background and building by value.
    """
    half_widths, steps = kernels
    radius, size = len(half_widths) - 1, len(plane)
    start, end = radius * shape[2], (radius + shape[0]) * shape[2]
    source = np.zeros((radius + 1, size), np.uint8)
    closed = np.zeros((radius + 1, size), np.uint8)
    inner = np.zeros((radius + 1, size), np.uint8)
    opened, previous = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    scratch = np.empty(size // WORD, np.uint8), np.empty(size // WORD, np.uint32)
    lanes = np.empty((3, WORD, 256), np.int32)
    source[0] = plane
    widen(source, steps[0])
    for first in range(radius + 1):
        if rows[first].max() < 0:
            continue
        # The complement of the closing: dilate, complement, dilate again.
        if first == 0:
            invert(source[0][start:end], closed[0][start:end])
            clear_padding(closed[0][start:end], shape)
        else:
            dilate(source, half_widths, first, 255, inner[0], shape)
            widen(inner, steps[first])
            dilate(inner, half_widths, first, 0, closed[0], shape)
        # The values are counted in full once, then where the opening changed them: a fifth of the words.
        count_values(closed[0], ALL_BITS, classes, words, lanes)
        if rows[first, 0] >= 0:
            sum_lanes(lanes, flip, counts[rows[first, 0]])
        widen(closed, steps[0])
        invert(closed[0], previous)
        for second in range(1, radius + 1):
            if rows[first, second] >= 0:
                dilate(closed, half_widths, second, 255, inner[0], shape)
                widen(inner, steps[second])
                dilate(inner, half_widths, second, 0, opened, shape)
                update_values(opened, previous, classes, words, scratch, lanes)
                sum_lanes(lanes, flip, counts[rows[first, second]])
                opened, previous = previous, opened


@compiled
def apply_chains(
    plane: np.ndarray, shape: Shape, kernels: Kernels, rows: np.ndarray, flip: int, pictures: np.ndarray
) -> None:
    """Make the picture of every chain that `count_chains` counts.

    Args:
        plane, shape, kernels, rows, flip: as for `count_chains`; `rows` says which of `pictures` a chain fills.
        pictures: uint8 (settings, plane), filled where the picture is; what is beside it is undefined.
    """
    half_widths, steps = kernels
    radius, size = len(half_widths) - 1, len(plane)
    start, end = radius * shape[2], (radius + shape[0]) * shape[2]
    source, closed, inner = np.zeros((3, radius + 1, size), np.uint8)
    opened = np.zeros(size, np.uint8)
    source[0] = plane
    widen(source, steps[0])
    for first in range(radius + 1):
        if rows[first].max() < 0:
            continue
        if first == 0:
            invert(source[0][start:end], closed[0][start:end])
            clear_padding(closed[0][start:end], shape)
        else:
            dilate(source, half_widths, first, 255, inner[0], shape)
            widen(inner, steps[first])
            dilate(inner, half_widths, first, 0, closed[0], shape)
        if rows[first, 0] >= 0:
            exclude(closed[0], 255 ^ flip, pictures[rows[first, 0]])
        if rows[first, 1:].max() < 0:
            continue
        widen(closed, steps[0])
        for second in range(1, radius + 1):
            if rows[first, second] >= 0:
                dilate(closed, half_widths, second, 255, inner[0], shape)
                widen(inner, steps[second])
                dilate(inner, half_widths, second, 0, opened, shape)
                exclude(opened, flip, pictures[rows[first, second]])


@compiled
def widen(planes: np.ndarray, steps: np.ndarray) -> None:
    """Fill planes[b] with the maximum of planes[0] over -b..b along the lines, for each b > 0 in `steps`.

    Each is made of two or three shifted copies of the one before.
    """
    margin = len(planes) - 1
    end = planes.shape[1] - margin
    half_width = 0
    for wider in steps[steps > 0]:
        source, shift = planes[half_width], wider - half_width
        before, after, out = source[margin - shift :], source[margin + shift :], planes[wider][margin:end]
        if shift <= half_width:
            take_larger(before, after, out)
        else:
            take_largest_of_3(source[margin:end], before, after, out, 0)
        half_width = wider


@compiled
def dilate(planes: np.ndarray, half_widths: np.ndarray, radius: int, flip: int, out: np.ndarray, shape: Shape) -> None:
    """Dilate by the kernel of the radius, given the source's widened planes; flip = 255 complements the result.

    Any kernel whose rows are centred runs, symmetric about the middle one, is the union of its rows.
    """
    height, _, stride = shape
    margin = len(half_widths) - 1
    start, end = margin * stride, (margin + height) * stride
    out = out[start:end]
    middle = planes[half_widths[radius, 0]][start:end]
    done = 2 - radius % 2
    near = planes[half_widths[radius, 1]]
    above, below = near[start - stride :], near[start + stride :]
    if done == 1:
        take_largest_of_3(middle, above, below, out, flip if radius == 1 else 0)
    else:
        far = planes[half_widths[radius, 2]]
        take_largest_of_5(
            middle, above, below, far[start - 2 * stride :], far[start + 2 * stride :], out, flip if radius == 2 else 0
        )
    while done < radius:
        near, far = planes[half_widths[radius, done + 1]], planes[half_widths[radius, done + 2]]
        shift = (done + 1) * stride
        raise_by_4(
            out, near[start - shift :], near[start + shift :], far[start - shift - stride :],
            far[start + shift + stride :], flip if done + 2 == radius else 0,
        )  # fmt: skip
        done += 2
    clear_padding(out, shape)


@compiled
def clear_padding(lines: np.ndarray, shape: Shape) -> None:
    """Set the bytes after each line's pixels to 0, of which the last are one word."""
    height, width, stride = shape
    words = lines.view(np.uint64)
    for y in range(height):
        words[(y + 1) * stride // WORD - 1] = 0
        for x in range(y * stride + width, (y + 1) * stride - WORD):
            lines[x] = 0


# The loops index from 0 over slices: a negative index would have to wrap around, which forbids vector code.


@compiled
def invert(a: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(out)):
        out[i] = ~a[i]


@compiled
def exclude(a: np.ndarray, bits: int, out: np.ndarray) -> None:
    for i in range(len(out)):
        out[i] = a[i] ^ bits


@compiled
def add(out: np.ndarray, a: np.ndarray) -> None:
    for i in range(len(out)):
        out[i] += a[i]


@compiled
def take_larger(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(out)):
        out[i] = max(a[i], b[i])


@compiled
def take_largest_of_3(a: np.ndarray, b: np.ndarray, c: np.ndarray, out: np.ndarray, flip: int) -> None:
    for i in range(len(out)):
        out[i] = max(max(a[i], b[i]), c[i]) ^ flip


@compiled
def take_largest_of_5(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, e: np.ndarray, out: np.ndarray, flip: int
) -> None:
    for i in range(len(out)):
        out[i] = max(max(max(a[i], b[i]), max(c[i], d[i])), e[i]) ^ flip


@compiled
def raise_by_4(out: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, flip: int) -> None:
    for i in range(len(out)):
        out[i] = max(max(max(a[i], b[i]), max(c[i], d[i])), out[i]) ^ flip


@compiled
def count_values(
    plane: np.ndarray, complement: np.uint64, classes: np.ndarray, words: Words, lanes: np.ndarray
) -> None:
    """Set lanes to the number of bytes of each class by value.

    Args:
        plane: uint8 (plane,).
        complement: ALL_BITS counts the values of the plane's complement; else NO_BITS.
        classes: uint8 (plane,), as for `count_chains`.
        words: as by `sort_words`.
        lanes: int32 (3, 8, 256); the histogram is their sum over the axis 1. The bytes of a word take turns, so
            that equal neighbours don't wait for one another's increment.
    """
    lanes[:] = 0
    content = plane.view(np.uint64)
    for kind in range(2):
        for number in words[kind]:
            add_word(lanes[kind], content[number] ^ complement, 1)
    for number in words[2]:
        add_mixed_word(lanes, classes[WORD * number :], content[number] ^ complement, 1)


@compiled
def update_values(
    plane: np.ndarray,
    previous: np.ndarray,
    classes: np.ndarray,
    words: Words,
    scratch: tuple[np.ndarray, np.ndarray],
    lanes: np.ndarray,
) -> None:
    """Bring lanes from the values of `previous` to those of `plane`, where few words differ."""
    content, before = plane.view(np.uint64), previous.view(np.uint64)
    differs, changed = scratch
    for number in range(len(content)):
        differs[number] = content[number] != before[number]
    for kind in range(3):
        count = np.uint64(0)
        for number in words[kind]:
            changed[count] = number  # kept only where the word differs: a branch would be guessed wrong
            count += differs[number]
        for number in changed[:count]:
            if kind < 2:
                add_word(lanes[kind], before[number], -1)
                add_word(lanes[kind], content[number], 1)
            else:
                add_mixed_word(lanes, classes[WORD * number :], before[number], -1)
                add_mixed_word(lanes, classes[WORD * number :], content[number], 1)


@compiled
def add_word(lane: np.ndarray, word: np.uint64, count: int) -> None:
    """Add `count` at each of the word's eight values, each in a lane of its own."""
    byte = np.uint64(255)
    lane[0, word & byte] += count
    lane[1, (word >> np.uint64(8)) & byte] += count
    lane[2, (word >> np.uint64(16)) & byte] += count
    lane[3, (word >> np.uint64(24)) & byte] += count
    lane[4, (word >> np.uint64(32)) & byte] += count
    lane[5, (word >> np.uint64(40)) & byte] += count
    lane[6, (word >> np.uint64(48)) & byte] += count
    lane[7, word >> np.uint64(56)] += count


@compiled
def add_mixed_word(lanes: np.ndarray, classes: np.ndarray, word: np.uint64, count: int) -> None:
    """Add `count` at each of the word's eight values, each among its byte's class."""
    for i in range(WORD):
        lanes[classes[i], i, (word >> np.uint64(8 * i)) & np.uint64(255)] += count


@compiled
def sum_lanes(lanes: np.ndarray, flip: int, counts: np.ndarray) -> None:
    """Set counts, int32 (2, 256), to the histograms by value ^ flip."""
    for kind in range(2):
        total = counts[kind]
        total[:] = lanes[kind, 0]
        for lane in range(1, WORD):
            add(total, lanes[kind, lane])
        if flip != 0:
            total[:] = total[::-1].copy()
