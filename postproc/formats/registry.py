"""The formats that masks and buildings are written in: one row each.

To add one write its functions, in a module of this folder, and give it a row here. A row whose option is there
already (`--vector` takes every row of that option, by the file's ending) needs nothing else.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from members.common.files import check_target
from members.data.frames import Frame
from members.data.mosaic import Window
from postproc.formats.coco import write_coco
from postproc.formats.dialects.dialect import Dialect
from postproc.formats.dialects.samples import Sample
from postproc.formats.masks import check_masks, open_masks, write_cog, write_mask
from postproc.formats.submission import check_sides, encode_buildings, encode_row, open_submission
from postproc.formats.vector import check_vector, write_vector
from postproc.geo.outlining import OutlinedMosaic
from postproc.polygons.buildings import Building

Frames = Mapping[str, Frame]
"""The images, by their ids, in the order in which they are written."""

ReadMask = Callable[[Window], np.ndarray]
"""Reads a window of an image's mask, bool (h, w)."""

Check = Callable[[Path, Frames], object]
"""Raise InputError where the images cannot be written to the path."""


def check_nothing(path: Path, frames: Frames) -> None:
    """Let every image pass."""


@dataclass(frozen=True)
class MaskFormat:
    """A format that holds masks, written one after the other.

    Attributes:
        option: of submit, that asks for it.
        suffix: of the file, in small letters; empty for a folder that holds a file an image.
        encode: turns an image's mask, which it reads by windows, into what the file holds of it, in any thread or
            process; a folder's file is written right there. The last argument is a note on what is promised of all, or
            "".
        open: opens the file, as a context that yields a function to add what `encode` has made, by the image's id; the
            file is whole, and checked, when the context has ended.
        check: what is checked before the work starts, beside the ending and the folder.
        encode_buildings: what `encode` does, from the buildings that a mask was drawn from, where there are any: for a
            format that tells them apart.
    """

    option: str
    suffix: str
    encode: Callable[[Path, Frame, ReadMask, str], Any]
    open: Callable[[Path, Frames], AbstractContextManager[Callable[[str, Any], None]]]
    check: Check = check_nothing
    encode_buildings: Callable[[Path, Frame, Sequence[Building]], Any] | None = None


@dataclass(frozen=True)
class BuildingFormat:
    """A format that holds buildings, written all at once.

    Attributes:
        option, suffix, check: as in `MaskFormat`.
        write: writes the buildings of the images, and a note as `encode` does; returns what the file leaves out, in
            words, if it does.
    """

    option: str
    suffix: str
    write: Callable[[Path, Frames, Sequence[OutlinedMosaic], str], str | None]
    check: Check = check_nothing


Format = MaskFormat | BuildingFormat
FORMATS: list[Format] = [
    MaskFormat("output", ".csv", encode_row, open_submission, check_sides),
    MaskFormat("output", ".csv.gz", encode_row, open_submission, check_sides),
    MaskFormat("masks", "", write_mask, open_masks, check_masks),
    MaskFormat("cog", "", write_cog, open_masks, check_masks),
    BuildingFormat("vector", ".gpkg", write_vector, check_vector),
    BuildingFormat("vector", ".geojson", write_vector, check_vector),
    BuildingFormat("vector", ".parquet", write_vector, check_vector),
    BuildingFormat("vector", ".fgb", write_vector, check_vector),
    BuildingFormat("vector", ".shp", write_vector, check_vector),
    BuildingFormat("coco", ".json", write_coco),
]


def list_suffixes(option: str) -> list[str]:
    """List the endings that an option takes."""
    return [row.suffix for row in FORMATS if row.option == option]


def find_format(option: str, path: Path) -> Format:
    """Find the format of a file by its ending, and check that the file can be written.

    Raises:
        InputError: another ending, or a folder around it that is missing or not writable.
    """
    rows = {row.suffix: row for row in FORMATS if row.option == option}
    if "" in rows:
        return rows[""]
    check_target(path, tuple(rows))
    return max((row for suffix, row in rows.items() if path.name.lower().endswith(suffix)), key=lambda row: row.suffix)


def choose_layer(form: Format, layer: str) -> Format:
    """Return a format of vector files whose layer has a name; others stay as they are."""
    if not isinstance(form, BuildingFormat) or form.option != "vector":
        return form
    check = functools.partial(check_vector, layer=layer)
    return replace(form, write=functools.partial(write_vector, layer=layer), check=check)


def choose_dialect(form: MaskFormat, dialect: Dialect, sample: Sample | None = None) -> MaskFormat:
    """Return the format of a submission in a dialect, or as a sample has it."""
    return replace(
        form,
        encode=functools.partial(encode_row, dialect=dialect),
        open=functools.partial(open_submission, dialect=dialect, sample=sample),
        encode_buildings=functools.partial(encode_buildings, dialect=dialect) if dialect.per_building else None,
    )
