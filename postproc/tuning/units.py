"""Units of tiles that are outlined together: those that touch on one pixel grid, as `submit` joins them.

A building on the border of two tiles is outlined once, and what the outline covers is scored in both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.mapfolder.samples import Sample, Samples
from members.common.workers import Threads
from members.data.frames import Frame
from postproc.geo.blocks import Window
from postproc.geo.mosaic import join_frames
from postproc.geo.outlining import draw_masks, outline_images
from postproc.pipeline.pipeline import Pipeline
from postproc.tuning.fits import Task


@dataclass(frozen=True)
class Unit:
    """Tiles that touch, or one that is alone.

    Attributes:
        numbers: of the tiles, among all.
        frames: of the tiles; none where nothing is known of where they lie.
    """

    numbers: tuple[int, ...]
    frames: tuple[Frame, ...] = ()

    def read(self, samples: Samples) -> list[Sample]:
        """Read the tiles' maps and truths."""
        return [samples[number] for number in self.numbers]

    def draw(self, pipeline: Pipeline, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Turn the tiles' blended maps, uint8 (h, w) each, into the pipeline's masks, bool (h, w) each."""
        if pipeline.outlines is None or len(self.numbers) == 1:
            return [pipeline.mask(each) for each in values]
        images = {frame.image_id: each for frame, each in zip(self.frames, values, strict=True)}

        masks = {image_id: pipeline.cut(each) for image_id, each in images.items()}

        def read(image_id: str, window: Window) -> tuple[np.ndarray, np.ndarray]:
            return masks[image_id][window], images[image_id][window]

        outlined = outline_images(self.frames, read, pipeline.outline_mask, workers=Threads(1))
        return [mask for _, mask in draw_masks(outlined, {frame.image_id: frame.size for frame in self.frames})]


def list_units(task: Task) -> list[Unit]:
    """Return the units of all tiles: each by itself where the task has no frames."""
    if not task.frames:
        return [Unit((number,)) for number in range(len(task.samples))]
    number_of = {frame.image_id: number for number, frame in enumerate(task.frames)}
    return [
        Unit(tuple(number_of[frame.image_id] for frame in mosaic.frames), mosaic.frames)
        for mosaic in join_frames(task.frames)
    ]
