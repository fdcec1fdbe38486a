"""Reading ahead and writing behind: slow files cost no time while something else computes."""

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
END = object()


class Turn:
    """A thread for calls one after the other, whose end waits for the call that is under way, whatever comes between.

    A pool alone does not: of a thread that was just begun when an interruption came it knows nothing.
    """

    def __init__(self) -> None:
        self.pool, self.busy, self.ended = ThreadPoolExecutor(1), threading.Lock(), False

    def submit(self, function: Callable[[], Item]) -> Future[Item]:
        """Have a function called."""

        def call() -> Item:
            with self.busy:
                if self.ended:
                    raise CancelledError
                return function()

        return self.pool.submit(call)

    def end(self) -> None:
        """Wait until all calls are done."""
        self.pool.shutdown()
        with self.busy:
            self.ended = True


def read_ahead(items: Iterator[Item]) -> Generator[Item]:
    """Yield items; the next one is made in a thread while the consumer is at work on the last.

    An item that cannot be made raises when its turn comes, so what stands before it is done. One item waits at most.
    """
    turn = Turn()

    def make() -> object:
        return next(items, END)

    try:
        future = turn.submit(make)
        while (item := future.result()) is not END:
            future = turn.submit(make)
            yield item  # type: ignore[misc]
    finally:
        turn.end()  # the item that is being made must be whole before the iterator is closed
        if isinstance(items, Generator):
            items.close()


def write_behind(writes: Iterator[Callable[[], Item]]) -> Generator[Item]:
    """Call functions in a thread, in order, and yield what they return; the next one is made meanwhile.

    One call is under way at most. Where making the next function fails, the call before it is still finished.
    """
    turn, waiting = Turn(), None
    try:
        for write in writes:
            if waiting is not None:
                yield waiting.result()
            waiting = turn.submit(write)
        if waiting is not None:
            yield waiting.result()
    finally:
        if isinstance(writes, Generator):
            writes.close()
        turn.end()
