"""Greedy selection on counts against greedy selection on arrays: same picks, how much faster.

Twelve members (two real ones and noisy copies of them), 300 tiles, 50 bags of groups. The reference is the plain way:
at each step it blends the arrays of all tiles anew with each candidate, cuts them at each of the 255 thresholds and
counts intersection and union. That would take a day, so it makes its picks on a few tiles and bags, where both choose
everything and are compared, and its time on 300 tiles is measured on single blends and scaled to the steps that the
fifty bags take. A better reference, which counts each blend by np.bincount but shares nothing, is timed too.

    python benchmarks/bench_blend.py --data ../shared/data
"""

import csv
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import rasterio
import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from ensemble.mapfolder.samples import ArraySamples
from ensemble.selection.blend import blend_maps
from ensemble.selection.greedy import ROUNDS, select_members
from ensemble.selection.library import Library, build_library
from ensemble.statistics.counts import count_thresholds
from ensemble.statistics.estimates import draw_groups
from members.common.console import run_command, stdout

COPIES, BAGS = 10, 50
Tiles = list[tuple[list[np.ndarray], np.ndarray]]
Counter = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read(1)


def read_tiles(data: Path, count: int) -> Iterator[tuple[str, list[np.ndarray], np.ndarray]]:
    """Yield each tile's group, its twelve maps and its truth."""
    with (data / "hot_buildings/tiles.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "training"]
    rng = np.random.default_rng(0)
    for row in rows[:: max(1, len(rows) // count)][:count]:
        name = f"{row['image_id']}.tif"
        maps = [read(data / "hot_maps/valid" / member / name) for member in ("lite0", "lite1")]
        for copy in range(COPIES):
            noise = rng.normal(0, 10 + 6 * copy, maps[0].shape)
            maps.append(np.clip(maps[copy % 2] + noise, 0, 255).astype(np.uint8))
        yield row["group"], maps, read(data / "hot_buildings/training/masks/img" / name) > 0


def lay_out(tiles: Tiles, groups: Sequence[str]) -> Library:
    """Lay out the maps, as `select_members` takes them."""
    maps = {str(member): [values[member] for values, _ in tiles] for member in range(len(tiles[0][0]))}
    return build_library(ArraySamples(maps, [truth for _, truth in tiles], groups))


def cut_arrays(blend: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count intersection and union at the 255 thresholds, from masks."""
    masks = ((blend >= threshold) for threshold in range(1, 256))
    counts = np.array([(np.count_nonzero(mask & truth), np.count_nonzero(mask | truth)) for mask in masks])
    return counts[:, 0], counts[:, 1]


def count_by_value(blend: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count intersection and union at the 255 thresholds, from histograms."""
    columns = count_thresholds(blend, truth)
    return columns["intersection"], columns["union"]


def score_arrays(tiles: Tiles, weights: Sequence[int], times: np.ndarray, count: Counter) -> float:
    """Return the blend's best pooled IoU; `times` is how often each tile was drawn."""
    intersection, union = np.zeros((2, 255), np.int64)
    for (maps, truth), drawn in zip(tiles, times, strict=True):
        if drawn:
            found = count(blend_maps(maps, weights), truth)
            intersection += drawn * found[0]
            union += drawn * found[1]
    return float((intersection / union).max())


def select_on_arrays(tiles: Tiles, times: np.ndarray, rounds: int, count: Counter) -> tuple[int, ...]:
    """Return one bag's picks, by the rules of `select_members`."""
    members = len(tiles[0][0])
    picks = best = (0,) * members
    best_score = -1.0
    for _ in range(rounds):
        found = []
        for member in range(members):
            more = tuple(n + (each == member) for each, n in enumerate(picks))
            found.append((score_arrays(tiles, more, times, count), picks[member] > 0, -member, more))
        score, _, _, picks = max(found)
        if score > best_score:
            best, best_score = picks, score
    return best


def compare_picks(tiles: Tiles, groups: Sequence[str], bags: int, rounds: int, count: Counter) -> bool:
    """Tell whether both ways pick the same members in every bag."""
    library = lay_out(tiles, groups)
    draws = draw_groups(len(set(groups)), bags, seed=0)
    index = np.unique(groups, return_inverse=True)[1]
    ours = select_members(library, draws, rounds)
    return all(
        tuple(bag) == select_on_arrays(tiles, draw[index], rounds, count) for bag, draw in zip(ours, draws, strict=True)
    )


def time_score(tiles: Tiles, count: Counter) -> float:
    """Return the CPU seconds to score one blend of four members on all tiles."""
    start = time.process_time()
    score_arrays(tiles, [4, 1, 1, 1] + [0] * (len(tiles[0][0]) - 4), np.ones(len(tiles), int), count)
    return time.process_time() - start


def bench(
    data: Annotated[Path, typer.Option(help="Folder with hot_buildings and hot_maps.")] = Path("../shared/data"),
    maps: Annotated[int, typer.Option(min=12, help="How many tiles.")] = 300,
    bags: Annotated[int, typer.Option(min=1, help="How many bags.")] = BAGS,
) -> None:
    """Time both; the last line is one JSON object."""
    read_in = list(read_tiles(data, maps))
    groups, tiles = [group for group, _, _ in read_in], [(values, truth) for _, values, truth in read_in]
    library = lay_out(tiles, groups)
    library.count_blend([1] * len(library.members))  # compiles, or loads what was compiled
    draws = draw_groups(len(set(groups)), bags, seed=0)
    start = time.process_time()
    picks = select_members(library, draws)
    seconds = time.process_time() - start
    few = slice(None, None, len(tiles) // 12)
    small = [([m[:64, :64] for m in values], truth[:64, :64]) for values, truth in tiles[few]]
    same_on_masks = compare_picks(small, groups[few], bags=2, rounds=5, count=cut_arrays)
    same_on_counts = compare_picks(small, groups[few], bags=20, rounds=ROUNDS, count=count_by_value)
    same = same_on_masks and same_on_counts
    steps = bags * ROUNDS * len(library.members)
    # a bag draws some groups twice and others not at all: the share of the tiles that it looks at
    share = float(np.mean((draws > 0)[:, np.unique(groups, return_inverse=True)[1]]))
    arrays = time_score(tiles[::10], cut_arrays) * 10 * steps * share
    counted = time_score(tiles[::10], count_by_value) * 10 * steps * share
    stdout.print(
        f"{len(tiles)} tiles, {len(library.members)} members, {bags} bags of {ROUNDS} picks, CPU seconds: on counts "
        f"{seconds:.1f}, on arrays {arrays:.0f}, on arrays by np.bincount {counted:.0f}; "
        f"picks of the first bag {picks[0].tolist()}"
    )
    result = {
        "speedup": round(arrays / seconds, 1),
        "speedup_bincount": round(counted / seconds, 1),
        "same_selection": same,
        "seconds": round(seconds, 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    run_command(bench)
