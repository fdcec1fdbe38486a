"""Ctrl-C, and the SIGTERM that a cluster sends: heard wherever the program is when they come."""

import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

AGAIN = 0.01
"""Seconds until an interruption comes again that nobody could hear."""

_waiting: list[threading.Timer] = []
_heard = threading.Event()


def listen() -> None:
    """Have SIGTERM end the program as Ctrl-C does, and neither be lost in a destructor, which nothing leaves."""
    _heard.clear()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as it is of what a shell runs in the background
        signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = hear


def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Raise the interruption, and remember that there was one."""
    _heard.set()
    raise KeyboardInterrupt


def was_interrupted() -> bool:
    """Tell whether an interruption came: a library that it passed through may have made another error of it."""
    return _heard.is_set()


def hear(unraisable: "sys.UnraisableHookArgs") -> None:
    """Have an interruption that a destructor has swallowed come again; tell of all else as Python does."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        timer = threading.Timer(AGAIN, os.kill, (os.getpid(), signal.SIGTERM))
        timer.daemon = True
        _waiting.append(timer)
        timer.start()
    else:
        sys.__unraisablehook__(unraisable)


def stop_waiting() -> None:
    """Let what ends the program run undisturbed by an interruption that would come again."""
    while _waiting:
        _waiting.pop().cancel()
