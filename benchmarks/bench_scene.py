"""Scenes of growing size through the whole of a predict but the network: is memory flat, time linear?

A stand-in stands in for the network (the red channel). Each size runs in a process of its own, from a tiled,
georeferenced GeoTIFF on disk to a map on disk; its peak memory is that process's. The map is then compared with
the image, block by block.

    python benchmarks/bench_scene.py
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import rasterio
import typer
from rasterio.windows import Window

sys.path.insert(0, str(Path(__file__).parents[1]))

from ensemble.inference.jobs import Job, write_scene
from ensemble.inference.scenes import open_scene
from ensemble.inference.views import VIEW_SETS
from ensemble.mapfolder.raster import map_path
from members.common.console import run_command, stdout
from members.data.drivers import hash_image
from members.data.tiles import Tile

SIZES = (2048, 8192, 20000)
BLOCK = 512


def write_image(path: Path, side: int) -> None:
    """Write a square RGB GeoTIFF of rows of blocks that repeat after a few thousand columns."""
    rng = np.random.default_rng(0)
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "crs": "EPSG:3857", "bigtiff": "if_safer"}
    profile |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "zlevel": 1}
    coarse = rng.integers(0, 256, (3, BLOCK // 8, 1 + side // 8), np.uint8)
    transform = rasterio.Affine(0.3, 0, 1e7, 0, -0.3, 4e6)
    with rasterio.open(path, "w", height=side, width=side, transform=transform, **profile) as raster:
        for top in range(0, side, BLOCK):
            band = np.roll(coarse, top // BLOCK, axis=2).repeat(8, axis=1).repeat(8, axis=2)
            height = min(BLOCK, side - top)
            raster.write(band[:, :height, :side], window=Window(0, top, side, height))


def predict_red(stack: np.ndarray) -> np.ndarray:
    """Return the red channel as the probability: the stand-in, (1, n, h, w)."""
    return stack[None, ..., 0] / np.float32(255)


def measure_peak() -> float:
    """Return the most memory that this process has had so far, in MiB; what its parent had is not counted."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


def agree(image: Path, values: Path) -> bool:
    """Tell whether the map is the red channel."""
    with rasterio.open(image) as one, rasterio.open(values) as other:
        same_place = (one.shape, one.crs, one.transform) == (other.shape, other.crs, other.transform)
        return same_place and all(
            np.array_equal(one.read(1, window=block), other.read(1, window=block)) for _, block in one.block_windows(1)
        )


def bench(
    sizes: Annotated[list[int] | None, typer.Option(help="Sides of the scenes, px; repeat it.")] = None,
    one: Annotated[Path | None, typer.Option(hidden=True, help="Predict this one here.")] = None,
) -> None:
    """Time scenes of several sizes; the last line is one JSON object."""
    if one is not None:
        job = Job((), (), one.parent / "maps", None, VIEW_SETS["none"], "mean", 32, {one.stem: hash_image(one)})
        before = measure_peak()
        start, cpu = time.perf_counter(), time.process_time()
        with open_scene(one) as scene:
            write_scene(job, Tile(one.stem, one, None, one.stem), scene, predict_red)
        print(json.dumps([time.perf_counter() - start, time.process_time() - cpu, measure_peak(), before]))
        return
    sides, seconds, cpu_seconds, peaks, same = list(sizes or SIZES), [], [], [], True
    for side in sides:
        with tempfile.TemporaryDirectory() as folder:
            image = Path(folder) / "scene.tif"
            write_image(image, side)
            done = subprocess.run(
                [sys.executable, __file__, "--one", image], capture_output=True, text=True, check=True
            )
            clock, cpu, peak, before = json.loads(done.stdout.splitlines()[-1])
            same = same and agree(image, map_path(image.parent / "maps", "scene"))
        stdout.print(f"{side} x {side}: {clock:.1f} s ({cpu:.1f} CPU s), {cpu / side**2 * 1e6:.3f} CPU s a megapixel, "
                     f"peak {peak:.0f} MiB, of these {before:.0f} for Python and its packages")  # fmt: skip
        seconds.append(round(clock, 2))
        cpu_seconds.append(round(cpu, 2))
        peaks.append(round(peak, 1))
    result = {"sizes": sides, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": peaks, "same_answers": same}
    print(json.dumps(result))


if __name__ == "__main__":
    run_command(bench)
