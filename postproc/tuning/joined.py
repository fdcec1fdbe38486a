"""Buildings found in tiles one by one, and in the same tiles joined: studies go tile by tile, `submit` joins."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import shapely
from rasterio import Affine
from shapely import Polygon

from ensemble.statistics.metrics import METRICS
from members.common.graphs import find_groups
from members.common.workers import Threads
from members.labels.geometry import move_outlines
from postproc.geo.mosaic import Mosaic
from postproc.geo.outlining import outline_images
from postproc.pipeline.pipeline import Pipeline
from postproc.scoring.buildings import count_buildings
from postproc.tuning.fits import Task
from postproc.tuning.units import Unit, list_truth, list_units, make_reader

SEAM = 0.01  # px: pieces on both sides of a border may be this far apart by rounding
LEAST_SEAM = 1.0  # px: less is a corner


@dataclass(frozen=True)
class Joined:
    """What a pipeline finds in sample, of all tiles.

    Attributes:
        tiles: F1 of buildings at IoU 0.5, tile by tile: one that a border cuts counts in each tile.
        joined: the same with tiles that touch joined, where it counts once.
        pieces: true buildings, tile by tile.
        buildings: true buildings, joined.
    """

    tiles: float
    joined: float
    pieces: int
    buildings: int

    def describe(self) -> dict[str, Any]:
        """Return what tuned.json holds."""
        return asdict(self) | {"difference": self.joined - self.tiles}

    def __str__(self) -> str:
        return (
            f"buildings in sample: F1 {self.joined:.4f} of {self.buildings} in joined tiles, as submit draws them; "
            f"{self.tiles:.4f} of {self.pieces} tile by tile, as the steps are judged ({self.joined - self.tiles:+.4f})"
        )


def score_joined(task: Task, pipeline: Pipeline) -> Joined | None:
    """Score a pipeline's buildings tile by tile and joined; None where no tiles touch."""
    units, samples = list_units(task), task.samples
    if all(unit.mosaic is None for unit in units):
        return None

    def count(unit: Unit) -> tuple[dict[str, int], dict[str, int]]:
        values = unit.blend(samples, pipeline.blend)
        truths = [list_truth(samples, number) for number in unit.numbers]
        alone = [
            count_buildings([building.outline for building in pipeline.outline(own)], truth)
            for own, truth in zip(values, truths, strict=True)
        ]
        tiles = {column: sum(each[column] for each in alone) for column in alone[0]}
        if unit.mosaic is None:
            return tiles, tiles
        read = make_reader(unit.mosaic.frames, pipeline, values)
        (outlined,) = outline_images(unit.mosaic.frames, read, pipeline.outline_mask, workers=Threads(1))
        found = [building.outline for building in outlined.buildings]
        return tiles, count_buildings(found, join_pieces(unit.mosaic, truths))

    counted = task.progress(task.workers.map(count, units), "joined tiles", len(units))
    tiles, joined = ({column: sum(each[column] for each in side) for column in side[0]} for side in zip(*counted, strict=True))
    f1 = METRICS["building_f1"].compute
    return Joined(float(f1(tiles)), float(f1(joined)), tiles["true_buildings"], joined["true_buildings"])


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
