"""The maps of one member, made together with other processes that are at the same folder, or by a cluster's workers."""

import dataclasses
import functools
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ensemble.inference.jobs import Job, make_maps
from ensemble.inference.locks import Locks
from ensemble.inference.networks import Load, load_network, load_networks
from ensemble.inference.scenes import BATCH
from ensemble.inference.tasks import Task
from ensemble.mapfolder.manifest import prepare_folder
from members.common.errors import InputError
from members.common.progress import Progress, silent
from members.data.tiles import Tile

WAIT = 0.2
"""Seconds between looks at images that another process has locked."""
PATIENCE = 10
"""Seconds to wait for a cluster's scheduler to answer."""
Make = Callable[[Job, tuple[Tile, ...]], Iterable[str]]


def check_networks(tasks: Sequence[Task]) -> None:
    """Load what will be needed, one network at a time: damaged weights are said before another member's hours of work.

    Raises:
        InputError: weights are damaged.
    """
    for task in tasks:
        if task.list_left():
            for folder in task.full.folders:
                load_network(folder, task.full.engine)


def predict_member(task: Task, scheduler: str | None = None, progress: Progress = silent) -> int:
    """Write the missing maps of one member, until none is missing; return how many were written here.

    Args:
        task: what there is to do.
        scheduler: the address of a Dask scheduler whose workers do it; by default this process does.
        progress: shows how many images are done, by whomever.

    Raises:
        InputError: weights are damaged, an image can't be read, a map can't be written, or another predict is at work
            on the folder with other views or images.
    """
    if not task.list_left():
        return 0
    if scheduler is None:  # before old maps go: the weights may be damaged
        networks = {job: [load_network(folder, job.engine) for folder in job.folders] for job, _ in task.jobs}

        def make(job: Job, tiles: tuple[Tile, ...]) -> Iterable[str]:
            return make_maps(job, networks[job], tiles, locks)
    else:

        def make(job: Job, tiles: tuple[Tile, ...]) -> Iterable[str]:
            return run_on_cluster(scheduler, predict_chunk, job, cut_chunks(job, tiles), load_network)

    locks = Locks(task.full.target, task.full.image_ids)

    def prepare() -> None:
        if task.replaces_maps():
            shutil.rmtree(task.std_folder, ignore_errors=True)
        prepare_folder(task.full.target, task.manifest)

    with locks.share(task.owns_folder, prepare):
        left = task.list_left()
        what = f"{task.manifest.member} {task.folder.parent.name}"
        return sum(progress(make_left(task, left, make), what, len(left)))


def make_left(task: Task, left: Sequence[str], make: Make) -> Iterator[bool]:
    """Make maps until no image is left; yields for each that gets done whether it was done here."""
    while left:
        done_here = 0
        for job, tiles in task.jobs:
            for _ in make(job, tiles):
                done_here += 1
                yield True
        before, left = len(left), task.list_left()
        for _ in range(before - len(left) - done_here):
            yield False
        if left:  # another process is at them; if it dies they are done here
            time.sleep(WAIT)


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


def cut_chunks(job: Job, tiles: Sequence[Tile]) -> list[list[Tile]]:
    """Cut the tiles without a map into batches: what is sent to a worker at once."""
    wanted = [dataclasses.replace(tile, image=tile.image.resolve()) for tile in tiles if not job.is_done(tile.image_id)]
    return [wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)]


def predict_chunk(job: Job, tiles: Sequence[Tile], load: Load) -> list[str]:
    """Make the maps of a few images in a worker process, which sees the same files; returns their ids.

    Raises:
        InputError: the weights there are not those that the manifest was written for.
    """
    networks = load_networks(job.folders, job.weights, job.engine, load)
    return list(make_maps(job, networks, tiles, open_locks(job.target, job.image_ids)))


@functools.lru_cache(maxsize=1)
def open_locks(folder: Path, image_ids: tuple[str, ...]) -> Locks:
    """Open a worker's locks on a folder; they stay open until others are asked for."""
    return Locks(folder, image_ids)
