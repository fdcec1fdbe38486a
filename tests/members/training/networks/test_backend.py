"""GPUs are found where there are any; a network trains on two devices as on one, each batch shared out."""

import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT

from members.training.networks.backend import list_accelerators, load_backend

PATHS = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))

# a CPU cut into two devices stands for two GPUs: the code that shares out batches is the same
TRAIN = """
import json, os, sys, tempfile
from pathlib import Path
count = int(sys.argv[1])
devices = [f"cpu:{number}" for number in range(count)]
if os.environ["KERAS_BACKEND"] == "tensorflow":
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
else:
    import jax
    jax.config.update("jax_num_cpu_devices", count)
from members.training.networks import backend
backend.load_backend()
backend.list_accelerators = lambda: devices
import members.training.fit
members.training.fit.list_accelerators = backend.list_accelerators
from members.training.spec import MemberSpec
from conftest import draw_pairs
from members.data.run import FoldFolder
from members.training.fit import train_fold

spec = MemberSpec(name="tiny", backbone="lite0", encoder_weights="none", augment="none", learning_rate=1e-3,
                  epochs=2, batch_size=4, crop=32, dropout=(0, 0, 0, 0, 0), ema=0.5)
with tempfile.TemporaryDirectory() as path:
    folder = FoldFolder(Path(path))
    # ten tiles to train on and five to validate on: neither is whole batches
    history = train_fold(spec, draw_pairs(10, 1), draw_pairs(5, 2), folder)
    weights = folder.weights_file.is_file()
print(json.dumps([history, weights]))
"""


def test_accelerators_are_gpus() -> None:
    load_backend()
    assert all(device.startswith("gpu:") for device in list_accelerators())


def train_on(devices: int, backend: str) -> list[dict[str, float]]:
    run = subprocess.run(
        [sys.executable, "-c", TRAIN, str(devices)],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": PATHS},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    history: list[dict[str, float]]
    history, weights = json.loads(run.stdout.splitlines()[-1])
    assert weights
    return history


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_train_as_one(backend: str) -> None:
    pytest.importorskip(backend)
    one, two = train_on(1, backend), train_on(2, backend)
    # batch statistics are of each device's share under MirroredStrategy, of the whole batch under JAX
    tolerance = 0.1 if backend == "tensorflow" else 0.01
    assert [row["loss"] for row in two] == pytest.approx([row["loss"] for row in one], abs=tolerance)
