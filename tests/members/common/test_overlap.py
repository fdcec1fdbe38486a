"""Reading ahead and writing behind keep the order, overlap with the consumer, and end cleanly."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from members.common.overlap import read_ahead, write_behind


def test_items_come_in_order() -> None:
    assert list(read_ahead(iter(range(5)))) == [0, 1, 2, 3, 4]
    assert list(read_ahead(iter([]))) == []
    assert list(write_behind((lambda n=n: n * n) for n in range(4))) == [0, 1, 4, 9]  # type: ignore[misc]


def test_the_next_item_is_made_while_the_consumer_works_and_no_further() -> None:
    made, second = [], threading.Event()

    def items() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            if number == 1:
                second.set()
            yield number

    ahead = read_ahead(items())
    assert next(ahead) == 0
    assert second.wait(60)
    assert made == [0, 1]
    ahead.close()
    assert made == [0, 1]


def test_a_call_runs_while_the_next_is_made() -> None:
    started, may_end = threading.Event(), threading.Event()

    def first() -> int:
        started.set()
        assert may_end.wait(60)
        return 1

    def calls() -> Iterator[Callable[[], int]]:
        yield first
        assert started.wait(60)
        may_end.set()  # while the first is under way
        yield lambda: 2

    assert list(write_behind(calls())) == [1, 2]


def test_what_stands_before_a_failure_is_done() -> None:
    done: list[int] = []

    def items() -> Iterator[int]:
        yield 1
        raise ValueError("damaged")

    def calls() -> Iterator[Callable[[], None]]:
        for number in read_ahead(items()):
            yield lambda number=number: done.append(number)  # type: ignore[misc]

    with pytest.raises(ValueError, match="damaged"):
        list(write_behind(calls()))
    assert done == [1]


def test_a_failing_call_ends_all() -> None:
    def fail() -> int:
        raise OSError("full")

    made = []

    def calls() -> Iterator[Callable[[], int]]:
        for number in range(5):
            made.append(number)
            yield fail

    with pytest.raises(OSError, match="full"):
        list(write_behind(calls()))
    assert made == [0, 1]


def test_closing_closes_what_is_read() -> None:
    closed = []

    def items() -> Iterator[int]:
        try:
            yield from range(9)
        finally:
            closed.append(True)

    ahead = read_ahead(items())
    next(ahead)
    ahead.close()
    assert closed == [True]


@pytest.mark.parametrize("overlap", [read_ahead, write_behind])
def test_an_interruption_while_the_thread_begins_waits_for_its_call(
    overlap: Callable[[Any], Iterator[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool has not noted the thread yet, and does not wait for it."""
    begun, may_end, done = threading.Event(), threading.Event(), list[int]()
    start = threading.Thread.start

    def work() -> int:
        begun.set()
        assert may_end.wait(60)
        done.append(1)
        return 1

    def items() -> Iterator[int]:
        yield work()

    def begin(thread: threading.Thread) -> None:
        start(thread)
        assert begun.wait(60)
        start(threading.Timer(0.05, may_end.set))
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", begin)
    with pytest.raises(KeyboardInterrupt):
        next(overlap(items() if overlap is read_ahead else iter([work])))
    assert done == [1]
