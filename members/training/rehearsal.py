"""What a training would do and how long it would take, by a step of each member; nothing is written."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from members.common.progress import tell_time
from members.common.tables import ResultTable
from members.data.raster import Pair
from members.data.run import FoldFolder
from members.training.batches import TrainingBatches
from members.training.checkpoint import read_progress
from members.training.fit import compile_network
from members.training.networks.backend import distribute_batches, list_accelerators
from members.training.networks.network import build_network
from members.training.schedule import is_finished
from members.training.spec import MemberSpec
from members.training.training_set import TrainingSet

HEADER = ("member", "fold", "tiles", "validated on", "steps an epoch", "epochs left", "about")
FORWARD = 1 / 3
"""What a pass without its gradients takes of a step."""
ROUNDS = 2


@dataclass(frozen=True)
class PlannedFold:
    """A fold that would be trained.

    Attributes:
        member, fold: which.
        tiles, validated_on: how many.
        steps: of an epoch.
        epochs: that are left, at most: early stopping may end them sooner.
        seconds: that they take, about.
    """

    member: str
    fold: int
    tiles: int
    validated_on: int
    steps: int
    epochs: int
    seconds: float


def plan_folds(
    jobs: Iterable[tuple[MemberSpec, int, FoldFolder]], data: TrainingSet, restart: bool
) -> list[PlannedFold]:
    """Plan the training of folds.

    Args:
        jobs: members, folds, and the folders of these.
        data: what they train on.
        restart: whether what is there would be trained anew.

    Raises:
        InputError: what is there is damaged or of other settings, or GPUs cannot share the batches out evenly.
    """
    plans, known = [], dict[str, float]()
    devices = max(len(list_accelerators()), 1)
    for spec, fold, folder in jobs:
        training, validation = (list(each.values()) for each in data.take_fold(fold))
        history = [] if restart else read_progress(spec, folder)
        epochs = 0 if is_finished(spec, [row["val_loss"] for row in history]) else spec.epochs - len(history)
        steps = len(TrainingBatches(training, spec, 0, devices))
        if spec.name not in known:
            known[spec.name] = time_step(spec, training, devices)
        pixels = spec.batch_size * min(spec.crop, *training[0][0].shape[:2]) ** 2
        seen = sum(image.shape[0] * image.shape[1] for image, _ in validation)
        seconds = known[spec.name] * (steps + FORWARD * seen / pixels)
        sizes = len(training), len(validation), steps, epochs
        plans.append(PlannedFold(spec.name, fold, *sizes, epochs * seconds))
    return plans


def time_step(spec: MemberSpec, training: Sequence[Pair], devices: int = 1) -> float:
    """Return the seconds that a step takes, once the network is compiled; its weights are random."""
    with distribute_batches():
        network = build_network(spec, "none")
        compile_network(network, spec, 1)
    batch = TrainingBatches(training, spec, 0, devices)[0]
    network.train_on_batch(*batch)
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        network.train_on_batch(*batch)
        taken.append(time.perf_counter() - began)
    return min(taken)


def tabulate_plan(plans: Sequence[PlannedFold]) -> ResultTable:
    """Tell a plan."""
    rows = [
        (
            plan.member, str(plan.fold), str(plan.tiles), str(plan.validated_on), str(plan.steps), str(plan.epochs),
            tell_time(plan.seconds),
        )
        for plan in plans
    ]  # fmt: skip
    total = tell_time(sum(plan.seconds for plan in plans))
    notes = (f"{total} in all, where no fold stops early; nothing is trained or written: --dry-run",)
    return ResultTable("", HEADER, rows, notes)
