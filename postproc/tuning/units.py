"""Units of tiles that are outlined together: those that touch on one pixel grid, as `submit` joins them.

A building on the border of two tiles is outlined once, and what the outline covers is scored in both.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rasterio import Affine

from ensemble.mapfolder.samples import Sample, Samples
from ensemble.selection.blend import Blend
from ensemble.selection.layers import blend_sample
from members.common.workers import Threads
from members.data.frames import Frame
from members.data.mosaic import Mosaic, Reader, Window, join_frames
from members.labels.geometry import move_outlines
from postproc.geo.blocks import plan_windows
from postproc.geo.outlining import clip_to_frames, draw_masks, outline_images, read_mask, read_objects
from postproc.pipeline.outlines import OutlineRecipe, outline_settings
from postproc.pipeline.pipeline import Pipeline
from postproc.polygons.drawing import draw_polygons
from postproc.tuning.fits import Task


@dataclass(frozen=True)
class Unit:
    """Tiles that touch, or one that is alone.

    Attributes:
        numbers: of the tiles, among all.
        mosaic: the tiles, joined; None for one that is alone.
    """

    numbers: tuple[int, ...]
    mosaic: Mosaic | None = None

    def blend(self, samples: Samples, blend: Blend) -> list[np.ndarray]:
        """Blend the tiles' maps, with their relief: uint8 (h, w) or (h, w, 2) each."""
        return [blend_sample(samples, number, blend) for number in self.numbers]

    def read(self, samples: Samples) -> list[Sample]:
        """Read the tiles' maps and truths."""
        return [samples[number] for number in self.numbers]

    def draw(self, pipeline: Pipeline, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Turn the tiles' blended maps, as `blend` gives them, into the pipeline's masks, bool (h, w) each."""
        if pipeline.outlines is None:
            return [pipeline.cut(each) for each in values]
        if pipeline.objects is not None:
            return self.draw_buildings(pipeline, values)
        (masks,) = self.draw_settings(pipeline, [pipeline.outlines], values)
        return masks

    def draw_buildings(self, pipeline: Pipeline, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Draw the masks of all that a pipeline outlines, as `draw` does."""
        if self.mosaic is None:
            return [pipeline.mask(each) for each in values]
        frames = self.mosaic.frames
        read = make_reader(frames, pipeline, values)
        outlined = outline_images(frames, read, pipeline.outline_mask, workers=Threads(1))
        return [mask for _, mask in draw_masks(outlined, {frame.image_id: frame.size for frame in frames})]

    def draw_settings(
        self, pipeline: Pipeline, settings: Sequence[OutlineRecipe], values: Sequence[np.ndarray]
    ) -> list[list[np.ndarray]]:
        """Draw the masks of a pipeline with each of several ways to outline in place of its own.

        Args:
            pipeline: from maps to masks before they are outlined.
            settings: how they are outlined; those that split alike share all but straightening.
            values: the tiles' blended maps, as `blend` gives them.

        Returns:
            For each setting the tiles' masks, bool (h, w) each.
        """
        outlined = [[np.zeros(0, object)] for _ in settings]
        masks = [[np.zeros(each.shape[:2], bool) for each in values] for _ in settings]
        if self.mosaic is None:
            (only,) = values
            for own, outlines in zip(masks, outline_settings(pipeline.cut(only), only, settings), strict=True):
                draw_polygons(outlines, own[0])
            return masks
        read = make_reader(self.mosaic.frames, pipeline, values)
        cut = functools.partial(read_mask, self.mosaic, read)
        for window, seeds in plan_windows(self.mosaic.size, cut, workers=Threads(1)):
            if seeds is not None and len(seeds) == 0:
                continue
            mask, blend, corner = read_objects(self.mosaic, read, window, seeds)
            for found, outlines in zip(outlined, outline_settings(mask, blend, settings), strict=True):
                found.append(move_outlines(outlines, Affine.translation(*corner)))
        for found, own in zip(outlined, masks, strict=True):
            clipped = clip_to_frames(self.mosaic, np.concatenate(found))
            for (pieces, _), mask in zip(clipped, own, strict=True):
                draw_polygons(pieces, mask)
        return masks


def make_reader(frames: Sequence[Frame], pipeline: Pipeline, values: Sequence[np.ndarray]) -> Reader:
    """Return what reads windows of the masks that a pipeline cuts of images, and of their blended maps."""
    images = {frame.image_id: (pipeline.cut(each), each) for frame, each in zip(frames, values, strict=True)}

    def read(image_id: str, window: Window) -> tuple[np.ndarray, np.ndarray]:
        mask, blend = images[image_id]
        return mask[window], blend[window]

    return read


def list_units(task: Task) -> list[Unit]:
    """Return the units of all tiles: each by itself where the task has no frames."""
    if not task.frames:
        return [Unit((number,)) for number in range(len(task.samples))]
    return number_mosaics(task, join_frames(task.frames))


def number_mosaics(task: Task, mosaics: Iterable[Mosaic]) -> list[Unit]:
    """Return mosaics of a task's frames as units."""
    number_of = {frame.image_id: number for number, frame in enumerate(task.frames)}
    return [
        Unit(tuple(number_of[frame.image_id] for frame in mosaic.frames), mosaic if len(mosaic.frames) > 1 else None)
        for mosaic in mosaics
    ]
