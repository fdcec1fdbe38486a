"""Ctrl-C, and the SIGTERM that a cluster sends: heard wherever the program is when they come."""

import signal
import sys
from types import TracebackType
from typing import Protocol

AGAIN = 0.01
"""Seconds until an interruption comes again that nobody could hear."""


class Unraisable(Protocol):
    """What `sys.unraisablehook` is given."""

    exc_type: type[BaseException]
    exc_value: BaseException | None
    exc_traceback: TracebackType | None
    err_msg: str | None
    object: object


def listen() -> None:
    """Have SIGTERM end the program as Ctrl-C does, and neither be lost in a destructor, which nothing leaves."""
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.default_int_handler)
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = hear


def hear(unraisable: Unraisable) -> None:
    """Have an interruption that a destructor has swallowed come again; tell of all else as Python does."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, AGAIN)
    else:
        sys.__unraisablehook__(unraisable)


def follows_interruption(error: BaseException) -> bool:
    """Tell whether an error was raised while an interruption was under way, as by what a library closes then."""
    before = error.__cause__ or error.__context__
    return isinstance(before, KeyboardInterrupt) or (before is not None and follows_interruption(before))


def stop_listening() -> None:
    """Let what ends the program run undisturbed by an interruption that comes again."""
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
