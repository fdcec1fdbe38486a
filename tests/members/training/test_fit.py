"""Training goes on after a kill as if nothing had been, stops in time, and says what broke it."""

import csv
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from conftest import ROOT, draw_pairs, hash_folder

from members.common import interruption
from members.common.errors import InputError
from members.data.run import FoldFolder
from members.training import fit
from members.training.batches import TrainingBatches
from members.training.checkpoint import Row, read_progress
from members.training.fit import FiniteLoss, train_fold
from members.training.schedule import has_time
from members.training.spec import MemberSpec

PATHS = os.pathsep.join(map(str, (ROOT, ROOT / "tests", Path(__file__).parent)))

# everything that has state: dropout, augmentation, averaged weights, a schedule with warm-up, drawn tiles
SPEC = MemberSpec(
    name="tiny", backbone="lite0", encoder_weights="none", loss="bce_lovasz", augment="strong", schedule="cosine",
    learning_rate=1e-3, warmup=1, epochs=3, batch_size=2, crop=32, ema=0.5, clip_norm=1.0, balance=0.75,
)  # fmt: skip
KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from members.data.run import FoldFolder
from test_fit import NETWORKS, SPEC, fit, train

write, written = np.savez, []

def write_half(path, **arrays):
    if not written:
        written.append(path)
        return write(path, **arrays)
    Path(path).write_bytes(b"PK half of the state of epoch 2")
    print("writing", flush=True)
    time.sleep(600)

np.savez = write_half
fit.build_network = NETWORKS[sys.argv[2]]
train(SPEC, FoldFolder(Path(sys.argv[1])))
"""


ON_JAX = """
import json, sys
from pathlib import Path

class NotInstalled:
    def find_spec(self, name, *rest):
        if name == "tensorflow":
            raise ModuleNotFoundError(name)

from members.training.networks.backend import load_backend, describe_devices, list_accelerators
backend = load_backend()
sys.meta_path.insert(0, NotInstalled())
from members.data.run import FoldFolder
from test_fit import SPEC, build_tiny, fit, train

fit.build_network = build_tiny
spec = SPEC.model_copy(update={"augment": "none", "loss": "bce_dice", "epochs": 2})
history = train(spec, FoldFolder(Path(sys.argv[1])))
print(json.dumps([backend, list_accelerators(), describe_devices(), history]))
"""


def build_tiny(spec: MemberSpec, encoder_weights: str = "none") -> keras.Model:
    """A network of few layers in place of the member's, with batch statistics and dropout as it has them."""
    x = inputs = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 255)(x)
    x = keras.layers.Conv2D(4, 3, padding="same")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.2, seed=spec.seed)(x)
    return keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(x))


NETWORKS = {"a few layers": build_tiny, "lite0_unet": fit.build_network}


def train(spec: MemberSpec, folder: FoldFolder, **options: Any) -> list[Row]:
    return train_fold(spec, draw_pairs(8, 1), draw_pairs(2, 2), folder, **options)


class Whole(NamedTuple):
    """A run that nothing stopped: what it left, and what its caller was told after each epoch and batch."""

    folder: FoldFolder
    history: list[Row]
    rows: list[Row]
    batches: list[int]


@pytest.fixture(scope="module", params=["a few layers", pytest.param("lite0_unet", marks=pytest.mark.slow)])
def network(request: pytest.FixtureRequest) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "build_network", NETWORKS[request.param])
        yield request.param


@pytest.fixture(scope="module")
def whole(network: str, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder, rows, batches = FoldFolder(tmp_path_factory.mktemp("whole")), list[Row](), list[int]()
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(batch))
    return Whole(folder, train(SPEC, folder, report=rows.append, callbacks=[watch]), rows, batches)


def read_weights(folder: FoldFolder) -> list[np.ndarray]:
    network = fit.build_network(SPEC)
    network.load_weights(folder.weights_file)
    return [keras.ops.convert_to_numpy(variable) for variable in network.variables]


def drop_times(history: Sequence[Row]) -> list[Row]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def test_a_run_leaves_weights_history_and_curves_but_no_state(whole: Whole) -> None:
    folder, history = whole.folder, whole.history
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert {path.name for path in folder.path.iterdir()} == {
        "spec.json", "best.weights.h5", "weights.json", "history.csv", "tensorboard",
    }  # fmt: skip
    assert MemberSpec.model_validate_json(folder.spec_file.read_text()) == SPEC
    with folder.history_file.open() as lines:
        assert [{name: float(value) for name, value in row.items()} for row in csv.DictReader(lines)] == history
    assert len(list(folder.curves_folder.iterdir())) == 3
    assert read_progress(SPEC, folder) == history
    before = hash_folder(folder.path)
    assert train(SPEC, folder) == history  # a finished fold is left as it is
    assert hash_folder(folder.path) == before


def test_a_run_killed_while_it_writes_its_state_ends_with_the_same_weights_bit_for_bit(
    whole: Whole, network: str, tmp_path: Path
) -> None:
    folder, history = whole.folder, whole.history
    killed = FoldFolder(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path), network],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": PATHS},
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert len(list(killed.state_folder.iterdir())) == 2  # a whole state, and half of the next beside it
    assert len(read_progress(SPEC, killed)) == 1
    resumed = train(SPEC, killed)
    assert drop_times(resumed) == drop_times(history)
    expected, got = read_weights(folder), read_weights(killed)
    assert len(expected) >= (8 if network == "a few layers" else 200)
    for one, other in zip(expected, got, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not killed.state_folder.exists()
    # the same file, though another process began it, and this one has trained another fold before
    assert killed.weights_file.read_bytes() == folder.weights_file.read_bytes()


def test_jax_trains_where_there_is_neither_gpu_nor_tensorflow(tmp_path: Path) -> None:
    """Asked for GPUs, JAX raises where it has none; and what its networks compute on, they give away."""
    pytest.importorskip("jax")
    environment = {
        **os.environ, "PYTHONPATH": PATHS, "KERAS_BACKEND": "jax", "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # which take most of the time that XLA compiles for
    }  # fmt: skip
    command = [sys.executable, "-c", ON_JAX, str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr[-3000:]
    backend, accelerators, devices, history = json.loads(run.stdout.splitlines()[-1])
    assert (backend, accelerators) == ("jax", [])
    assert re.fullmatch(r"\d+ CPU cores, \d+ GiB", devices)
    assert len(history) == 2
    assert FoldFolder(tmp_path).weights_file.is_file()


def test_no_epoch_begins_that_would_end_after_the_deadline(tmp_path: Path) -> None:
    soon = time.monotonic() + 5
    assert has_time([], soon)
    assert has_time([{"seconds": 1.0}, {"seconds": 2.0}], soon)
    assert not has_time([{"seconds": 9.0}, {"seconds": 2.0}], soon)
    assert train(SPEC, FoldFolder(tmp_path), deadline=time.monotonic() - 1) == []
    assert not list(tmp_path.iterdir())


def test_another_spec_is_refused(whole: Whole) -> None:
    with pytest.raises(InputError, match=r"other settings \(crop, ema\).*--restart"):
        train(SPEC.model_copy(update={"crop": 64, "ema": None}), whole.folder)


def test_a_caller_follows_epochs_and_batches(whole: Whole) -> None:
    assert whole.rows == whole.history
    assert whole.batches == [0, 1, 2, 3] * 3


def test_an_interruption_waits_for_the_end_of_its_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow may crash where one is raised while it computes."""
    done = []

    def compute(network: keras.Model, examples: TrainingBatches, callbacks: list[Any], **options: Any) -> None:
        interruption.interrupt(signal.SIGTERM, None)  # as the signal would have it called
        done.append("first")
        for callback in callbacks:
            callback.on_train_batch_end(0, {"loss": 0.7})
        done.append("second")

    monkeypatch.setattr(fit, "build_network", build_tiny)
    monkeypatch.setattr(keras.Model, "fit", compute)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(SPEC, FoldFolder(tmp_path))
    finally:
        interruption._heard.clear()
    assert done == ["first"]
    assert not FoldFolder(tmp_path).history_file.exists()


def test_a_loss_that_is_not_finite_names_the_images() -> None:
    batches = TrainingBatches(list(draw_pairs(8, 1).values()), SPEC, epoch=4)
    watch = FiniteLoss(batches, [f"tile{index}" for index in range(8)])
    watch.on_train_batch_end(0, {"loss": 0.7})
    first, second = batches.list_indices(1)
    with pytest.raises(InputError, match=rf"nan in epoch 5, step 2, on the images tile{first}, tile{second}; .*rate"):
        watch.on_train_batch_end(1, {"loss": math.nan})
