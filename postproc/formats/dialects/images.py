"""Images of a submission, as its rows have them: found by the header, streamed, and decoded where they are needed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from members.common.errors import InputError
from postproc.formats.dialects.dialect import KAGGLE, Dialect, find_dialect
from postproc.formats.dialects.rows import read_header, read_rows
from postproc.formats.rle import decode_rle

MAX_PIXELS = 2**31 - 1  # so that a damaged number is an error, not a computer out of memory


@dataclass(frozen=True)
class EncodedImage:
    """What a file holds of an image: it decodes in any process.

    Attributes:
        path: the file, for messages.
        name: what it calls the image.
        lines: the number of each row's line, and its runs.
        sides: height and width as the file has them; None where it leaves them out.
        dialect: of the file.
    """

    path: Path
    name: str
    lines: tuple[tuple[int, str], ...]
    sides: tuple[str, str] | None
    dialect: Dialect

    def decode(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """Decode the mask, bool (height, width), of all rows together.

        Args:
            size: its (h, w) where that is known: a file that says another takes no memory.

        Raises:
            InputError: the size is bad, not that of `size`, or not known at all, or the runs are.
        """
        first, *more = self._decode_rows(size)
        for other in more:
            first |= other
        return first

    def decode_buildings(self, size: tuple[int, int] | None = None) -> list[np.ndarray]:
        """Decode each row's mask by itself, but those without a building; the arguments are as for `decode`."""
        return [mask for mask in self._decode_rows(size) if mask.any()]

    def _decode_rows(self, size: tuple[int, int] | None) -> Iterator[np.ndarray]:
        for line, runs in self.lines:
            try:
                height, width = self._find_size(size)
                text = "" if runs.strip() in ("", "-1", self.dialect.empty) else runs
                yield decode_rle(text, height, width, self.dialect.order, self.dialect.start)
            except InputError as error:
                raise InputError(f"{self.path}, line {line}, image {self.name}: {error}") from None

    def _find_size(self, size: tuple[int, int] | None) -> tuple[int, int]:
        if self.sides is None:
            if size is None:
                raise InputError("no Width and Height; they are needed where nothing else tells the size")
            return size
        height, width = _parse_side(self.sides[0], "Height"), _parse_side(self.sides[1], "Width")
        if size is not None and (height, width) != tuple(size):
            raise InputError(f"mask of {width}x{height} px for a truth of {size[1]}x{size[0]} px; they must be equal")
        if width * height > MAX_PIXELS:
            raise InputError(f"{width} wide and {height} high is more than {MAX_PIXELS} pixels; correct them")
        return height, width


def read_images(path: Path, dialect: Dialect = KAGGLE) -> Iterator[EncodedImage]:
    """Yield the images of a submission, in the order in which the file first names them.

    Columns may stand in any order, further ones are ignored, and a byte order mark is skipped. Where rows are images
    the file is streamed.

    Raises:
        InputError: no such file, empty, not UTF-8, no CSV, a missing column, or an id that comes twice where rows are
            images. The message names the line and the image.
    """
    columns = [dialect.id, dialect.runs]
    columns += [dialect.width, dialect.height] if dialect.width and dialect.height else []
    header = read_header(path)
    for column in columns:
        if column not in header:
            raise InputError(f"{path}: no column {column} among {', '.join(header)}; add it")
    rows = _list_rows(path, dialect)
    if not dialect.per_building:
        yield from rows
        return
    images: dict[str, list[EncodedImage]] = {}
    for row in rows:
        images.setdefault(row.name, []).append(row)
    for name, own in images.items():
        yield EncodedImage(path, name, tuple(each.lines[0] for each in own), own[0].sides, dialect)


def open_dialect(path: Path, words: str = "") -> Dialect:
    """Find the dialect of a file by its header, its ids, and what a user says of it.

    Raises:
        InputError: it is no CSV, or has no columns of ids or runs.
    """
    header = read_header(path)
    plain = find_dialect(path, header, (), words)
    names = {image.name for image in read_images(path, replace(plain, per_building=True))}
    return find_dialect(path, header, names, words)


def _list_rows(path: Path, dialect: Dialect) -> Iterator[EncodedImage]:
    lines: dict[str, int] = {}
    for line, row in read_rows(path):
        name = row[dialect.id]
        first = lines.setdefault(name, line)
        if first != line and not dialect.per_building:
            raise InputError(
                f"{path}, line {line}: image {name} was on line {first}; an image has one row, so remove one, or "
                "give --format buildings, where a row is one"
            )
        sides = (row[dialect.height], row[dialect.width]) if dialect.width and dialect.height else None
        yield EncodedImage(path, name, ((line, row[dialect.runs]),), sides, dialect)


def _parse_side(text: str, column: str) -> int:
    text = text.strip()
    # isdecimal alone admits other scripts' digits; ten digits are beyond MAX_PIXELS, and int() refuses 5,000
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) > 0):
        raise InputError(f"{column} is {text!r:.40}; it is a whole number of pixels, 1 or more")
    return int(text)
