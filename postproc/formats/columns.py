"""What the columns of a vector file mean: the name, unit and comment that a GIS shows, and a colour for each status."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from members.labels.reading import CONFIDENCE, ID
from postproc.formats.shapefile import shorten_names

if TYPE_CHECKING:
    import geopandas

STATUS, AREA = "status", "area_m2"
AGAIN = "outline_"
"""What stands before a column of ours where a layer has one of that name already."""


@dataclass(frozen=True)
class Column:
    """What a GIS shows of a column.

    Attributes:
        alias: in place of its name, with its unit.
        comment: a sentence.
    """

    alias: str
    comment: str


@dataclass(frozen=True)
class Kind:
    """A status: its colour, one that the colour-blind tell apart (Okabe and Ito), and what it says."""

    colour: str
    label: str

    @property
    def red_green_blue(self) -> str:
        """Return the colour as three numbers, as QGIS writes it."""
        return ",".join(map(str, bytes.fromhex(self.colour.removeprefix("#"))))


COLUMNS = {
    ID: Column("Image", "The image that the building, or its greatest part, is in"),
    STATUS: Column("Outline", "What came of the outline: regularised, simplified, traced or kept"),
    CONFIDENCE: Column("Confidence [0 to 1]", "Mean probability of the pixels that the outline was traced from"),
    AREA: Column("Area [m²]", "Geodesic area on the ellipsoid, in square metres"),
}
STATUSES = {
    "regularised": Kind("#009e73", "regularised: straight walls"),
    "simplified": Kind("#e69f00", "simplified: fewer corners"),
    "traced": Kind("#d55e00", "traced: pixel by pixel"),
    "kept": Kind("#666666", "kept: as it was"),
}


def free_name(name: str, taken: "geopandas.GeoDataFrame") -> str:
    """Return the name of a column of ours in a table that may have one of that name: the name, or `AGAIN` before it."""
    return f"{AGAIN}{name}" if name in taken else name


@dataclass(frozen=True)
class Look:
    """How a table of buildings is shown.

    Attributes:
        columns: those of ours, by their names in the table.
        status: the name of that which colours outlines.
        confidence: the name of that which makes them pale; None where there is none whose values are 0 to 1.
    """

    columns: Mapping[str, Column]
    status: str
    confidence: str | None

    @classmethod
    def of_table(cls, table: "geopandas.GeoDataFrame") -> "Look | None":
        """Find how a table is shown; None where it has no column `status`, as that of a data set's outlines."""
        names = {name: _find_ours(name, table) for name in COLUMNS}
        columns = {names[name]: column for name, column in COLUMNS.items() if names[name] in table}
        if names[STATUS] not in columns:
            return None
        is_shown = CONFIDENCE in table and _is_probability(table[CONFIDENCE].to_numpy())
        return cls(columns, names[STATUS], CONFIDENCE if is_shown else None)


def _find_ours(name: str, table: "geopandas.GeoDataFrame") -> str:
    """Find a column of ours among others of that name; a Shapefile has shortened it."""
    again = f"{AGAIN}{name}"
    return next((found for found in (again, *shorten_names([again]).values()) if found in table), name)


def _is_probability(values: np.ndarray) -> bool:
    return values.dtype.kind == "f" and bool(((values >= 0) & (values <= 1)).all())
