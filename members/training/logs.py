"""Curves for TensorBoard."""

from pathlib import Path

from tensorboardX import SummaryWriter

CURVES = {
    "loss/training": "loss",
    "loss/validation": "val_loss",
    "iou/training": "iou",
    "iou/validation": "val_iou",
    "learning_rate": "learning_rate",
    "seconds": "seconds",
}


def log_epoch(folder: Path, row: dict[str, float]) -> None:
    """Write one epoch's row as an event file; TensorBoard joins all those of a folder."""
    with SummaryWriter(str(folder), filename_suffix=f".epoch{row['epoch']:04.0f}") as writer:
        for curve, column in CURVES.items():
            writer.add_scalar(curve, row[column], int(row["epoch"]))
