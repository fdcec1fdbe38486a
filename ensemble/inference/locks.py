"""Who is working on which image: several processes share a folder of maps without doing an image twice.

One hidden file beside the folder is locked byte by byte (POSIX record locks): the first byte stands for the folder's
manifest, each further one for an image. The operating system lets go of the locks of a process that has died, so
what it had locked is free again at once.
"""

import contextlib
import errno
import fcntl
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from members.common.errors import InputError

PATIENCE = 3.0
"""Seconds to wait for others to leave a folder that has to be replaced."""


class Locks:
    """The locks of this process on the images of a folder of maps.

    Args:
        folder: the folder; the file of locks is beside it, so that the folder can be replaced.
        image_ids: all its images, in the same order in every process.
    """

    def __init__(self, folder: Path, image_ids: Sequence[str]) -> None:
        self.folder = folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        # never closed but at the end of the process: closing any handle of a file drops all its record locks
        self.file = (folder.parent / f".{folder.name}.locks").open("a+b")
        self.byte_of = {image_id: 1 + index for index, image_id in enumerate(sorted(image_ids))}

    def take(self, image_id: str) -> bool:
        """Lock an image; False if another process has it."""
        return self._lock(fcntl.LOCK_EX, self.byte_of[image_id])

    def release(self, image_id: str) -> None:
        """Unlock an image, after its map is written."""
        fcntl.lockf(self.file, fcntl.LOCK_UN, 1, self.byte_of[image_id])

    @contextlib.contextmanager
    def share(self, ready: Callable[[], bool], prepare: Callable[[], None]) -> Iterator[None]:
        """Work on the folder together with others who want the same of it.

        Args:
            ready: whether it is as this process needs it.
            prepare: makes it so; called where it is not ready, while nobody else works on it.

        Raises:
            InputError: it is not ready, and others keep working on it.
        """
        deadline = time.monotonic() + PATIENCE
        while not (self._lock(fcntl.LOCK_SH, 0) and ready()):
            if self._lock(fcntl.LOCK_EX, 0):
                prepare()
                self._lock(fcntl.LOCK_SH, 0)  # turns the lock into a shared one, with no gap between
                break
            if time.monotonic() < deadline:
                fcntl.lockf(self.file, fcntl.LOCK_UN, 1, 0)
                time.sleep(random.uniform(0.05, 0.15))  # two that wait for each other must not do so in step
                continue
            raise InputError(
                f"{self.folder}: another predict, of other weights, views or images, works on it; "
                "wait until it has finished, or give another --part"
            )
        try:
            yield
        finally:
            fcntl.lockf(self.file, fcntl.LOCK_UN, 1, 0)

    def _lock(self, kind: int, byte: int) -> bool:
        try:
            fcntl.lockf(self.file, kind | fcntl.LOCK_NB, 1, byte)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        return True
