"""The maps of one member, made together with other processes that are at the same folder, or by a cluster's workers."""

import dataclasses
import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ensemble.inference.jobs import Job, make_maps
from ensemble.inference.locks import Locks
from ensemble.inference.networks import Load, Network, load_network, load_networks
from ensemble.inference.scenes import BATCH
from ensemble.inference.tasks import Task
from members.common.errors import InputError
from members.common.progress import Progress, silent
from members.common.workers import Workers
from members.data.tiles import Tile

WAIT = 0.2
"""Seconds between looks at images that another process has locked."""
PATIENCE = 90.0
"""Seconds until a map that a worker has written must be seen here; NFS may show a file a minute late."""
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


def predict_member(task: Task, cluster: Workers | None = None, progress: Progress = silent) -> int:
    """Write the missing maps of one member, until none is missing; return how many were written here.

    Args:
        task: what there is to do.
        cluster: whose workers do it; by default this process does.
        progress: shows how many images are done, by whomever.

    Raises:
        InputError: weights are damaged, an image can't be read, a map can't be written, or another predict is at work
            on the folder with other views or images.
    """
    locks = Locks(task.full.target)
    if not task.list_left():
        task.drop_blocks()
        locks.tidy()
        return 0
    if cluster is None:  # before old maps go: the weights may be damaged
        loaded = [load_networks(job.folders, job.weights, job.engine, load_network) for job, _ in task.jobs]
        networks = dict(zip((job.folders for job, _ in task.jobs), loaded, strict=True))

        def make(job: Job, tiles: tuple[Tile, ...]) -> Iterable[str]:
            return make_maps(job, networks[job.folders], tiles, locks)
    else:

        def make(job: Job, tiles: tuple[Tile, ...]) -> Iterable[str]:
            work = functools.partial(predict_chunk, load_network)
            return see_maps(job, cluster.map(work, cut_batches(job, tiles), ordered=False))

    with locks.share(task.owns_folder, task.prepare):
        left = task.list_left()
        what = f"{task.manifest.member} {task.folder.parent.name}"
        count = sum(progress(make_left(task, left, make), what, len(left)))
        task.drop_blocks()
        return count


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


def cut_batches(job: Job, tiles: Sequence[Tile]) -> list[tuple[Job, list[Tile]]]:
    """Cut the tiles without a map into batches: what is sent to a worker at once, with what a job knows of them."""
    wanted = [dataclasses.replace(tile, image=tile.image.resolve()) for tile in tiles if not job.is_done(tile.image_id)]
    batches = [wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)]
    return [(job.take([tile.image_id for tile in batch]), batch) for batch in batches]


def see_maps(job: Job, chunks: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the ids of images that workers have maps of, each as soon as the map is seen here.

    Raises:
        InputError: one is not seen, so that the workers have another disk.
    """
    waiting: dict[str, float] = {}

    def pop_seen() -> list[str]:
        seen = [image_id for image_id in waiting if job.is_done(image_id)]
        for image_id in seen:
            del waiting[image_id]
        if waiting and time.monotonic() > min(waiting.values()) + PATIENCE:
            raise InputError(
                f"{job.target}: workers have written {len(waiting)} maps there that are not here "
                f"({next(iter(waiting))}, ..); --scheduler takes workers that see the same disk: put the run on such"
            )
        return seen

    for image_ids in chunks:
        waiting |= dict.fromkeys(image_ids, time.monotonic())
        yield from pop_seen()
    while waiting:
        time.sleep(WAIT)
        yield from pop_seen()


def predict_chunk(load: Load, batch: tuple[Job, Sequence[Tile]]) -> list[str]:
    """Make the maps of a few images in a worker process, which sees the same files; returns the ids that have one now.

    Raises:
        InputError: the weights there are not those that the manifest was written for.
    """
    job, tiles = batch
    networks = keep_networks(job.folders, job.weights, job.engine, load)
    for _ in make_maps(job, networks, tiles, Locks(job.target)):
        pass
    return [tile.image_id for tile in tiles if job.is_done(tile.image_id)]


@functools.lru_cache(maxsize=1)
def keep_networks(folders: tuple[Path, ...], weights: tuple[str, ...], engine: str, load: Load) -> list[Network]:
    """Load networks in a worker, as `load_networks` does; they stay loaded until others are asked for."""
    return load_networks(folders, weights, engine, load)
