"""The fastest engine whose maps are those of Keras, found by trying all on one batch."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.inference.engines.conversion import can_convert
from ensemble.inference.engines.table import ENGINES, Engine
from ensemble.inference.networks import Network, load_network
from ensemble.inference.scenes import WINDOW, count_batch, open_scene
from ensemble.inference.tasks import Task
from ensemble.mapfolder.manifest import find_manifest
from ensemble.mapfolder.raster import quantise
from members.common.errors import InputError
from members.data.run import FoldFolder
from members.data.tiles import Tile
from members.training.augment import pad_tile

WORTH = 500
"""Forward passes of an image from which on others than Keras are tried.

Converting a network takes as long as a hundred of them, and a pass by another engine saves a quarter of it or more.
"""
TOLERANCE = 1
"""Steps of 1 / 255 that maps may differ."""
ROUNDS = 2


@dataclass(frozen=True)
class Trial:
    """How an engine did on one batch.

    Attributes:
        engine: its name.
        seconds: of the fastest of a few rounds.
        difference: the largest from the maps of the first engine, in steps of 1 / 255.
    """

    engine: str
    seconds: float
    difference: int


def choose_engine(task: Task, say: Callable[[str], None]) -> Task:
    """Return the task with the engine that is fastest here.

    A prediction that goes on keeps the engine that it was begun with, where that is installed. Where there is little
    left to do, or nothing else is installed, it is Keras.

    Args:
        task: what there is to do.
        say: is told what the choice rests on.

    """
    left = set(task.list_left())
    begun = find_manifest(task.folder)
    if begun is not None and not task.manifest.list_differences(begun):
        known = [name for name in begun.engines if name in ENGINES and ENGINES[name].installed]
        if known:
            return task.with_engine(known[-1])
    job, tiles = task.jobs[0]
    mine = [tile for tile in tiles if tile.image_id in left]
    files = FoldFolder(job.folders[0])
    able = [engine for engine in ENGINES.values() if engine.exact and engine.installed]
    if len(able) == 1 or len(mine) * len(job.views) < WORTH or not can_convert(files):
        return task.with_engine("keras")
    try:
        trials = try_engines(files, read_batch(mine, job.multiple), able)
    except InputError as error:  # a network that can't be converted; what is wrong with weights Keras says again
        say(f"{task.manifest.member}: keras computes it; {error}")
        return task.with_engine("keras")
    chosen = take_fastest(trials)
    tried = ", ".join(f"{each.engine} {each.seconds:.2f} s ({each.difference} of 255)" for each in trials)
    say(f"{task.manifest.member}: {chosen} computes it; seconds for a batch, and largest difference: {tried}")
    return task.with_engine(chosen)


def read_batch(tiles: Sequence[Tile], multiple: int) -> np.ndarray:
    """Read a batch as the networks get it, float32 (n, h, w, 3): the first images, a window of each at most."""
    images: list[np.ndarray] = []
    for tile in tiles:
        with open_scene(tile.image) as scene:
            height, width = (min(side, WINDOW) for side in scene.size)
            image = pad_tile(scene.read((slice(0, height), slice(0, width))), 0, multiple)
        if not images or image.shape == images[0].shape:
            images.append(image)
        if len(images) == count_batch(image.shape):
            break
    return np.stack(images).astype(np.float32)


def try_engines(files: FoldFolder, batch: np.ndarray, engines: Sequence[Engine]) -> list[Trial]:
    """Time engines on a batch, in turns, so that other programs disturb all alike.

    Args:
        files: the fold whose network is computed.
        batch: float32 (n, h, w, 3).
        engines: the first is what the others are compared with.

    Raises:
        InputError: the weights are damaged.
    """
    networks: list[Network] = [load_network(files.path, engine.name) for engine in engines]
    maps = [quantise(network.predict(batch)) for network in networks]  # compiles, too
    seconds = [[measure(network, batch) for network in networks] for _ in range(ROUNDS)]
    return [
        Trial(engine.name, min(taken), int(np.abs(seen.astype(int) - maps[0]).max()))
        for engine, taken, seen in zip(engines, zip(*seconds, strict=True), maps, strict=True)
    ]


def measure(network: Network, batch: np.ndarray) -> float:
    """Return the seconds that a forward pass takes."""
    began = time.perf_counter()
    network.predict(batch)
    return time.perf_counter() - began


def take_fastest(trials: Sequence[Trial]) -> str:
    """Return the fastest engine whose maps are the same to 1 of 255."""
    return min((each for each in trials if each.difference <= TOLERANCE), key=lambda each: each.seconds).engine
