"""Who does the work: this process's threads, or the workers of a Dask cluster; the results are the same.

A library function takes `Workers` and maps a function over its units (tiles, images, blocks). What is the same for all
units is part of the function: it goes to a cluster once, and each unit's task holds the unit alone.
"""

import concurrent.futures
import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from members.common.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

WARNING_FILTERS = threading.RLock()
"""Held by a thread that changes the filters of warnings, or calls what does: they are the whole process's."""
AHEAD = 4
"""Units that are given out at once, a worker: none waits for the next, and few results wait to be fetched."""
PATIENCE = 10
"""Seconds to wait for a cluster's scheduler to answer."""
CURE = "start it again and run the same command"


class Workers(Protocol):
    """What maps a function over units.

    Attributes:
        count: how many units are worked on at once.
    """

    count: int

    def map(self, work: Callable[[Item], Result], items: Iterable[Item], ordered: bool = True) -> Iterator[Result]:
        """Yield work(item) of every item; only a few items are read ahead.

        Args:
            work: what is called; on a cluster a unit may be worked on twice, which must do no harm. There it and the
                items have to be what cloudpickle takes, local functions included.
            items: the units.
            ordered: whether results come in the items' order, or as they get done.
        """
        ...


def count_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux; macOS has it not, nor a way to bind a process to some cores
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Threads:
    """Threads of this process.

    Args:
        count: how many; by default one a core that the process may use.
    """

    def __init__(self, count: int | None = None) -> None:
        self.count = count or count_cores()

    def map(self, work: Callable[[Item], Result], items: Iterable[Item], ordered: bool = True) -> Iterator[Result]:
        """Yield work(item) of every item, as `Workers` has it."""
        with ThreadPoolExecutor(self.count) as pool:

            def give_out(item: Item) -> Any:
                return pool.submit(work, item)

            yield from stream(give_out, items, self.count, concurrent.futures.wait, ordered)


class Cluster:
    """The workers of a Dask cluster, which see the same paths and have the same packages.

    A unit of a worker that died is given to another, and so is the function, as the scheduler holds both.

    Args:
        client: connected to the scheduler.
        address: of the scheduler, for messages.
    """

    def __init__(self, client: Any, address: str) -> None:
        self.client, self.address = client, address
        self.count = sum(client.nthreads().values())

    def map(self, work: Callable[[Item], Result], items: Iterable[Item], ordered: bool = True) -> Iterator[Result]:
        """Yield work(item) of every item, as `Workers` has it.

        Raises:
            InputError: one unit kills every worker that it is given to, or the scheduler is gone.
        """
        import cloudpickle
        from distributed import CancelledError, KilledWorker, wait
        from distributed.comm import CommClosedError

        # a task of its own, not scattered data: those would be gone with the last worker that has them; and bytes, as
        # one worker hands it to another, where the function itself may change while it is packed again
        shared = self.client.submit(bytes, cloudpickle.dumps(work), pure=False)

        def give_out(item: Item) -> Any:
            return self.client.submit(call, shared, item, pure=False)

        try:
            yield from stream(give_out, items, AHEAD * self.count, wait, ordered)
        except KilledWorker as error:
            raise InputError(
                f"--scheduler {self.address}: workers keep dying ({error}); give them more memory, or see their logs"
            ) from None
        except (CancelledError, CommClosedError) as error:
            raise InputError(f"--scheduler {self.address}: the scheduler is gone ({error}); {CURE}") from None


def call(work: bytes, item: Any) -> Any:
    """Call the function that a cluster's worker was sent on one unit."""
    return unpack(work)(item)


@functools.lru_cache(maxsize=1)
def unpack(work: bytes) -> Callable[[Any], Any]:
    """Unpack a function that was sent, once for all of its units."""
    import cloudpickle

    function: Callable[[Any], Any] = cloudpickle.loads(work)
    return function


def stream(
    give_out: Callable[[Item], Any], items: Iterable[Item], ahead: int, wait: Callable[..., Any], ordered: bool
) -> Iterator[Any]:
    """Yield the results of the futures that `give_out` makes of items, of which at most `ahead` are given out."""
    pending: list[Any] = []

    def take() -> Any:
        if not ordered:
            done = wait(pending, return_when="FIRST_COMPLETED").done
            pending.sort(key=lambda future: future not in done)
        return pending.pop(0).result()

    try:
        for item in items:
            pending.append(give_out(item))
            if len(pending) > ahead:
                yield take()
        while pending:
            yield take()
    finally:
        for future in pending:
            future.cancel()


@contextlib.contextmanager
def open_workers(scheduler: str | None = None) -> Iterator[Workers]:
    """Yield the workers of a Dask scheduler, or this process's threads.

    Args:
        scheduler: its address, such as tcp://127.0.0.1:8786; None for threads.

    Raises:
        InputError: Dask is not installed, no scheduler answers, or it has no workers.
    """
    if scheduler is None:
        yield Threads()
        return
    try:
        from distributed import Client
    except ImportError:
        raise InputError("--scheduler: Dask is not installed; pip install -e '.[cluster]'") from None
    try:
        client = Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise InputError(f"--scheduler {scheduler}: no Dask scheduler answers there ({error}); start one") from None
    with client:
        if not client.nthreads():
            raise InputError(f"--scheduler {scheduler}: it has no workers; start some: dask worker {scheduler}")
        yield Cluster(client, scheduler)


def cut_chunks(items: Sequence[Item], workers: Workers, largest: int = 16) -> list[Sequence[Item]]:
    """Cut items into runs of at most `largest`, in their order: several for each worker where there are enough."""
    size = max(1, min(largest, len(items) // (4 * workers.count)))
    return [items[start : start + size] for start in range(0, len(items), size)]
