"""Train one fold of one member, epoch by epoch, so that a killed run goes on where it was."""

import csv
import io
import json
import shutil
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from members.console import make_progress
from members.errors import InputError
from members.files import write_json, write_whole
from members.training.backend import seed_backend
from members.training.batches import Pair, TrainingBatches, ValidationBatches
from members.training.losses import build_loss
from members.training.network import build_network
from members.training.schedule import best_epoch, is_finished, plateau_rate
from members.training.spec import MemberSpec, read_spec

Row = dict[str, float]
COLUMNS = ("epoch", "loss", "iou", "val_loss", "val_iou", "learning_rate", "seconds")
SPEC, WEIGHTS, HISTORY, STATE = "spec.json", "best.weights.h5", "history.csv", "last/state.npz"


def train_fold(
    spec: MemberSpec,
    training: Sequence[Pair],
    validation: Sequence[Pair],
    folder: Path,
    report: Callable[[Row], None],
) -> list[Row]:
    """Train until the epochs are done or the validation loss has not fallen for `spec.patience` epochs.

    After every epoch `folder` holds the best weights so far, the history, and in last/ the whole state (weights,
    optimizer, dropout's random states); a state found there is gone on from, exactly. A finished fold is left
    as it is.

    Args:
        spec: the member.
        training: images uint8 (h, w, 3) with masks bool (h, w).
        validation: the same, of groups that are not in `training`.
        folder: where spec.json, best.weights.h5, history.csv and last/ go.
        report: called with every new epoch's row.

    Returns:
        One row an epoch: loss and pooled IoU at 0.5 on both, learning rate, seconds.

    Raises:
        InputError: `folder` holds a member of another spec, or the loss is no longer finite.
    """
    history = read_progress(spec, folder)
    if is_finished(spec, [row["val_loss"] for row in history]):
        return history
    seed_backend(spec.seed)
    network = build_network(spec, "none" if history else spec.encoder_weights)
    steps = len(TrainingBatches(training, spec, 0))
    compile_network(network, spec, steps)
    if history:
        restore_state(network, folder / STATE)
    write_json(folder / SPEC, spec.model_dump())
    batches = ValidationBatches(validation, spec)
    for epoch in range(len(history), spec.epochs):
        if spec.schedule == "plateau":
            network.optimizer.learning_rate = plateau_rate(spec, [row["val_loss"] for row in history])
        began = time.monotonic()
        bar = StepBar(f"{spec.name} epoch {epoch + 1}/{spec.epochs}", steps)
        fitted = network.fit(
            TrainingBatches(training, spec, epoch),
            initial_epoch=epoch,
            epochs=epoch + 1,
            verbose=0,
            shuffle=False,  # drawn by (seed, epoch); Keras would shuffle by a state that no resume restores
            callbacks=[bar],
        ).history
        valid = network.evaluate(batches, verbose=0, return_dict=True)
        row = {
            "epoch": epoch + 1,
            "loss": fitted["loss"][0],
            "iou": fitted["iou"][0],
            "val_loss": valid["loss"],
            "val_iou": valid["iou"],
            "learning_rate": float(network.optimizer.learning_rate),
            "seconds": time.monotonic() - began,
        }
        if not np.isfinite([row["loss"], row["val_loss"]]).all():
            raise InputError(f"{spec.name}: the loss is no longer finite in epoch {epoch + 1}; lower the learning rate")
        history.append(row)
        if best_epoch([row["val_loss"] for row in history]) == epoch:
            with write_whole(folder / WEIGHTS) as temporary:
                network.save_weights(temporary)
        save_state(network, history, folder / STATE)
        write_history(history, folder / HISTORY)
        report(row)
        if is_finished(spec, [row["val_loss"] for row in history]):
            break
    shutil.rmtree(folder / "last")
    return history


def compile_network(network: keras.Model, spec: MemberSpec, steps: int) -> None:
    """Give the network its optimizer, built, its loss, and IoU at 0.5 pooled over the epoch."""
    rate = spec.learning_rate
    if spec.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, decay_steps=spec.epochs * steps)
    network.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=build_loss(spec.loss),
        metrics=[keras.metrics.BinaryIoU(target_class_ids=[1], threshold=0.5, name="iou")],
        # XLA spends a minute compiling on a CPU, and gains nothing there
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    network.optimizer.build(network.trainable_variables)


def read_progress(spec: MemberSpec, folder: Path) -> list[Row]:
    """The epochs done so far in `folder`.

    Raises:
        InputError: they are of another spec, or what is there is damaged.
    """
    if not (folder / SPEC).is_file():
        return []
    found = read_spec(folder / SPEC)
    if found != spec:
        changed = [name for name in MemberSpec.model_fields if getattr(found, name) != getattr(spec, name)]
        raise InputError(
            f"{folder}: trained with other settings ({', '.join(changed)}); use those, --restart, or another --run"
        )
    path = folder / STATE if (folder / STATE).is_file() else folder / HISTORY
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as state:
                return json.loads(str(state["history"]))
        if path.is_file():
            with path.open(newline="") as lines:
                return [{name: float(row[name]) for name in COLUMNS} for row in csv.DictReader(lines)]
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: damaged ({error}); train this member anew with --restart") from None
    return []


def write_history(history: Sequence[Row], path: Path) -> None:
    """Write history.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(history)
    with write_whole(path) as temporary:
        temporary.write_text(text.getvalue())


def list_state(network: keras.Model) -> list[keras.Variable]:
    """Everything that training changes: weights, statistics, dropout's random states, the optimizer's variables."""
    return [*network.variables, *network.optimizer.variables]


def save_state(network: keras.Model, history: Sequence[Row], path: Path) -> None:
    """Write the whole training state, with the history that led to it, as one file."""
    arrays = {f"{i:05d}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(list_state(network))}
    with write_whole(path) as temporary:
        np.savez(temporary, history=json.dumps(list(history)), **arrays)


def restore_state(network: keras.Model, path: Path) -> None:
    """Put a state of `save_state` back into a network built from the same spec."""
    with np.load(path, allow_pickle=False) as state:
        for i, variable in enumerate(list_state(network)):
            variable.assign(state[f"{i:05d}"])


class StepBar(keras.callbacks.Callback):
    """A progress bar over the steps of one epoch, with loss and IoU."""

    def __init__(self, description: str, steps: int) -> None:
        super().__init__()
        self.progress = make_progress()
        self.task = self.progress.add_task(description, total=steps, note="")

    def on_epoch_begin(self, epoch: int, logs: Row | None = None) -> None:
        self.progress.start()

    def on_train_batch_end(self, batch: int, logs: Row | None = None) -> None:
        note = " ".join(f"{name} {value:.3f}" for name, value in (logs or {}).items())
        self.progress.update(self.task, advance=1, note=note)

    def on_epoch_end(self, epoch: int, logs: Row | None = None) -> None:
        self.progress.stop()
