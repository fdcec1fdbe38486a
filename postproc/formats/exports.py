"""Writing what a run has found: masks and buildings, in one pass, to every file that is asked for."""

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely import STRtree, box

from members.common.progress import Progress, silent
from members.common.workers import Threads, Workers
from members.data.frames import Frame
from members.data.mosaic import Reader, Window
from postproc.formats.registry import BuildingFormat, Format, Frames, MaskFormat, ReadMask, find_format
from postproc.geo.blocks import list_windows, read_whole
from postproc.geo.footprints import drop_small
from postproc.geo.outlining import OutlinedMosaic, Outliner, collect_pieces, outline_images
from postproc.polygons.buildings import Building, rasterize_outlines


@dataclass(frozen=True)
class Export:
    """A file, or a folder of files, that is to be written."""

    path: Path
    format: Format


def plan_exports(
    paths: Mapping[str, Path | None], frames: Frames, settle: Callable[[Format], Format] = lambda form: form
) -> list[Export]:
    """Find the format of each file, and check all that can be before the work starts.

    Args:
        paths: the formats' option -> the file that is asked for, or None.
        frames: the images.
        settle: what makes of a format the one that is written.

    Raises:
        InputError: a file has another ending, cannot be written, or cannot hold these images.
    """
    exports = [Export(path, settle(find_format(option, path))) for option, path in paths.items() if path is not None]
    for export in exports:
        export.format.check(export.path, frames)
    return exports


@dataclass(frozen=True)
class Source:
    """Where the masks and buildings of images come from.

    Attributes:
        frames: the images, in the order in which they are written.
        read: reads a window of an image's mask and blend.
        outline: outlines a mask.
        from_outlines: whether masks are what the outlines cover, or what `read` gives.
        note: what files say of themselves that can.
    """

    frames: Frames
    read: Reader
    outline: Outliner
    from_outlines: bool
    note: str = ""


@dataclass(frozen=True)
class Written:
    """What `write_exports` has written.

    Attributes:
        buildings: how many; None where no file of buildings is asked for.
        remarks: on what files leave out, a line each.
    """

    buildings: int | None
    remarks: tuple[str, ...] = ()


def write_exports(
    exports: Sequence[Export],
    source: Source,
    min_area_m2: float = 0.0,
    progress: Progress = silent,
    workers: Workers | None = None,
) -> Written:
    """Write masks and buildings; no building is outlined twice, and a worker has one mask, or a block, in memory.

    Args:
        exports: the files.
        source: what is in them.
        min_area_m2: smaller buildings are left out of files of buildings.
        progress: is shown blocks and images.
        workers: who reads maps, outlines and encodes; by default a thread a core.

    Raises:
        InputError: a file cannot be written; all others are whole or as they were.
    """
    frames = source.frames
    wanted = any(isinstance(export.format, BuildingFormat) for export in exports)
    outlined: list[OutlinedMosaic] = []
    if wanted or source.from_outlines:
        outlined = outline_images(frames.values(), source.read, source.outline, progress, workers)
    _write_masks(exports, source, collect_pieces(outlined) if source.from_outlines else None, progress, workers)
    large = [drop_small(each, min_area_m2) for each in outlined] if wanted else []
    remarks = []
    for export in exports:
        if isinstance(export.format, BuildingFormat) and (
            left_out := export.format.write(export.path, frames, large, source.note)
        ):
            remarks.append(f"{export.path}: {left_out}")
    return Written(sum(len(each.buildings) for each in large) if wanted else None, tuple(remarks))


def _write_masks(
    exports: Sequence[Export],
    source: Source,
    pieces: Mapping[str, Sequence[Building]] | None,
    progress: Progress,
    workers: Workers | None,
) -> None:
    """Write every image's mask, drawn from its buildings, or as it is read where there are no `pieces`."""
    frames, read, note = source.frames, source.read, source.note
    chosen = [(export.format, export.path) for export in exports if isinstance(export.format, MaskFormat)]
    if not chosen:
        return
    encoders = [(form.encode, form.encode_buildings, path) for form, path in chosen]

    def encode(image: tuple[Frame, Sequence[Building] | None]) -> tuple[str, list[Any]]:
        frame, buildings = image
        read_mask: ReadMask
        if buildings is None:
            read_mask = functools.partial(_read_mask, read, frame.image_id)
        else:
            read_mask = functools.partial(draw_window, STRtree([building.outline for building in buildings]))
        if len(encoders) > 1 and len(list_windows(frame.size)) == 1:  # is read once
            read_mask = read_whole(frame.size, read_mask).__getitem__
        return frame.image_id, [
            apart(path, frame, buildings) if apart and buildings is not None else encode(path, frame, read_mask, note)
            for encode, apart, path in encoders
        ]

    images = ((frame, None if pieces is None else pieces.get(image_id, ())) for image_id, frame in frames.items())
    with ExitStack() as files:
        adders = [files.enter_context(form.open(path, frames)) for form, path in chosen]
        for image_id, encoded in progress((workers or Threads()).map(encode, images), "submission", len(frames)):
            for add, each in zip(adders, encoded, strict=True):
                add(image_id, each)


def _read_mask(read: Reader, image_id: str, window: Window) -> np.ndarray:
    return read(image_id, window)[0]


def draw_window(outlines: STRtree, window: Window) -> np.ndarray:
    """Draw a window, bool (h, w), of the mask that outlines cover, as `rasterize_outlines` draws the whole."""
    rows, columns = window
    near = np.sort(outlines.query(box(columns.start, rows.start, columns.stop, rows.stop)))
    moved = shapely.transform(outlines.geometries[near], lambda points: points - [columns.start, rows.start])
    return rasterize_outlines(moved, (rows.stop - rows.start, columns.stop - columns.start))
