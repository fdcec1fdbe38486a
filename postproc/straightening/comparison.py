"""What straight walls change: buildings before and after against the truth."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ensemble.statistics.metrics import METRICS, MetricName
from members.common.errors import InputError
from members.common.progress import Progress, silent
from members.common.tables import ResultTable
from members.common.workers import Threads, Workers
from members.data.frames import Frame
from members.data.mosaic import Reader
from postproc.geo.blocks import read_whole
from postproc.geo.outlining import OutlinedMosaic, collect_pieces
from postproc.polygons.tracing import trace_mask
from postproc.scoring.buildings import Comparison, ImageBuildings, compare_buildings
from postproc.scoring.pixels import pool_masks
from postproc.scoring.reading import find_buildings, find_masks, read_masked, read_outlined
from postproc.scoring.scores import OF_WALLS, format_estimate, make_scorer, score_images

SHOWN: tuple[MetricName, ...] = (
    "pooled_iou",
    "boundary_iou",
    "building_f1",
    "polis",
    "c_iou",
    "n_ratio",
    "right_angles",
)
ReadTruth = Callable[[str], ImageBuildings]


def open_truth(path: Path, frames: Mapping[str, Frame]) -> ReadTruth:
    """Return the function that gives an image's true buildings by its id.

    Args:
        path: a mask, a folder of masks, a data set that holds one, or another file that `read_outlined` reads.
        frames: the images.

    Raises:
        InputError: an image has no mask, or as by `postproc.scoring.reading.read_outlined`.
    """
    masks = find_masks(path)
    if not masks:
        return read_outlined(path, frames)
    if path.is_file() and len(frames) == 1:  # whatever each is called
        masks = dict.fromkeys(frames, path)
    if bare := sorted(frames.keys() - masks.keys()):
        raise InputError(f"{path}: {len(bare)} of {len(frames)} images have no mask there, such as {bare[0]}; add them")
    own = {image_id: masks[image_id] for image_id in frames}
    return read_masked(own, find_buildings(path, own, frames))


def compare_with_truth(
    frames: Mapping[str, Frame],
    read: Reader,
    outlined: Mapping[str, Sequence[OutlinedMosaic]],
    read_true: ReadTruth,
    progress: Progress = silent,
    workers: Workers | None = None,
) -> ResultTable:
    """Score the components of masks, traced pixel by pixel, and outlines of them, against the truth.

    Vertices and angles are shown where those of the truth were drawn: a traced outline is then scored as one, too.

    Args:
        frames: the images.
        read: reads a window of one of their masks.
        outlined: whose outlines, as the table names them -> the buildings.
        read_true: reads an image's true buildings.
        progress: is shown the images.
        workers: who reads and compares; by default a thread a core.

    Raises:
        InputError: the truth has no building, or is of other sizes.
    """
    pieces = [collect_pieces(each) for each in outlined.values()]

    def compare(frame: Frame) -> list[Comparison]:
        truth = read_true(frame.image_id)
        mask = read_whole(frame.size, lambda window: read(frame.image_id, window)[0])
        sides = [ImageBuildings(mask, trace_mask(mask))]
        for found in pieces:
            own = found.get(frame.image_id, [])
            confidences = [building.confidence for building in own]
            known = None if np.isnan(confidences).any() else confidences
            sides.append(ImageBuildings.from_outlines([building.outline for building in own], frame.size, known))
        return [compare_buildings(side, truth) for side in sides]

    found = list(progress((workers or Threads()).map(compare, frames.values()), "scoring", len(frames)))
    pool_masks(before.columns for before, *_ in found)
    scores = [score_images(make_scorer(side), list(frames)) for side in zip(*found, strict=True)]
    traced = any(before.traced for before, *_ in found)
    shown = [name for name in SHOWN if not (traced and name in OF_WALLS)]
    rows = [(METRICS[name].label, *(format_estimate(own[name])[0] for own in scores)) for name in shown]
    notes = ["without scores of vertices and angles: the truth is masks, whose edges are pixels'"] if traced else []
    return ResultTable(f"{len(frames)} images against the truth", ("score", "before", *outlined), rows, notes)
