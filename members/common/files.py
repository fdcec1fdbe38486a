"""Files that are either whole or absent: checked before the work starts, written beside their path, moved onto it."""

import contextlib
import errno
import functools
import hashlib
import json
import os
import platform
import re
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from members.common.errors import InputError

TEMPORARY = re.compile(r"\.tmp-(?P<host>[0-9a-f]{8})-(?P<process>\d+)-")
SEAL = b"roofstack-seal"
CHUNK = 2**20
HOST = f"{zlib.crc32(platform.node().encode()):08x}"


@contextlib.contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it to `path` on success, remove it on any failure.

    The temporary file keeps the suffix of `path`, so libraries that choose a format by suffix do so, and
    begins with a dot, so folder listings that look for data skip it. A reader never sees half a file, and
    a killed writer leaves `path` as it was; the next one removes its temporary file. The bytes are on
    the disk before the file has its name, so a power cut leaves the old file or the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent.absolute())
    handle, name = tempfile.mkstemp(prefix=f".tmp-{HOST}-{os.getpid()}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until the bytes of a file, or the names in a folder, are on the disk, as far as the system can say."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):  # a file system that has no such thing
            raise
    finally:
        os.close(handle)


@functools.cache
def sweep(folder: Path) -> None:
    """Remove what killed processes have left in a folder, before this process first writes there."""
    remove_stale(folder)


def remove_stale(folder: Path) -> None:
    """Remove the temporary files that killed processes of this machine have left in a folder, not below it."""
    for path in folder.glob(".tmp-*"):
        found = TEMPORARY.match(path.name)
        if found and found["host"] == HOST and not is_running(int(found["process"])):
            path.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Tell whether a process of this machine is alive."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is someone else's
        return True
    return True


def check_target(path: Path, suffixes: Sequence[str] | None = None) -> None:
    """Check that a file can be written, as far as that shows before it is.

    Args:
        path: the file; what is there will be replaced.
        suffixes: the endings that it may have, in small letters; None admits every one.

    Raises:
        InputError: another ending, a folder of that name, or a folder around it that cannot be made or written into.
    """
    if suffixes is not None and not path.name.lower().endswith(tuple(suffixes)):
        raise InputError(f"{path}: ending {path.suffix or 'none'}; give one of {', '.join(suffixes)}")
    if path.is_dir():
        raise InputError(f"{path}: a folder; give the name of a file")
    check_folder(path.parent)


def check_folder(folder: Path) -> None:
    """Check that files can be written into a folder; where it is missing `write_whole` makes it.

    Raises:
        InputError: it, or what it would have to be made in, is a file, or not writable.
    """
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not there.is_dir():
        raise InputError(f"{there}: a file; a folder can't be of that name, so give another")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{there}: this folder is not writable for you; change its rights, or give another")


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


def read_json(path: Path, cure: str) -> Any:
    """Read a JSON file.

    Raises:
        InputError: the file is missing or is not JSON; `cure` says what to do about it.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {cure}") from None
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(f"{path}: not a readable JSON file ({error}); {cure}") from None


def hash_file(path: Path) -> str:
    """Return the BLAKE2b hash of a file's bytes, 32 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def seal(path: Path) -> None:
    """Write the hash of a file's bytes behind them, where formats that say their own length read no further."""
    digest = bytes.fromhex(hash_file(path))
    with path.open("ab") as file:
        file.write(SEAL + digest)


def is_damaged(path: Path) -> bool | None:
    """Tell whether a file's bytes are others than those that were sealed; None where they were not."""
    with path.open("rb") as file:
        left = os.fstat(file.fileno()).st_size - len(SEAL) - 16
        if left < 0:
            return None
        file.seek(left)
        end = file.read(len(SEAL) + 16)
        if not end.startswith(SEAL):
            return None
        file.seek(0)
        digest = hashlib.blake2b(digest_size=16)
        while chunk := file.read(min(left, CHUNK)):
            digest.update(chunk)
            left -= len(chunk)
    return digest.digest() != end[len(SEAL) :]
