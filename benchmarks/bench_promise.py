"""Whether promises about new places are kept, on real maps: tiles or groups are drawn, the others are the new places.

The threshold that is to keep a recall or precision is chosen on what was drawn, by the tool's own code, and what it
loses on all others is what was promised to stay below a level: on average over the draws, and with a confidence, in at
most so many of them. Likewise the margin of outlines, of masks cut at 128. The others are a sample, too, so that the
share of draws includes their luck.

    python benchmarks/bench_promise.py --data ../shared/data --draws 1000

The maps are the mean of hot_maps' two members. The last line is one JSON object: `kept` tells for every row whether the
promise was.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from honesty.tiles import read_tiles

from ensemble.mapfolder.samples import ArraySamples
from ensemble.selection.blend import Blend
from ensemble.statistics.counts import Counts
from ensemble.statistics.metrics import NEUTRAL_THRESHOLD, divide
from ensemble.statistics.risk import count_needed
from members.common.console import print_table, run_command, track
from members.common.tables import ResultTable
from postproc.tuning.margin import SHARE, count_beyond
from postproc.tuning.promise import Goal, choose, count_losses

GOALS = [
    Goal(measure, level, confidence)
    for measure, level in (("recall", 0.9), ("recall", 0.8), ("precision", 0.8), ("precision", 0.7))
    for confidence in (None, 0.9)
]  # type: ignore[arg-type]
UNITS = {"tiles": (25, 50, 100, 200), "groups": (10, 15, 22)}


def bench(
    data: Annotated[Path, typer.Option(help="Folder with hot_buildings and hot_maps.")] = Path("../shared/data"),
    draws: Annotated[int, typer.Option(min=10, help="Of each number of tiles or groups.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
) -> None:
    """Draw tiles and groups, make promises on them, and look what comes of them on the others."""
    tiles = read_tiles(data)
    names = {"tiles": [str(number) for number in range(len(tiles.truths))], "groups": list(tiles.groups)}
    blend, rows, kept = Blend.mean(tiles.maps), [], {}
    for unit, sizes in UNITS.items():
        samples = ArraySamples(tiles.maps, tiles.truths, names[unit])
        cases = [
            (f"{goal}" + ("" if goal.confidence is None else f", confidence {goal.confidence:g}"), goal,
             count_losses(samples, blend, goal.measure, track))
            for goal in GOALS
        ]  # fmt: skip
        cases.append((f"margin of {SHARE:.0%}", Goal("recall", SHARE), count_margin_losses(samples, blend)))
        for promise, goal, losses in cases:
            for size in sizes:
                if size < count_needed(goal.alpha, goal.confidence):
                    continue
                lost = realise(losses, goal, size, draws, np.random.default_rng([seed, size]))
                given = lost[~np.isnan(lost)]
                mean, over = (
                    (float(given.mean()), float((given > goal.alpha + 1e-9).mean())) if len(given) else (0.0, 0.0)
                )
                fine = mean <= goal.alpha if goal.confidence is None else over <= 1 - goal.confidence
                kept[f"{unit} {size} {promise}"] = fine
                shares = f"{1 - mean:.3f}", f"{over:.1%}", f"{1 - len(given) / draws:.1%}", "yes" if fine else "no"
                rows.append((unit, str(size), promise, *shares))
    header = ("units", "n", "promise", "realised on average", "draws below it", "no promise", "kept")
    print_table(ResultTable(f"{draws} draws each", header, rows))
    print(json.dumps({"kept": kept}))


def count_margin_losses(samples: ArraySamples, blend: Blend) -> np.ndarray:
    """Return the share of each unit's true outlines beyond each distance, float (257, units), the farthest first."""
    tiles = (count_beyond(blend.mix(maps) >= NEUTRAL_THRESHOLD, truth) for maps, truth in samples)
    sums = Counts.from_tiles(samples.groups, tiles).sums
    return divide(sums["pixels"], sums["outline"], of_nothing=0).T[::-1]


def realise(losses: np.ndarray, goal: Goal, size: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return what promises on drawn units lose on the others, float (draws,); NaN where none could be made."""
    ordered = losses if goal.measure == "recall" else losses[::-1]
    lost = np.full(draws, np.nan)
    for draw in range(draws):
        shuffled = rng.permutation(losses.shape[1])
        chosen = choose(ordered[:, shuffled[:size]], goal)
        if chosen is not None:
            lost[draw] = ordered[chosen, shuffled[size:]].mean()
    return lost


if __name__ == "__main__":
    run_command(bench)
