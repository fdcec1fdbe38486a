"""Images of any size, read and predicted in overlapping windows: memory depends on the window alone."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import rasterio
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from members.common.overlap import read_ahead
from members.data.raster import check_bands, open_raster, read_bands
from members.training.spec import STRIDE

WINDOW, OVERLAP, MARGIN = 512, 128, 32
"""Side of a window, least overlap of neighbours, and what is cropped of a side where another window follows; px.

A network sees what lies within its receptive radius; nearer than that to a side it misses something. Wherever the
radius is at most MARGIN, windows give exactly what the whole image would; beyond it the ramp of weights hides the seam.
"""
PANEL = 16384
"""Columns of a scene that are worked through from top to bottom before the next; a multiple of a map's blocks."""

BATCH, BATCH_PIXELS = 8, 8 * 256 * 256
"""Images or windows that a network is shown at once, and their pixels, at most.

More make no engine faster on a CPU, whose caches they leave, and take memory: a U-Net's features are some 2 KB a pixel.
"""

Block = tuple[slice, slice]
"""Rows and columns of an image."""


class Scene(Protocol):
    """An image that is read block by block.

    Attributes:
        size: (h, w), px.
    """

    size: tuple[int, int]

    def read(self, block: Block) -> np.ndarray:
        """Return a block's pixels, uint8 RGB (h, w, 3)."""

    def read_valid(self, block: Block) -> np.ndarray:
        """Return which pixels of a block are data, bool (h, w)."""


class ArrayScene:
    """An image in memory, uint8 RGB (h, w, 3), whose pixels are all data."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.size: tuple[int, int] = image.shape[:2]

    def read(self, block: Block) -> np.ndarray:
        return self.image[block]

    def read_valid(self, block: Block) -> np.ndarray:
        return np.ones([part.stop - part.start for part in block], bool)


class RasterScene:
    """An open file: GeoTIFF, BigTIFF, COG, VRT, PNG or JPEG.

    Args:
        raster: as opened by `open_raster`.

    Raises:
        InputError: it is not an image that `check_bands` admits.
    """

    def __init__(self, raster: rasterio.DatasetReader) -> None:
        self.raster = raster
        self.bands = [1, 1, 1] if check_bands(raster) == "grey" else [1, 2, 3]
        self.size: tuple[int, int] = raster.shape
        self.all_valid = all(MaskFlags.all_valid in flags for flags in raster.mask_flag_enums)

    def read(self, block: Block) -> np.ndarray:
        return read_bands(self.raster, indexes=self.bands, window=Window.from_slices(*block)).transpose(1, 2, 0)

    def read_valid(self, block: Block) -> np.ndarray:
        """Return which pixels of a block are data, bool (h, w): not nodata, nor transparent."""
        if self.all_valid:
            return np.ones([part.stop - part.start for part in block], bool)
        return self.raster.dataset_mask(window=Window.from_slices(*block)) > 0


def count_batch(size: tuple[int, ...]) -> int:
    """Return how many images of a size (h, w, ..) a network is shown at once."""
    return min(BATCH, max(1, BATCH_PIXELS // (size[0] * size[1])))


@contextlib.contextmanager
def open_scene(path: Path) -> Iterator[RasterScene]:
    """Open an image to read it in blocks.

    Raises:
        InputError: the file is missing, empty, or not an image that `check_bands` admits.
    """
    with open_raster(path) as raster:
        yield RasterScene(raster)


def find_window_starts(length: int, window: int, overlap: int, multiple: int) -> list[int]:
    """Return starts of windows along one axis, evenly distributed, overlapping by at least `overlap`.

    Starts are multiples of `multiple`, so that a network that halves its input sees each pixel at the same position
    of its grid in every window. The last window may reach over the end, by less than `multiple`.

    Args:
        length: of the axis, px.
        window: px, a multiple of `multiple`.
        overlap: px, so that window - overlap is at least `multiple`.
        multiple: px.
    """
    last = -(-max(length - window, 0) // multiple)
    steps = -(-last // ((window - overlap) // multiple))
    return [0] + [(step * last // steps) * multiple for step in range(1, steps + 1)]


def weigh_windows(length: int, starts: list[int], window: int, overlap: int, margin: int) -> list[np.ndarray]:
    """Return how much each window counts along one axis: float32, one weight a pixel that it holds; they sum to 1.

    Before that, weights are 0 in the margin of a side that another window follows, and rise linearly from there
    over what is surely shared with it. The product of two axes' weights is that of a window of the image.
    """
    ramp = max(overlap - 2 * margin, 1)
    weights = []
    for start in starts:
        end = min(start + window, length)
        inside = np.arange(start, end)
        before = np.inf if start == 0 else inside - start + 1 - margin
        after = np.inf if end == length else end - inside - margin
        weights.append(np.clip(np.minimum(before, after) / ramp, 0, 1) * np.ones(end - start))
    total = np.zeros(length)
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + len(weight)] += weight
    return [
        (weight / total[start : start + len(weight)]).astype(np.float32)
        for start, weight in zip(starts, weights, strict=True)
    ]


Span = tuple[slice, np.ndarray]  # a window along one axis, and its weights, float32, one a pixel


def list_spans(length: int, multiple: int) -> list[Span]:
    """List the windows along one axis with their weights."""
    window = WINDOW // multiple * multiple
    starts = find_window_starts(length, window, OVERLAP, multiple)
    weights = weigh_windows(length, starts, window, OVERLAP, MARGIN)
    return [(slice(start, start + len(weight)), weight) for start, weight in zip(starts, weights, strict=True)]


def list_panels(width: int) -> list[slice]:
    """List the panels of an image, from left to right."""
    return [slice(left, min(left + PANEL, width)) for left in range(0, width, PANEL)]


def cut_rows(rows: list[Span]) -> list[slice]:
    """List what is finished after each row of windows: all above the next one's start."""
    starts = [row.start for row, _ in rows]
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], rows[-1][0].stop], strict=True)]


def list_blocks(size: tuple[int, int], multiple: int = STRIDE) -> Iterator[Block]:
    """Yield the blocks that cover an image of `size` (h, w), panel by panel, from top to bottom in each."""
    for panel in list_panels(size[1]):
        yield from ((part, panel) for part in cut_rows(list_spans(size[0], multiple)))


@dataclass(frozen=True)
class StackPredictor:
    """What predicts windows, a stack at a time.

    Attributes:
        predict: from a stack uint8 (n, h, w, 3) to float32 (channels, n, h, w).
        channels: how many `predict` gives.
        multiple: the networks' size multiple, px.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    channels: int = 1
    multiple: int = STRIDE


def predict_scene(
    scene: Scene, predictor: StackPredictor, is_done: Callable[[Block], bool] = lambda block: False
) -> Iterator[tuple[Block, np.ndarray]]:
    """Predict an image in overlapping windows.

    Args:
        scene: the image.
        predictor: what predicts the windows.
        is_done: whether a block's values are known from an earlier time.

    Yields:
        Of `list_blocks` those from each panel's first that is not done on, with their values, float32 (channels, h, w):
        the weighted mean of all windows over a pixel, 0 where the image has no data.
    """
    rows, columns = (list_spans(length, predictor.multiple) for length in scene.size)
    for panel in list_panels(scene.size[1]):
        here = [column for column in columns if column[0].start < panel.stop and panel.start < column[0].stop]
        yield from predict_panel(scene, predictor, rows, here, panel, is_done)


def predict_panel(
    scene: Scene,
    predictor: StackPredictor,
    rows: list[Span],
    columns: list[Span],
    panel: slice,
    is_done: Callable[[Block], bool],
) -> Iterator[tuple[Block, np.ndarray]]:
    """Predict one panel; windows that reach over its sides are predicted by its neighbour once more.

    Of a panel that was begun, those windows are predicted again that reach below what is done.
    """
    parts = cut_rows(rows)
    known = next((number for number, part in enumerate(parts) if not is_done((part, panel))), len(parts))
    if known == len(parts):
        return
    begin = next(number for number, (row, _) in enumerate(rows) if row.stop > parts[known].start)
    start, end = columns[0][0].start, columns[-1][0].stop
    kept = slice(panel.start - start, panel.stop - start)
    total = np.zeros((predictor.channels, rows[0][0].stop, end - start), np.float32)
    bands = ((row, slice(start, end)) for row, _ in rows[begin:])
    with contextlib.closing(read_ahead((scene.read(band), scene.read_valid(band)) for band in bands)) as read:
        for (number, (row, row_weight)), (image, valid) in zip(list(enumerate(rows))[begin:], read, strict=True):
            for batch in batch_columns(columns, valid, start):
                inner = [slice(column.start - start, column.stop - start) for column, _ in batch]
                values = predictor.predict(np.stack([image[:, part] for part in inner]))
                for part, (_, weight), seen in zip(inner, batch, values.swapaxes(0, 1), strict=True):
                    total[:, : len(row_weight), part] += seen * np.outer(row_weight, weight)
            done = parts[number].stop - row.start
            if number >= known:
                yield (parts[number], panel), (total[:, :done] * valid[:done])[:, :, kept]
            total[:, :-done] = total[:, done:]
            total[:, -done:] = 0


def batch_columns(columns: list[Span], valid: np.ndarray, start: int) -> Iterator[list[Span]]:
    """Yield the windows of a row that hold data, in batches of one size."""
    batch: list[Span] = []
    for column, weight in columns:
        if not valid[:, column.start - start : column.stop - start].any():
            continue
        full = len(batch) == count_batch((len(valid), len(weight)))
        if batch and (full or len(batch[0][1]) != len(weight)):
            yield batch
            batch = []
        batch.append((column, weight))
    if batch:
        yield batch
