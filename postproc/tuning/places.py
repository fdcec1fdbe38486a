"""Places that whole buildings are counted in: tiles of one group that touch, joined, so that none is cut in two."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from rasterio import Affine
from shapely import Polygon

from ensemble.mapfolder.samples import Samples
from ensemble.selection.blend import Blend
from members.common.graphs import find_groups
from members.data.frames import Frame
from members.data.mosaic import Mosaic, Window, join_frames
from members.labels.geometry import move_outlines
from postproc.polygons.tracing import trace_mask
from postproc.tuning.fits import Task
from postproc.tuning.units import Unit, list_units, number_mosaics

if TYPE_CHECKING:
    from postproc.study.building_study import Tile  # which brings Optuna

SIDE = 2048
"""Of places, px, about: memory grows with its square."""
SEAM = 0.01  # px: pieces on both sides of a border may be this far apart by rounding
LEAST_SEAM = 1.0  # px: less is a corner


@dataclass(frozen=True)
class Places:
    """Each place's blended map, with its relief, and its true buildings, read where they are asked for.

    Attributes:
        samples: the tiles.
        blend: of the maps.
        units: the places.
    """

    samples: Samples
    blend: Blend
    units: Sequence[Unit]

    @property
    def joined(self) -> bool:
        """Whether any is of several tiles."""
        return any(unit.mosaic is not None for unit in self.units)

    def __len__(self) -> int:
        return len(self.units)

    def __getitem__(self, number: int) -> "Tile":
        """Return a place; pixels that no tile covers are background."""
        unit = self.units[number]
        values = unit.blend(self.samples, self.blend)
        truths = [list_truth(self.samples, number) for number in unit.numbers]
        if unit.mosaic is None:
            return values[0], truths[0]
        return join_values(unit.mosaic, values), join_pieces(unit.mosaic, truths)


def list_places(task: Task) -> list[Unit]:
    """Return the places of all tiles: each by itself where the task has no frames."""
    if not task.frames:
        return list_units(task)
    of_group: dict[str, list[Frame]] = defaultdict(list)
    for group, frame in zip(task.groups, task.frames, strict=True):
        of_group[group].append(frame)
    mosaics = [part for own in of_group.values() for mosaic in join_frames(own) for part in cut_mosaic(mosaic)]
    return number_mosaics(task, mosaics)


def cut_mosaic(mosaic: Mosaic) -> list[Mosaic]:
    """Cut a mosaic along its images' borders into ones of about `SIDE`."""
    parts: dict[tuple[int, int], list[Frame]] = defaultdict(list)
    for frame, (row, column) in zip(mosaic.frames, mosaic.corners, strict=True):
        parts[row // SIDE, column // SIDE].append(frame)
    return [mosaic] if len(parts) == 1 else [part for frames in parts.values() for part in join_frames(frames)]


def list_truth(samples: Samples, number: int) -> Sequence[Polygon]:
    """Return a tile's true buildings, px: outlines where the samples have some, else components of the truth."""
    known = samples.list_buildings(number)
    return trace_mask(samples[number][1]) if known is None else known


def join_values(mosaic: Mosaic, values: Sequence[np.ndarray]) -> np.ndarray:
    """Join the images' blended maps, uint8 (h, w) or (h, w, 2) each."""
    images = {frame.image_id: own for frame, own in zip(mosaic.frames, values, strict=True)}

    def read(image_id: str, window: Window) -> tuple[np.ndarray, np.ndarray]:
        own = images[image_id][window]
        return np.zeros(own.shape[:2], bool), own

    return mosaic.read((slice(0, mosaic.size[0]), slice(0, mosaic.size[1])), read)[1]


def join_pieces(mosaic: Mosaic, pieces: Sequence[Sequence[Polygon]]) -> list[Polygon]:
    """Join buildings that the borders of tiles cut: those of different tiles that share a wall.

    Args:
        mosaic: of the tiles.
        pieces: each tile's outlines, px.

    Returns:
        Outlines in the mosaic's pixels. Of two that overlap, as in tiles that overlap, one is left.
    """
    moved = [
        move_outlines(np.array(own, object), Affine.translation(column, row))
        for own, (row, column) in zip(pieces, mosaic.corners, strict=True)
    ]
    outlines = np.concatenate(moved)
    tile_of = np.repeat(np.arange(len(moved)), [len(own) for own in moved])
    grown = shapely.buffer(outlines, SEAM, join_style="mitre")
    one, other = shapely.STRtree(grown).query(grown, predicate="intersects")
    apart = (one < other) & (tile_of[one] != tile_of[other])
    one, other = one[apart], other[apart]
    seams = shapely.area(shapely.intersection(grown[one], grown[other])) / (2 * SEAM)
    same = seams >= LEAST_SEAM
    owners = find_groups(len(outlines), list(zip(one[same].tolist(), other[same].tolist(), strict=True)))
    joined = []
    for owner in range(owners.max(initial=-1) + 1):
        own = np.flatnonzero(owners == owner)
        if len(own) == 1:
            joined.append(outlines[own[0]])
        else:
            joined += list(shapely.get_parts(shapely.buffer(shapely.union_all(grown[own]), -SEAM, join_style="mitre")))
    return joined
