"""Buildings found in tiles one by one, and in the same tiles joined, as `submit` draws them."""

from dataclasses import asdict, dataclass
from typing import Any

from ensemble.statistics.metrics import METRICS
from members.common.workers import Threads
from postproc.geo.outlining import outline_images
from postproc.pipeline.pipeline import Pipeline
from postproc.scoring.buildings import count_buildings
from postproc.tuning.fits import Task
from postproc.tuning.places import join_pieces, list_truth
from postproc.tuning.units import Unit, list_units, make_reader


@dataclass(frozen=True)
class Joined:
    """What a pipeline finds in sample, of all tiles.

    Attributes:
        joined: F1 of buildings at IoU 0.5, tiles that touch joined, whatever their group.
        tiles: the same tile by tile: one that a border cuts counts in each tile.
        buildings: true buildings, joined.
        pieces: true buildings, tile by tile.
    """

    joined: float
    tiles: float
    buildings: int
    pieces: int

    def describe(self) -> dict[str, Any]:
        """Return what tuned.json holds."""
        return asdict(self) | {"difference": self.joined - self.tiles}

    def __str__(self) -> str:
        return (
            f"in sample, buildings of joined tiles, as submit draws them: F1 {self.joined:.4f} of {self.buildings}; "
            f"tile by tile, where borders cut them: {self.tiles:.4f} of {self.pieces} pieces"
        )


def score_joined(task: Task, pipeline: Pipeline) -> Joined | None:
    """Score a pipeline's buildings with tiles joined, and tile by tile; None where no tiles touch."""
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
    tiles, joined = (
        {column: sum(each[column] for each in side) for column in side[0]} for side in zip(*counted, strict=True)
    )
    f1 = METRICS["building_f1"].compute
    return Joined(float(f1(joined)), float(f1(tiles)), joined["true_buildings"], tiles["true_buildings"])
