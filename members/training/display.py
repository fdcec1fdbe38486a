"""What training shows on the terminal: a bar over the steps of each epoch, and a line an epoch."""

from collections.abc import Mapping

import keras

from members.common.console import Minutes, make_progress, stderr
from members.training.spec import MemberSpec


def show_steps(spec: MemberSpec, steps: int) -> keras.callbacks.Callback:
    """Make a callback that shows a bar over the steps of each epoch, with loss and IoU."""
    progress = make_progress()
    task = progress.add_task("", total=steps, note="")
    minutes = Minutes("", steps)

    def begin(epoch: int, logs: Mapping[str, float] | None = None) -> None:
        nonlocal minutes
        description = f"{spec.name} epoch {epoch + 1}/{spec.epochs}"
        minutes = Minutes(f"{description}, steps", steps)
        progress.reset(task, description=description, note="")
        progress.start()

    def advance(batch: int, logs: Mapping[str, float] | None = None) -> None:
        note = " ".join(f"{name} {value:.3f}" for name, value in (logs or {}).items())
        progress.update(task, advance=1, note=note)
        minutes.tell(batch + 1, note)

    def end(epoch: int, logs: Mapping[str, float] | None = None) -> None:
        progress.stop()

    return keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=end, on_train_batch_end=advance)


def show_epoch(label: str, epochs: int, row: dict[str, float]) -> None:
    """Print one line about an epoch."""
    stderr.print(
        f"{label}  epoch {row['epoch']:.0f}/{epochs}  loss {row['loss']:.4f}  iou {row['iou']:.4f}  "
        f"valid loss {row['val_loss']:.4f}  valid iou {row['val_iou']:.4f}  {row['seconds']:.0f} s",
        highlight=False,
    )
