"""What each way to train is worth: lite0_unet with one change at a time, at equal epochs, out of fold.

    python benchmarks/bench_recipes.py --data ../shared/data/hot_buildings --run runs/recipes

Trains the member as it is and with each change of `RECIPES` on the same folds, and predicts each fold's held-out tiles.
The table has the pooled IoU of all folds that are done, at thresholds chosen on the other groups, with its interval,
the gain over the member as it is on the same folds, that of each fold, and the CPU minutes of training a fold. Killed,
it goes on where it was; the last line is one JSON object.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from ensemble.inference.arrays import predict_maps
from ensemble.inference.networks import train_network
from ensemble.inference.view_gain import choose_thresholds
from ensemble.statistics.counts import count_maps
from ensemble.statistics.crossfit import CrossFit
from ensemble.statistics.estimates import estimate_mean_score
from ensemble.statistics.gains import measure_gain
from members.common.console import run_command, stderr, stdout
from members.common.errors import InputError
from members.common.files import write_json, write_whole
from members.data.raster import read_pair
from members.data.run import FoldFolder, Run
from members.data.split import assign_folds, plan_split
from members.data.tiles import list_tiles
from members.training.catalog import find_spec
from members.training.networks.backend import choose_backend
from members.training.spec import MemberSpec, revise_spec
from members.training.training_set import TrainingSet, open_fold

MEMBER, BASELINE = "lite0_unet", "baseline"
RECIPES: dict[str, dict[str, Any]] = {
    BASELINE: {},
    "ema": {"ema": 0.98},
    "cutmix": {"augment": "d4_cutmix"},
    "frozen": {"frozen": 2},
    "strong": {"augment": "strong", "scale": 1.33},
    "balance": {"balance": 0.9},
    "mixup": {"mixup": 0.2},
    "scale": {"scale": 1.33},
    "restarts": {"cycles": 3},
}


@dataclass(frozen=True)
class Fold:
    """What one recipe made of one fold: its maps of the held-out tiles by image id, and its training's seconds."""

    maps: Mapping[str, np.ndarray]
    cpu_s: float


def maps_file(folder: FoldFolder) -> Path:
    return folder.path / "maps.npz"


def seconds_file(folder: FoldFolder) -> Path:
    return folder.path / "cpu.json"


def read_fold(folder: FoldFolder) -> Fold | None:
    """Read what a fold that is done has left."""
    if not maps_file(folder).is_file():
        return None
    with np.load(maps_file(folder)) as maps:
        return Fold(dict(maps), sum(json.loads(seconds_file(folder).read_text()).values()))


def read_folds(run: Run, name: str, folds: Sequence[int]) -> dict[int, Fold]:
    """Return the folds of a recipe that are done."""
    found = {fold: read_fold(run.fold(name, fold)) for fold in folds}
    return {fold: each for fold, each in found.items() if each}


def train_recipe(spec: MemberSpec, data: TrainingSet, run: Run, fold: int) -> None:
    """Train a fold and predict its held-out tiles, as far as that is not done."""
    folder, (training, held_out) = run.fold(spec.name, fold), data.take_fold(fold)
    with open_fold(folder, run.read_record(), restart=False):
        began = time.process_time()

        def note(row: Mapping[str, float]) -> None:
            nonlocal began
            path, now = seconds_file(folder), time.process_time()
            seconds = json.loads(path.read_text()) if path.is_file() else {}
            write_json(path, seconds | {f"{row['epoch']:.0f}": now - began})
            began = now
            stderr.print(f"{spec.name} fold {fold} epoch {row['epoch']:.0f}: valid IoU {row['val_iou']:.4f}")

        network = train_network(spec, training, held_out, folder, note)
        maps = predict_maps(network, [image for image, _ in held_out.values()])
        with write_whole(maps_file(folder)) as path:
            np.savez_compressed(path, **dict(zip(held_out, maps, strict=True)))


def compare(data: TrainingSet, before: Mapping[int, Fold], after: Mapping[int, Fold]) -> dict[str, Any]:
    """Compare a recipe with the baseline on the folds that both have done.

    Returns:
        Its pooled IoU, their interval, gain, that of each fold, and CPU minutes of training a fold.
    """
    folds = sorted(before.keys() & after.keys())
    truths = {tile.image_id: mask for tile, (_, mask) in zip(data.tiles, data.pairs, strict=True)}
    group_of = {tile.image_id: tile.group for tile in data.tiles}
    ids = [image_id for fold in folds for image_id in after[fold].maps]
    groups = [group_of[image_id] for image_id in ids]
    crossfit, chosen = CrossFit.deal(groups), []
    for recipe in (before, after):
        maps = {image_id: values for fold in folds for image_id, values in recipe[fold].maps.items()}
        counts = count_maps([maps[image_id] for image_id in ids], [truths[image_id] for image_id in ids], groups)
        chosen.append(choose_thresholds(counts, crossfit))
    old, new = (crossfit.mix(each) for each in chosen)
    gain, score = measure_gain(*chosen, "pooled_iou", crossfit), estimate_mean_score(new, "pooled_iou")
    fold_of = {group_of[image_id]: fold for fold in folds for image_id in after[fold].maps}
    gains = []
    for fold in folds:
        own = np.array([fold_of[group] == fold for group in old[0].groups])
        gains.append(
            np.mean([n.score("pooled_iou", own) - o.score("pooled_iou", own) for o, n in zip(old, new, strict=True)])
        )
    return {
        "folds": folds,
        "iou": round(score.value, 4),
        "interval": score.interval and [round(end, 4) for end in score.interval],
        "gain": round(gain.value, 4),
        "gain_interval": gain.interval and [round(end, 4) for end in gain.interval],
        "chance": gain.chance and round(gain.chance, 2),
        "gain_by_fold": [round(float(each), 4) for each in gains],
        "cpu_min": round(sum(after[fold].cpu_s for fold in folds) / len(folds) / 60, 1),
    }


def open_data(data: Path, run: Run, folds: int) -> TrainingSet:
    """Read the tiles, and the run's split; of a run that begins, draw and record it."""
    tiles = list_tiles(data)
    pairs = [read_pair(tile) for tile in tiles]
    if not run.has_record():
        split = assign_folds(data, tiles, [int(mask.sum()) for _, mask in pairs], plan_split(folds=folds))
        run.write_record(data, tiles, split)
    run.check_tiles(tiles)
    return TrainingSet(data, tiles, pairs, run.read_record().split)


def bench(
    data: Annotated[Path, typer.Option(help="Data set with masks.")] = Path("../shared/data/hot_buildings"),
    run: Annotated[Path, typer.Option(help="Where the members go, and what a killed bench goes on from.")] = Path(
        "runs/recipes"
    ),
    recipes: Annotated[str, typer.Option(help="Which, joined by commas.")] = ",".join(RECIPES),
    folds: Annotated[int, typer.Option(min=2, help="Of groups.")] = 3,
    epochs: Annotated[int, typer.Option(min=1, help="The same for all.")] = 12,
    crop: Annotated[int, typer.Option(min=32, help="Side of training crops, px.")] = 160,
    train: Annotated[bool, typer.Option("--train/--table", help="Train what is left, or tell of what is done.")] = True,
) -> None:
    """Train and compare; the last line is one JSON object."""
    names = list(dict.fromkeys([BASELINE, *recipes.split(",")]))
    if unknown := [name for name in names if name not in RECIPES]:
        raise InputError(f"--recipes {','.join(unknown)}: no such recipe; there are {', '.join(RECIPES)}")
    choose_backend()
    target = Run(run)
    source = open_data(data, target, folds)
    for fold in range(source.split.folds) if train else ():  # fold by fold, so that what is done can be compared
        for name in names:
            spec = revise_spec(find_spec(MEMBER), name=name, epochs=epochs, crop=crop, **RECIPES[name])
            if not maps_file(target.fold(name, fold)).is_file():
                train_recipe(spec, source, target, fold)
    done = {name: read_folds(target, name, range(source.split.folds)) for name in names}
    table = Table("recipe", "folds", "pooled IoU", "90 %", "gain", "90 %", "chance", "gain of each fold", "CPU min")
    results = {
        name: compare(source, done[BASELINE], own) for name, own in done.items() if done[BASELINE].keys() & own.keys()
    }
    for name, result in results.items():
        table.add_row(name, *(json.dumps(value) for value in result.values()))
    stdout.print(table)
    print(json.dumps(results))


if __name__ == "__main__":
    run_command(bench)
