"""Calls on the workers of a Dask cluster."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from members.common.errors import InputError

PATIENCE = 10
"""Seconds to wait for the scheduler to answer."""


def run_on_cluster(
    scheduler: str, work: Callable[..., list[str]], job: Any, chunks: Sequence[Any], *rest: Any
) -> Iterator[str]:
    """Yield what `work(job, chunk, *rest)` returns for every chunk, as the workers get done.

    Dask gives the chunk of a worker that died to another; doing `work` twice must do no harm.

    Args:
        scheduler: its address, such as tcp://127.0.0.1:8786.
        work: what the workers call; all its arguments can be pickled.
        job: the same for every chunk.
        chunks: one for each call.
        rest: further arguments of every call.

    Raises:
        InputError: Dask is not installed, no scheduler answers, it has no workers, or one chunk kills every worker.
    """
    try:
        from distributed import Client, KilledWorker, as_completed
    except ImportError:
        raise InputError("--scheduler: Dask is not installed; pip install 'roofstack[cluster]'") from None
    try:
        client = Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise InputError(f"--scheduler {scheduler}: no Dask scheduler answers there ({error}); start one") from None
    with client:
        if not client.scheduler_info()["workers"]:
            raise InputError(f"--scheduler {scheduler}: it has no workers; start some: dask worker {scheduler}")
        futures = [client.submit(work, job, chunk, *rest, pure=False) for chunk in chunks]
        try:
            for future in as_completed(futures):
                yield from future.result()
        except KilledWorker as error:
            raise InputError(
                f"--scheduler {scheduler}: workers keep dying ({error}); give them more memory, or see their logs"
            ) from None
