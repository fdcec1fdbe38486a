"""The work of predicting: one member's maps of some images, in this process or in another."""

import contextlib
import dataclasses
import functools
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from ensemble.inference.locks import Locks
from ensemble.inference.merging import merge_views
from ensemble.inference.networks import Network
from ensemble.inference.scenes import (
    BATCH_PIXELS,
    WINDOW,
    Block,
    Scene,
    StackPredictor,
    count_batch,
    list_blocks,
    open_scene,
    predict_scene,
)
from ensemble.inference.surroundings import Surroundings
from ensemble.inference.views import View
from ensemble.mapfolder.raster import find_blocks, map_path, open_map, quantise, refuse_disk, write_map
from members.common.errors import InputError
from members.common.files import is_damaged, seal, write_whole
from members.common.overlap import read_ahead, write_behind
from members.data.drivers import hash_image
from members.data.tiles import Tile

WAITING = 16 * BATCH_PIXELS
"""Pixels of small images that wait for others of their size, at most; beyond that a batch is smaller."""

Predict = Callable[[np.ndarray], np.ndarray]
"""From a stack uint8 (n, h, w, 3) to float32 (channels, n, h, w)."""


@dataclass(frozen=True)
class Job:
    """How maps are made, and where they go; the same in every process that takes part.

    Attributes:
        folders: of the trained folds, whose mean is taken.
        weights: the hash of each one's weights file.
        target: the folder of maps.
        std: where the standard deviations over views and folds go, if they are wanted.
        views: what to look at.
        merge: one of `MERGES`.
        multiple: the network's size multiple, px.
        hashes: image id -> hash of its file, of all images.
        engine: what computes the networks.
        bands: how many its maps have.
        around: what small images are shown with.
    """

    folders: tuple[Path, ...]
    weights: tuple[str, ...]
    target: Path
    std: Path | None
    views: tuple[View, ...]
    merge: str
    multiple: int
    hashes: Mapping[str, str]
    engine: str = "keras"
    bands: int = 1
    around: Surroundings = field(default_factory=Surroundings)

    def is_done(self, image_id: str) -> bool:
        """Tell whether an image has all that is wanted; the map is what is written last."""
        folders = (self.target, self.std) if self.std else (self.target,)
        return all(map_path(folder, image_id).is_file() for folder in folders)

    def take(self, image_ids: Sequence[str]) -> "Job":
        """Return the same work on some images alone."""
        hashes = {image_id: self.hashes[image_id] for image_id in image_ids}
        return dataclasses.replace(self, hashes=hashes, around=self.around.take(image_ids))

    @property
    def channels(self) -> int:
        """How many values a pixel has: a probability a band, and the first one's standard deviation if it is wanted."""
        return self.bands + 1 if self.std else self.bands


@dataclass(frozen=True)
class Read:
    """A small image that is locked and read.

    Attributes:
        tile: the image.
        image: uint8 (h, w, 3), or larger by what is shown around it.
        valid: which pixels are data, bool (h, w).
    """

    tile: Tile
    image: np.ndarray
    valid: np.ndarray


def make_maps(job: Job, networks: Sequence[Network], tiles: Sequence[Tile], locks: Locks) -> Iterator[str]:
    """Write the maps that nobody has written or is writing; yields the images' ids.

    Large images go in windows, small ones in batches of one size. An image is locked when it is read, and unlocked when
    its map is there. While the networks compute, the next batch is read and the last one written.
    """

    def predict(stack: np.ndarray) -> np.ndarray:
        return merge_views(networks, stack, job.views, job.merge, std=job.std is not None)

    def plan_writes() -> Iterator[Callable[[], list[str]]]:
        with contextlib.closing(read_ahead(read_batches(job, tiles, locks))) as batches:
            for batch in batches:
                if isinstance(batch, Tile):
                    with open_scene(batch.image) as scene:
                        write_scene(job, batch, scene, predict)
                    yield functools.partial(finish, [batch.image_id])
                else:
                    values = predict(np.stack([each.image for each in batch]))
                    yield functools.partial(write_batch, batch, values)

    def write_batch(batch: list[Read], values: np.ndarray) -> list[str]:
        for index, each in enumerate(batch):
            write_values(job, each.tile, job.around.cut(each.tile.image_id, values[:, index]) * each.valid)
        return finish([each.tile.image_id for each in batch])

    def finish(image_ids: list[str]) -> list[str]:
        for image_id in image_ids:
            locks.release(image_id)
        return image_ids

    try:
        with contextlib.closing(write_behind(plan_writes())) as written:
            for image_ids in written:
                yield from image_ids
    finally:  # what was locked and not done is free for others
        finish([tile.image_id for tile in tiles])


def read_batches(job: Job, tiles: Sequence[Tile], locks: Locks) -> Iterator[Tile | list[Read]]:
    """Lock and read the images that nobody has done or is at: small ones in batches of one size, large ones alone."""
    waiting: dict[tuple[int, ...], list[Read]] = {}
    pixels = 0
    for tile in tiles:
        if job.is_done(tile.image_id) or not locks.take(tile.image_id):
            continue
        if job.is_done(tile.image_id):  # by another process, in between
            locks.release(tile.image_id)
            continue
        check_unchanged(job, tile)
        with open_scene(tile.image) as scene:
            everything = slice(0, scene.size[0]), slice(0, scene.size[1])
            small = max(scene.size) <= WINDOW
            read = Read(tile, job.around.read(tile.image_id, scene), scene.read_valid(everything)) if small else None
        if read is None:
            yield tile
            continue
        size = read.image.shape[:2]
        waiting.setdefault(size, []).append(read)
        pixels += math.prod(size)
        if len(waiting[size]) < count_batch(size):
            if pixels <= WAITING:
                continue
            size = next(iter(waiting))
        batch = waiting.pop(size)
        pixels -= len(batch) * math.prod(size)
        yield batch
    yield from waiting.values()


def check_unchanged(job: Job, tile: Tile) -> None:
    """Check that an image is still the one that the maps' manifest names.

    Raises:
        InputError: its file has changed meanwhile.
    """
    if hash_image(tile.image) != job.hashes[tile.image_id]:
        raise InputError(f"{tile.image}: has changed while maps were made; run the same command again")


def write_values(job: Job, tile: Tile, values: np.ndarray) -> None:
    """Write a small image's probabilities, float32 (channels, h, w): the map last, as it says that all is done."""
    if job.std:
        write_map(map_path(job.std, tile.image_id), quantise(values[job.bands :]), tile.image)
    write_map(map_path(job.target, tile.image_id), quantise(values[: job.bands]), tile.image)


class Blocks:
    """The finished blocks of one large image, a file each, from which a stopped prediction goes on.

    None is half-written, and the map is put together from all.

    Args:
        folder: where they are; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, block: Block) -> Path:
        """Return the path of a block, there or not."""
        rows, columns = block
        return self.folder / f"{rows.start}-{rows.stop}-{columns.start}-{columns.stop}.npy"

    def has(self, block: Block) -> bool:
        """Tell whether a block is there; one that is damaged is dropped."""
        path = self.find(block)
        if path.is_file() and is_damaged(path) is not False:
            path.unlink()
        return path.is_file()

    def write(self, block: Block, values: np.ndarray) -> None:
        """Write a block's values, uint8 (channels, h, w).

        Raises:
            InputError: the disk is full, or refuses for another reason.
        """
        try:
            with write_whole(self.find(block)) as temporary:
                np.save(temporary, values)
                seal(temporary)
        except OSError as error:
            raise refuse_disk(self.find(block), error) from None

    def read(self, block: Block) -> np.ndarray:
        """Read the values of a block that is there, uint8 (channels, h, w).

        Raises:
            InputError: it is damaged.
        """
        path = self.find(block)
        if is_damaged(path) is not False:
            raise InputError(f"{path}: damaged meanwhile; check the disk, and run the same command again")
        return np.load(path, allow_pickle=False)


def write_scene(job: Job, tile: Tile, scene: Scene, predict: Predict) -> None:
    """Predict a large image in windows, block by block; one that was stopped goes on with the blocks that it lacks."""
    waiting = find_blocks(job.target, tile.image_id, job.hashes[tile.image_id])
    blocks = Blocks(waiting / str(job.channels))
    seen = predict_scene(scene, StackPredictor(predict, job.channels, job.multiple), blocks.has)
    writes = (functools.partial(blocks.write, block, quantise(values)) for block, values in seen)
    with contextlib.closing(write_behind(writes)) as written:
        for _ in written:
            pass
    counts = {job.target: job.bands} | ({job.std: 1} if job.std else {})
    with contextlib.ExitStack() as files:  # closed from the last to the first
        rasters = [
            files.enter_context(open_map(map_path(folder, tile.image_id), tile.image, scene.size, count))
            for folder, count in counts.items()
        ]
        for block in list_blocks(scene.size, job.multiple):
            parts = np.split(blocks.read(block), [job.bands])  # the second is empty without standard deviations
            for raster, values in zip(rasters, parts, strict=False):
                raster.write(values, window=Window.from_slices(*block))
    shutil.rmtree(waiting, ignore_errors=True)
