"""Files that are either whole or absent: checked before the work starts, written beside their path, moved onto it."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from members.common.errors import InputError


@contextlib.contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it to `path` on success, remove it on any failure.

    The temporary file keeps the suffix of `path`, so libraries that choose a format by suffix do so, and
    begins with a dot, so folder listings that look for data skip it. A reader never sees half a file, and
    a killed writer leaves `path` as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix="." + path.name, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
def write_target(path: Path, *errors: type[Exception]) -> Iterator[Path]:
    """Yield a temporary path as `write_whole` does; what the disk refuses becomes bad input.

    Args:
        path: the file.
        errors: what a library raises that writes it, beside OSError.

    Raises:
        InputError: it cannot be written; `path` is as it was.
    """
    refusals: tuple[type[Exception], ...] = (OSError, *errors)
    try:
        with write_whole(path) as temporary:
            yield temporary
    except refusals as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise InputError(
            f"{path}: cannot be written ({reason}); what was there is kept; make room, or write elsewhere"
        ) from None


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, keys in the order given, whole or not at all."""
    with write_whole(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: not a readable JSON file ({error}); restore it or delete it") from None
