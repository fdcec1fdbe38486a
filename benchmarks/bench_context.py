"""What it is worth to show a tile with what touches it: a member's pooled IoU out of fold, for several margins.

    python benchmarks/bench_context.py --run runs/x --member lite0_unet

Each tile is predicted by the fold that did not see it, alone and with margins of the tiles that touch it, of the same
fold. The table has the pooled IoU at thresholds chosen on the other groups, the gain over the tile alone with its
interval, the IoU within 32 px of the tiles' borders and farther in, and CPU seconds; the last line is one JSON object.
"""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from ensemble.inference.merging import choose_views, merge_views
from ensemble.inference.networks import load_network
from ensemble.inference.scenes import open_scene
from ensemble.inference.surroundings import find_surroundings
from ensemble.inference.view_gain import choose_thresholds
from ensemble.inference.views import parse_views
from ensemble.mapfolder.raster import quantise
from ensemble.statistics.counts import count_maps
from ensemble.statistics.crossfit import CrossFit
from ensemble.statistics.estimates import estimate_mean_score
from ensemble.statistics.gains import measure_gain
from members.common.console import run_command, stdout
from members.data.frames import read_frame
from members.data.raster import read_pair
from members.data.run import Run
from members.data.tiles import list_tiles
from members.training.networks.backend import choose_backend

RIM = 32
"""Pixels that count as near a tile's border."""


def score_part(maps: list[np.ndarray], truths: list[np.ndarray], near: bool) -> float:
    """Return the pooled IoU at 128 of what is within `RIM` of the tiles' borders, or of what is not."""
    inter = union = 0
    for values, truth in zip(maps, truths, strict=True):
        inside = np.zeros(truth.shape, bool)
        inside[RIM:-RIM, RIM:-RIM] = True
        chosen = ~inside if near else inside
        inter += int((chosen & (values >= 128) & truth).sum())
        union += int((chosen & ((values >= 128) | truth)).sum())
    return round(inter / max(union, 1), 4)


def bench(
    run: Annotated[Path, typer.Option(help="A run whose member is trained.")],
    member: Annotated[str, typer.Option(help="Which.")] = "lite0_unet",
    margins: Annotated[str, typer.Option(help="In px, joined by commas; the first is what the others gain over.")] = (
        "0,32,64"
    ),
    tta: Annotated[str, typer.Option(help="Views.")] = "e,r90",
    folds: Annotated[str, typer.Option(help="Of which folds the tiles are, joined by commas; default: all.")] = "",
) -> None:
    """Predict and compare."""
    choose_backend()
    target = Run(run)
    split = target.read_record().split
    tiles = list_tiles(target.find_data(None), group_by=split.group_by)
    wanted = [int(fold) for fold in folds.split(",")] if folds else list(range(split.folds))
    held = {fold: [tile for tile in tiles if split.validates(tile.group, fold)] for fold in wanted}
    chosen = [tile for fold in wanted for tile in held[fold]]
    networks = {fold: load_network(target.fold(member, fold).path, "keras") for fold in wanted}
    views = choose_views(networks[wanted[0]].spec, parse_views(tta))
    frames, paths = [read_frame(tile.image) for tile in chosen], {tile.image_id: tile.image for tile in chosen}
    truths, groups = [read_pair(tile)[1] for tile in chosen], [tile.group for tile in chosen]
    crossfit, first, results = CrossFit.deal(groups), None, {}
    for margin in map(int, margins.split(",")):
        began, maps = time.process_time(), []
        around = find_surroundings(frames, paths, margin, [[tile.image_id for tile in held[fold]] for fold in wanted])
        for fold in wanted:
            for tile in held[fold]:
                with open_scene(tile.image) as scene:
                    shown = around.read(tile.image_id, scene)
                seen = merge_views([networks[fold]], shown[None], views)[0, 0]
                maps.append(quantise(around.cut(tile.image_id, seen)))
        picked = choose_thresholds(count_maps(maps, truths, groups), crossfit)
        first = first or picked
        gain = measure_gain(first, picked, "pooled_iou", crossfit)
        score = estimate_mean_score(crossfit.mix(picked), "pooled_iou")
        results[margin] = {
            "iou": round(score.value, 4),
            "gain": round(gain.value, 4),
            "gain_interval": gain.interval and [round(end, 4) for end in gain.interval],
            "border": score_part(maps, truths, near=True),
            "inside": score_part(maps, truths, near=False),
            "cpu_s": round(time.process_time() - began, 1),
        }
    table = Table("margin, px", "pooled IoU", "gain", "90 %", f"within {RIM} px", "inside", "CPU s")
    for margin, result in results.items():
        table.add_row(str(margin), *map(str, result.values()))
    stdout.print(table)
    answer: dict[str, Any] = {"member": member, "tiles": len(chosen), "views": tta, "margins": results}
    print(json.dumps(answer))


if __name__ == "__main__":
    run_command(bench)
