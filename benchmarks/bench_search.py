"""The exact joint search against trying one setting at a time: same answers, how much faster, how it grows.

Both sides run on one core and are timed in the process's CPU seconds, so that other programs on the machine
disturb the ratio little; the search before and after the loops. The loops try each of the 225 settings
of order, kernel, closing and opening at one threshold, which their cost doesn't depend on, and are scaled to 255.

    python benchmarks/bench_search.py --data ../shared/data
    python benchmarks/bench_search.py --growth 100 --growth 300 --growth 1000 --growth 3000
    python benchmarks/bench_search.py --trials 500

With --trials, blend weights of five members (the two and noisy copies) are free in a study in a journal file, and the
clock's seconds inside Optuna and those of scoring are told apart, on all cores.
"""

import csv
import itertools
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import rasterio
import typer
from skimage.morphology import closing, opening

sys.path.insert(0, str(Path(__file__).parents[1]))

from ensemble.statistics.counts import THRESHOLDS
from members.common.console import run_command, stdout, track
from members.common.workers import Threads
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.steps import draw_kernel
from postproc.search.exact import Grid, Tile, search_kernels
from postproc.study.storage import Address
from postproc.study.studies import StoredStudies
from postproc.study.trials import Evaluation, Params, Search, run_trials
from postproc.study.weights import Stack, make_first, make_ranges

Counts = tuple[int, int]
Trial = tuple[Recipe, int]


def read_tiles(data: Path, count: int) -> tuple[list[Tile], list[str]]:
    """Read the members' blended maps with their truths, and the group of each tile."""
    hot = data / "hot_buildings"
    with (hot / "tiles.csv").open(newline="") as file:
        groups = {row["image_id"]: row["group"] for row in csv.DictReader(file) if row["part"] == "training"}
    names = sorted(groups)[:count]
    tiles = []
    for name in names:
        maps = [read(data / "hot_maps/valid" / member / f"{name}.tif") for member in ("lite0", "lite1")]
        blend = np.rint(np.mean(maps, axis=0)).astype(np.uint8)
        tiles.append((blend, read(hot / "training/masks/img" / f"{name}.tif") > 0))
    return tiles, [groups[name] for name in names]


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read(1)


def count_with_opencv(trial: Trial, tiles: Sequence[Tile]) -> Counts:
    """Return the intersection and the union of one setting over all tiles: the best plain loop."""
    recipe, threshold = trial
    steps = [
        (cv2.MORPH_CLOSE, draw_kernel(recipe.kernel, recipe.close), recipe.close),
        (cv2.MORPH_OPEN, draw_kernel(recipe.kernel, recipe.open), recipe.open),
    ]
    steps = [step for step in steps if step[2] > 1]
    if recipe.order == "open-close":
        steps.reverse()
    intersection = union = 0
    for blend, truth in tiles:
        truth_bytes = truth.view(np.uint8)
        _, mask = cv2.threshold(blend, threshold - 1, 1, cv2.THRESH_BINARY)
        for operation, kernel, _ in steps:
            mask = cv2.morphologyEx(mask, operation, kernel)
        intersection += cv2.countNonZero(cv2.bitwise_and(mask, truth_bytes))
        union += cv2.countNonZero(cv2.bitwise_or(mask, truth_bytes))
    return intersection, union


def count_with_scikit_image(trial: Trial, tiles: Sequence[Tile]) -> Counts:
    """Count the same in scikit-image and NumPy."""
    recipe, threshold = trial
    steps = {"close": (closing, recipe.close), "open": (opening, recipe.open)}
    intersection = union = 0
    for blend, truth in tiles:
        mask = blend >= threshold
        for step in recipe.order.split("-"):
            operation, size = steps[step]
            if size > 1:
                mask = operation(mask, draw_kernel(recipe.kernel, size), mode="ignore")
        intersection += int(np.count_nonzero(mask & truth))
        union += int(np.count_nonzero(mask | truth))
    return intersection, union


def time_loop(
    count: Callable[[Trial, Sequence[Tile]], Counts], trials: Sequence[Trial], tiles: Sequence[Tile]
) -> tuple[float, list[Counts]]:
    """Return the CPU seconds for a trial and a tile, and the trials' counts."""
    start = time.process_time()
    counts = [count(trial, tiles) for trial in trials]
    return (time.process_time() - start) / len(trials) / len(tiles), counts


def time_search(tiles: Sequence[Tile], groups: Sequence[str]) -> tuple[float, Grid]:
    """Return the CPU seconds of the whole search on one core, and its grid."""
    start = time.process_time()
    grid = search_kernels(tiles, groups, workers=Threads(1))
    return time.process_time() - start, grid


def agree(grid: Grid, trials: Sequence[Trial], counts: Sequence[Counts]) -> bool:
    """Tell whether the grid says the same as the loop for all trials, to the last pixel."""
    indices = {recipe: index for index, recipe in enumerate(grid.recipes)}
    found = [grid.counts[indices[recipe], threshold - 1] for recipe, threshold in trials]
    return [(int(one.sums["intersection"].sum()), int(one.sums["union"].sum())) for one in found] == list(counts)


def turn_tiles(tiles: Sequence[Tile], count: int) -> Iterator[Tile]:
    """Yield `count` tiles, again and again the same but turned or mirrored, each made when it is asked for."""
    for number, (blend, truth) in zip(range(count), itertools.cycle(tiles)):
        turn = number // len(tiles)
        if turn % 8 >= 4:
            blend, truth = blend.T, truth.T
        yield np.rot90(blend, turn), np.rot90(truth, turn)


def list_five(tiles: Sequence[Tile], data: Path, names: Sequence[str]) -> list[np.ndarray]:
    """Return each tile's maps, uint8 (5, height, width): two members' and three noisy copies."""
    rng, stacks = np.random.default_rng(0), []
    for name in names[: len(tiles)]:
        maps = [read(data / "hot_maps/valid" / member / f"{name}.tif") for member in ("lite0", "lite1")]
        for copied, noise in ((0, 20), (1, 20), (0, 40)):
            noisy = maps[copied] + rng.normal(0, noise, maps[copied].shape)
            maps.append(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
        stacks.append(np.stack(maps))
    return stacks


def time_trials(
    stacks: Sequence[np.ndarray], tiles: Sequence[Tile], groups: Sequence[str], budget: int
) -> dict[str, float]:
    """Run a study of so many trials with free weights; tell the clock's seconds inside Optuna from those of scoring."""
    members = [f"member{number}" for number in range(len(stacks[0]))]
    given = dict.fromkeys(members, 1)
    stack = Stack([(maps, truth) for maps, (_, truth) in zip(stacks, tiles, strict=True)], groups, "pooled_iou")
    training_mask = np.ones(len(stack.groups), bool)
    scoring = 0.0

    def evaluate(params: Params) -> Iterator[Evaluation]:
        nonlocal scoring
        start = time.perf_counter()
        evaluations = list(stack.evaluate(params, members, training_mask))
        scoring += time.perf_counter() - start
        yield from evaluations

    with tempfile.TemporaryDirectory() as folder:
        studies = StoredStudies(Address(Path(folder) / "study.journal"), "bench", "data", "maps")
        search = Search("weights", make_ranges(given), make_first(given, Recipe(threshold=128)), evaluate)
        start = time.perf_counter()
        best = run_trials(studies, search, budget, track).best_value
        total = time.perf_counter() - start
    return {
        "trials": budget,
        "maps": len(tiles),
        "members": len(members),
        "optuna_seconds": round(total - scoring, 2),
        "scoring_seconds": round(scoring, 2),
        "best": round(best, 4),
    }


def measure_peak() -> float:
    """Return the most memory that the process has had so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bench(
    data: Annotated[Path, typer.Option(help="Folder with hot_buildings and hot_maps.")] = Path("../shared/data"),
    maps: Annotated[int, typer.Option(min=1, help="How many maps to search.")] = 336,
    growth: Annotated[list[int] | None, typer.Option(min=1, help="Also time so many maps; repeat it.")] = None,
    trials: Annotated[int, typer.Option(min=0, help="Also time a study of so many trials with free weights.")] = 0,
) -> None:
    """Time the search against the loops on real maps; the last line is one JSON object."""
    cv2.setNumThreads(1)
    tiles, groups = read_tiles(data, maps)
    search_kernels(tiles[:1], groups[:1])  # compiles, or loads what was compiled
    before, grid = time_search(tiles, groups)
    settings = [(recipe, 1 + index * 67 % THRESHOLDS) for index, recipe in enumerate(grid.recipes)]
    opencv, opencv_counts = time_loop(count_with_opencv, settings, tiles)
    few_settings, few_tiles, few_groups = settings[::9], tiles[::16], groups[::16]
    scikit_image, scikit_image_counts = time_loop(count_with_scikit_image, few_settings, few_tiles)
    after, _ = time_search(tiles, groups)
    seconds = (before + after) / 2
    few_grid = search_kernels(few_tiles, few_groups)
    same = agree(grid, settings, opencv_counts) and agree(few_grid, few_settings, scikit_image_counts)
    whole = len(settings) * THRESHOLDS * len(tiles)
    start = time.perf_counter()
    search_kernels(tiles, groups)
    stdout.print(
        f"{len(tiles)} maps, {len(settings)} settings x {THRESHOLDS} thresholds, CPU seconds on one core: "
        f"search {before:.2f} and {after:.2f}, OpenCV {opencv * whole:.0f}, scikit-image {scikit_image * whole:.0f}; "
        f"search on all cores {time.perf_counter() - start:.2f} s by the clock"
    )
    result: dict[str, object] = {
        "speedup_opencv": round(opencv * whole / seconds, 1),
        "speedup_scikit_image": round(scikit_image * whole / seconds, 1),
        "seconds": round(seconds, 3),
        "peak_mib": round(measure_peak(), 1),
        "same_answers": same,
    }
    grown = []
    for count in sorted(growth or []):
        start, cpu = time.perf_counter(), time.process_time()
        search_kernels(turn_tiles(tiles, count), [groups[number % len(groups)] for number in range(count)])
        step = {
            "maps": count,
            "seconds": round(time.perf_counter() - start, 3),
            "cpu_seconds": round(time.process_time() - cpu, 3),
            "peak_mib": round(measure_peak(), 1),
        }
        stdout.print(f"{count} maps: {step['cpu_seconds']} CPU s, peak {step['peak_mib']} MiB")
        grown.append(step)
    if grown:
        result["growth"] = grown
    if trials:
        few = tiles[:300]
        names = sorted(path.stem for path in (data / "hot_maps/valid/lite0").glob("*.tif"))
        result["weights"] = time_trials(list_five(few, data, names), few, groups[:300], trials)
    print(json.dumps(result))


if __name__ == "__main__":
    run_command(bench)
