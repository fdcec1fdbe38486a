"""What a training leaves on disk: the whole state after every epoch, the history of epochs, and its curves."""

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from members.common.errors import InputError
from members.common.files import write_whole
from members.data.record import RETRAIN
from members.data.run import FoldFolder
from members.training.networks.weights import read_weights
from members.training.spec import MemberSpec, read_spec

Row = dict[str, float]
COLUMNS = ("epoch", "loss", "iou", "val_loss", "val_iou", "learning_rate", "seconds")
CURVES = {
    "loss/training": "loss",
    "loss/validation": "val_loss",
    "iou/training": "iou",
    "iou/validation": "val_iou",
    "learning_rate": "learning_rate",
    "seconds": "seconds",
}


def read_progress(spec: MemberSpec, folder: FoldFolder) -> list[Row]:
    """Read the epochs done so far in `folder`.

    Raises:
        InputError: they are of another spec, or what is there is damaged.
    """
    if not folder.spec_file.is_file():
        return []
    found = read_spec(folder.spec_file)
    if found != spec:
        changed = [name for name in MemberSpec.model_fields if getattr(found, name) != getattr(spec, name)]
        raise InputError(
            f"{folder.path}: trained with other settings ({', '.join(changed)}); use those, --restart, or another --run"
        )
    if folder.history_file.is_file() and not folder.weights_file.is_file():
        raise InputError(f"{folder.weights_file}: gone, though epochs were trained; {RETRAIN}")
    if folder.weights_file.is_file():
        read_weights(folder)
    path = folder.state_file if folder.state_file.is_file() else folder.history_file
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as state:
                return json.loads(str(state["history"]))
        if path.is_file():
            with path.open(newline="") as lines:
                return [{name: float(row[name]) for name in COLUMNS} for row in csv.DictReader(lines)]
    except (ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: damaged ({error}); {RETRAIN}") from None
    return []


def write_history(history: Sequence[Row], path: Path) -> None:
    """Write history.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(history)
    with write_whole(path) as temporary:
        temporary.write_text(text.getvalue())


def write_curves(row: Row, folder: Path) -> None:
    """Write one epoch's row as an event file; TensorBoard joins all those of a folder."""
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(folder), filename_suffix=f".epoch{row['epoch']:04.0f}") as writer:
        for curve, column in CURVES.items():
            writer.add_scalar(curve, row[column], int(row["epoch"]))


def list_state(network: keras.Model) -> list[keras.Variable]:
    """List all that training changes: weights, statistics, dropout's random states, the optimizer's variables."""
    return [*network.variables, *network.optimizer.variables]


def save_state(network: keras.Model, history: Sequence[Row], path: Path) -> None:
    """Write the whole training state, with the history that led to it, as one file.

    It is moved over the state before it only once it is complete, so that a kill at any moment leaves one of them.
    """
    arrays = {f"{i:05d}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(list_state(network))}
    with write_whole(path) as temporary:
        np.savez(temporary, history=json.dumps(list(history)), **arrays)


def restore_state(network: keras.Model, path: Path) -> None:
    """Put a state of `save_state` back into a network built from the same spec.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as state:
            for i, variable in enumerate(list_state(network)):
                variable.assign(state[f"{i:05d}"])
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: damaged ({error}); {RETRAIN}") from None
