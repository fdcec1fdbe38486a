"""Loops over pixels and corners, compiled by numba when they are first called: importing them loads no numba."""

import contextlib
import functools
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

R = TypeVar("R")

LOGGER = logging.getLogger("roofstack")
LOCK = threading.RLock()


class Compiled(Generic[R]):
    """A function that numba compiles for the types that it is called with; other compiled functions may call it.

    What was compiled is kept on disk, see `find_cache`. Where something has to be compiled anew, one line at the level
    INFO of the logger "roofstack" says so: it takes up to a minute for all there is.
    """

    __name__: str  # as of the function

    def __init__(self, function: Callable[..., R]) -> None:
        functools.update_wrapper(self, function)
        self._function = function

    @functools.cached_property
    def dispatcher(self) -> Any:
        """Numba's."""
        with LOCK:  # threads begin at once, and each would compile
            if "dispatcher" not in self.__dict__:
                self.__dict__["dispatcher"] = make_dispatcher(self._function)
        return self.__dict__["dispatcher"]

    @property
    def _numba_type_(self) -> Any:
        """What numba asks of a function that a compiled one calls."""
        return self.dispatcher._numba_type_

    def __reduce__(self) -> str:
        return str(self._function.__qualname__)  # other processes import it, and find what is compiled there

    def __call__(self, *args: Any) -> R:  # numbers may be NumPy's, which are no int to type checkers
        result: R = self.dispatcher(*args)
        return result


def compiled(function: Callable[..., R]) -> Compiled[R]:
    """Have a function compiled when it is first called. It runs without the GIL.

    Functions that call one another belong into one file: the cache would not see a change in another one.
    """
    return Compiled(function)


def make_dispatcher(function: Callable[..., Any]) -> Any:
    """Return numba's dispatcher of a function."""
    import numba

    announce_compilation()
    folder = find_cache(Path(function.__code__.co_filename).parent)
    with use_cache(folder):
        return numba.njit(nogil=True, cache=folder is not None)(function)


@functools.cache
def find_cache(sources: Path) -> Path | None:
    """Find a folder where compiled functions can be kept.

    The first of these that can be written: NUMBA_CACHE_DIR; `__pycache__` beside the sources; the user's cache folder;
    a folder of the user's own among the temporary files. None where none can.
    """
    given = os.environ.get("NUMBA_CACHE_DIR")
    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # stays as it is without a home
    temporary = Path(tempfile.gettempdir()) / f"roofstack-{os.getuid()}"
    folders = [Path(given).absolute()] if given else []
    for folder in (*folders, sources / "__pycache__", Path(user) / "roofstack", temporary):
        if folder.is_absolute() and is_usable(folder):
            return folder
    return None


def is_usable(folder: Path) -> bool:
    """Tell whether a folder, made where it is missing, can be written, and is not one that another user laid out."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    shared = folder.parent.stat().st_mode & 0o002  # everybody may make folders beside it
    return not shared or folder.stat().st_uid == os.getuid()


@contextlib.contextmanager
def use_cache(folder: Path | None) -> Iterator[None]:
    """Have numba keep what is compiled in a folder; other programs of this process keep theirs where they did."""
    from numba import config

    before = config.CACHE_DIR
    if folder is not None and folder.name != "__pycache__":
        config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        config.CACHE_DIR = before


@functools.cache
def announce_compilation() -> None:
    """Have one line logged when numba begins to compile for the first time in this process."""
    from numba.core import event

    class Announcer(event.Listener):
        def on_start(self, event: Any) -> None:
            say_compiling()

        def on_end(self, event: Any) -> None:
            pass

    event.register("numba:compile", Announcer())


@functools.cache
def say_compiling() -> None:
    """Log the line, once."""
    LOGGER.info("compiling loops for this machine, which takes up to a minute and is done once ..")
