"""Learning rate and stopping as pure functions of the spec and of the validation losses so far.

Nothing here keeps state, so a resumed run continues exactly: the history is all there is to restore.
"""

from collections.abc import Sequence

from members.training.spec import MemberSpec

PLATEAU_FACTOR, PLATEAU_PATIENCE, PLATEAU_DELTA = 0.7, 3, 1e-4


def plateau_rate(spec: MemberSpec, val_losses: Sequence[float]) -> float:
    """The rate for the next epoch under Keras's ReduceLROnPlateau(val_loss, factor 0.7, patience 3)."""
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
    """The first epoch (0-based) of the lowest validation loss; its weights are the ones kept."""
    return min(range(len(val_losses)), key=lambda epoch: val_losses[epoch])


def is_finished(spec: MemberSpec, val_losses: Sequence[float]) -> bool:
    """Whether all epochs are done, or `spec.patience` of them in a row brought no lower validation loss."""
    if not val_losses:
        return False
    return len(val_losses) >= spec.epochs or len(val_losses) - 1 - best_epoch(val_losses) >= spec.patience
