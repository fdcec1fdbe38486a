"""Run-length encoding of masks: "start length" pairs, column-major (down, then right) and from 1, or otherwise.

The text is that of the Kaggle segmentation competitions; a few of these number pixels row by row. Kernels compiled by
Numba do the work. Encoding compares 64 pixels of neighbouring rows at a time and writes digits straight into a byte
buffer; decoding marks where runs begin and end in each column, and then fills all columns at once, row by row.
"""

from typing import Literal

import numpy as np

from members.common.compiled import compiled
from members.common.errors import InputError

Order = Literal["columns", "rows"]
"""How pixels are numbered: down, then right; or right, then down."""
RULES = (
    "",
    "numbers are written in digits, with spaces between them",
    "a start has no length; runs are pairs 'start length'",
    "starts count from {start}; where they do not, the format says from0 or from1",
    "a length is at least 1; leave the field of an empty mask empty",
    "a run begins before the end of the one before it; sort the runs by start and merge those that overlap",
    "a run goes past the last pixel; check the width and height, and that runs follow the {order}",
)
NOT_A_NUMBER, NO_LENGTH, START_TOO_LOW, LENGTH_BELOW_1, OVERLAP, PAST_THE_END = range(1, len(RULES))
ONE = np.uint64(1)
DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
BIT_INDEX = np.empty(64, np.int64)
BIT_INDEX[(ONE << np.arange(64, dtype=np.uint64)) * DE_BRUIJN >> np.uint64(58)] = np.arange(64)
TEXT_ENDS, NOT_DIGITS = -1, -2


def encode_rle(mask: np.ndarray, order: Order = "columns", start: int = 1) -> str:
    """Encode a mask as the pixels' runs.

    Args:
        mask: (height, width), bool or integer; every value but 0 is building.
        order: how pixels are numbered.
        start: the number of the first one, 0 or 1.

    Returns:
        "start length start length ...". Runs ascend, and at least one pixel lies between two of them. An empty mask
        gives the empty string.

    Raises:
        InputError: the mask is not two-dimensional, has no pixel, or is neither bool nor integer.

    >>> encode_rle(np.array([[0, 1, 0], [1, 1, 0], [1, 0, 1]]))
    '2 4 9 1'
    """
    if mask.ndim != 2 or mask.size == 0:
        raise InputError(f"an array of shape {mask.shape}; a mask is (height, width), both at least 1")
    if mask.dtype.kind not in "bui":
        raise InputError(f"an array of {mask.dtype}; a mask is bool or integer: threshold the map first")
    if order == "rows":
        mask = mask.T
    height, width = mask.shape
    packed = np.zeros((height, 8 * -(-width // 64)), np.uint8)
    packed[:, : -(-width // 8)] = np.packbits(mask, axis=1, bitorder="little")
    edges = _find_edges(packed.view(np.uint64), height * width)
    return _write_runs(edges, len(str(height * width)), start).tobytes().decode()


def encode_labels(labels: np.ndarray, order: Order = "columns", start: int = 1) -> list[str]:
    """Encode each building of an image by itself, in time that does not grow with their number.

    Args:
        labels: int (height, width), 0 = background, 1..n = buildings; a number may have no pixel.
        order, start: as for `encode_rle`.

    Returns:
        n texts, as `encode_rle` gives them; "" for a number without a pixel.

    >>> encode_labels(np.array([[0, 3, 1], [1, 3, 1]]))
    ['2 1 5 2', '', '3 2']
    """
    numbers = (labels.T if order == "columns" else labels).ravel()
    pixels = np.flatnonzero(numbers)
    owners = numbers[pixels]
    sorting = np.argsort(owners, kind="stable")
    pixels, owners = pixels[sorting], owners[sorting]
    begins = (np.diff(pixels, prepend=-2) != 1) | (np.diff(owners, prepend=-1) != 0)
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=len(pixels))
    runs = np.stack([pixels[starts] + start, lengths], axis=1)
    ends = np.searchsorted(owners[starts], np.arange(1, labels.max(initial=0) + 1), side="right")
    return [" ".join(map(str, own.ravel().tolist())) for own in np.split(runs, ends)[:-1]]


def decode_rle(text: str, height: int, width: int, order: Order = "columns", start: int = 1) -> np.ndarray:
    """Decode runs as `encode_rle` writes them; runs that touch and repeated spaces are read as well.

    Args:
        text: the runs.
        height, width: of the mask, px.
        order, start: as for `encode_rle`.

    Returns:
        bool (height, width), C-contiguous.

    Raises:
        InputError: a number that is none, an odd count of numbers, a start below the first pixel's number, a length
            below 1, runs that are unsorted, overlap or go past the last pixel. The message says which run it is.

    >>> decode_rle("2 4 9 1", 3, 3).astype(int)
    array([[0, 1, 0],
           [1, 1, 0],
           [1, 0, 1]])
    """
    mask = np.zeros((height, width) if order == "columns" else (width, height), np.uint8)
    # Characters beyond ASCII become "?", which is no digit either.
    rule, run = _fill_runs(np.frombuffer(text.encode("ascii", "replace"), np.uint8), mask, start)
    if rule:
        numbers = [number for number in text.split(" ") if number]
        got = " ".join(numbers[2 * run - 2 : 2 * run])
        shown = got if len(got) <= 40 else got[:37] + "..."
        told = RULES[rule].format(start=start, order=order)
        raise InputError(f"run {run} is {shown!r} in a mask {height} high, {width} wide: {told}")
    found = mask.view(np.bool_)
    return found if order == "columns" else np.ascontiguousarray(found.T)


@compiled
def _find_edges(words: np.ndarray, size: int) -> np.ndarray:
    """Find where, counted from 0 down the columns, runs begin and end; ascending, an even count.

    The changes from pixel to pixel are gone through twice, in the order of memory: to count those of each column, and
    to store each among its column's. Columns that padding added are empty and come last: at most the first of them
    holds a change, the end of a run that reaches the last pixel.
    """
    height, count = words.shape
    changes = np.empty((height, count), np.uint64)
    positions = np.zeros(64 * count, np.int64)
    for y in range(height):
        for k in range(count):
            if y > 0:
                before = words[y - 1, k]
            else:  # the pixel before a column's first is the last of the column on its left
                before = words[height - 1, k] << ONE
                if k > 0:
                    before |= words[height - 1, k - 1] >> np.uint64(63)
            bits = changes[y, k] = words[y, k] ^ before
            while bits:
                positions[64 * k + _index_lowest_bit(bits)] += 1
                bits &= bits - ONE
    total = 0
    for index in range(64 * count):
        positions[index], total = total, total + positions[index]
    edges = np.empty(total + total % 2, np.int64)
    edges[-1:] = size  # stays where a run reaches the last pixel and no column behind closes it
    for y in range(height):
        for k in range(count):
            bits = changes[y, k]
            while bits:
                column = 64 * k + _index_lowest_bit(bits)
                edges[positions[column]] = column * height + y
                positions[column] += 1
                bits &= bits - ONE
    return edges


@compiled
def _index_lowest_bit(bits: np.uint64) -> np.int64:
    """Return the index of the lowest bit set, by a de Bruijn product (Leiserson, Prokop and Randall, 1998)."""
    lowest = bits & (~bits + ONE)
    return BIT_INDEX[(lowest * DE_BRUIJN) >> np.uint64(58)]


@compiled
def _write_runs(edges: np.ndarray, digits: int, start: int) -> np.ndarray:
    """Write "start length" pairs in ASCII, from the last to the first, as digits come out of a division."""
    text = np.empty(edges.size * (digits + 1), np.uint8)
    at = text.size
    for i in range(edges.size - 1, -1, -1):
        number = edges[i] - edges[i - 1] if i % 2 else edges[i] + start
        at -= 1
        text[at] = ord(" ")
        while True:
            at -= 1
            text[at] = ord("0") + number % 10
            number //= 10
            if number == 0:
                break
    return text[at:-1]


@compiled
def _fill_runs(text: np.ndarray, mask: np.ndarray, first: int) -> tuple[int, int]:
    """Draw runs into a mask of zeros; return (0, 0), or the rule broken and the run's number from 1."""
    height, width = mask.shape
    end = run = at = 0
    while True:
        start, at = _read_number(text, at)
        if start == TEXT_ENDS:
            break
        run += 1
        length, at = _read_number(text, at)
        if start == NOT_DIGITS or length == NOT_DIGITS:
            return NOT_A_NUMBER, run
        if length == TEXT_ENDS:
            return NO_LENGTH, run
        if start < first:
            return START_TOO_LOW, run
        if length < 1:
            return LENGTH_BELOW_1, run
        begin = start - first
        if begin < end:
            return OVERLAP, run
        end = begin + length
        if end > height * width:
            return PAST_THE_END, run
        # Toggles: where the run begins, at the top of each column that it flows into, where it ends.
        left, last = begin // height, end // height
        mask[begin - left * height, left] ^= 1
        for column in range(left + 1, min(last + 1, width)):
            mask[0, column] ^= 1
        if last < width:
            mask[end - last * height, last] ^= 1
    for y in range(1, height):
        for x in range(width):
            mask[y, x] ^= mask[y - 1, x]
    return 0, 0


@compiled
def _read_number(text: np.ndarray, at: int) -> tuple[int, int]:
    """Read the number that begins at `at` or after spaces there; return it and the index behind it."""
    while at < text.size and text[at] == ord(" "):
        at += 1
    if at == text.size:
        return TEXT_ENDS, at
    number = 0
    while at < text.size and text[at] != ord(" "):
        if text[at] < ord("0") or text[at] > ord("9"):
            return NOT_DIGITS, at
        if number < 10**17:  # beyond any mask already; more digits would overflow
            number = 10 * number + text[at] - ord("0")
        at += 1
    return number, at
