"""Reading ahead and writing behind: slow files cost no time while something else computes."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
END = object()


def read_ahead(items: Iterator[Item]) -> Generator[Item]:
    """Yield items; the next one is made in a thread while the consumer is at work on the last.

    An item that cannot be made raises when its turn comes, so what stands before it is done. One item waits at most.
    """
    with ThreadPoolExecutor(1) as thread:
        try:
            future: Future[object] = thread.submit(next, items, END)
            while (item := future.result()) is not END:
                future = thread.submit(next, items, END)
                yield item  # type: ignore[misc]
        finally:
            thread.shutdown()  # the item that is being made must be whole before the iterator is closed
            if isinstance(items, Generator):
                items.close()


def write_behind(writes: Iterator[Callable[[], Item]]) -> Generator[Item]:
    """Call functions in a thread, in order, and yield what they return; the next one is made meanwhile.

    One call is under way at most. Where making the next function fails, the call before it is still finished.
    """
    with ThreadPoolExecutor(1) as thread:
        waiting: Future[Item] | None = None
        try:
            for write in writes:
                if waiting is not None:
                    yield waiting.result()
                waiting = thread.submit(write)
            if waiting is not None:
                yield waiting.result()
        finally:
            if isinstance(writes, Generator):
                writes.close()
