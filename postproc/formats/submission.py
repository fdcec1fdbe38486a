"""Submission files: one CSV row an image, its mask run-length encoded.

The header is `ImageId,EncodedPixels,Width,Height`; `postproc.formats.rle` says how runs are written. Both ways the
file is streamed: a submission of any length needs the memory of one mask, and its list of ids.
"""

import contextlib
import csv
import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from members.common.errors import InputError
from members.common.files import write_target
from members.data.frames import Frame
from postproc.formats.rle import decode_rle, encode_rle
from postproc.geo.blocks import Window, read_whole

COLUMNS = ("ImageId", "EncodedPixels", "Width", "Height")
MAX_PIXELS = 2**31 - 1  # so that a damaged number is an error, not a computer out of memory
MAX_FIELD = 2**31 - 1  # the most that the csv module takes on every platform


def write_submission(path: str | Path, masks: Mapping[str, np.ndarray]) -> None:
    """Write masks as a submission, decode the file and compare, and only then move it into place.

    Args:
        path: the CSV; what was there before stays as it was unless all goes well.
        masks: image id -> mask, bool (height, width), True = building; integers are read as 0 = background.

    Raises:
        InputError: what is given are no masks, or the file cannot be written, or does not decode to the masks.
    """
    if not isinstance(masks, Mapping):
        raise InputError(f"masks: {type(masks).__name__}; give a mapping, such as a dict, of image id to mask")
    for image_id, mask in masks.items():
        if not isinstance(image_id, str):
            raise InputError(f"masks: image id {image_id!r}; an id is a string, a file name without its ending")
        if not isinstance(mask, np.ndarray):
            raise InputError(f"masks[{image_id!r}]: {type(mask).__name__}; a mask is a bool array (h, w)")
    with open_submission(Path(path), masks) as add:
        for image_id, mask in masks.items():
            add(image_id, encode_mask(image_id, mask))


@dataclass(frozen=True)
class Row:
    """What a submission holds of one image.

    Attributes:
        runs: of its mask.
        size: height and width, px.
        digest: of the mask, which the row has to decode to.
    """

    runs: str
    size: tuple[int, int]
    digest: bytes


def encode_mask(image_id: str, mask: np.ndarray) -> Row:
    """Encode an image's mask, bool (h, w).

    Raises:
        InputError: it is no mask.
    """
    try:
        return Row(encode_rle(mask), (mask.shape[0], mask.shape[1]), hash_mask(mask))
    except InputError as error:
        raise InputError(f"image {image_id}: {error}") from None


def encode_row(path: Path, frame: Frame, read_mask: Callable[[Window], np.ndarray], note: str) -> Row:
    """Encode an image's mask for the submission at `path`, which has no room for a note."""
    return encode_mask(frame.image_id, read_whole(frame.size, read_mask))


def check_sides(path: Path, frames: Mapping[str, Frame]) -> None:
    """Check that a submission can hold images of these sizes.

    Raises:
        InputError: one is too large.
    """
    for image_id, frame in frames.items():
        if frame.size[0] * frame.size[1] > MAX_PIXELS:
            raise InputError(
                f"{path}: image {image_id} of {frame.size[1]}x{frame.size[0]} px; a submission holds images of up to "
                f"{MAX_PIXELS} px: cut it into several, or leave the CSV out: --no-csv"
            )


@contextlib.contextmanager
def open_submission(path: Path, expected_ids: Iterable[str]) -> Iterator[Callable[[str, Row], None]]:
    """Yield a function that adds an image's row, by its id, to a submission; check the file at the end.

    As `write_submission`, with one row in memory at a time.

    Args:
        path: the CSV; what was there before stays as it was unless all goes well.
        expected_ids: the ids that the rows must have, each once, in any order.

    Raises:
        InputError: an expected id is missing, there is a surplus id or one that came twice, or the file cannot be
            written, or does not decode to the masks.
    """
    written: list[tuple[str, bytes]] = []
    with write_target(path) as temporary:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)

            def add(image_id: str, row: Row) -> None:
                height, width = row.size
                writer.writerow((image_id, row.runs, width, height))
                written.append((image_id, row.digest))

            yield add
        check_ids(path, [image_id for image_id, _ in written], expected_ids)
        if [(image_id, hash_mask(mask)) for image_id, mask in read_submission(temporary)] != written:
            raise OSError("what was written does not decode to the masks; check the disk")


def read_submission(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each row's image id and mask, bool (height, width), in the order of the file, as `read_rows` reads them."""
    for image_id, decode in read_rows(path):
        yield image_id, decode()


class Decode(Protocol):
    """What decodes a row's mask, bool (height, width), in any process."""

    def __call__(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """Decode the mask; where its `size` is known, (h, w), a row that says another takes no memory.

        Raises:
            InputError: Width or Height is bad or not that of `size`, or the runs are.
        """


def read_rows(path: Path) -> Iterator[tuple[str, Decode]]:
    """Yield each row's image id, and what decodes its mask.

    Columns may stand in any order, further ones are ignored, and a byte order mark is skipped.

    Raises:
        InputError: no such file, empty, not UTF-8, no CSV, a missing column, an id that comes twice, a bad
            width or height, or runs that `decode_rle` refuses. The message names the line and the image.
    """
    for line, row in _read_rows(path, COLUMNS):
        fields = {name: row[name] for name in COLUMNS}
        yield row["ImageId"], functools.partial(_decode_row, f"{path}, line {line}", fields)


def _decode_row(where: str, row: Mapping[str, str], size: tuple[int, int] | None = None) -> np.ndarray:
    try:
        width, height = _parse_side(row, "Width"), _parse_side(row, "Height")
        if size is not None and (height, width) != tuple(size):
            raise InputError(f"mask of {width}x{height} px for a truth of {size[1]}x{size[0]} px; they must be equal")
        if width * height > MAX_PIXELS:
            raise InputError(f"{width} wide and {height} high is more than {MAX_PIXELS} pixels; correct them")
        return decode_rle(row["EncodedPixels"], height, width)
    except InputError as error:
        raise InputError(f"{where}, image {row['ImageId']}: {error}") from None


def read_ids(path: Path) -> list[str]:
    """Read the image ids alone, as of a sample submission whose other columns are placeholders.

    Raises:
        InputError: as `read_submission`, but for the columns other than ImageId.
    """
    return [row["ImageId"] for _, row in _read_rows(path, COLUMNS[:1])]


def check_ids(path: Path, ids: Iterable[str], expected_ids: Iterable[str]) -> None:
    """Check that a submission has each expected id once and no other.

    Raises:
        InputError: it does not; the first few ids of each kind are named, with the file at `path`.
    """
    counts, expected = Counter(list(ids)), dict.fromkeys(expected_ids)  # of a mapping, a Counter takes the values
    kinds = {
        "missing": [image_id for image_id in expected if image_id not in counts],
        "surplus": [image_id for image_id in counts if image_id not in expected],
        "twice": [image_id for image_id, count in counts.items() if count > 1],
    }
    found = [
        f"{len(wrong)} {kind} ({', '.join(wrong[:3])}{', ...' if len(wrong) > 3 else ''})"
        for kind, wrong in kinds.items()
        if wrong
    ]
    if found:
        raise InputError(
            f"{path}: of {len(expected)} expected image ids {'; '.join(found)}; "
            "each expected image needs exactly one row, and an id is a file name without its ending"
        )


def _read_rows(path: Path, columns: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and fields of each row; `columns` must be there, and ids be unique."""
    csv.field_size_limit(MAX_FIELD)  # 128 KiB by default: less than one mask's runs can take
    lines: dict[str, int] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            if reader.fieldnames is None:
                raise InputError(f"{path}: empty file; a submission begins with the line {','.join(COLUMNS)}")
            for column in columns:
                if column not in reader.fieldnames:
                    raise InputError(f"{path}: no column {column} among {', '.join(reader.fieldnames)}; add it")
            for row in reader:
                if None in row or None in row.values():
                    count = len(reader.fieldnames)
                    raise InputError(f"{path}, line {reader.line_num}: a row has {count} fields, as the header")
                first = lines.setdefault(row["ImageId"], reader.line_num)
                if first != reader.line_num:
                    raise InputError(
                        f"{path}, line {reader.line_num}: image {row['ImageId']} was on line {first}; "
                        "an image has one row, so remove one"
                    )
                yield reader.line_num, row
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; save it with that encoding") from None
    except (csv.Error, OSError) as error:
        raise InputError(f"{path}: not a readable CSV ({error}); restore the file or write it again") from None


def _parse_side(row: Mapping[str, str], column: str) -> int:
    text = row[column].strip()
    # isdecimal alone admits other scripts' digits; ten digits are beyond MAX_PIXELS, and int() refuses 5,000
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) > 0):
        raise InputError(f"{column} is {row[column]!r:.40}; it is a whole number of pixels, 1 or more")
    return int(text)


def hash_mask(mask: np.ndarray) -> bytes:
    """Hash a mask, bool (h, w)."""
    digest = hashlib.blake2b(str(mask.shape).encode(), digest_size=16)
    digest.update(np.packbits(mask).tobytes())
    return digest.digest()
