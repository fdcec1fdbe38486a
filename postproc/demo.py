"""The demo: every stage on a small set of tiles, scored on tiles that nothing was trained or tuned on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ensemble.distill import teach_fold
from members.common.console import JSON, print_result, stderr, stdout, track, warn
from members.training.networks.backend import choose_backend, load_backend
from members.training.training_set import TrainingSet, measure_areas, open_fold, read_pairs
from postproc.report import report
from postproc.submit import submit
from postproc.tune import tune

if TYPE_CHECKING:
    from ensemble.inference.networks import Network
    from ensemble.inference.tasks import Task
    from ensemble.inference.views import View
    from members.data.run import Run
    from members.data.tiles import Tile
    from members.training.spec import MemberSpec

MEMBERS = {"first": "lite0_unet", "second": "lite2_unet"}
CONTACT = "lite0_contact"  # in place of the first, where the data have outlines
TILES, SIDE = 240, 128  # of the drawn scenes: small ones, so that there are many groups
TEST_SHARE, VALID_SHARE = 0.25, 0.3
EPOCHS, BATCH_SIZE, CROP, FROZEN, FILTERS = 3, 4, 128, 3, (96, 64, 32, 16, 8)
TRIALS = 10  # of the studies that search areas and splits
SINGLE_VIEW = "test_without_tta"
SHARES = {"scenes": 0.04, "first": 0.22, "second": 0.28, "predict": 0.18, "student": 0.20, "tune": 0.08}
"""Of the work, as it takes time: for the line that says how much is left."""


def demo(
    data: Annotated[
        Path | None, typer.Option(help="Your own tiles and masks; default: scenes drawn by the project.")
    ] = None,
    run: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("runs/demo"),
    tiles: Annotated[int, typer.Option(help="Use at most about this many tiles, in whole groups.", min=12)] = TILES,
    epochs: Annotated[int, typer.Option(help="Epochs of each member.", min=1)] = EPOCHS,
    json: Annotated[bool, JSON] = False,
) -> None:
    """Train two members, predict, blend, tune and submit in a few minutes, and show what each stage brings.

    A student learns what both know, and is scored beside their blend. A quarter of the tiles, in whole groups, is set
    aside first; the table at the end is on those alone. A demo that was stopped goes on where it was.
    """
    from members.data.frames import read_frame
    from members.data.groups import read_groups
    from members.data.raster import read_mask
    from members.data.run import Run
    from members.data.setting_aside import set_test_aside
    from members.data.tiles import list_tiles
    from postproc.pipeline.pipeline import Pipeline
    from postproc.scoring.layouts import find_truth

    choose_backend()
    made, own, outlook = Run(run), run / "data", Outlook()
    for remark in set_test_aside(data or draw_scenes(run / "scenes", tiles), own, tiles, TEST_SHARE):
        warn(remark)
    outlook.finish("scenes")
    training, test = plan_training(made, own), list_tiles(own, "test")
    load_backend()
    for stage, name in MEMBERS.items():
        spec = revise_member(CONTACT if stage == "first" and training.labels else name, epochs)
        network = train_member(made, training, spec, outlook, stage)
        predict_parts(made, network, training, test, outlook)
    stdout.quiet = json  # one object is all that is printed
    student = teach_student(made, training, test, epochs, outlook)
    tune(run, own, objective="building_f1", trials=TRIALS)
    submit(run, "test", own)
    stdout.quiet = False
    outlook.finish("tune")
    from postproc.polygons.tracing import trace_mask
    from postproc.reporting.figures import save_figure  # only now, as it takes a while to load
    from postproc.reporting.stages import Truth, draw_results, tabulate_stages
    from postproc.scoring.reading import find_buildings

    masks = find_truth(own / "test/masks/img")
    truths = {image_id: read_mask(path) for image_id, path in masks.items()}
    outlines = find_buildings(own, masks, {tile.image_id: read_frame(tile.image) for tile in test})
    buildings = outlines or {image_id: trace_mask(truth) for image_id, truth in truths.items()}
    groups = list(read_groups(own, list(truths)).values())
    tuned = Pipeline.of_run(made, "test")
    table = tabulate_stages(made, SINGLE_VIEW, "test", Truth(truths, buildings, groups), tuned, student)
    picture = run / "demo.png"
    save_figure(draw_results(made, "test", {tile.image_id: tile.image for tile in test}, truths, tuned), picture)
    stdout.quiet = json
    report(run, own)
    stdout.quiet = False
    submission = made.submission_file("test")
    content = {"stages": [list(row) for row in table.rows], "columns": list(table.header)}
    content |= {"submission": str(submission), "picture": str(picture)}
    print_result(json, content, table, f"submission: {submission}\npicture: {picture}")


class Outlook:
    """The line that says how much of the demo is done, and about how long the rest takes on this machine."""

    def __init__(self) -> None:
        self.done = 0.0
        self.worked = 0.0  # of what was done, the share that this process had to do
        self.began = self.last = time.monotonic()

    def finish(self, what: str, share: float = 1) -> None:
        """Count a share of a stage as done, and print the line; what took no time was there from an earlier start."""
        now = time.monotonic()
        self.done += SHARES[what] * share
        if now - self.last > 1:
            self.worked += SHARES[what] * share
        self.last = now
        if self.worked and self.done < 0.995:
            left = (1 - self.done) / self.worked * (now - self.began)
            stderr.print(f"demo: {self.done:.0%} done; about {left / 60:.1f} minutes left", highlight=False)


def draw_scenes(folder: Path, count: int) -> Path:
    """Draw the demo's own data set, unless it is there."""
    from members.synthetic.scenes import write_scenes

    if not (folder / "groups.csv").is_file():
        stderr.print(f"drawing {count} aerial scenes with exact masks in {folder}", highlight=False)
        write_scenes(folder, count, size=SIDE, progress=track)
    return folder


def plan_training(run: Run, data: Path) -> TrainingSet:
    """Read the training tiles, their outlines where there are some, and draw the split, unless the run has one."""
    from members.data.split import Split, draw_split
    from members.data.tiles import find_labels, list_tiles

    tiles, labels = list_tiles(data), find_labels(data)
    pairs = read_pairs(tiles, run.path, labels)
    if run.has_record():
        return TrainingSet(data, tiles, pairs, run.check_tiles(tiles).split, labels)
    split = draw_split([tile.group for tile in tiles], measure_areas(pairs), Split(valid_fraction=VALID_SHARE))
    run.write_record(data, tiles, split)
    return TrainingSet(data, tiles, pairs, split, labels)


def revise_member(name: str, epochs: int) -> MemberSpec:
    """Return a member's spec as the demo trains it: small crops, half a decoder, the finest stages as they came.

    A few epochs are too few to learn more than the square's symmetries from.
    """
    from members.training.catalog import find_spec
    from members.training.spec import revise_spec

    small = {"batch_size": BATCH_SIZE, "crop": CROP, "frozen": FROZEN, "filters": FILTERS, "augment": "d4"}
    return revise_spec(find_spec(name), epochs=epochs, **small)


def train_member(run: Run, data: TrainingSet, spec: MemberSpec, outlook: Outlook, stage: str) -> Network:
    """Train a member, or go on with it, and return its network, which is built once."""
    from ensemble.inference.networks import train_network

    folder = run.fold(spec.name, 0)
    training, validation = data.take_fold(0)

    left = 1.0

    def report(row: dict[str, float]) -> None:
        nonlocal left
        left -= 1 / spec.epochs
        stderr.print(
            f"{spec.name}  epoch {row['epoch']:.0f}/{spec.epochs}  loss {row['loss']:.4f}  valid IoU "
            f"{row['val_iou']:.4f}  {row['seconds']:.0f} s",
            highlight=False,
        )
        outlook.finish(stage, 1 / spec.epochs)

    stderr.print(f"{spec.name}: {len(training)} tiles to train on, {len(validation)} to tune on", highlight=False)
    with open_fold(folder, run.read_record(), restart=False, sources=data.list_sources(spec, 0, folder)):
        network = train_network(spec, training, validation, folder, report)
    outlook.finish(stage, left)  # epochs that an earlier start did
    return network


def teach_student(run: Run, data: TrainingSet, test: Sequence[Tile], epochs: int, outlook: Outlook) -> str:
    """Train a student on what the members say of the training tiles, and write its maps of the test tiles.

    Those alone: without maps of the validation tiles it is no part of the blend. Returns its name.
    """
    from ensemble.distillation.taught_set import PART, TaughtSet, Teachers
    from ensemble.inference.tasks import Request, plan_member
    from ensemble.inference.views import parse_views
    from members.training.spec import Distillation, revise_spec

    plain, lesson, record = revise_member(MEMBERS["first"], epochs), Distillation(), run.read_record()
    spec = revise_spec(plain, name=f"{plain.name}_student", student=lesson.model_dump())
    names = tuple(name for name in run.list_members() if name != spec.name)
    teachers = Teachers(names, Request.of_tiles(run, record, PART, data.tiles, parse_views("none"), replace=True))
    teach_fold(teachers, 0)
    pairs = read_pairs(data.tiles, run.path)
    taught = TaughtSet(data.folder, data.tiles, pairs, record.split, teachers=teachers, lesson=lesson)
    network, views = train_member(run, taught, spec, outlook, "student"), parse_views("d4")
    write_maps([plan_member(Request.of_tiles(run, record, "test", test, views), spec.name)], network, test, views)
    return spec.name


def predict_parts(run: Run, network: Network, data: TrainingSet, test: Sequence[Tile], outlook: Outlook) -> None:
    """Write a member's maps of the validation and of the test tiles; of these also what one view alone says."""
    from ensemble.inference.tasks import Request, plan_member
    from ensemble.inference.views import parse_views

    record, views = run.read_record(), parse_views("d4")
    valid = [tile for tile in data.tiles if tile.group in record.split.valid_groups]
    for part, tiles in (("valid", valid), ("test", test)):
        tasks = [
            plan_member(Request.of_tiles(run, record, name, tiles, tried), network.spec.name)
            for name, tried in ((part, views), (SINGLE_VIEW, views[:1]))
            if name == part or part == "test"
        ]
        write_maps(tasks, network, tiles, views)
        outlook.finish("predict", len(tiles) / (len(valid) + len(test)) / len(MEMBERS))


def write_maps(tasks: Sequence[Task], network: Network, tiles: Sequence[Tile], views: Sequence[View]) -> None:
    """Write maps of all views together, and, for a second task, of the first view alone: from one pass.

    Args:
        tasks: what the maps are of; all of the same tiles, which are those of the first.
        network: what predicts.
        tiles: of one size each.
        views: what is looked at.
    """
    import numpy as np

    from ensemble.inference.arrays import batch_images
    from ensemble.inference.merging import see_views
    from ensemble.inference.scenes import WINDOW, open_scene
    from ensemble.inference.sharing import predict_member
    from ensemble.mapfolder.raster import map_path, quantise, write_map

    if not any(task.list_left() for task in tasks):
        return
    if max(max(size) for size in tasks[0].manifest.images.values()) > WINDOW:  # in windows, which the command cuts
        for task in tasks:
            predict_member(task, progress=track)
        return
    around, images = tasks[0].full.around, []
    for tile in tiles:
        with open_scene(tile.image) as scene:
            images.append(around.read(tile.image_id, scene))
    for task in tasks:
        task.prepare()
    for batch in batch_images(images):
        stack = np.stack([images[index] for index in batch])
        seen = np.stack([values for [values] in see_views([network], stack, views)])
        for task, values in zip(tasks, (seen.mean(axis=0), seen[0]), strict=False):
            for index, each in zip(batch, values.swapaxes(0, 1), strict=True):
                image_id, image = tiles[index].image_id, tiles[index].image
                write_map(map_path(task.folder, image_id), quantise(around.cut(image_id, each)), image)
