"""Flat grey operators and histograms, compiled: all closings and openings of one tile counted at once.

A plane is a tile laid out in one row of bytes: lines of `stride` bytes, each the picture's columns and then at
least `radius` bytes of padding, with `radius` lines of padding above and below. A shift in either direction
is then an offset, and every pass below is one long loop that the compiler turns into vector code.

The padding is 0, the neutral element of dilation; erosion is dilation of the complement, so it is neutral
there too: the outside of the picture is ignored, as OpenCV does by default.
"""

from collections.abc import Sequence

import numpy as np
from numba import njit

Words = tuple[np.ndarray, np.ndarray, np.ndarray]
Kernels = tuple[np.ndarray, tuple[np.ndarray, ...]]
Shape = tuple[int, int, int]  # height, width and stride

OUTSIDE = 2  # class of a byte that is no pixel; 0 is background in the truth, 1 building
LANES = 8  # histograms that take turns, so that equal neighbours don't wait for one another's increment
NO_BITS, ALL_BITS = np.uint64(0), np.uint64(2**64 - 1)


def measure_kernels(kernels: Sequence[np.ndarray]) -> Kernels:
    """Return how wide the rows of kernels are, and how to get there.

    Args:
        kernels: the structuring elements of the sizes 1, 3, 5, .., each of centred rows, symmetric about the middle.

    Returns:
        half_widths: int64 (radius + 1, radius + 1); [r, d] is the pixels to either side in the rows d above and
            below the middle of the kernel of size 2r + 1.
        steps: for `widen`, the half widths of each kernel's rows with what leads to them; [0] is for all of them.
    """
    half_widths = np.zeros((len(kernels), len(kernels)), np.int64)
    steps = [np.arange(1, len(kernels))]
    for r, kernel in enumerate(kernels[1:], start=1):
        half_widths[r, : r + 1] = kernel[r:].sum(axis=1) // 2
        wanted, step = [], 0
        for half_width in np.unique(half_widths[r]):
            while step < half_width:
                step = min(3 * step + 1, int(half_width))
                wanted.append(step)
        steps.append(np.array(wanted, np.int64))
    return half_widths, tuple(steps)


@njit(nogil=True, cache=True)
def count_chains(
    image: np.ndarray,
    classes: np.ndarray,
    words: Words,
    kernels: Kernels,
    places: np.ndarray,
    flip: int,
    counts: np.ndarray,
) -> None:
    """Count every chain of a closing and then an opening by one family of kernels.

    Args:
        image: uint8 (height, width).
        classes: uint8 (plane,), class of each byte, as by `lay_out`.
        words: as by `lay_out`.
        kernels: as by `measure_kernels`.
        places: int64 (radius + 1, radius + 1); [r, s] is the row of `counts` for closing radius r and opening
            radius s, or -1 to leave it out.
        flip: 255 counts opening and then closing (places[r, s] is opening r, closing s), by duality; else 0.
        counts: int32 (settings, 2, 256), filled: pixels of the truth's background and building by value.
    """
    half_widths, steps = kernels
    radius = len(half_widths) - 1
    height, width = image.shape
    stride = find_stride(width, radius)
    size = len(classes)
    source = np.zeros((radius + 1, size), np.uint8)
    closed = np.zeros((radius + 1, size), np.uint8)
    inner = np.zeros((radius + 1, size), np.uint8)
    openings = np.zeros((2, size), np.uint8)
    scratch = np.empty(size // 8, np.uint8), np.empty(size // 8, np.uint32)
    lanes = np.empty((3, LANES, 256), np.int32)
    shape = (height, width, stride)
    start, end = radius * stride, (radius + height) * stride

    for y in range(height):
        line = source[0][(radius + y) * stride :]
        for x in range(width):
            line[x] = image[y, x] ^ flip
    widen(source, steps[0])
    for first in range(radius + 1):
        if places[first].max() < 0:
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
        if places[first, 0] >= 0:
            sum_lanes(lanes, flip, counts[places[first, 0]])
        widen(closed, steps[0])
        previous, complement = closed[0], ALL_BITS
        for second in range(1, radius + 1):
            if places[first, second] >= 0:
                dilate(closed, half_widths, second, 255, inner[0], shape)
                widen(inner, steps[second])
                opened = openings[second % 2]
                dilate(inner, half_widths, second, 0, opened, shape)
                update_values(opened, previous, complement, classes, words, scratch, lanes)
                sum_lanes(lanes, flip, counts[places[first, second]])
                previous, complement = opened, NO_BITS


@njit(nogil=True, cache=True)
def find_stride(width: int, radius: int) -> int:
    """Return the bytes of a plane's line: a multiple of 8, so that words don't straddle lines."""
    return (width + max(radius, 8) + 7) // 8 * 8


def lay_out(truth: np.ndarray, radius: int) -> tuple[np.ndarray, Words]:
    """Return the classes of a plane's bytes, uint8 (plane,), and its words by what they hold.

    Args:
        truth: bool (height, width).
        radius: of the largest kernel.

    Returns:
        The classes, and the numbers of the 8-byte words that are all background, all building, and mixed, in
        three uint32 arrays: unsigned, since a signed index may be negative and takes longer.
    """
    height, width = truth.shape
    stride = find_stride(width, radius)
    classes = np.full((height + 2 * radius) * stride + 2 * LANES, OUTSIDE, np.uint8)
    lines = classes[: -2 * LANES].reshape(-1, stride)
    lines[radius : radius + height, :width] = truth
    background, building, outside = (classes.view(np.uint64) == kind * 0x0101010101010101 for kind in range(3))
    mixed = ~(background | building | outside)
    numbers = np.arange(len(mixed), dtype=np.uint32)
    return classes, (numbers[background], numbers[building], numbers[mixed])


@njit(nogil=True, cache=True)
def widen(planes: np.ndarray, half_widths: np.ndarray) -> None:
    """Fill planes[b] with the maximum of planes[0] over -b..b along the lines, for b in `half_widths`.

    They increase from 1, and by 2b + 1 at most from one b to the next, so that shifted copies leave no gap.
    """
    last = planes.shape[1] - LANES
    half_width = 0
    for wider in half_widths:
        source, shift = planes[half_width], wider - half_width
        before, after = source[LANES - shift :], source[LANES + shift :]
        if shift <= half_width:
            take_larger(before, after, planes[wider][LANES:last])
        else:
            take_largest_of_3(source[LANES:last], before, after, planes[wider][LANES:last], 0)
        half_width = wider


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def clear_padding(lines: np.ndarray, shape: Shape) -> None:
    """Set the bytes after each line's pixels to 0, of which the last eight are one word."""
    height, width, stride = shape
    words = lines.view(np.uint64)
    for y in range(height):
        words[(y + 1) * stride // 8 - 1] = 0
        for x in range(y * stride + width, (y + 1) * stride - 8):
            lines[x] = 0


# The loops index from 0 over slices: a negative index would have to wrap around, which forbids vector code.


@njit(nogil=True, cache=True)
def invert(a: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(out)):
        out[i] = ~a[i]


@njit(nogil=True, cache=True)
def add(out: np.ndarray, a: np.ndarray) -> None:
    for i in range(len(out)):
        out[i] += a[i]


@njit(nogil=True, cache=True)
def take_larger(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(out)):
        out[i] = max(a[i], b[i])


@njit(nogil=True, cache=True)
def take_largest_of_3(a: np.ndarray, b: np.ndarray, c: np.ndarray, out: np.ndarray, flip: int) -> None:
    for i in range(len(out)):
        out[i] = max(max(a[i], b[i]), c[i]) ^ flip


@njit(nogil=True, cache=True)
def take_largest_of_5(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, e: np.ndarray, out: np.ndarray, flip: int
) -> None:
    for i in range(len(out)):
        out[i] = max(max(max(a[i], b[i]), max(c[i], d[i])), e[i]) ^ flip


@njit(nogil=True, cache=True)
def raise_by_4(out: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, flip: int) -> None:
    for i in range(len(out)):
        out[i] = max(max(max(a[i], b[i]), max(c[i], d[i])), out[i]) ^ flip


@njit(nogil=True, cache=True)
def count_values(
    plane: np.ndarray, complement: np.uint64, classes: np.ndarray, words: Words, lanes: np.ndarray
) -> None:
    """Set lanes, int32 (3, LANES, 256), to the number of bytes of each class by value.

    Args:
        plane: uint8 (plane,).
        complement: all bits set counts the values of the plane's complement; else 0.
        classes: as by `lay_out`.
        words: as by `lay_out`.
        lanes: their sum over the axis 1 is the histogram.
    """
    lanes[:] = 0
    content = plane.view(np.uint64)
    for kind in range(2):
        for number in words[kind]:
            add_word(lanes[kind], content[number] ^ complement, 1)
    for number in words[2]:
        add_mixed_word(lanes, classes[8 * number :], content[number] ^ complement, 1)


@njit(nogil=True, cache=True)
def update_values(
    plane: np.ndarray,
    previous: np.ndarray,
    complement: np.uint64,
    classes: np.ndarray,
    words: Words,
    scratch: tuple[np.ndarray, np.ndarray],
    lanes: np.ndarray,
) -> None:
    """Bring lanes from the values of `previous` to those of `plane`, where few words differ."""
    content, before = plane.view(np.uint64), previous.view(np.uint64)
    differs, changed = scratch
    for number in range(len(content)):
        differs[number] = content[number] != before[number] ^ complement
    for kind in range(3):
        count = np.uint64(0)
        for number in words[kind]:
            changed[count] = number  # kept only where the word differs: a branch would be guessed wrong
            count += differs[number]
        for number in changed[:count]:
            if kind < 2:
                add_word(lanes[kind], before[number] ^ complement, -1)
                add_word(lanes[kind], content[number], 1)
            else:
                add_mixed_word(lanes, classes[8 * number :], before[number] ^ complement, -1)
                add_mixed_word(lanes, classes[8 * number :], content[number], 1)


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def add_mixed_word(lanes: np.ndarray, classes: np.ndarray, word: np.uint64, count: int) -> None:
    """Add `count` at each of the word's eight values, each among its byte's class."""
    for i in range(LANES):
        lanes[classes[i], i, (word >> np.uint64(8 * i)) & np.uint64(255)] += count


@njit(nogil=True, cache=True)
def sum_lanes(lanes: np.ndarray, flip: int, counts: np.ndarray) -> None:
    """Set counts, int32 (2, 256), to the histograms by value ^ flip."""
    for kind in range(2):
        total = counts[kind]
        total[:] = lanes[kind, 0]
        for lane in range(1, LANES):
            add(total, lanes[kind, lane])
        if flip != 0:
            total[:] = total[::-1].copy()
