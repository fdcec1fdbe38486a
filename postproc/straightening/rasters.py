"""Masks and probability maps of any program, read in windows as uint8 maps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from rasterio import windows

from ensemble.mapfolder.raster import ROUNDING, measure_gaps
from ensemble.selection.layers import split_layers, stack_layers
from members.common.choices import BANDS
from members.common.errors import InputError
from members.common.progress import Progress, silent
from members.common.workers import Threads, Workers
from members.data.frames import Frame, take_frame
from members.data.mosaic import Window
from members.data.raster import open_raster, read_bands
from members.data.tiles import list_files
from postproc.geo.blocks import list_windows
from postproc.pipeline.outlines import OutlineRecipe, outline_buildings
from postproc.polygons.buildings import Building

SUFFIXES = (".tif", ".tiff", ".png", ".vrt")
Kind = Literal["mask", "map"]


@dataclass(frozen=True)
class Picture:
    """A raster of buildings: of one band, or of the three of a contact member.

    Attributes:
        path: the file.
        frame: its size and where it lies.
        kind: a mask of two values, or a probability map.
        scale: what a value is multiplied by to be on the scale 0..255.
        banded: whether it is a map of a contact member.
    """

    path: Path
    frame: Frame
    kind: Kind
    scale: float
    banded: bool = False

    def read(self, window: Window) -> np.ndarray:
        """Read a window as uint8 (h, w), probability = value / 255, no number being 0; or (h, w, 2) with a relief."""
        indexes = [1, 2, 3] if self.banded else [1]
        with open_raster(self.path) as raster:
            values, *more = read_bands(raster, indexes=indexes, window=windows.Window.from_slices(*window))
        if self.banded:
            return stack_layers(values, [measure_gaps(*more)], [1])
        return values if values.dtype == np.uint8 and self.scale == 1 else _scale(values, self.scale)


def _scale(values: np.ndarray, scale: float) -> np.ndarray:
    return np.rint(np.nan_to_num(values, nan=0.0) * scale).astype(np.uint8)


def open_pictures(path: Path, progress: Progress = silent, workers: Workers | None = None) -> dict[str, Picture]:
    """Look at a raster, or at all in a folder, and tell masks from maps.

    Args:
        path: one band a file, or the bands building, border and contact of a contact member's maps. Masks have the
            values {0, 1} or {0, 255}; maps are uint8, probability = value / 255, or floats from 0 to 1.
        progress: is shown the files.
        workers: who reads; by default a thread a core.

    Returns:
        The file's stem -> the picture, sorted.

    Raises:
        InputError: no such file, several bands, other values, or some maps of a contact member and some of others.
    """
    files = list_files(path, SUFFIXES) if path.is_dir() else {path.stem: path}
    found = list(progress((workers or Threads()).map(look, files.values()), "reading", len(files)))
    if len({picture.banded for picture in found}) > 1:
        plain = next(picture.path for picture in found if not picture.banded)
        raise InputError(f"{plain}: one band, others have the {len(BANDS)} of a contact member; outline them apart")
    return dict(zip(files, found, strict=True))


def look(path: Path) -> Picture:
    """Read a whole raster once, block by block, to tell what it is.

    Raises:
        InputError: as by `open_pictures`.
    """
    low, high, binary = np.inf, -np.inf, True
    with open_raster(path) as raster:
        frame = take_frame(raster)
        banded = raster.descriptions == BANDS and set(raster.dtypes) == {"uint8"}
        if raster.count != 1 and not banded:
            raise InputError(f"{path}: {raster.count} bands; a mask or map has one (gdal_translate -b 1)")
        dtype = np.dtype(raster.dtypes[0])
        for window in list_windows(frame.size):
            values = read_bands(raster, indexes=[1], window=windows.Window.from_slices(*window))
            if dtype.kind == "f":
                values = np.nan_to_num(values, nan=0.0)
            low, high = min(low, values.min()), max(high, values.max())
            binary = binary and bool(((values == 0) | (values == high)).all())
    kind = _tell_kind(path, dtype, float(low), float(high), binary and not banded)
    return Picture(path, frame, *kind, banded)


def _tell_kind(path: Path, dtype: np.dtype, low: float, high: float, binary: bool) -> tuple[Kind, float]:
    """Return what a raster is, and its scale, by its lowest and highest value."""
    if low >= 0 and binary and high in (0, 1):
        return "mask", 255.0
    if low >= 0 and binary and high == 255:
        return "mask", 1.0
    if dtype == np.uint8:
        return "map", 1.0
    if dtype.kind == "f" and low >= -ROUNDING and high <= 1 + ROUNDING:
        return "map", 255.0
    raise InputError(
        f"{path}: {dtype} from {low:g} to {high:g}; a mask has values {{0, 1}} or {{0, 255}}, a map is uint8 or floats "
        "from 0 to 1 (gdal_calc.py, gdal_translate -ot Byte -scale)"
    )


def find_kind(pictures: Mapping[str, Picture]) -> Kind:
    """Return what all pictures are together: masks, or maps where one of them is."""
    return "map" if any(picture.kind == "map" for picture in pictures.values()) else "mask"


def read_window(
    pictures: Mapping[str, Picture], threshold: int, name: str, window: Window
) -> tuple[np.ndarray, np.ndarray]:
    """Read a window of a picture: its mask, bool (h, w), where it reaches a threshold; and its map, or layers."""
    values = pictures[name].read(window)
    return split_layers(values)[0] >= threshold, values


def outline_window(kind: Kind, recipe: OutlineRecipe, mask: np.ndarray, values: np.ndarray) -> list[Building]:
    """Outline the buildings of a window; of a mask nobody knows how sure it was, so their confidence is NaN."""
    buildings = outline_buildings(mask, values, recipe)
    return buildings if kind == "map" else [replace(building, confidence=np.nan) for building in buildings]
