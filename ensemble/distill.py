"""The command that trains a member on what other members have learnt."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from members.common.choices import Precision
from members.common.console import DATA, JSON, run_command, stderr, track, warn
from members.common.errors import InputError
from members.training.networks.backend import choose_backend
from members.training.options import BATCH_SIZE, CROP, ENCODER_WEIGHTS, EPOCHS, FOLD, PRECISION, RESTART, TIME_BUDGET

if TYPE_CHECKING:
    from ensemble.distillation.taught_set import Teachers
    from members.data.run import Run, RunRecord


def distill(
    student: Annotated[
        str, typer.Argument(help="The member that learns, by name or by the path of its script; STUDENT_student after.")
    ],
    run: Annotated[Path, typer.Option(help="The run whose members teach, and which the student joins.")],
    data: Annotated[Path | None, DATA] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(help="Images of new places, without labels: a file or a folder; may be given several times."),
    ] = None,
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Learn from the data set's test tiles, too, as from new places.")
    ] = True,
    teachers: Annotated[
        list[str] | None, typer.Option(help="Only these, by commas or by repeating it; default: all but students.")
    ] = None,
    tta: Annotated[str, typer.Option(help="The views that teachers look at: none, flips, d4, or a list.")] = "d4",
    epochs: Annotated[int | None, EPOCHS] = None,
    batch_size: Annotated[int | None, BATCH_SIZE] = None,
    crop: Annotated[int | None, CROP] = None,
    encoder_weights: Annotated[str | None, ENCODER_WEIGHTS] = None,
    precision: Annotated[Precision | None, PRECISION] = None,
    fold: Annotated[int | None, FOLD] = None,
    time_budget: Annotated[str | None, TIME_BUDGET] = None,
    restart: Annotated[bool, RESTART] = False,
    json: Annotated[bool, JSON] = False,
) -> None:
    """Train a student: one network that learns what several know, from their maps and the masks.

    Teachers predict the training tiles, the test tiles and any other images; the student is trained on the mean of
    their maps, mixed with the masks where there are any. It becomes a member like others, RUN/members/STUDENT_student,
    to be predicted, blended and tuned with them or alone. It sees no label that it is scored on: each of its folds is
    taught by the networks of the same fold. How much the masks count, how soft the maps are, and which of their pixels
    are left out, its script says: MemberSpec(..., student=Distillation(...)).
    """
    from ensemble.distillation.images import TEST, list_unlabelled, part_known
    from ensemble.distillation.taught_set import PART, TaughtSet, Teachers
    from ensemble.inference.inputs import read_views
    from ensemble.inference.tasks import Request
    from members.data.run import Run
    from members.data.tiles import list_tiles
    from members.training.catalog import find_spec
    from members.training.spec import Distillation, check_encoder_weights, revise_spec
    from members.training.train import fit_members, parse_duration
    from members.training.training_set import check_source, read_pairs

    deadline = math.inf if time_budget is None else time.monotonic() + parse_duration(time_budget)
    choose_backend()
    target = Run(run)
    record = target.read_record()
    known = find_spec(student)
    lesson = known.student or Distillation()
    changes = {"epochs": epochs, "batch_size": batch_size, "crop": crop, "encoder_weights": encoder_weights}
    names = {"name": f"{known.name}_student", "student": lesson.model_dump()}
    spec = revise_spec(known, **changes, **names, precision=precision, seed=record.split.seed)
    if restart or spec.name not in target.list_members():
        check_encoder_weights(spec.backbone, spec.encoder_weights)
    folds = record.split.choose_folds(fold)
    root = target.find_data(data)
    tiles = list_tiles(root, group_by=record.split.group_by)
    target.check_tiles(tiles)
    chosen = choose_teachers(target, record, teachers, spec.name)
    unlabelled, shown = part_known(list_unlabelled(root, images or (), test), tiles)
    if shown:
        warn(
            f"{len(shown)} images without labels are of the data set's own tiles, or of their ground "
            f"({shown[0].image_id}, ..): left out"
        )
    if any(tile.image_id.startswith(TEST) for tile in unlabelled):
        warn("test tiles are learned from, without labels: a score on them is of images that the student has seen")
    # maps of former teachers may go: what teaches is no result
    asked = Request.of_tiles(target, record, PART, [*tiles, *unlabelled], read_views(tta), replace=True)
    school = Teachers(tuple(chosen), asked)
    taught = TaughtSet(root, tiles, read_pairs(tiles, run), record.split, teachers=school, lesson=lesson)
    for number in folds:
        folder = target.fold(spec.name, number)
        for source in () if restart else taught.list_sources(spec, number, folder):
            check_source(folder, source)
    for number in folds:
        teach_fold(school, number)
    fit_members([spec], taught, target, folds, restart, deadline, json)


def choose_teachers(run: Run, record: RunRecord, texts: Sequence[str] | None, student: str) -> list[str]:
    """Choose who teaches: the members named, or all of the run that are no students.

    Raises:
        InputError: there is none, one is the student, or one is not trained on the run's data and split.
    """
    from ensemble.inference.inputs import choose_members
    from members.training.spec import read_spec

    trained = run.list_members()
    own = [name for name in trained if not read_spec(run.fold(name, 0).spec_file).student]
    if texts is None and not own:
        raise InputError(f"{run.path}: nobody to teach {student}; train members first: roofstack train")
    chosen, remarks = choose_members(run, record, own if texts is None else texts)
    for remark in remarks:
        warn(remark)
    if student in chosen:
        raise InputError(f"--teachers {student}: the student itself; name others")
    return chosen


def teach_fold(teachers: Teachers, fold: int) -> None:
    """Make the maps that teach a fold, as far as they are not there."""
    from ensemble.inference.engines.choice import choose_engine
    from ensemble.inference.sharing import predict_member
    from ensemble.inference.tasks import plan_member

    request = teachers.ask_fold(fold)
    for name in teachers.names:
        task = choose_engine(plan_member(request, name), stderr.print)
        for remark in task.describe_changes():
            warn(remark)
        predict_member(task, progress=track)


if __name__ == "__main__":
    run_command(distill)
