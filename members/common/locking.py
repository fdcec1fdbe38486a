"""Locks between processes: who works on what. The system lets go of what a process that has died had locked."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from members.common.errors import InputError


@contextlib.contextmanager
def hold(path: Path, busy: str) -> Iterator[None]:
    """Hold a lock while working on what it stands for.

    Args:
        path: the file that is locked; made where it is missing.
        busy: the message where another process holds it.

    Raises:
        InputError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(path).acquire(timeout=0)
    except Timeout:
        raise InputError(busy) from None
    with lock:
        yield
