"""Tiles by the thousand through tune, submit and score, and one huge scene: is time linear, and memory flat?

The tiles are those of hot_maps, two members, over and over, each time with other noise, which is drawn as a tile is
read: no file, and no copy in memory. Each number of tiles, and of workers, runs in a process of its own, whose peak
memory is that process's; the counts that tuning keeps are told beside it. The scene is sparse, has no data but in
some squares, and goes from a GeoTIFF through predict, with a stand-in for the network, to outlines in a GeoPackage.

    python benchmarks/bench_scale.py [--tiles N ...] [--workers N ...] [--side PX] [--scene PX]

The last line is one JSON object.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import rasterio
import typer
from rasterio.windows import Window

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench_scene import measure_peak, predict_red

from ensemble.inference.jobs import Job, write_scene
from ensemble.inference.scenes import open_scene
from ensemble.inference.views import VIEW_SETS
from ensemble.mapfolder.raster import map_path
from ensemble.mapfolder.samples import Sample
from ensemble.selection.blend import Blend, read_blend
from members.common.console import run_command, stdout
from members.common.workers import Threads, Workers
from members.data.drivers import hash_image
from members.data.frames import Frame, read_frame
from members.data.groups import read_groups
from members.data.mosaic import Window as Block
from members.data.raster import read_mask
from members.data.tiles import Tile
from postproc.formats.exports import Source, plan_exports, write_exports
from postproc.pipeline.outlines import OutlineRecipe
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe
from postproc.scoring.buildings import ImageBuildings
from postproc.scoring.reading import Inputs, read_masks
from postproc.scoring.table import list_rows
from postproc.tuning.tuning import tune_pipeline

DATA = Path(os.environ.get("ROOFSTACK_DATA", Path(__file__).parents[1] / "../shared/data"))
MEMBERS = ("lite0", "lite1")
NOISE = 6
SQUARE, SQUARES = 2048, 60
"""Side of a scene's squares with data, px, and how many there are."""
COMMITTED = Recipe(threshold=120, close=3, open=3, min_hole=64, min_object=64)


class NoisyTiles:
    """Samples: the maps and truths of hot_maps again and again, with noise of each tile's own.

    Args:
        count: how many tiles.
        side: of the corner that is taken of each, px.
        data: the folder of hot_buildings and hot_maps.
    """

    def __init__(self, count: int, side: int, data: Path = DATA) -> None:
        self.members, self.count, self.side = MEMBERS, count, side
        folder = data / "hot_buildings/training/masks/img"
        names = sorted(path.stem for path in folder.glob("*.tif"))
        groups = read_groups(data / "hot_buildings", names)
        self.groups = tuple(f"{groups[names[number % len(names)]]} {number // len(names)}" for number in range(count))
        self.base = [
            (
                [self.cut(read_values(data / "hot_maps/valid" / member / f"{name}.tif")) for member in MEMBERS],
                self.cut(read_mask(folder / f"{name}.tif")),
            )
            for name in names[:count]
        ]

    def cut(self, pixels: np.ndarray) -> np.ndarray:
        """Copy the corner that is taken."""
        return pixels[: self.side, : self.side].copy()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Sample:
        maps, truth = self.base[number % len(self.base)]
        rng = np.random.default_rng(number)
        noise = rng.integers(-NOISE, NOISE + 1, (len(maps), *truth.shape), np.int16)
        return [np.clip(values + own, 0, 255).astype(np.uint8) for values, own in zip(maps, noise, strict=True)], truth

    def __iter__(self) -> Iterator[Sample]:
        return (self[number] for number in range(self.count))

    def read_gaps(self, number: int) -> Sequence[np.ndarray | None]:
        """Return nothing for each member: none of them sees where buildings touch."""
        return [None] * len(self.members)

    def list_buildings(self, number: int) -> None:
        """Return nothing: the buildings are the components of the masks."""


def read_values(path: Path) -> np.ndarray:
    """Read a map, uint8 (h, w)."""
    with rasterio.open(path) as raster:
        return raster.read(1)


def name_tile(number: int) -> str:
    """Return a tile's id, whose order is that of the numbers."""
    return f"tile{number:07}"


def read_tile(samples: NoisyTiles, pipeline: Pipeline, image_id: str, window: Block) -> tuple[np.ndarray, np.ndarray]:
    """Blend and cut a window of a tile, as submit reads one."""
    maps, _ = samples[int(image_id[4:])]
    values = pipeline.blend.mix(maps)
    return pipeline.cut_window(lambda outer: values[outer], values.shape, window)


def read_truth(samples: NoisyTiles, image_id: str) -> ImageBuildings:
    """Return a tile's true buildings."""
    return ImageBuildings.from_mask(samples[int(image_id[4:])][1])


def run_stages(count: int, workers: Workers, side: int, stages: Sequence[str], folder: Path) -> dict[str, Any]:
    """Run the stages on so many tiles; tell seconds, CPU seconds and peak memory of each."""
    samples = NoisyTiles(count, side)
    ids = [name_tile(number) for number in range(count)]
    pipeline = Pipeline(Blend.mean(MEMBERS), COMMITTED)
    # far apart, so that none touches another
    frames = {
        image_id: Frame(image_id, (side, side), "EPSG:3857", rasterio.Affine(0.3, 0, 900.0 * x, 0, -0.3, -900.0 * y))
        for number, image_id in enumerate(ids)
        for y, x in [divmod(number, 1000)]
    }
    csv = folder / "submission.csv"

    def tune() -> dict[str, Any]:
        tuning = tune_pipeline(samples, workers=workers)
        grid = tuning.grid
        counted = 0 if grid is None else sum(sums.nbytes for sums in grid.counts.sums.values())
        return {"recipe": str(tuning.pipeline.recipe), "grid_mib": round(counted / 2**20)}

    def submit() -> dict[str, Any]:
        source = Source(frames, partial(read_tile, samples, pipeline), pipeline.outline_mask, False)
        found = write_exports(
            plan_exports({"output": csv, "vector": folder / "b.gpkg"}, frames), source, 0, workers=workers
        )
        return {"buildings": found.buildings}

    def score() -> dict[str, Any]:
        inputs = Inputs(csv, ids, count, read_masks(csv), partial(read_truth, samples))
        rows = list_rows(inputs.compare(workers=workers), samples.groups)
        return {"pooled_iou": round(rows[0].scores["pooled_iou"].value, 6)}

    result: dict[str, Any] = {"before_mib": measure_peak()}
    for name, stage in (("tune", tune), ("submit", submit), ("score", score)):
        if name in stages:
            start, cpu = time.perf_counter(), time.process_time()
            found = stage()
            seconds = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
            result[name] = {
                **{key: round(value, 1) for key, value in seconds.items()},
                **found,
                "peak_mib": measure_peak(),
            }
    return result


def write_sparse(path: Path, side: int) -> None:
    """Write a scene of a side, px, that has no data but in some squares, where the red channel is a map of hot_maps."""
    samples, rng = NoisyTiles(336, 256), np.random.default_rng(0)
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "crs": "EPSG:32645", "bigtiff": "yes", "nodata": 0}
    profile |= {
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
        "zlevel": 1,
        "sparse_ok": True,
    }
    transform = rasterio.Affine(0.3, 0, 350_000, 0, -0.3, 3_050_000)
    cells = side // SQUARE
    with rasterio.open(path, "w", height=side, width=side, transform=transform, **profile) as raster:
        for cell in rng.choice(cells**2, min(SQUARES, cells**2), replace=False).tolist():
            tops = [divmod(number, SQUARE // 256) for number in range((SQUARE // 256) ** 2)]
            square = np.ones((SQUARE, SQUARE), np.uint8)
            for y, x in tops:
                (values, _), _ = samples[int(rng.integers(336))]
                square[256 * y : 256 * (y + 1), 256 * x : 256 * (x + 1)] = np.maximum(values, 1)
            row, column = divmod(cell, cells)
            raster.write(np.stack([square] * 3), window=Window(column * SQUARE, row * SQUARE, SQUARE, SQUARE))


def run_scene(side: int, workers: Workers, folder: Path) -> dict[str, Any]:
    """Take a scene from its file to a map, to outlines, to a GeoPackage; tell seconds and peak memory of each."""
    image, maps = folder / "scene.tif", folder / "maps/one"
    result: dict[str, Any] = {"before_mib": measure_peak()}
    job = Job((), (), maps, None, VIEW_SETS["none"], "mean", 32, {"scene": hash_image(image)})
    start = time.perf_counter()
    with open_scene(image) as scene:
        write_scene(job, Tile("scene", image, None, "scene"), scene, predict_red)
    result["predict"] = {"seconds": round(time.perf_counter() - start, 1), "peak_mib": measure_peak()}
    pipeline = Pipeline(Blend({"one": 1}), COMMITTED, OutlineRecipe())
    frames = {"scene": read_frame(map_path(maps, "scene"))}
    start = time.perf_counter()
    source = Source(frames, partial(read_scene, folder, pipeline, (side, side)), pipeline.outline_mask, True)
    count = write_exports(plan_exports({"vector": folder / "b.gpkg"}, frames), source, 0, workers=workers).buildings
    seconds = {"seconds": round(time.perf_counter() - start, 1), "buildings": count, "peak_mib": measure_peak()}
    return result | {"outlines": seconds}


def read_scene(
    folder: Path, pipeline: Pipeline, size: tuple[int, int], image_id: str, window: Block
) -> tuple[np.ndarray, np.ndarray]:
    """Read and cut a window of the scene's map, as submit does."""
    return pipeline.cut_window(
        lambda outer: read_blend(folder / "maps", pipeline.blend, image_id, size, outer), size, window
    )


def call(*arguments: object) -> dict[str, Any]:
    """Run a part of this script in a process of its own."""
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def bench(
    tiles: Annotated[list[int] | None, typer.Option(help="Numbers of tiles; repeat it. 0: none.")] = None,
    workers: Annotated[list[int] | None, typer.Option(help="Numbers of threads; repeat it.")] = None,
    side: Annotated[int, typer.Option(help="Of the tiles, px, up to 256.")] = 256,
    stages: Annotated[str, typer.Option(help="Which, by commas.")] = "tune,submit,score",
    scene: Annotated[int, typer.Option(help="Side of the scene, px; 0: none.")] = 60_000,
    one: Annotated[Path | None, typer.Option(hidden=True, help="Do one part here, in this folder.")] = None,
) -> None:
    """Run the stages on growing numbers of tiles, and the scene."""
    counts, threads = [count for count in tiles or (1000, 10_000) if count], workers or [1, 2]
    if one is not None:
        with_threads = Threads(threads[0])
        small = scene == 0
        done = (
            run_stages(counts[0], with_threads, side, stages.split(","), one)
            if small
            else run_scene(scene, with_threads, one)
        )
        print(json.dumps(done))
        return
    result: dict[str, Any] = {
        "side": side,
        "tiles": [],
        "workers": [],
        "seconds": [],
        "cpu_seconds": [],
        "peak_mib": [],
    }
    for count in counts:
        for number in threads:
            with tempfile.TemporaryDirectory() as folder:
                found = call(
                    "--one",
                    folder,
                    "--tiles",
                    count,
                    "--workers",
                    number,
                    "--side",
                    side,
                    "--stages",
                    stages,
                    "--scene",
                    0,
                )
            stdout.print(f"{count} tiles, {number} worker(s): {found}")
            own = {name: found[name] for name in stages.split(",")}
            result["tiles"].append(count)
            result["workers"].append(number)
            for key in ("seconds", "cpu_seconds", "peak_mib"):
                result[key].append({name: round(values[key], 1) for name, values in own.items()})
    if scene:
        with tempfile.TemporaryDirectory() as folder:
            write_sparse(Path(folder) / "scene.tif", scene)
            result["scene"] = call("--one", folder, "--scene", scene, "--workers", threads[-1]) | {"side": scene}
        stdout.print(f"scene: {result['scene']}")
    print(json.dumps(result))


if __name__ == "__main__":
    run_command(bench)
