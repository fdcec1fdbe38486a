"""Locks between processes: who works on what. The system lets go of what a process that has died had locked."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from members.common.errors import InputError

FOR_EVER = -1.0
"""As patience: wait for as long as it takes."""


def lock(path: Path, patience: float = 0.0) -> FileLock | None:
    """Lock a file that stands for something; None where another process holds it.

    Args:
        path: the file that is locked; made, with its folder, where it is missing.
        patience: s to wait for the other process, or `FOR_EVER`.

    Returns:
        The lock, which any thread may release.

    Raises:
        InputError: the file system refuses, or has no locks.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(path, thread_local=False)
        held.acquire(timeout=patience, poll_interval=0.02)
    except Timeout:
        return None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{path}: cannot be locked ({reason}); what several processes write needs a disk that can be written and "
            "has locks: copy the run to one"
        ) from None
    return held


@contextlib.contextmanager
def hold(path: Path, busy: str = "busy", patience: float = 0.0) -> Iterator[None]:
    """Hold a lock while working on what it stands for.

    Args:
        path: as for `lock`.
        busy: the message where another process holds it, and patience ends.
        patience: as for `lock`.

    Raises:
        InputError: another process holds it, or the file system has no locks.
    """
    held = lock(path, patience)
    if held is None:
        raise InputError(busy)
    try:
        yield
    finally:
        held.release()
