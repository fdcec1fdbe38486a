"""Training goes on after a kill as if nothing had been, stops in time, and says what broke it."""

import csv
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT

from members.common.errors import InputError
from members.data.run import FoldFolder
from members.training.batches import TrainingBatches
from members.training.checkpoint import read_progress
from members.training.fit import FiniteLoss, has_time, train_fold
from members.training.spec import MemberSpec

PATHS = os.pathsep.join(map(str, (ROOT, ROOT / "tests", ROOT / "tests/members/training")))

# everything that has state: dropout, augmentation, averaged weights, a schedule with warm-up, drawn tiles
TINY = MemberSpec(
    name="tiny", backbone="lite0", encoder_weights="none", loss="bce_lovasz", augment="strong", schedule="cosine",
    learning_rate=1e-3, warmup=1, epochs=3, batch_size=2, crop=32, ema=0.5, clip_norm=1.0, balance=0.75,
)  # fmt: skip
KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from members.data.run import FoldFolder
from test_fit import TINY, draw_pairs, fit

write, written = np.savez, []

def write_half(path, **arrays):
    if not written:
        written.append(path)
        return write(path, **arrays)
    Path(path).write_bytes(b"PK half of the state of epoch 2")
    print("writing", flush=True)
    time.sleep(600)

np.savez = write_half
fit(TINY, FoldFolder(Path(sys.argv[1])))
"""


def draw_pairs(count, seed):
    """Bright rectangles on dark ground, 48 px; every fourth tile is empty."""
    rng = np.random.default_rng(seed)
    pairs = []
    for index in range(count):
        mask = np.zeros((48, 48), bool)
        if index % 4:
            top, left = rng.integers(4, 24, 2)
            mask[top : top + 16, left : left + 20] = True
        image = np.where(mask[..., None], 180, 60) + rng.integers(-40, 40, (48, 48, 3))
        pairs.append((image.astype(np.uint8), mask))
    return pairs


def fit(spec, folder, training=None, deadline=math.inf):
    training = training or draw_pairs(8, 1)
    names = [f"tile{index}" for index in range(len(training))]
    return train_fold(spec, training, draw_pairs(2, 2), folder, lambda row: None, names, deadline)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing stopped, and its history."""
    folder = FoldFolder(tmp_path_factory.mktemp("whole"))
    return folder, fit(TINY, folder)


def read_weights(folder):
    import h5py

    arrays = {}
    with h5py.File(folder.weights_file) as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return arrays


def drop_times(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def test_a_run_leaves_weights_history_and_curves_but_no_state(whole):
    folder, history = whole
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert {path.name for path in folder.path.iterdir()} == {
        "spec.json", "best.weights.h5", "history.csv", "tensorboard",
    }  # fmt: skip
    assert MemberSpec.model_validate_json(folder.spec_file.read_text()) == TINY
    with folder.history_file.open() as lines:
        assert [{name: float(value) for name, value in row.items()} for row in csv.DictReader(lines)] == history
    assert len(list(folder.curves_folder.iterdir())) == 3
    assert read_progress(TINY, folder) == history
    assert fit(TINY, folder) == history  # a finished fold is left as it is


def test_a_run_killed_while_it_writes_its_state_ends_with_the_same_weights_bit_for_bit(whole, tmp_path):
    folder, history = whole
    killed = FoldFolder(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": PATHS},
    )  # fmt: skip
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert len(list(killed.state_folder.iterdir())) == 2  # a whole state, and half of the next beside it
    assert len(read_progress(TINY, killed)) == 1
    resumed = fit(TINY, killed)
    assert drop_times(resumed) == drop_times(history)
    expected, got = read_weights(folder), read_weights(killed)
    assert expected.keys() == got.keys()
    assert len(expected) > 200
    for name, array in expected.items():
        np.testing.assert_array_equal(array, got[name], err_msg=name)
    assert not killed.state_folder.exists()


def test_no_epoch_begins_that_would_end_after_the_deadline(tmp_path):
    soon = time.monotonic() + 5
    assert has_time([], soon)
    assert has_time([{"seconds": 1.0}, {"seconds": 2.0}], soon)
    assert not has_time([{"seconds": 9.0}, {"seconds": 2.0}], soon)
    assert fit(TINY, FoldFolder(tmp_path), deadline=time.monotonic() - 1) == []
    assert not list(tmp_path.iterdir())


def test_another_spec_is_refused(whole):
    folder, _ = whole
    with pytest.raises(InputError, match=r"other settings \(crop, ema\).*--restart"):
        fit(TINY.model_copy(update={"crop": 64, "ema": None}), folder)


def test_a_loss_that_is_not_finite_names_the_images():
    batches = TrainingBatches(draw_pairs(8, 1), TINY, epoch=4)
    watch = FiniteLoss(batches, [f"tile{index}" for index in range(8)])
    watch.on_train_batch_end(0, {"loss": 0.7})
    first, second = batches.list_indices(1)
    with pytest.raises(InputError, match=rf"nan in epoch 5, step 2, on the images tile{first}, tile{second}; .*rate"):
        watch.on_train_batch_end(1, {"loss": math.nan})
