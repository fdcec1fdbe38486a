"""The files that a command is asked to write: refused before the work starts, and written whole at its end."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pyogrio.errors import DataLayerError, DataSourceError, FeatureError
from rasterio.errors import RasterioError

from members.common.errors import InputError
from members.common.files import write_whole


def check_target(path: Path, suffixes: Sequence[str] | None = None) -> None:
    """Check that a file can be written, as far as that shows before it is.

    Args:
        path: the file; what is there will be replaced.
        suffixes: the endings that it may have, in small letters; None admits every one.

    Raises:
        InputError: another ending, a folder of that name, or a folder around it that is missing or not writable.
    """
    if suffixes is not None and path.suffix.lower() not in suffixes:
        raise InputError(f"{path}: ending {path.suffix or 'none'}; give one of {', '.join(suffixes)}")
    if path.is_dir():
        raise InputError(f"{path}: a folder; give the name of a file")
    check_folder(path.parent)


def check_folder(folder: Path) -> None:
    """Check that files can be written into a folder.

    Raises:
        InputError: it is missing, a file, or not writable.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: {'a file' if folder.exists() else 'no such folder'}; make the folder first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{folder}: this folder is not writable for you; change its rights, or give another")


@contextlib.contextmanager
def guard_target(path: Path) -> Iterator[None]:
    """Turn what the disk, or a library that writes to it, refuses into bad input.

    Raises:
        InputError: a file could not be written; what is at `path` has to be as it was.
    """
    try:
        yield
    except (OSError, RasterioError, DataSourceError, DataLayerError, FeatureError) as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise InputError(
            f"{path}: cannot be written ({reason}); what was there is kept; make room, or write elsewhere"
        ) from None


@contextlib.contextmanager
def write_target(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place if all goes well, as `write_whole` does.

    Raises:
        InputError: it cannot be written; `path` is as it was.
    """
    with guard_target(path), write_whole(path) as temporary:
        yield temporary
