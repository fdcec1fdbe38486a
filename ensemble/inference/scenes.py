"""Images of any size, read and predicted in windows: memory depends on the window alone."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from ensemble.inference.windows import MARGIN, OVERLAP, WINDOW, place_windows, weigh_windows
from members.data.raster import check_bands, open_raster, read_bands
from members.training.spec import STRIDE

os.environ.setdefault("GDAL_CACHEMAX", "256")
# MiB; GDAL asks for it once, as it reads its first pixel, and takes a twentieth of the machine's memory otherwise

PANEL = 16384
"""Columns of a scene that are worked through from top to bottom before the next; a multiple of a map's blocks."""

Block = tuple[slice, slice]


class Scene:
    """An open image: GeoTIFF, BigTIFF, COG, VRT, PNG or JPEG.

    Args:
        raster: as opened by `open_raster`.

    Raises:
        InputError: it is not an image that `check_bands` admits.
    """

    def __init__(self, raster: rasterio.DatasetReader) -> None:
        self.raster = raster
        self.bands = [1, 1, 1] if check_bands(raster) == "grey" else [1, 2, 3]
        self.size: tuple[int, int] = raster.shape
        self.whole = all(MaskFlags.all_valid in flags for flags in raster.mask_flag_enums)

    def read(self, block: Block) -> np.ndarray:
        """A block's pixels, uint8 RGB (h, w, 3)."""
        return read_bands(self.raster, indexes=self.bands, window=Window.from_slices(*block)).transpose(1, 2, 0)

    def read_valid(self, block: Block) -> np.ndarray:
        """Which pixels of a block are data, bool (h, w): not nodata, nor transparent."""
        if self.whole:
            return np.ones([part.stop - part.start for part in block], bool)
        return self.raster.dataset_mask(window=Window.from_slices(*block)) > 0


@contextlib.contextmanager
def open_scene(path: Path) -> Iterator[Scene]:
    """Open an image to read it in blocks.

    Raises:
        InputError: the file is missing, empty, or not an image that `check_bands` admits.
    """
    with open_raster(path) as raster:
        yield Scene(raster)


def predict_scene(
    scene: Scene,
    predict: Callable[[np.ndarray], np.ndarray],
    batch_size: int,
    channels: int = 1,
    multiple: int = STRIDE,
    is_done: Callable[[Block], bool] = lambda block: False,
) -> Iterator[tuple[Block, np.ndarray]]:
    """Predict an image in overlapping windows.

    Args:
        scene: the image.
        predict: from a stack uint8 (n, h, w, 3) to float32 (channels, n, h, w).
        batch_size: windows in a stack.
        channels: how many `predict` gives.
        multiple: the network's size multiple, px.
        is_done: whether a block's values are known from an earlier time.

    Yields:
        Of `list_blocks` those from each panel's first that is not done on, with their values, float32 (channels, h, w):
        the weighted mean of all windows over a pixel, 0 where the image has no data.
    """
    rows, columns = (list_windows(length, multiple) for length in scene.size)
    for panel in list_panels(scene.size[1]):
        here = [column for column in columns if column[0].start < panel.stop and panel.start < column[0].stop]
        yield from predict_panel(scene, predict, batch_size, channels, rows, here, panel, is_done)


def list_blocks(size: tuple[int, int], multiple: int = STRIDE) -> Iterator[Block]:
    """Yield the blocks that cover an image of `size` (h, w), panel by panel, from top to bottom in each."""
    for panel in list_panels(size[1]):
        yield from ((part, panel) for part in cut_rows(list_windows(size[0], multiple)))


def list_panels(width: int) -> list[slice]:
    """The panels of an image, from left to right."""
    return [slice(left, min(left + PANEL, width)) for left in range(0, width, PANEL)]


def cut_rows(rows: list[tuple[slice, np.ndarray]]) -> list[slice]:
    """What is finished after each row of windows: all above the next one's start."""
    starts = [row.start for row, _ in rows]
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], rows[-1][0].stop], strict=True)]


def list_windows(length: int, multiple: int) -> list[tuple[slice, np.ndarray]]:
    """The windows along one axis with their weights."""
    window = WINDOW // multiple * multiple
    starts = place_windows(length, window, OVERLAP, multiple)
    weights = weigh_windows(length, starts, window, OVERLAP, MARGIN)
    return [(slice(start, start + len(weight)), weight) for start, weight in zip(starts, weights, strict=True)]


def predict_panel(
    scene: Scene,
    predict: Callable[[np.ndarray], np.ndarray],
    batch_size: int,
    channels: int,
    rows: list[tuple[slice, np.ndarray]],
    columns: list[tuple[slice, np.ndarray]],
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
    total = np.zeros((channels, rows[0][0].stop, end - start), np.float32)
    for number, (row, row_weight) in list(enumerate(rows))[begin:]:
        band = row, slice(start, end)
        image, valid = scene.read(band), scene.read_valid(band)
        for batch in batch_columns(columns, valid, start, batch_size):
            inner = [slice(column.start - start, column.stop - start) for column, _ in batch]
            values = predict(np.stack([image[:, part] for part in inner]))
            for part, (_, weight), seen in zip(inner, batch, values.swapaxes(0, 1), strict=True):
                total[:, : len(row_weight), part] += seen * np.outer(row_weight, weight)
        done = parts[number].stop - row.start
        if number >= known:
            yield (parts[number], panel), (total[:, :done] * valid[:done])[:, :, kept]
        total[:, :-done] = total[:, done:]
        total[:, -done:] = 0


def batch_columns(
    columns: list[tuple[slice, np.ndarray]], valid: np.ndarray, start: int, batch_size: int
) -> Iterator[list[tuple[slice, np.ndarray]]]:
    """Yield the windows of a row that hold data, in batches of one size."""
    batch: list[tuple[slice, np.ndarray]] = []
    for column, weight in columns:
        if not valid[:, column.start - start : column.stop - start].any():
            continue
        if batch and (len(batch) == batch_size or len(batch[0][1]) != len(weight)):
            yield batch
            batch = []
        batch.append((column, weight))
    if batch:
        yield batch
