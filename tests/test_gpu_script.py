"""The script of GPU measurements, from the packed tiles to the ensemble's masks, with tiny networks on a CPU."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from members.data.raster import read_image, read_mask

SCRIPT = ROOT / "benchmarks/gpu.py"


def pack(data: Path, folder: Path, every: int) -> Path:
    """Pack each `every`-th tile of hot_buildings, without wheels; return the load."""
    some = folder / "some"
    for part, kinds in (("training", ("images", "masks")), ("test", ("images",))):
        names = sorted(path.name for path in (data / part / "images/img").glob("*.tif"))[::every]
        for kind in kinds:
            (some / part / kind / "img").mkdir(parents=True)
            for name in names:
                shutil.copy(data / part / kind / "img" / name, some / part / kind / "img" / name)
    shutil.copy(data / "tiles.csv", some / "tiles.csv")
    load = folder / "load1"
    load.mkdir()
    program = f"import sys; sys.path.insert(0, {str(SCRIPT.parent)!r}); import gpu; from pathlib import Path; "
    program += f"gpu.pack_tiles(Path({str(some)!r}), Path({str(load / 'tiles.zip')!r}))"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
    return load


def run(load: Path, *options: str) -> tuple[int, dict[str, object], str]:
    folder = load.parent
    command = [sys.executable, str(SCRIPT), "run", "--tiny", "--loads", str(load), "--work", str(folder / "work")]
    command += ["--out", str(folder / "out"), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr


def test_packed_tiles_are_the_tiles(shared_data: Path, tmp_path: Path) -> None:
    """They come out again to the pixel, and with no time left nothing is begun."""
    data = shared_data / "hot_buildings"
    load = pack(data, tmp_path, 80)
    code, told, said = run(load, "--minutes", "0.1")
    assert (code, told["done"], told["failed"]) == (3, 0, []), said
    unpacked = sorted((tmp_path / "work/data").rglob("*.png"))
    assert len(unpacked) == 2 * 5 + 2
    for path in unpacked:
        original = data / path.relative_to(tmp_path / "work/data").with_suffix(".tif")
        read = read_mask if "masks" in path.parts else read_image
        np.testing.assert_array_equal(read(path), read(original))


@pytest.mark.slow
def test_every_slice_on_a_cpu(shared_data: Path, tmp_path: Path) -> None:
    """All that needs no PyTorch, in one call; a second call has nothing left to do."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("the extra `jax` is not installed")
    load = pack(shared_data / "hot_buildings", tmp_path, 10)
    slices = ("--minutes", "60", "--slices", "keras", "train", "ensemble")
    code, told, said = run(load, *slices)
    assert (code, told["failed"], told["left"]) == (0, [], []), said
    found = json.loads((tmp_path / "out/gpu.json").read_text())["slices"]
    step = found["keras-mixed_bfloat16-batch2"]
    assert step["fits"]
    assert min(step[key] for key in ("images_per_second", "first_step_seconds", "peak_mib", "loss")) > 0
    assert {"device", "versions", "date", "command"} <= set(step)
    member, ensemble = found["train-lite0_unet"], found["ensemble"]
    assert member["epochs"] == 1
    assert 0 < member["iou"] < 1
    assert 0 < ensemble["blend_iou_tta"] < 1
    assert ensemble["tuned"]["tuned_in_sample"] >= ensemble["tuned"]["default"]
    maps = np.load(tmp_path / "out/maps-lite0_unet.npz")
    tests = [name for name in maps.files if name.startswith("test/")]
    assert len(tests) == ensemble["test_tiles"] == 12
    assert all(maps[name].dtype == np.uint8 for name in tests)
    assert run(load, *slices)[1] == {"done": len(found), "failed": [], "left": []}
