"""Learning rate and stopping as pure functions of the spec and of the epochs so far.

Nothing here keeps state, so a resumed run continues exactly: the history is all there is to restore.
"""

import time
from collections.abc import Sequence

import keras

from members.training.checkpoint import Row
from members.training.spec import MemberSpec

PLATEAU_FACTOR, PLATEAU_PATIENCE, PLATEAU_DELTA = 0.7, 3, 1e-4


def choose_rate(spec: MemberSpec, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the optimizer's learning rate: a number to begin with, or a cosine decay over all epochs.

    With several cycles it falls in each, and begins anew at the start of the next (Loshchilov & Hutter 2017,
    https://arxiv.org/abs/1608.03983).

    Args:
        spec: the member.
        steps: batches an epoch.
    """
    if spec.schedule != "cosine":
        return spec.learning_rate
    if spec.cycles > 1:
        return keras.optimizers.schedules.CosineDecayRestarts(
            spec.learning_rate, first_decay_steps=spec.epochs * steps / spec.cycles, t_mul=1.0
        )
    return keras.optimizers.schedules.CosineDecay(
        0.0 if spec.warmup else spec.learning_rate,
        decay_steps=(spec.epochs - spec.warmup) * steps,
        warmup_target=spec.learning_rate if spec.warmup else None,
        warmup_steps=spec.warmup * steps,
    )


def plateau_rate(spec: MemberSpec, val_losses: Sequence[float]) -> float:
    """Return the rate for the next epoch under Keras's ReduceLROnPlateau(val_loss, factor 0.7, patience 3)."""
    rate, best, wait = spec.learning_rate, float("inf"), 0
    for loss in val_losses:
        if loss < best - PLATEAU_DELTA:
            best, wait = loss, 0
            continue
        wait += 1
        if wait >= PLATEAU_PATIENCE:
            rate, wait = rate * PLATEAU_FACTOR, 0
    return rate


def best_epoch(val_losses: Sequence[float]) -> int:
    """Return the first epoch (0-based) of the lowest validation loss; its weights are the ones kept."""
    return min(range(len(val_losses)), key=lambda epoch: val_losses[epoch])


def is_finished(spec: MemberSpec, val_losses: Sequence[float]) -> bool:
    """Tell whether all epochs are done, or `spec.patience` of them in a row brought no lower validation loss."""
    if not val_losses:
        return False
    return len(val_losses) >= spec.epochs or len(val_losses) - 1 - best_epoch(val_losses) >= spec.patience


def has_time(history: Sequence[Row], deadline: float) -> bool:
    """Tell whether another epoch, as long as the longest so far, ends before the deadline of `time.monotonic()`."""
    return time.monotonic() + max((row["seconds"] for row in history), default=0) <= deadline
