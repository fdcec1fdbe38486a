"""Shapefiles: what a table must lose to become one, and the files that it is made of."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from members.common.files import sync

if TYPE_CHECKING:
    import geopandas

SHAPEFILE = ".shp"
PARTS = (".dbf", ".shx", ".prj", ".cpg")
"""Files beside the one named .shp."""
INDEXES = (".qix", ".sbn", ".sbx", ".qpj")
"""Those that other programs make of it, and that are wrong once it is another."""
LONGEST_NAME, LONGEST_TEXT = 10, 254
"""Bytes."""


def fit_table(table: "geopandas.GeoDataFrame") -> tuple["geopandas.GeoDataFrame", list[str]]:
    """Return a table whose columns a Shapefile can hold, and what was changed, a line each."""
    names = shorten_names(name for name in table if name != table.geometry.name)
    remarks = []
    if changed := [f"{name} is {short}" for name, short in names.items() if name != short]:
        remarks.append(f"a Shapefile's field names have {LONGEST_NAME} characters at most: {', '.join(changed)}")
    for name in names:
        if table[name].dtype.kind == "O" and (count := sum(map(_is_long, table[name]))):
            remarks.append(f"a Shapefile's texts have {LONGEST_TEXT} bytes at most: {count} of {name} are cut off")
    return table.rename(columns=names), remarks


def _is_long(value: object) -> bool:
    return isinstance(value, str) and len(value.encode()) > LONGEST_TEXT


def shorten_names(names: Iterable[str]) -> dict[str, str]:
    """Shorten the names of fields to what a Shapefile holds, all different, large and small letters alike.

    >>> shorten_names(["status", "outline_status", "outline_state"])
    {'status': 'status', 'outline_status': 'outline_st', 'outline_state': 'outline_s1'}
    """
    short: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        found = _cut(name, LONGEST_NAME)
        number = 0
        while found.lower() in taken:
            number += 1
            found = f"{_cut(name, LONGEST_NAME - len(str(number)))}{number}"
        short[name] = found
        taken.add(found.lower())
    return short


def _cut(text: str, count: int) -> str:
    return text.encode()[:count].decode(errors="ignore")


@contextlib.contextmanager
def move_parts(temporary: Path, path: Path) -> Iterator[None]:
    """Move the files beside a Shapefile into place at the end, where all went well; its own file comes last.

    Until that has its name there is no Shapefile, so that none is ever made of parts of two.

    Args:
        temporary: the Shapefile, as it is written.
        path: what it will be named.
    """
    try:
        yield
        path.unlink(missing_ok=True)
        for suffix in (*PARTS, *INDEXES):
            part, target = temporary.with_suffix(suffix), path.with_suffix(suffix)
            if part.exists():
                part.chmod(0o644)
                sync(part)
                part.replace(target)
            else:
                target.unlink(missing_ok=True)
    finally:
        for suffix in PARTS:
            temporary.with_suffix(suffix).unlink(missing_ok=True)
