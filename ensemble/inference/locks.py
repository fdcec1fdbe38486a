"""Who is working on which image: several processes share a folder of maps without doing an image twice.

Hidden files beside the folder are locked: one for each process that is at work, and one for each image while a process
is at it. The operating system lets go of the locks of a process that has died, so what it had locked is free again at
once.
"""

import contextlib
import random
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock

from members.common.errors import InputError
from members.common.locking import hold, lock
from members.data.names import check_name

PATIENCE = 3.0
"""Seconds to wait for others to leave a folder that has to be changed."""


class Locks:
    """The locks of this process on the images of a folder of maps.

    Args:
        folder: the folder; the files that are locked are beside it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.door = folder.parent / f".{folder.name}.lock"
        """Held by who looks who is there, or comes or goes."""
        self.files = folder.parent / f".{folder.name}.locks"
        self.held: dict[str, FileLock] = {}

    def take(self, image_id: str) -> bool:
        """Lock an image; False if another process has it."""
        if image_id not in self.held:
            found = lock(self.files / f"image-{check_name(image_id, 'image')}")
            if found is None:
                return False
            self.held[image_id] = found
        return True

    def release(self, image_id: str) -> None:
        """Unlock an image, after its map is written."""
        if image_id in self.held:
            self.held.pop(image_id).release()

    @contextlib.contextmanager
    def share(self, ready: Callable[[], bool], prepare: Callable[[], None]) -> Iterator[None]:
        """Work on the folder together with others who want the same of it.

        Args:
            ready: whether it is as this process needs it.
            prepare: makes it so; called where it is not ready, while nobody else works on it.

        Raises:
            InputError: it is not ready, and others keep working on it.
        """
        deadline, mine = time.monotonic() + PATIENCE, None
        while mine is None:
            with self.close_door():
                if ready() or not self.find_others():
                    if not ready():
                        prepare()
                    mine = lock(self.files / f"process-{uuid.uuid4().hex}")
            if mine is None and time.monotonic() > deadline:
                raise InputError(
                    f"{self.folder}: another predict, of other weights, views or images, works on it; "
                    "wait until it has finished, or give another --part"
                )
            if mine is None:
                time.sleep(random.uniform(0.05, 0.15))
        try:
            yield
        finally:
            with self.close_door():
                mine.release()
                self._remove_files()

    def tidy(self) -> None:
        """Remove the files of processes that have died, if there is no other; of a run that is read-only they stay."""
        if self.files.is_dir():
            with contextlib.suppress(InputError), self.close_door():
                self._remove_files()

    def _remove_files(self) -> None:
        if not self.find_others():
            shutil.rmtree(self.files, ignore_errors=True)

    def close_door(self) -> contextlib.AbstractContextManager[None]:
        """Keep others from coming and going for a moment."""
        return hold(self.door, f"{self.folder}: other processes are at work on it; wait until they end", PATIENCE * 20)

    def find_others(self) -> bool:
        """Tell whether other processes work on the folder; the files of those that have died are removed."""
        others = False
        for path in self.files.glob("process-*"):
            found = lock(path)
            if found is None:
                others = True
            else:
                found.release()
                path.unlink(missing_ok=True)
        return others
