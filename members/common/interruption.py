"""Ctrl-C, and the SIGTERM that a cluster sends: heard wherever the program is when they come."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

AGAIN = 0.01
"""Seconds until an interruption comes again that nobody could hear."""
PATIENCE = 5.0
"""Seconds that an interruption waits for the next step of what is not torn apart."""

_waiting: list[threading.Timer] = []
_heard, _held = threading.Event(), threading.Event()


def listen() -> None:
    """Have SIGTERM end the program as Ctrl-C does, and neither be lost in a destructor, which nothing leaves."""
    _heard.clear()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as it is of what a shell runs in the background
        signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = hear


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Raise the interruption, and remember that there was one; while it is held back a first one is only remembered."""
    first = not _heard.is_set()
    _heard.set()
    if first and _held.is_set():
        come_again(PATIENCE)
    else:
        raise KeyboardInterrupt


@contextlib.contextmanager
def hold_back() -> Iterator[None]:
    """Keep interruptions out of a library's C code, which one that is raised in a callback may crash.

    One that comes is raised by `let_through`, at the end, after `PATIENCE` seconds, or when another comes.
    """
    _held.set()
    try:
        yield
    finally:
        _held.clear()
        stop_waiting()
    let_through()


def let_through() -> None:
    """Raise the interruption that was held back, if one was."""
    if _heard.is_set():
        raise KeyboardInterrupt


def was_interrupted() -> bool:
    """Tell whether an interruption came: a library that it passed through may have made another error of it."""
    return _heard.is_set()


def hear(unraisable: "sys.UnraisableHookArgs") -> None:
    """Have an interruption that a destructor has swallowed come again; tell of all else as Python does."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        come_again(AGAIN)
    else:
        sys.__unraisablehook__(unraisable)


def come_again(seconds: float) -> None:
    """Send the interruption once more after so many seconds."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM))
    timer.daemon = True
    _waiting.append(timer)
    timer.start()


def stop_waiting() -> None:
    """Let what ends the program run undisturbed by an interruption that would come again."""
    while _waiting:
        _waiting.pop().cancel()
