"""Predict with d4: what it takes beyond the network's own forward passes.

`overhead` is the wall time of a whole predict (reading, views, merging, locks, writing GeoTIFFs) over the time that is
spent inside the network's forward passes on the same batches, in the same run, so that other programs on the machine
disturb both alike. The other side is the plain way: eight passes over all images in the style of ttach, each image
turned, predicted, turned back and kept, the mean taken at the end; on the same network and batch size.

    python benchmarks/bench_predict.py --data ../shared/data --tiles 32
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import rasterio
import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from ensemble.inference.jobs import Job, make_maps
from ensemble.inference.locks import Locks
from ensemble.inference.networks import Network, trace_sizes
from ensemble.inference.scenes import BATCH
from ensemble.inference.views import VIEW_SETS
from ensemble.mapfolder.raster import map_path
from members.common.console import run_command, stdout
from members.data.tiles import Tile, list_tiles
from members.training.catalog import find_spec
from members.training.networks.backend import load_backend

Forward = Callable[[np.ndarray], np.ndarray]
TURNS: list[tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = [
    (
        lambda batch, turns=turns, flip=flip: np.rot90(batch[:, :, ::-1] if flip else batch, turns, (1, 2)),
        lambda batch, turns=turns, flip=flip: np.rot90(batch, -turns, (1, 2))[:, :, :: -1 if flip else 1],
    )
    for turns in range(4)
    for flip in (False, True)
]


class Timed:
    """A network's forward pass that adds up the time it takes."""

    def __init__(self, predict: Forward) -> None:
        self.predict, self.seconds, self.calls = predict, 0.0, 0

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        start = time.perf_counter()
        seen = self.predict(batch)
        self.seconds += time.perf_counter() - start
        self.calls += 1
        return seen


def predict_in_passes(predict: Forward, tiles: Sequence[Tile], folder: Path) -> None:
    """Predict in eight passes over all images, then take the mean of what was kept."""
    kept: dict[str, list[np.ndarray]] = {tile.image_id: [] for tile in tiles}
    for turn, back in TURNS:
        for start in range(0, len(tiles), BATCH):
            batch = tiles[start : start + BATCH]
            images = []
            for tile in batch:
                with rasterio.open(tile.image) as raster:
                    images.append(raster.read([1, 2, 3]).transpose(1, 2, 0).astype(np.float32))
            seen = back(predict(np.ascontiguousarray(turn(np.stack(images))))[..., 0])
            for tile, values in zip(batch, seen, strict=True):
                kept[tile.image_id].append(values)
    for tile in tiles:
        values = np.rint(np.mean(kept[tile.image_id], axis=0) * 255).astype(np.uint8)
        with rasterio.open(tile.image) as raster:
            profile = raster.profile | {"count": 1, "compress": "deflate", "predictor": 2}
        with rasterio.open(folder / f"{tile.image_id}.tif", "w", **profile) as raster:
            raster.write(values, 1)


def find_difference(tiles: Sequence[Tile], one: Path, other: Path) -> int:
    """Return the largest difference of two folders' maps, in steps of 1 / 255."""
    worst = 0
    for tile in tiles:
        with rasterio.open(map_path(one, tile.image_id)) as a, rasterio.open(map_path(other, tile.image_id)) as b:
            worst = max(worst, int(np.abs(a.read(1).astype(int) - b.read(1)).max()))
    return worst


def bench(
    data: Annotated[Path, typer.Option(help="Folder with hot_buildings.")] = Path("../shared/data"),
    tiles: Annotated[int, typer.Option(min=8, help="How many tiles, a multiple of 8.")] = 32,
    member: Annotated[str, typer.Option(help="Whose network, with random weights.")] = "lite0_unet",
) -> None:
    """Time both; the last line is one JSON object."""
    load_backend()
    from members.training.networks.network import build_network

    spec = find_spec(member)
    network = trace_sizes(build_network(spec))
    chosen = list_tiles(data / "hot_buildings", "test")[:tiles]
    network(np.zeros((BATCH, 256, 256, 3), np.float32))  # traces the graph
    with tempfile.TemporaryDirectory() as folder:
        ours, passes = Path(folder) / "maps/ours", Path(folder) / "passes"
        passes.mkdir()
        job = Job((), (), ours, None, VIEW_SETS["d4"], "mean", spec.size_multiple, tuple(t.image_id for t in chosen))
        timed = Timed(network)
        start = time.perf_counter()
        made = len(list(make_maps(job, [Network(spec, timed)], chosen, Locks(ours, job.image_ids))))
        seconds = time.perf_counter() - start
        start = time.perf_counter()
        predict_in_passes(network, chosen, passes)
        passes_seconds = time.perf_counter() - start
        difference = find_difference(chosen, ours, passes)
    stdout.print(
        f"{made} tiles of 256 x 256 by {member}, d4: predict {seconds:.2f} s, of these {timed.seconds:.2f} s in "
        f"{timed.calls} forward passes; eight passes in the style of ttach {passes_seconds:.2f} s"
    )
    result = {
        "overhead": round(seconds / timed.seconds, 4),
        "seconds": round(seconds, 2),
        "seconds_forward": round(timed.seconds, 2),
        "seconds_eight_passes": round(passes_seconds, 2),
        "largest_difference": difference,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    run_command(bench)
