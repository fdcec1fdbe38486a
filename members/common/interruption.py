"""Ctrl-C, and the SIGTERM that a cluster sends: heard wherever the program is when they come."""

import os
import signal
import sys
import threading

AGAIN = 0.01
"""Seconds until an interruption comes again that nobody could hear."""

_waiting: list[threading.Timer] = []


def listen() -> None:
    """Have SIGTERM end the program as Ctrl-C does, and neither be lost in a destructor, which nothing leaves."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = hear


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


def follows_interruption(error: BaseException) -> bool:
    """Tell whether an error was raised while an interruption was under way, as by what a library closes then."""
    before = error.__cause__ or error.__context__
    return isinstance(before, KeyboardInterrupt) or (before is not None and follows_interruption(before))
