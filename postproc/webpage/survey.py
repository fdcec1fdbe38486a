"""A survey of a run's validation tiles: those that a map shows, where they lie, with outlines as submit has them."""

from collections.abc import Sequence

import numpy as np

from ensemble.mapfolder.samples import RunSamples
from ensemble.selection.layers import blend_sample
from members.common.progress import Progress, silent
from members.common.workers import Threads
from members.data.frames import Frame
from members.data.mosaic import Window
from members.data.raster import read_image
from postproc.geo.footprints import WGS84, Footprint, make_footprints
from postproc.geo.outlining import outline_images
from postproc.pipeline.pipeline import Pipeline
from postproc.polygons.tracing import trace_mask
from postproc.webpage.ground import (
    Ground,
    GroundTile,
    choose_ground,
    count_drawn,
    locate,
    move_to_degrees,
    place_tile,
)
from postproc.webpage.measures import TileMeasures


def survey(
    samples: RunSamples,
    pipeline: Pipeline,
    measures: Sequence[TileMeasures],
    frames: Sequence[Frame],
    progress: Progress = silent,
) -> Ground | None:
    """Make the map of a run's validation tiles; None where none of them is on earth.

    Args:
        samples: the tiles.
        pipeline: from maps to outlines.
        measures: of each tile.
        frames: where each tile lies.
        progress: is shown the blocks that are outlined.
    """
    placed = [number for number, frame in enumerate(frames) if locate(frame) is not None]
    if not placed:
        return None
    wrong = [measures[number].union - measures[number].intersection for number in placed]
    chosen = [placed[each] for each in choose_ground(wrong, [samples.groups[number] for number in placed])]

    def place(number: int) -> GroundTile:
        image = read_image(samples.tiles[number].image)
        return place_tile(image, frames[number], samples.groups[number], measures[number].iou, len(chosen))

    tiles = list(Threads().map(place, chosen))
    ours = outline_tiles(samples, pipeline, [frames[number] for number in chosen], progress)
    truths = np.concatenate([find_truths(samples, number, frames[number]) for number in chosen])
    shown = count_drawn(np.array([each.outline for each in ours], object)), count_drawn(truths)
    left = len(samples) - len(placed), len(placed) - len(chosen), len(ours) - shown[0], len(truths) - shown[1]
    return Ground(tiles, ours[: shown[0]], truths[: shown[1]], tell_left_out(*left))


def outline_tiles(
    samples: RunSamples, pipeline: Pipeline, frames: Sequence[Frame], progress: Progress = silent
) -> list[Footprint]:
    """Outline the buildings of tiles as submit does, those that touch joined; outlines are in degrees."""
    numbers = {tile.image_id: number for number, tile in enumerate(samples.tiles)}

    def read(image_id: str, window: Window) -> tuple[np.ndarray, np.ndarray]:
        values = blend_sample(samples, numbers[image_id], pipeline.blend)
        return pipeline.cut(values)[window], values[window]

    found = outline_images(frames, read, pipeline.outline_mask, progress)
    return [footprint for outlined in found for footprint in make_footprints(outlined, WGS84)]


def find_truths(samples: RunSamples, number: int, frame: Frame) -> np.ndarray:
    """Return the true outlines of one tile, Polygon (n,), in degrees."""
    outlines = samples.list_buildings(number)
    if outlines is None:
        outlines = trace_mask(samples[number][1])
    return move_to_degrees(np.array(list(outlines), object), frame)


def tell_left_out(bare: int, tiles: int, ours: int, truths: int) -> str:
    """Say what a map leaves out; "" where that is nothing.

    >>> tell_left_out(50, 0, 0, 1000)
    'Not on the map: 50 tiles without georeferencing; 1000 true outlines.'
    """
    words = {
        "tiles without georeferencing": bare,
        "tiles of groups that have fewer errors": tiles,
        "of our outlines": ours,
        "true outlines": truths,
    }
    told = "; ".join(f"{count} {what}" for what, count in words.items() if count)
    return f"Not on the map: {told}." if told else ""
