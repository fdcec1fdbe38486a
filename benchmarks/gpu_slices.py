"""The slices of `gpu.py`: one measurement a process, whose last line is its JSON."""

import argparse
import csv
import json
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

MEMBERS = ["lite0_unet", "lite1_unet", "lite2_unet", "lite0_strong", "lite2_lovasz"]
TINY_MEMBERS = ["lite0_unet", "lite0_strong"]
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "lite0_strong": ("lite0_unet", {"augment": "strong", "scale": 1.33, "seed": 7}),
    "lite2_lovasz": ("lite2_unet", {"loss": "bce_lovasz", "augment": "d4", "seed": 11}),
}
"""Members of the ensemble that are no scripts: the script's name, and what differs."""
EPOCHS, STEPS = 60, 30
HELD_OUT = 0.3
PACKAGES = ("jax", "jaxlib", "keras", "numpy", "torch", "albumentations")
TINY_SIDE = 64


def describe_machine(device: str) -> dict[str, Any]:
    """Return the device's name and the versions that a figure rests on."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        versions["driver"] = subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()
    return {"device": device, "versions": versions}


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether a framework says that memory has ended."""
    words = str(error).lower()
    return any(each in words for each in ("resource_exhausted", "out of memory", "failed to allocate"))


def measure_memory() -> float:
    """Return the most memory that this process has had, MiB: what is counted where there is no GPU."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read_pairs(work: Path, side: int | None = None, part: str = "training") -> dict[str, Any]:
    """Read the tiles of a part by id, with their masks if they have some; `side` cuts them, px."""
    from members.data.raster import read_image, read_mask
    from members.data.tiles import list_tiles

    tiles = list_tiles(work / "data", part)
    return {
        tile.image_id: tuple(
            read(path)[:side, :side] for read, path in ((read_image, tile.image), (read_mask, tile.mask)) if path
        )
        for tile in tiles
    }


def time_training(step: Callable[[], None], finish: Callable[[], None], batch: int, steps: int) -> dict[str, float]:
    """Time the first step, and then the images a second of `steps` more; `finish` waits until they are done."""
    began = time.perf_counter()
    step()
    finish()
    first = time.perf_counter() - began
    step()
    finish()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    finish()
    return {"first_step_seconds": first, "images_per_second": batch * steps / (time.perf_counter() - began)}


def measure_keras(work: Path, precision: str, batch: int, tiny: bool) -> dict[str, Any]:
    """Train `b7_unet` for some steps: on one batch in memory, and through the whole input pipeline."""
    from members.training.networks.backend import choose_backend

    choose_backend()
    import jax
    import keras

    from members.training.batches import TrainingBatches
    from members.training.catalog import find_spec
    from members.training.fit import compile_network
    from members.training.networks.network import build_network
    from members.training.spec import revise_spec

    changes = {"backbone": "efficientnetb0", "crop": TINY_SIDE} if tiny else {}
    spec = revise_spec(find_spec("b7_unet"), precision=precision, batch_size=batch, **changes)
    steps = 1 if tiny else STEPS
    pairs = list(read_pairs(work).values())
    pairs = (pairs * -(-batch * steps // len(pairs)))[: batch * steps]
    batches = TrainingBatches(pairs, spec, 0)
    one = batches[0]

    class Again(keras.utils.PyDataset):
        """The same batch, as often as is asked for."""

        def __init__(self, count: int) -> None:
            super().__init__()
            self.count = count

        def __len__(self) -> int:
            return self.count

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            return one

    began = time.perf_counter()
    network = build_network(spec)
    compile_network(network, spec, steps)
    built = time.perf_counter() - began
    device = jax.local_devices()[0]
    try:
        times = []
        for data in (Again(1), Again(1), Again(steps), batches):
            began = time.perf_counter()
            history = network.fit(data, verbose=0, shuffle=False).history
            times.append(time.perf_counter() - began)
    except Exception as error:  # JAX has many
        if not is_out_of_memory(error):
            raise
        return {"fits": False} | describe_machine(device.device_kind)
    peak = (device.memory_stats() or {}).get("peak_bytes_in_use")
    return {
        "fits": True,
        "parameters": network.count_params(),
        "batch": batch,
        "precision": precision,
        "build_seconds": built,
        "first_step_seconds": times[0],
        "images_per_second": batch * steps / times[2],
        "images_per_second_with_input": batch * len(batches) / times[3],
        "peak_mib": peak / 2**20 if peak else measure_memory(),
        "loss": float(history["loss"][-1]),
    } | describe_machine(device.device_kind)


def measure_torch(precision: str, batch: int, tiny: bool) -> dict[str, Any]:
    """Train the same U-Net in PyTorch for as many steps, on one batch in memory."""
    import torch
    from torch_unet import UNet, count_values, measure_loss

    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    name = torch.cuda.get_device_name() if cuda else "cpu"
    side, steps = (TINY_SIDE, 1) if tiny else (256, STEPS)
    torch.manual_seed(42)
    if cuda:
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True  # as JAX computes by default
    rng = np.random.default_rng(0)
    began = time.perf_counter()
    network = UNet("b0" if tiny else "b7").to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-5, eps=1e-7, fused=cuda)
    images = torch.from_numpy(rng.integers(0, 256, (batch, 3, side, side)).astype(np.float32))
    masks = torch.from_numpy((rng.random((batch, 1, side, side)) < 0.2).astype(np.float32))
    images = images.contiguous(memory_format=torch.channels_last)
    built = time.perf_counter() - began
    values = 0.0

    def step() -> None:
        nonlocal values
        inputs, truth = images.to(device), masks.to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "mixed_bfloat16"):
            prediction = network(inputs)
        loss = measure_loss(truth, prediction)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        values = loss.detach()

    def finish() -> None:
        if cuda:
            torch.cuda.synchronize()

    try:
        timed = time_training(step, finish, batch, steps)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return {"fits": False} | describe_machine(name)
    return {
        "fits": True,
        "parameters": count_values(network),
        "batch": batch,
        "precision": precision,
        "build_seconds": built,
        **timed,
        "peak_mib": torch.cuda.max_memory_allocated() / 2**20 if cuda else measure_memory(),
        "loss": float(values),
    } | describe_machine(name)


def find_member(name: str, tiny: bool) -> Any:
    """Return the spec of a member of the ensemble, or of `b7_unet` from random weights."""
    from members.training.catalog import find_spec
    from members.training.spec import revise_spec

    script, changes = VARIANTS.get(name, (name, {}))
    if name == "b7_unet":
        changes = {"encoder_weights": "none"} | ({"backbone": "efficientnetb0"} if tiny else {})
    else:
        changes = changes | {"epochs": EPOCHS}
    if tiny:
        changes |= {"epochs": 1, "crop": TINY_SIDE, "batch_size": 4}
    return revise_spec(find_spec(script), name=name, **changes)


def split_tiles(work: Path, tiny: bool) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[str]]:
    """Deal whole groups: tiles to train on, to stop early by, and held out, by id; and the groups of the last."""
    from members.data.split import draw_split, plan_split, split_training

    pairs = read_pairs(work, TINY_SIDE if tiny else None)
    with (work / "data/tiles.csv").open(newline="", encoding="utf-8") as file:
        group_of = {row["image_id"]: row["group"] for row in csv.DictReader(file)}

    def weigh(ids: Sequence[str]) -> tuple[list[str], list[int]]:
        return [group_of[name] for name in ids], [int(pairs[name][1].sum()) for name in ids]

    split = draw_split(*weigh(list(pairs)), plan_split(valid_fraction=HELD_OUT))
    held = [name for name in pairs if split.validates(group_of[name], 0)]
    rest = [name for name in pairs if name not in set(held)]
    stops = dict(zip(rest, split_training(*weigh(rest), split.seed), strict=True))
    fit, stop, out = (
        {name: pairs[name] for name in names}
        for names in ([name for name in rest if not stops[name]], [name for name in rest if stops[name]], held)
    )
    return fit, stop, out, [group_of[name] for name in held]


def train_member(work: Path, out: Path, name: str, seconds: float, tiny: bool) -> dict[str, Any]:
    """Train a member, on from where it stopped; then predict the held-out and the test tiles, and keep its maps.

    Training stops early by a share of the training groups, so that the held-out tiles are seen by nothing.
    """
    began = time.monotonic()
    from members.training.networks.backend import choose_backend

    choose_backend()
    import jax

    from ensemble.inference.arrays import predict_maps
    from ensemble.inference.networks import load_network
    from members.data.run import FoldFolder
    from members.training.fit import train_fold
    from postproc.scoring.scores import score_masks

    fit, stop, held, groups = split_tiles(work, tiny)
    spec, folder = find_member(name, tiny), FoldFolder(work / "members" / name / "fold0")
    history = train_fold(spec, fit, stop, folder, began + seconds - 90)
    if not history or folder.state_file.is_file():
        return {"unfinished": True}
    network = load_network(folder.path)
    tests = {each: image for each, (image,) in read_pairs(work, TINY_SIDE if tiny else None, "test").items()}
    truths = [mask for _, mask in held.values()]
    maps, score = {}, {}
    for views in ("none", "d4"):
        maps[views] = predict_maps(network, [image for image, _ in held.values()], views)
        masks = [values >= 128 for values in maps[views]]
        score[views] = float(score_masks(masks, truths, groups)["pooled_iou"].value)
    test_maps = predict_maps(network, list(tests.values()), "d4")
    out.mkdir(parents=True, exist_ok=True)
    named = {f"valid/{each}": values for each, values in zip(held, maps["d4"], strict=True)}
    named |= {f"plain/{each}": values for each, values in zip(held, maps["none"], strict=True)}
    named |= {f"test/{each}": values for each, values in zip(tests, test_maps, strict=True)}
    np.savez_compressed(out / f"maps-{name}.npz", **named)
    return {
        "epochs": len(history),
        "train_seconds": sum(row["seconds"] for row in history),
        "images_per_second": len(fit) * len(history) / sum(row["seconds"] for row in history),
        "iou": score["none"],
        "iou_tta": score["d4"],
        "held_out_tiles": len(held),
        "held_out_groups": len(set(groups)),
        "spec": spec.model_dump(mode="json"),
    } | describe_machine(jax.local_devices()[0].device_kind)


def measure_ensemble(work: Path, out: Path, members: Sequence[str], tiny: bool) -> dict[str, Any]:
    """Blend and tune the members' maps of the held-out tiles, and draw the test tiles' masks."""
    from ensemble.selection.report import select_blend
    from postproc.scoring.scores import score_masks
    from postproc.tuning.tuning import tune_pipeline

    _, _, held, groups = split_tiles(work, tiny)
    truths = [mask for _, mask in held.values()]
    stored = {member: np.load(out / f"maps-{member}.npz") for member in members}

    def take(kind: str) -> dict[str, list[np.ndarray]]:
        names = [name for name in stored[members[0]].files if name.startswith(f"{kind}/")]
        return {member: [maps[name] for name in names] for member, maps in stored.items()}

    began, cpu = time.perf_counter(), time.process_time()
    result: dict[str, Any] = {"members": list(members)}
    for kind, label in (("plain", "blend_iou"), ("valid", "blend_iou_tta")):
        maps = take(kind)
        report = select_blend(maps, truths, groups, method="mean")
        masks = [values >= 128 for values in report.blend(maps)]
        result[label] = float(score_masks(masks, truths, groups)["pooled_iou"].value)
    maps = take("valid")
    report = select_blend(maps, truths, groups)
    tuning = tune_pipeline(maps, truths, groups, blend=report.blend, trials=20 if tiny else None)
    tests = report.blend(take("test"))
    covered = [float(tuning.pipeline.mask(values).mean()) for values in tests]
    return (
        result
        | {
            "weights": dict(report.blend.weights),
            "pipeline": str(tuning.pipeline),
            "tuned": tuning.describe()["scores"],
            "test_tiles": len(tests),
            "test_building_share": float(np.mean(covered)),
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - cpu,
        }
        | describe_machine(platform.processor() or platform.machine())
    )


def main() -> None:
    """Measure one slice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    kind, _, rest = args.name.partition("-")
    if kind in ("keras", "torch"):
        precision, _, batch = rest.rpartition("-batch")
        if kind == "keras":
            result = measure_keras(args.work, precision, int(batch), args.tiny)
        else:
            result = measure_torch(precision, int(batch), args.tiny)
    elif kind == "train":
        result = train_member(args.work, args.out, rest, args.seconds, args.tiny)
    else:
        result = measure_ensemble(args.work, args.out, TINY_MEMBERS if args.tiny else MEMBERS, args.tiny)
    print(json.dumps(result), file=sys.stdout)


if __name__ == "__main__":
    main()
