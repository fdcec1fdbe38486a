"""The work of predicting: one member's maps of some images, in this process or in another."""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from ensemble.inference.locks import Locks
from ensemble.inference.merging import merge_views
from ensemble.inference.networks import Network
from ensemble.inference.scenes import (
    BATCH,
    WINDOW,
    Block,
    Scene,
    StackPredictor,
    list_blocks,
    open_scene,
    predict_scene,
)
from ensemble.inference.views import View
from ensemble.mapfolder.raster import map_path, open_map, quantise, refuse_disk, write_map
from members.common.files import write_whole
from members.data.tiles import Tile

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
        image_ids: all images of the folder of maps.
    """

    folders: tuple[Path, ...]
    weights: tuple[str, ...]
    target: Path
    std: Path | None
    views: tuple[View, ...]
    merge: str
    multiple: int
    image_ids: tuple[str, ...]

    def is_done(self, image_id: str) -> bool:
        """Tell whether an image has all that is wanted; the map is what is written last."""
        folders = (self.target, self.std) if self.std else (self.target,)
        return all(map_path(folder, image_id).is_file() for folder in folders)

    @property
    def channels(self) -> int:
        """How many values a pixel has: the probability, and its standard deviation if that is wanted."""
        return 2 if self.std else 1


def make_maps(job: Job, networks: Sequence[Network], tiles: Sequence[Tile], locks: Locks) -> Iterator[str]:
    """Write the maps that nobody has written or is writing; yields the images' ids.

    Large images go in windows, small ones in batches of one size. An image is locked when it is read, and
    unlocked when its map is there.
    """

    def predict(stack: np.ndarray) -> np.ndarray:
        return merge_views(networks, stack, job.views, job.merge, std=job.std is not None)

    def finish(same: list[tuple[Tile, np.ndarray, np.ndarray]]) -> Iterator[str]:
        values = predict(np.stack([image for _, image, _ in same]))
        for index, (tile, _, valid) in enumerate(same):
            write_values(job, tile, values[:, index] * valid)
            locks.release(tile.image_id)
            yield tile.image_id
        same.clear()

    waiting: dict[tuple[int, ...], list[tuple[Tile, np.ndarray, np.ndarray]]] = {}
    for tile in tiles:
        if job.is_done(tile.image_id) or not locks.take(tile.image_id):
            continue
        if job.is_done(tile.image_id):  # by another process, in between
            locks.release(tile.image_id)
            continue
        with open_scene(tile.image) as scene:
            if max(scene.size) > WINDOW:
                write_scene(job, tile, scene, predict)
                locks.release(tile.image_id)
                yield tile.image_id
                continue
            everything = slice(0, scene.size[0]), slice(0, scene.size[1])
            image, valid = scene.read(everything), scene.read_valid(everything)
        same = waiting.setdefault(image.shape, [])
        same.append((tile, image, valid))
        if len(same) == BATCH:
            yield from finish(same)
    for same in waiting.values():
        if same:
            yield from finish(same)


def write_values(job: Job, tile: Tile, values: np.ndarray) -> None:
    """Write a small image's probabilities, float32 (channels, h, w): the map last, as it says that all is done."""
    if job.std:
        write_map(map_path(job.std, tile.image_id), quantise(values[1]), tile.image)
    write_map(map_path(job.target, tile.image_id), quantise(values[0]), tile.image)


class Blocks:
    """The finished blocks of one large image, a file each, from which a stopped prediction goes on.

    None is half-written, and the map is put together from all.

    Args:
        folder: where they are; it need not exist. Its name begins with a dot, so that nobody takes it for maps.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, block: Block) -> Path:
        """Return the path of a block, there or not."""
        rows, columns = block
        return self.folder / f"{rows.start}-{rows.stop}-{columns.start}-{columns.stop}.npy"

    def has(self, block: Block) -> bool:
        """Tell whether a block is there."""
        return self.find(block).is_file()

    def write(self, block: Block, values: np.ndarray) -> None:
        """Write a block's values, uint8 (channels, h, w).

        Raises:
            InputError: the disk is full, or refuses for another reason.
        """
        try:
            with write_whole(self.find(block)) as temporary:
                np.save(temporary, values)
        except OSError as error:
            raise refuse_disk(self.find(block), error) from None

    def read(self, block: Block) -> np.ndarray:
        """Read the values of a block that is there, uint8 (channels, h, w)."""
        return np.load(self.find(block), allow_pickle=False)

    def remove(self) -> None:
        """Drop all blocks, once their map is there."""
        shutil.rmtree(self.folder, ignore_errors=True)


def write_scene(job: Job, tile: Tile, scene: Scene, predict: Predict) -> None:
    """Predict a large image in windows, block by block; one that was stopped goes on with the blocks that it lacks."""
    blocks = Blocks(job.target / f".{tile.image_id}.{job.channels}")
    for block, values in predict_scene(scene, StackPredictor(predict, job.channels, job.multiple), blocks.has):
        blocks.write(block, quantise(values))
    folders = (job.target, job.std) if job.std else (job.target,)
    with contextlib.ExitStack() as files:  # closed from the last to the first
        rasters = [files.enter_context(open_map(map_path(f, tile.image_id), tile.image, scene.size)) for f in folders]
        for block in list_blocks(scene.size, job.multiple):
            for raster, channel in zip(rasters, blocks.read(block), strict=True):
                raster.write(channel, 1, window=Window.from_slices(*block))
    blocks.remove()
