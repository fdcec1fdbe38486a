"""CSV files, plain or gzipped, row by row; whatever is wrong with one is told in a line."""

import contextlib
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from members.common.errors import InputError

GZIP = ".gz"
MAX_FIELD = 2**31 - 1  # the most that the csv module takes on every platform


def is_csv(path: Path) -> bool:
    """Tell whether a file is a CSV by its name, plain or gzipped."""
    return path.name.lower().endswith((".csv", f".csv{GZIP}"))


@contextlib.contextmanager
def write_rows(path: Path) -> Iterator[Any]:
    """Yield a writer of rows; the same rows give the same bytes, gzipped too."""
    with path.open("wb") as file, contextlib.ExitStack() as stack:
        target: Any = file
        if path.suffix.lower() == GZIP:
            target = stack.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0))
        text = io.TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
        yield csv.writer(text, lineterminator="\n")
        text.flush()
        text.detach()


@contextlib.contextmanager
def _open_rows(path: Path) -> Iterator[tuple[Any, list[str]]]:
    """Yield a reader of rows, behind the header, and the header.

    Raises:
        InputError: the file is missing, empty, not UTF-8, or no CSV.
    """
    csv.field_size_limit(MAX_FIELD)  # 128 KiB by default: less than one mask's runs can take
    try:
        with contextlib.ExitStack() as stack:
            file: Any = stack.enter_context(path.open("rb"))
            if path.suffix.lower() == GZIP:
                file = stack.enter_context(gzip.open(file))
            text = cast(IO[str], io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))
            reader = csv.reader(text, strict=True)
            header = next(reader, None)
            if header is None:
                raise InputError(
                    f"{path}: empty file; a submission begins with the line ImageId,EncodedPixels,Width,Height"
                )
            yield reader, header
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; save it with that encoding") from None
    except (csv.Error, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a readable CSV ({error}); restore the file or write it again") from None


def read_header(path: Path) -> list[str]:
    """Read the names of the columns.

    Raises:
        InputError: as by `read_rows`.
    """
    with _open_rows(path) as (_, header):
        return header


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each row's line, and its fields by the names of their columns; blank lines are left out.

    Raises:
        InputError: the file is missing, empty, not UTF-8, or no CSV, or a row has more or fewer fields than the header.
    """
    with _open_rows(path) as (reader, header):
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise InputError(f"{path}, line {reader.line_num}: a row has {len(header)} fields, as the header")
            yield reader.line_num, dict(zip(header, row, strict=True))
