"""Predict with d4: each engine here, the plain Keras loop, and PyTorch with ttach, on the same tiles and weights.

Ours is a whole predict: reading, views, merging, locks, writing GeoTIFFs. The others are given their images in memory
and write nothing: `keras_loop` calls `keras.Model.predict` for each view of each image, `keras_batched` does so for all
images of a round at once, view by view, `ttach` shows a PyTorch module with the same weights to ttach's d4_transform
(peer_ttach.py, in a process of its own, in batches as ours). They take turns, a few tiles each, so that other programs
disturb all alike. Speed-ups are those of the engine that takes the fewest CPU seconds, by the clock and by CPU seconds.
`overhead` is the wall time of its whole predict over that of the forward passes; `max_difference` is the largest
between any two maps of ours, or of ours and ttach's, in steps of 1 / 255.

    python benchmarks/bench_predict.py --data ../shared/data --tiles 16 --peer /path/to/python/with/torch
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from ensemble.inference.engines.conversion import load_keras_network
from ensemble.inference.engines.table import ENGINES
from ensemble.inference.jobs import Job, make_maps
from ensemble.inference.locks import Locks
from ensemble.inference.networks import Network, load_network
from ensemble.inference.scenes import BATCH
from ensemble.inference.views import VIEW_SETS
from ensemble.mapfolder.raster import map_path, read_map
from members.common.console import run_command, stdout
from members.common.errors import InputError
from members.common.files import write_json
from members.data.drivers import hash_image
from members.data.raster import read_image
from members.data.run import FoldFolder
from members.data.tiles import Tile, list_tiles
from members.training.catalog import find_spec
from members.training.networks.backend import load_backend

Forward = Callable[[np.ndarray], np.ndarray]
IMAGE = (256, 256)
PEER = Path(__file__).with_name("peer_ttach.py")


class Timed:
    """A network's forward pass that adds up the time it takes."""

    def __init__(self, predict: Forward) -> None:
        self.predict, self.seconds = predict, 0.0

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        start = time.perf_counter()
        seen = self.predict(batch)
        self.seconds += time.perf_counter() - start
        return seen


def measure(work: Callable[[], Any]) -> dict[str, float]:
    """Measure the seconds and CPU seconds that work takes in this process."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}


def write_fold(member: str, path: Path) -> FoldFolder:
    """Write a fold whose encoder has its ImageNet weights, and its decoder random ones."""
    from members.training.networks.network import build_network
    from members.training.networks.weights import write_weights

    files, spec = FoldFolder(path), find_spec(member)
    write_json(files.spec_file, spec.model_dump(mode="json"))
    write_weights(build_network(spec, spec.encoder_weights), files)
    return files


def turn(images: np.ndarray, number: int) -> np.ndarray:
    """Return one of the eight views of a stack of square images."""
    return np.rot90(images[:, :, :: -1 if number % 2 else 1], number // 2, (1, 2))


def predict_in_loop(network: Any, images: np.ndarray, batched: bool) -> None:
    """Call `predict` for each view of each image, or for each view of all images; turn back, and take the mean."""
    for stack in [images] if batched else [image[None] for image in images]:
        total = np.zeros((*stack.shape[:3], 1), np.float32)
        for number in range(8):
            seen = network.predict(np.ascontiguousarray(turn(stack, number)), batch_size=BATCH, verbose=0)
            back = np.rot90(seen, -(number // 2), (1, 2))
            total += back[:, :, :: -1 if number % 2 else 1]
        np.rint(total / 8 * 255).astype(np.uint8)


class Peer:
    """The other process, which is asked for a few images at a time."""

    def __init__(self, python: str, network: Any, images: np.ndarray, folder: Path) -> None:
        from members.training.networks.network import list_layers

        arrays = {f"{layer.name}/{n}": w for layer in list_layers(network) for n, w in enumerate(layer.get_weights())}
        np.savez(folder / "weights.npz", **arrays)
        np.save(folder / "images.npy", images)
        self.maps = folder / "maps.npy"
        command = [python, str(PEER), *(str(folder / name) for name in ("weights.npz", "images.npy", "maps.npy"))]
        patient = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}  # its threads don't burn a core that others are at
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=patient)
        self.answer()

    def answer(self) -> str:
        """Return its next line."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise InputError(f"{PEER.name} failed, as it says above; --peer is a Python with torch and ttach")
        return line

    def ask(self, first: int, last: int) -> dict[str, float]:
        """Have images predicted; return what it took."""
        if self.process.stdin:
            print(first, last, file=self.process.stdin, flush=True)
        return json.loads(self.answer())

    def close(self) -> np.ndarray:
        """End it; return the maps of all images that were asked for, in that order."""
        self.process.communicate()
        return np.load(self.maps)


def predict_whole(network: Network, tiles: Sequence[Tile], folder: Path) -> dict[str, float]:
    """Do a whole predict; return what it took."""
    timed = Timed(network.predict)
    views, multiple = VIEW_SETS["d4"], network.spec.size_multiple
    job = Job((), (), folder, None, views, "mean", multiple, {tile.image_id: hash_image(tile.image) for tile in tiles})
    locks = Locks(folder, job.image_ids)
    taken = measure(lambda: list(make_maps(job, [Network(network.spec, timed)], tiles, locks)))
    return taken | {"forward_seconds": timed.seconds}


def bench(
    data: Annotated[Path, typer.Option(help="Folder with hot_buildings.")] = Path("../shared/data"),
    tiles: Annotated[int, typer.Option(min=1, help="How many tiles.")] = 16,
    together: Annotated[int, typer.Option(min=1, help="Tiles in a round, after which it is the next one's turn.")] = 8,
    member: Annotated[str, typer.Option(help="A U-Net on EfficientNet-Lite, its decoder random.")] = "lite0_unet",
    fold: Annotated[Path | None, typer.Option(help="A trained fold of one, in place of random weights.")] = None,
    peer: Annotated[
        str | None, typer.Option(help="A Python with torch and ttach; default: this one, if it has them.")
    ] = None,
) -> None:
    """Time all; the last line is one JSON object."""
    load_backend()
    if peer is None and importlib.util.find_spec("torch") and importlib.util.find_spec("ttach"):
        peer = sys.executable
    chosen = list_tiles(data / "hot_buildings", "test")[:tiles]
    images = np.stack([read_image(tile.image) for tile in chosen])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = FoldFolder(fold) if fold else write_fold(member, folder / "fold0")
        engines = [engine.name for engine in ENGINES.values() if engine.exact and engine.installed]
        networks = {engine: load_network(files.path, engine) for engine in engines}
        for network in networks.values():
            network.predict(images[:BATCH].astype(np.float32))  # traces, compiles
        plain = load_keras_network(files)
        work: dict[str, Callable[[int, int], dict[str, float]]] = {}
        for engine, network in networks.items():
            work[engine] = (
                lambda first, last, engine=engine, network=network: predict_whole(  # type: ignore[misc]
                    network, chosen[first:last], folder / "maps" / engine
                )
            )
        work["keras_loop"] = lambda first, last: measure(lambda: predict_in_loop(plain, images[first:last], False))
        work["keras_batched"] = lambda first, last: measure(lambda: predict_in_loop(plain, images[first:last], True))
        predict_in_loop(plain, images[:1], False)
        predict_in_loop(plain, images[:together], True)
        other = Peer(peer, plain, images, folder) if peer else None
        if other:
            work["ttach"] = other.ask
        results: dict[str, Counter[str]] = {label: Counter() for label in work}
        for first in range(0, len(images), together):
            for label, do in work.items():
                results[label].update(do(first, min(first + together, len(images))))
        maps = [
            np.stack([read_map(map_path(folder / "maps" / engine, tile.image_id), IMAGE) for tile in chosen])
            for engine in engines
        ]
        if other:
            maps.append(other.close())
    for label, taken in results.items():
        speed = len(images) / taken["seconds"]
        stdout.print(f"{label:14s} {speed:6.2f} images/s  {taken['cpu_seconds'] / len(images):6.2f} CPU s an image")
    fastest = min(engines, key=lambda engine: results[engine]["cpu_seconds"])

    def compare(label: str, what: str) -> float | None:
        return round(results[label][what] / results[fastest][what], 2) if label in results else None

    result = {
        "tiles": len(images),
        "engines": {label: {key: round(n, 3) for key, n in taken.items()} for label, taken in results.items()},
        "fastest": fastest,
        "speedup_ttach": compare("ttach", "seconds"),
        "speedup_keras": compare("keras_loop", "seconds"),
        "speedup_keras_batched": compare("keras_batched", "seconds"),
        "speedup_ttach_cpu": compare("ttach", "cpu_seconds"),
        "speedup_keras_cpu": compare("keras_loop", "cpu_seconds"),
        "speedup_keras_batched_cpu": compare("keras_batched", "cpu_seconds"),
        "overhead": round(results[fastest]["seconds"] / results[fastest]["forward_seconds"], 3),
        "max_difference": int(np.ptp(np.stack(maps).astype(int), axis=0).max()),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    run_command(bench)
