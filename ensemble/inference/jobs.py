"""The work of predicting: one member's maps of some images, in this process or in another."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from ensemble.inference.blocks import Blocks
from ensemble.inference.locks import Claims
from ensemble.inference.scenes import Scene, list_blocks, open_scene, predict_scene
from ensemble.inference.views import Predict, View, merge_views
from ensemble.inference.windows import WINDOW
from ensemble.mapfolder.maps import map_path, open_map, quantise, write_map
from members.data.tiles import Tile

BATCH = 8


@dataclass(frozen=True)
class Job:
    """How maps are made, and where they go; the same in every process that takes part.

    Attributes:
        folders: of the trained folds, whose mean is taken.
        weights: the hash of each one's weights file.
        target: the folder of maps.
        spread: where the standard deviations over views and folds go, if they are wanted.
        views: what to look at.
        merge: one of `MERGES`.
        multiple: the network's size multiple, px.
        image_ids: all images of the folder of maps.
    """

    folders: tuple[Path, ...]
    weights: tuple[str, ...]
    target: Path
    spread: Path | None
    views: tuple[View, ...]
    merge: str
    multiple: int
    image_ids: tuple[str, ...]

    def is_done(self, image_id: str) -> bool:
        """Whether the image has all that is wanted; the map is what is written last."""
        folders = (self.target, self.spread) if self.spread else (self.target,)
        return all(map_path(folder, image_id).is_file() for folder in folders)

    @property
    def channels(self) -> int:
        return 2 if self.spread else 1


def make_maps(job: Job, networks: Sequence[Predict], tiles: Sequence[Tile], claims: Claims) -> Iterator[str]:
    """Write the maps that nobody has written or is writing; yields the images' ids.

    Large images go in windows, small ones in batches of one size. An image is claimed when it is read, and
    given up when its map is there.
    """

    def predict(stack: np.ndarray) -> np.ndarray:
        return merge_views(networks, stack, job.views, job.multiple, job.merge, spread=job.spread is not None)

    def finish(same: list[tuple[Tile, np.ndarray, np.ndarray]]) -> Iterator[str]:
        values = predict(np.stack([image for _, image, _ in same]))
        for place, (tile, _, valid) in enumerate(same):
            write_values(job, tile, values[:, place] * valid)
            claims.release(tile.image_id)
            yield tile.image_id
        same.clear()

    waiting: dict[tuple[int, ...], list[tuple[Tile, np.ndarray, np.ndarray]]] = {}
    for tile in tiles:
        if job.is_done(tile.image_id) or not claims.take(tile.image_id):
            continue
        if job.is_done(tile.image_id):  # by another process, in between
            claims.release(tile.image_id)
            continue
        with open_scene(tile.image) as scene:
            if max(scene.size) > WINDOW:
                write_scene(job, tile, scene, predict)
                claims.release(tile.image_id)
                yield tile.image_id
                continue
            whole = slice(0, scene.size[0]), slice(0, scene.size[1])
            image, valid = scene.read(whole), scene.read_valid(whole)
        same = waiting.setdefault(image.shape, [])
        same.append((tile, image, valid))
        if len(same) == BATCH:
            yield from finish(same)
    for same in waiting.values():
        if same:
            yield from finish(same)


def write_values(job: Job, tile: Tile, values: np.ndarray) -> None:
    """Write a small image's probabilities, float32 (channels, h, w): the spread first, as the map says it is done."""
    if job.spread:
        write_map(map_path(job.spread, tile.image_id), quantise(values[1]), tile.image)
    write_map(map_path(job.target, tile.image_id), quantise(values[0]), tile.image)


def write_scene(job: Job, tile: Tile, scene: Scene, predict: Predict) -> None:
    """Predict a large image in windows, block by block; one that was stopped goes on with the blocks that it lacks."""
    blocks = Blocks(job.target / f".{tile.image_id}.{job.channels}")
    missing = predict_scene(scene, predict, BATCH, job.channels, job.multiple, blocks.has)
    for block, values in missing:
        blocks.write(block, quantise(values))
    folders = (job.target, job.spread) if job.spread else (job.target,)
    with contextlib.ExitStack() as files:  # closed from the last to the first
        rasters = [files.enter_context(open_map(map_path(f, tile.image_id), tile.image, scene.size)) for f in folders]
        for block in list_blocks(scene.size, job.multiple):
            for raster, channel in zip(rasters, blocks.read(block), strict=True):
                raster.write(channel, 1, window=Window.from_slices(*block))
    blocks.remove()
