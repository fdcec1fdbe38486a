"""Us beside what one would otherwise write: PyTorch, segmentation_models_pytorch, ttach, and an Optuna loop.

    roofstack train lite0_unet --data ../shared/data/hot_buildings --run runs/peer --folds 3 --crop 160
    roofstack predict lite0_unet --run runs/peer --part valid
    python benchmarks/bench_peer.py --run runs/peer --peer /path/to/python/with/its/packages

The peer (peer_smp.py, in a process of its own; its packages are the extra `peer`) trains the same backbone, with the
same ImageNet weights, loss, epochs and crops, and an augmentation much alike, on the same folds as a run of ours;
predicts with d4; and takes threshold and kernels by 200 trials. `iou` is of all held-out tiles pooled: each fold's
masks are made by the settings that a side takes from the other folds' maps; `iou_at_half` is that of the bare maps cut
at 0.5. All seconds are CPU seconds: of training all folds (ours: an epoch that is trained here, times epochs and
folds), of predicting the tiles of fold 0 with d4, and of choosing settings (ours: on all tiles and for each fold; the
peer's: on all tiles). Killed, it goes on where it was; the last line is JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from ensemble.inference.arrays import predict_maps
from ensemble.inference.networks import load_network, train_network
from ensemble.mapfolder.raster import map_path, read_map
from ensemble.selection.blend import blend_maps
from ensemble.statistics.counts import Counts, count_maps
from ensemble.statistics.gains import compare_fixed
from members.common.console import run_command, stderr, stdout
from members.common.errors import InputError
from members.common.files import write_whole
from members.data.raster import Pair
from members.data.run import FoldFolder, Run
from members.data.tiles import list_tiles
from members.training.networks.backend import choose_backend
from members.training.networks.lite import locate_lite_file
from members.training.spec import MemberSpec, read_spec, revise_spec
from members.training.training_set import TrainingSet, read_pairs
from postproc.pipeline.recipe import Recipe
from postproc.search.exact import search_kernels

SCRIPT = Path(__file__).with_name("peer_smp.py")
TIMED_EPOCHS = 2
"""The second is measured: the first builds and traces the network."""


class Peer:
    """The other side: a script, a Python to run it, and its folder."""

    def __init__(self, python: str, folder: Path) -> None:
        self.python, self.folder = python, folder

    def __call__(self, task: str, *arguments: str) -> dict[str, Any]:
        """Have one task done."""
        command = [self.python, str(SCRIPT), task, str(self.folder), *arguments]
        patient = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}  # its threads don't burn a core that others are at
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=patient)
        if done.returncode:
            raise InputError(f"{SCRIPT.name} failed, as it says above; --peer is a Python with the extra `peer`")
        return json.loads(done.stdout.splitlines()[-1])

    def train(self, spec: MemberSpec, fold: int) -> float:
        """Train a fold of the same member, as far as it is not done; return the CPU seconds."""
        settings = {
            "backbone": spec.backbone,
            "encoder_file": str(locate_lite_file(int(spec.backbone.removeprefix("lite")))),
            "epochs": spec.epochs,
            "crop": spec.crop,
            "learning_rate": spec.learning_rate,
        }
        return float(self("train", spec.name, str(fold), json.dumps(settings))["train_s"])


def measure(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what work returns, and its CPU seconds."""
    began = time.process_time()
    return work(), time.process_time() - began


def time_epoch(spec: MemberSpec, training: dict[str, Pair], held_out: dict[str, Pair]) -> float:
    """Return the CPU seconds of an epoch of ours, validation included."""
    ends: list[float] = []
    short = revise_spec(spec, epochs=TIMED_EPOCHS)
    with tempfile.TemporaryDirectory() as folder:
        train_network(short, training, held_out, FoldFolder(Path(folder)), lambda row: ends.append(time.process_time()))
    return ends[-1] - ends[-2]


def read_blends(run: Run, members: Sequence[str], data: TrainingSet) -> list[np.ndarray]:
    """Return the mean of the members' out-of-fold maps of each tile."""
    folders = [run.map_folder("valid", member) for member in members]
    return [
        blend_maps([read_map(map_path(folder, tile.image_id), mask.shape) for folder in folders], [1] * len(folders))
        for tile, (_, mask) in zip(data.tiles, data.pairs, strict=True)
    ]


def choose_by_folds(maps: list[np.ndarray], masks: list[np.ndarray], folds: np.ndarray) -> tuple[list[np.ndarray], Any]:
    """Make each fold's masks by the setting that is best on the others; return them, and what is best on all."""
    grid = search_kernels(list(zip(maps, masks, strict=True)), [str(fold) for fold in folds])
    made = [np.zeros(0, bool)] * len(maps)
    for number, fold in enumerate(grid.counts.groups):
        recipe = grid.choose("pooled_iou", (np.arange(len(grid.counts.groups)) != number).astype(float)).recipe
        for tile in np.flatnonzero(folds == int(fold)):
            made[tile] = recipe.apply(maps[tile])
    return made, grid.choose("pooled_iou")


def count_masks(made: Sequence[np.ndarray], masks: Sequence[np.ndarray], groups: Sequence[str]) -> Counts:
    """Count masks as maps of 0 and 255, at threshold 128."""
    return count_maps([255 * mask.astype(np.uint8) for mask in made], masks, groups)[127]


def bench(
    run: Annotated[Path, typer.Option(help="Whose members have folds and out-of-fold d4 maps.")],
    peer: Annotated[str, typer.Option(help="A Python with the packages of the extra `peer`.")],
    members: Annotated[str, typer.Option(help="Lite members with the notebook's decoder, joined by commas.")] = (
        "lite0_unet"
    ),
    trials: Annotated[int, typer.Option(min=1, help="Of the peer's study.")] = 200,
    folder: Annotated[Path | None, typer.Option(help="Where the peer's weights and maps go [RUN/peer].")] = None,
) -> None:
    """Train the peer, compare, and print a table; the last line is one JSON object."""
    choose_backend()
    ours, names = Run(run), members.split(",")
    record = ours.read_record()
    tiles = list_tiles(ours.find_data())
    ours.check_tiles(tiles)
    if record.split.folds < 2:
        raise InputError(f"{run}: one hold-out; out-of-fold masks need folds: train with --folds 3")
    specs = [read_spec(ours.fold(name, 0).spec_file) for name in names]
    if unknown := [spec.name for spec in specs if not spec.backbone.startswith("lite") or spec.contact]:
        raise InputError(f"--members {','.join(unknown)}: the peer has lite members of one band alone")
    data = TrainingSet(ours.find_data(), tiles, read_pairs(tiles, ours.path), record.split)
    images, masks = (list(each) for each in zip(*data.pairs, strict=True))
    groups = [tile.group for tile in tiles]
    folds = np.array([next(f for f in range(record.split.folds) if record.split.validates(g, f)) for g in groups])
    other = Peer(peer, folder or ours.path / "peer")
    other.folder.mkdir(parents=True, exist_ok=True)
    with write_whole(other.folder / "tiles.npz") as path, path.open("wb") as file:
        np.savez(file, images=np.stack(images), masks=np.stack(masks), fold=folds)

    training, held_out = data.take_fold(0)
    result: dict[str, dict[str, Any]] = {"ours": {}, "peer": {}}
    epochs = {spec.name: time_epoch(spec, training, held_out) for spec in specs}
    result["ours"]["train_s"] = sum(epochs[spec.name] * spec.epochs * record.split.folds for spec in specs)
    result["peer"]["train_s"] = sum(other.train(spec, fold) for spec in specs for fold in range(record.split.folds))

    seconds = {"ours": 0.0, "peer": 0.0}
    for spec in specs:
        network = load_network(ours.fold(spec.name, 0).path)
        predict_maps(network, images[:1])  # traces it
        seconds["ours"] += measure(partial(predict_maps, network, [image for image, _ in held_out.values()]))[1]
        for fold in range(record.split.folds):
            taken = other("predict", spec.name, str(fold), spec.backbone)["predict_s"]
            seconds["peer"] += taken if fold == 0 else 0
    for side, taken in seconds.items():
        result[side]["predict_s"] = taken

    maps = read_blends(ours, names, data)
    first, second = np.argsort([-mask.sum() for mask in masks])[:2]
    choose_by_folds([maps[first], maps[second]], [masks[first], masks[second]], np.arange(2))  # compiles
    (made, best), taken = measure(lambda: choose_by_folds(maps, masks, folds))
    result["ours"] |= {"tune_s": taken, "in_sample_iou": best.score}
    result["peer"] |= other("tune", members, str(trials))
    with np.load(other.folder / "peer.npz") as theirs:
        sides = {"ours": (maps, made), "peer": (list(theirs["maps"]), list(theirs["masks"]))}
    counts = {side: count_masks(masks_of, masks, groups) for side, (_, masks_of) in sides.items()}
    for side, (blends, _) in sides.items():
        half = count_masks([Recipe().apply(blend) for blend in blends], masks, groups)
        result[side] |= {"iou": float(counts[side].score("pooled_iou")), "iou_at_half": float(half.score("pooled_iou"))}
    difference = compare_fixed(counts["peer"], counts["ours"], "pooled_iou")

    table = Table("", *result, title=f"{members}, {record.split.folds} folds, {len(tiles)} tiles")
    for row in ("iou", "iou_at_half", "in_sample_iou", "train_s", "predict_s", "tune_s"):
        table.add_row(row, *(f"{result[side][row]:.{4 if 'iou' in row else 1}f}" for side in result))
    stdout.print(table)
    stderr.print(f"ours above the peer: {' '.join(difference.cells)}")
    print(json.dumps(result | {"difference": difference.describe()}))


if __name__ == "__main__":
    run_command(bench)
