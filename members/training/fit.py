"""Train one fold of one member, epoch by epoch, so that a killed run goes on where it was."""

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from members.common.errors import InputError
from members.common.files import write_json
from members.common.interruption import hold_back, let_through
from members.data.raster import Pair
from members.data.run import FoldFolder
from members.training.batches import TrainingBatches, ValidationBatches
from members.training.checkpoint import Row, read_progress, restore_state, save_state, write_curves, write_history
from members.training.losses import build_loss
from members.training.networks.backend import distribute_batches, list_accelerators, seed_backend
from members.training.networks.network import build_network
from members.training.networks.weights import write_weights
from members.training.schedule import best_epoch, choose_rate, has_time, is_finished, plateau_rate
from members.training.spec import MemberSpec

CURE = "look at them, lower the member's learning_rate, or set its clip_norm"


def train_fold(
    spec: MemberSpec,
    training: Mapping[str, Pair],
    validation: Mapping[str, Pair],
    folder: FoldFolder,
    deadline: float = math.inf,
    report: Callable[[Row], None] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> list[Row]:
    """Train until the epochs are done or the validation loss has not fallen for `spec.patience` epochs.

    After every epoch `folder` holds the best weights so far, the history, and in last/ the whole state (weights,
    optimizer, dropout's random states); a state found there is gone on from, exactly. A finished fold is left
    as it is.

    Args:
        spec: the member.
        training: image id -> image uint8 (h, w, 3) with mask bool (h, w).
        validation: the same, of groups that are not in `training`.
        folder: where spec.json, best.weights.h5, history.csv, tensorboard/ and last/ go.
        deadline: of `time.monotonic()`, seconds; no epoch begins that would end after it, going by the longest.
        report: called with every new epoch's row.
        callbacks: further ones of Keras, such as a progress bar; each epoch is a `fit` of its own.

    Returns:
        One row an epoch: loss and pooled IoU at 0.5 on both, learning rate, seconds. Where the deadline cut it
        short, last/ is still there.

    Raises:
        InputError: `folder` holds a member of another spec, GPUs cannot share the batches out evenly, or the loss
            is no longer finite.
    """
    history = read_progress(spec, folder)
    if is_finished(spec, [row["val_loss"] for row in history]):
        if folder.state_file.is_file():
            write_history(history, folder.history_file)  # a kill may have come just before this
        shutil.rmtree(folder.state_folder, ignore_errors=True)
        return history
    if not has_time(history, deadline):
        return history
    keras.utils.clear_session()  # counts layers anew: their names, and so the file, depend on no fold trained before
    seed_backend(spec.seed)
    pairs = list(training.values())
    devices = max(len(list_accelerators()), 1)
    steps = len(TrainingBatches(pairs, spec, 0, devices))
    with distribute_batches():
        network = build_network(spec, "none" if history else spec.encoder_weights)
        compile_network(network, spec, steps)
    if history:
        restore_state(network, folder.state_file)
    write_json(folder.spec_file, spec.model_dump())
    batches = ValidationBatches(list(validation.values()), spec, devices)
    for epoch in range(len(history), spec.epochs):
        if not has_time(history, deadline):
            return history
        if spec.schedule == "plateau":
            network.optimizer.learning_rate = plateau_rate(spec, [row["val_loss"] for row in history])
        began = time.monotonic()
        examples, raw = TrainingBatches(pairs, spec, epoch, devices), RawWeights()
        own = [Interruption(), FiniteLoss(examples, list(training)), *([raw] if spec.ema else [])]
        with hold_back():
            fitted = network.fit(
                examples,
                initial_epoch=epoch,
                epochs=epoch + 1,
                verbose=0,
                shuffle=False,  # drawn by (seed, epoch); Keras would shuffle by a state that no resume restores
                callbacks=[*own, *callbacks],
            ).history
            valid = network.evaluate(batches, verbose=0, return_dict=True, callbacks=[Interruption()])
        if not np.isfinite(valid["loss"]):
            raise InputError(f"{folder.path}: validation loss {valid['loss']} after epoch {epoch + 1}; {CURE}")
        row = {
            "epoch": epoch + 1,
            "loss": fitted["loss"][0],
            "iou": fitted["iou"][0],
            "val_loss": valid["loss"],
            "val_iou": valid["iou"],
            "learning_rate": float(keras.ops.convert_to_numpy(network.optimizer.learning_rate)),
            "seconds": time.monotonic() - began,
        }
        history.append(row)
        if best_epoch([row["val_loss"] for row in history]) == epoch:
            write_weights(network, folder)
        if spec.ema:
            raw.put_back()
        save_state(network, history, folder.state_file)
        write_history(history, folder.history_file)
        write_curves(row, folder.curves_folder)
        if report:
            report(row)
        if is_finished(spec, [row["val_loss"] for row in history]):
            break
    shutil.rmtree(folder.state_folder)
    return history


def compile_network(network: keras.Model, spec: MemberSpec, steps: int) -> None:
    """Give the network its optimizer, built, its loss, and IoU at 0.5 pooled over the epoch.

    With mixed_float16 Keras scales the loss, so that small gradients do not vanish.

    Args:
        network: to be trained.
        spec: the member.
        steps: batches an epoch.
    """
    averaging = {"use_ema": True, "ema_momentum": spec.ema} if spec.ema else {}
    network.compile(
        optimizer=keras.optimizers.Adam(choose_rate(spec, steps), global_clipnorm=spec.clip_norm, **averaging),
        loss=build_loss(spec.loss, partial=spec.student is not None),
        metrics=[BuildingIoU(target_class_ids=[1], threshold=0.5, name="iou")],
        # XLA spends a minute compiling on a CPU, and gains nothing there
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    network.optimizer.build(network.trainable_variables)


class BuildingIoU(keras.metrics.BinaryIoU):
    """IoU of the first band, building or not, whatever bands there are, and however sure the truth is."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return super().update_state(y_true[..., :1] >= 0.5, y_pred[..., :1], sample_weight)


class RawWeights(keras.callbacks.Callback):
    """The weights in training, over which Keras writes the averaged ones at the end of each `fit`."""

    def on_epoch_end(self, epoch: int, logs: Row | None = None) -> None:
        self.values = [keras.ops.convert_to_numpy(variable) for variable in self.model.trainable_variables]

    def on_train_end(self, logs: Row | None = None) -> None:
        # on JAX the averaged weights are the optimizer's own arrays now, and `evaluate` gives away those of the network
        for variable in self.model.trainable_variables:
            variable.assign(keras.ops.copy(variable))

    def put_back(self) -> None:
        """Go on from the weights in training."""
        for variable, value in zip(self.model.trainable_variables, self.values, strict=True):
            variable.assign(value)


class Interruption(keras.callbacks.Callback):
    """An interruption that came while a batch was computed is raised after it."""

    def on_train_batch_end(self, batch: int, logs: Row | None = None) -> None:
        let_through()

    def on_test_batch_end(self, batch: int, logs: Row | None = None) -> None:
        let_through()


class FiniteLoss(keras.callbacks.Callback):
    """A check after every batch that stops, with the names of its images, where the loss is not finite."""

    def __init__(self, batches: TrainingBatches, names: Sequence[str]) -> None:
        super().__init__()
        self.batches, self.names = batches, names

    def on_train_batch_end(self, batch: int, logs: Row | None = None) -> None:
        # the mean over the epoch so far: it stays what it is from the first batch that is not finite
        if logs and not np.isfinite(logs["loss"]):
            images = ", ".join(self.names[index] for index in self.batches.list_indices(batch))
            step = f"epoch {self.batches.epoch + 1}, step {batch + 1}"
            raise InputError(f"loss {logs['loss']} in {step}, on the images {images}; {CURE}")
