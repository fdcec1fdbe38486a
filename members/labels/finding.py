"""The outlines that a data set's masks were drawn from, where it has some."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from members.common.errors import InputError
from members.data.frames import read_frame
from members.data.tiles import Tile

if TYPE_CHECKING:
    from shapely import Polygon

NAMES = tuple(f"buildings{suffix}" for suffix in (".gpkg", ".geojson", ".parquet", ".fgb"))
"""Of the files that are found by themselves, beside tiles.csv."""


def find_labels(data: Path) -> Path | None:
    """Find the file of outlines in a data set's folder; None where it has none."""
    return next((data / name for name in NAMES if (data / name).is_file()), None)


def read_labels(path: Path, tiles: Sequence[Tile]) -> dict[str, list[Polygon]]:
    """Read a file of outlines into the pixels of tiles, cut off at their borders.

    Args:
        path: any vector file, as for `read_outlines`.
        tiles: of the data set.

    Returns:
        image id -> polygons as in `Building.outline`, for every tile; none where there is no building.

    Raises:
        InputError: the file is missing or damaged, holds no polygons, or none of them lies in a tile.
    """
    from members.labels.reading import read_outlines

    outlines = read_outlines(path, {tile.image_id: read_frame(tile.image) for tile in tiles})
    if not any(outlines.values()):
        raise InputError(
            f"{path}: none of its outlines lies in the {len(tiles)} tiles; check the coordinates and the CRS of both"
        )
    return outlines
