"""How competitions want their submissions: which columns, how pixels are numbered, what a row is of."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from members.common.errors import InputError
from postproc.formats.rle import Order

IDS = ("ImageId", "image_id", "id", "img", "image", "filename", "file_name", "image_name")
RUNS = ("EncodedPixels", "rle", "rle_mask", "predicted", "segmentation", "encoding", "encoded_pixels", "prediction")
WIDTHS, HEIGHTS = ("Width", "image_width"), ("Height", "image_height")
"""Columns by the names that competitions give them, in large letters or small."""
ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2")
"""Of images, where ids are names of files."""


@dataclass(frozen=True)
class Dialect:
    """A form of submissions.

    Attributes:
        columns: the header, in its order.
        id, runs: the columns of an image's id, and of its runs.
        width, height: those of its size, px; None where the file leaves that out.
        order, start: how pixels are numbered, as for `encode_rle`.
        per_building: whether a row is a building, with one row for an image that has none; else a row is an image.
        empty: what stands for runs where there are none.
        ending: what stands behind an id.
        constants: further columns, and what is in them.
    """

    columns: tuple[str, ...] = ("ImageId", "EncodedPixels", "Width", "Height")
    id: str = "ImageId"
    runs: str = "EncodedPixels"
    width: str | None = None
    height: str | None = None
    order: Order = "columns"
    start: int = 1
    per_building: bool = False
    empty: str = ""
    ending: str = ""
    constants: Mapping[str, str] = field(default_factory=dict)

    def name(self, image_id: str) -> str:
        """Return how the file names an image."""
        return f"{image_id}{self.ending}"

    def find_id(self, name: str) -> str:
        """Return the id of the image that the file names so."""
        return name.removesuffix(self.ending)


def _make(*columns: str, **options: Any) -> Dialect:
    return Dialect(columns, columns[0], columns[1], **options)


KAGGLE = Dialect(width="Width", height="Height")
DIALECTS = {
    "kaggle": KAGGLE,
    "airbus": _make("ImageId", "EncodedPixels", per_building=True, ending=".jpg"),
    "hot": KAGGLE,
    "dsb2018": _make("ImageId", "EncodedPixels", per_building=True),
    "carvana": _make("img", "rle_mask", order="rows", ending=".jpg"),
    "salt": _make("id", "rle_mask"),
    "severstal": _make("ImageId", "EncodedPixels", "ClassId", ending=".jpg", constants={"ClassId": "1"}),
    "hubmap": _make("id", "predicted"),
}
"""By the competitions that have them: Airbus ships, Data Science Bowl 2018, Carvana, TGS salt, Severstal, HuBMAP.

Tiles of the Humanitarian OpenStreetMap Team (`hot`) are handed in with width and height, as by default.
"""
WORDS: dict[str, dict[str, Any]] = {
    "columns": {"order": "columns"}, "rows": {"order": "rows"}, "from0": {"start": 0}, "from1": {"start": 1},
    "images": {"per_building": False}, "buildings": {"per_building": True},
}  # fmt: skip
"""What changes a dialect: how pixels are numbered, and what a row is of."""
EMPTY = "empty="
"""What stands before the text for no runs."""


def parse_dialect(text: str, base: Dialect | None = None) -> Dialect:
    """Parse words such as "airbus", "salt,rows,from0", or, where the file itself tells its columns, "buildings".

    Args:
        text: words with commas between them; "" changes nothing.
        base: what they change, where none of them names a dialect; by default `KAGGLE`.

    Raises:
        InputError: there is no such word.

    >>> parse_dialect("salt,from0").columns, parse_dialect("salt,from0").start
    (('id', 'rle_mask'), 0)
    """
    dialect = base or KAGGLE
    for number, word in enumerate(text.split(",") if text else []):
        if word in DIALECTS and number == 0:
            dialect = DIALECTS[word]
        elif word in WORDS:
            dialect = replace(dialect, **WORDS[word])
        elif word.startswith(EMPTY):
            dialect = replace(dialect, empty=word.removeprefix(EMPTY))
        else:
            near = difflib.get_close_matches(word, [*DIALECTS, *WORDS], 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InputError(
                f"format {text!r}: no {word!r}; {hint}give one of {', '.join(DIALECTS)}, or words of "
                f"{', '.join(WORDS)} and {EMPTY}TEXT, with commas between them"
            )
    return dialect


def find_dialect(path: Path, columns: Sequence[str], names: Collection[str], words: str = "") -> Dialect:
    """Find the dialect of a file by its header, and by the words that a user says of it.

    Args:
        path: the file, for messages.
        columns: its header.
        names: what is in the column of ids, if anyone can tell which that is: all have one ending, or none.
        words: as for `parse_dialect`.

    Raises:
        InputError: columns of ids or runs are missing, or there is no such word.
    """
    if words.split(",")[0] in DIALECTS:
        dialect = parse_dialect(words)
        for column in (dialect.id, dialect.runs, dialect.width, dialect.height):
            if column is not None and column not in columns:
                raise InputError(f"{path}: no column {column} among {', '.join(columns)}; add it")
        return replace(dialect, columns=tuple(columns), ending=_find_ending(names))
    if set(KAGGLE.columns) <= set(columns):
        return parse_dialect(words, replace(KAGGLE, columns=tuple(columns)))
    own_id, runs = choose_column(path, columns, IDS), choose_column(path, columns, RUNS)
    width, height = _choose(columns, WIDTHS), _choose(columns, HEIGHTS)
    if width is None or height is None:
        width = height = None
    return parse_dialect(words, Dialect(tuple(columns), own_id, runs, width, height, ending=_find_ending(names)))


def choose_column(path: Path, columns: Sequence[str], candidates: Sequence[str]) -> str:
    """Choose the column of a file that has one of several names, in large letters or small.

    Raises:
        InputError: there is none.
    """
    found = _choose(columns, candidates)
    if found is None:
        others = ", ".join(candidates[1:])
        raise InputError(
            f"{path}: no column {candidates[0]} among {', '.join(columns) or 'none'}; add it, by this name or {others}"
        )
    return found


def _choose(columns: Sequence[str], candidates: Sequence[str]) -> str | None:
    own = {column.lower(): column for column in reversed(columns)}
    return next((own[name.lower()] for name in candidates if name.lower() in own), None)


def _find_ending(names: Collection[str]) -> str:
    """Return the ending of images that all names have, or ""."""
    endings = {next((end for end in ENDINGS if name.endswith(end)), "") for name in names}
    return endings.pop() if len(endings) == 1 else ""
