"""Groups of tiles: from a table, from the names of the files, or from squares on the ground."""

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from rasterio.warp import transform

from members.common.errors import InputError
from members.data.frames import Frame, read_frame

TABLES = ("tiles.csv", "groups.csv")
SQUARES = re.compile(r"(\d+(?:\.\d+)?)m")
RADIUS = 6_371_008.8
"""Mean radius of the earth, m."""
WGS84 = "EPSG:4326"


def group_images(root: Path, images: Mapping[str, Path], group_by: str | None = None) -> dict[str, str]:
    """Return the group of each image of a data set.

    Args:
        root: the data set's folder.
        images: image id -> file.
        group_by: a column of tiles.csv or groups.csv, as for `read_groups`; a pattern of the image id, a regular
            expression whose one group, in parentheses, is the name; or the side of squares on the ground, such as 500m.

    Raises:
        InputError: an image does not match the pattern, or is not georeferenced; or as by `read_groups`.
    """
    if group_by is not None and (found := SQUARES.fullmatch(group_by)):
        side = float(found[1])
        if side == 0:
            raise InputError(f"--group-by {group_by}: squares of no size; give metres, such as 500m")
        middles = {image_id: find_middle(read_frame(path), path) for image_id, path in images.items()}
        return {image_id: name_square(*middle, side) for image_id, middle in middles.items()}
    if group_by is not None and "(" in group_by:
        return {image_id: match_name(group_by, image_id) for image_id in images}
    return read_groups(root, images, group_by)


def match_name(pattern: str, image_id: str) -> str:
    """Return what the one group of a regular expression finds in an image id.

    >>> match_name(r"(.+)_\\d+_\\d+", "austin_3_4")
    'austin'

    Raises:
        InputError: it is no regular expression with one group, or finds nothing.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"--group-by {pattern}: no regular expression ({error}); correct it") from None
    if compiled.groups != 1:
        raise InputError(f"--group-by {pattern}: {compiled.groups} groups in parentheses; give one: it is the name")
    found = compiled.search(image_id)
    if not (found and found[1]):
        raise InputError(f"--group-by {pattern}: finds nothing in {image_id}; every image needs a group")
    return found[1]


def find_middle(frame: Frame, path: Path) -> tuple[float, float]:
    """Return the latitude and longitude of an image's middle, degrees.

    Raises:
        InputError: the image of this path is not georeferenced.
    """
    if frame.crs is None:
        raise InputError(f"{path}: not georeferenced; squares on the ground need that: group by a column or a pattern")
    height, width = frame.size
    x, y = frame.transform * (width / 2, height / 2)
    (longitude,), (latitude,) = transform(frame.crs, WGS84, [x], [y])
    return latitude, longitude


def name_square(latitude: float, longitude: float, side: float) -> str:
    """Return the name of the square on the ground that a place, in degrees, is in; `side` in metres.

    Squares lie in rows of equal latitude, each row divided from Greenwich on, so a name means the same square in every
    coordinate reference system.

    >>> name_square(0.001, -0.001, 100), name_square(60.0, 10.0, 1000)
    ('100m_1_-2', '1000m_6671_556')
    """
    row = int(np.floor(np.deg2rad(latitude) * RADIUS / side))
    circle = RADIUS * np.cos((row + 0.5) * side / RADIUS)
    return f"{side:g}m_{row}_{int(np.floor(np.deg2rad(longitude) * circle / side))}"


def find_group_table(root: Path) -> Path | None:
    """Return the path of a data set's tiles.csv or groups.csv, the first that is there; None where neither is."""
    return next((root / name for name in TABLES if (root / name).is_file()), None)


def read_groups(root: Path, image_ids: Iterable[str], group_by: str | None = None) -> dict[str, str]:
    """Read each tile's group from column `group_by` ("group" by default) of tiles.csv or groups.csv under `root`.

    Without either file each tile is its own group.

    Spaces around what a cell holds do not count.

    Raises:
        InputError: the column is missing or there twice, a tile has no row or two that differ, or a column is asked for
            and there is no file.
    """
    table = find_group_table(root)
    if table is None:
        if group_by is not None:
            raise InputError(f"{root}: --group-by {group_by} needs a tiles.csv or groups.csv there; add one")
        return {image_id: image_id for image_id in image_ids}
    column = group_by or "group"
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:  # spreadsheets write a byte order mark
            reader = csv.reader(lines)
            columns = [name.strip() for name in next(reader, [])]
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: not a readable CSV file ({error}); save it as UTF-8") from None
    for needed in ("image_id", column):
        if needed not in columns:
            raise InputError(f"{table}: no column {needed} among {', '.join(columns) or 'none'}; add it")
        if columns.count(needed) > 1:
            raise InputError(f"{table}: {columns.count(needed)} columns {needed}; keep one")
    groups = take_groups(table, columns.index("image_id"), columns.index(column), rows)
    for image_id in image_ids:
        if not groups.get(image_id):
            raise InputError(f"{table}: no {column} for {image_id}; every tile needs a row")
    return {image_id: groups[image_id] for image_id in image_ids}


def take_groups(table: Path, id_at: int, group_at: int, rows: Iterable[tuple[int, list[str]]]) -> dict[str, str]:
    """Take image ids and groups out of a table's rows, each with its line; rows that are too short have no group.

    Raises:
        InputError: two rows say different groups of one image.
    """
    groups: dict[str, str] = {}
    for line, row in rows:
        if len(row) <= max(id_at, group_at):
            continue
        image_id, group = row[id_at], row[group_at]
        if groups.setdefault(image_id, group) != group:
            raise InputError(
                f"{table}, line {line}: {image_id} is in group {group}, and in {groups[image_id]} before; keep one row"
            )
    return groups
