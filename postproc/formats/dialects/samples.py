"""Sample submissions: their columns, order, names of images, and rows of what we have no masks of."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from members.common.errors import InputError
from postproc.formats.dialects.dialect import ENDINGS, IDS, Dialect, choose_column, find_dialect
from postproc.formats.dialects.rows import read_header, read_rows


@dataclass(frozen=True)
class Sample:
    """What a sample submission tells.

    Attributes:
        dialect: of its rows.
        names: image id -> what the sample calls it, in the order of its rows.
        rows: image id -> its rows there, by column.
    """

    dialect: Dialect
    names: Mapping[str, str]
    rows: Mapping[str, list[dict[str, str]]]


def read_sample(path: Path, ids: Collection[str], words: str = "") -> Sample:
    """Read a sample submission.

    Its ids may have endings of files. A text in place of runs that is none, such as "-1", and always the same, is what
    stands for an empty mask.

    Args:
        path: the CSV, plain or gzipped.
        ids: the images that there are masks of.
        words: of the dialect, as for `parse_dialect`: what a header can't tell.

    Raises:
        InputError: the file is no CSV, has no columns of ids and runs, or no row for an image of `ids`.
    """
    columns = read_header(path)
    own = choose_column(path, columns, IDS)
    known = set(ids)
    names: dict[str, str] = {}
    rows: dict[str, list[dict[str, str]]] = {}
    for _, row in read_rows(path):
        image_id = row[own] if row[own] in known else strip_ending(row[own])
        names.setdefault(image_id, row[own])
        rows.setdefault(image_id, []).append(row)
    if missing := [image_id for image_id in ids if image_id not in names]:
        raise InputError(
            f"{path}: no row for {len(missing)} of {len(known)} images ({', '.join(missing[:3])}"
            f"{', ...' if len(missing) > 3 else ''}); give the sample of these images, whose ids are their files' names"
        )
    dialect = find_dialect(path, columns, set(names.values()), words)
    if not dialect.per_building and (twice := [image_id for image_id, own in rows.items() if len(own) > 1]):
        raise InputError(
            f"{path}: {len(rows[twice[0]])} rows of image {names[twice[0]]}; where a row is a building give "
            "--format buildings, else an image has one row"
        )
    fills = {row[dialect.runs].strip() for own_rows in rows.values() for row in own_rows}
    marks = {fill for fill in fills if not is_runs(fill)}
    return Sample(replace(dialect, empty=marks.pop()) if len(marks) == 1 else dialect, names, rows)


def is_runs(text: str) -> bool:
    """Tell whether a text may be runs: pairs of numbers."""
    return all(number.isdecimal() for number in text.split()) and len(text.split()) % 2 == 0


def strip_ending(name: str) -> str:
    """Return an image's id out of the name of its file."""
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)
