"""Writing what a run has found: masks and buildings, in one pass, to every file that is asked for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from members.common.progress import Progress, silent
from postproc.formats.registry import BuildingFormat, Frames, MaskFormat, find_format
from postproc.geo.footprints import drop_small
from postproc.geo.mosaic import Reader
from postproc.geo.outlining import OutlinedMosaic, Outliner, draw_masks, outline_images, remember


@dataclass(frozen=True)
class Export:
    """A file, or a folder of files, that is to be written."""

    path: Path
    format: MaskFormat | BuildingFormat


def plan_exports(paths: Mapping[str, Path | None], frames: Frames) -> list[Export]:
    """Find the format of each file, and check all that can be before the work starts.

    Args:
        paths: the formats' option -> the file that is asked for, or None.
        frames: the images.

    Raises:
        InputError: a file has another ending, cannot be written, or cannot hold these images.
    """
    exports = [Export(path, find_format(option, path)) for option, path in paths.items() if path is not None]
    for export in exports:
        export.format.check(export.path, frames)
    return exports


@dataclass(frozen=True)
class Source:
    """Where the masks and buildings of images come from.

    Attributes:
        frames: the images, in the order in which they are written.
        read: reads an image's mask and blend.
        outline: outlines a mask.
        from_outlines: whether masks are what the outlines cover, or what `read` gives.
    """

    frames: Frames
    read: Reader
    outline: Outliner
    from_outlines: bool


def write_exports(
    exports: Sequence[Export], source: Source, min_area_m2: float = 0.0, progress: Progress = silent
) -> int | None:
    """Write masks and buildings; no building is outlined twice, and masks are in memory one at a time.

    Args:
        exports: the files.
        source: what is in them.
        min_area_m2: smaller buildings are left out of files of buildings.
        progress: is shown mosaics and images.

    Returns:
        How many buildings were written; None where no file of buildings is asked for.

    Raises:
        InputError: a file cannot be written; all others are whole or as they were.
    """
    frames = source.frames
    sizes = {image_id: frame.size for image_id, frame in frames.items()}
    read = remember(source.read, sizes.values())
    wanted = any(isinstance(export.format, BuildingFormat) for export in exports)
    outlined: list[OutlinedMosaic] = []
    if wanted or source.from_outlines:
        outlined = outline_images(frames.values(), read, source.outline, progress)
    masks = draw_masks(outlined, sizes) if source.from_outlines else _read_masks(frames, read)
    _write_masks(exports, frames, progress(masks, "submission", len(frames)))
    large = [drop_small(each, min_area_m2) for each in outlined] if wanted else []
    for export in exports:
        if isinstance(export.format, BuildingFormat):
            export.format.write(export.path, frames, large)
    return sum(len(each.buildings) for each in large) if wanted else None


def _read_masks(frames: Frames, read: Reader) -> Iterator[tuple[str, np.ndarray]]:
    for image_id in frames:
        yield image_id, read(image_id)[0]


def _write_masks(exports: Sequence[Export], frames: Frames, masks: Iterable[tuple[str, np.ndarray]]) -> None:
    with ExitStack() as files:
        adders = [
            files.enter_context(export.format.open(export.path, frames))
            for export in exports
            if isinstance(export.format, MaskFormat)
        ]
        for image_id, mask in masks:
            for add in adders:
                add(image_id, mask)
