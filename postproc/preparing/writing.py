"""The data set that all commands read: images, masks, groups, and outlines where they are known."""

import contextlib
import csv
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from rasterio import Affine
from rasterio.windows import Window
from shapely import Polygon

from members.common.errors import InputError
from members.common.files import write_whole
from members.common.progress import Progress, silent
from members.data.frames import Frame
from members.data.raster import allow_ungeoreferenced, check_bands, open_raster, read_bands
from members.labels.geometry import move_outlines
from postproc.preparing.tiling import Cut, Draw, name_group
from postproc.preparing.truths import clip_to_cut


@dataclass
class Written:
    """What was written, counted.

    Attributes:
        tiles: how many.
        empty: how many have no building.
        blank: how many were left out, as the image has no data there.
        sizes: (height, width), px -> how many tiles.
        groups: how many.
    """

    tiles: int = 0
    empty: int = 0
    blank: int = 0
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    groups: int = 0


@contextlib.contextmanager
def make_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder to write into, which becomes `folder` once all is there; what a killed process left is removed."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        yield part
        if folder.is_dir():
            folder.rmdir()  # it is empty
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_tiles(
    folder: Path,
    images: Mapping[str, Path],
    cuts: Sequence[Cut],
    draw: Draw,
    progress: Progress = silent,
) -> Written:
    """Write the tiles of images with their masks; and groups.csv, where they are cut, last.

    Args:
        folder: of the data set.
        images: image id -> file.
        cuts: the tiles, image by image.
        draw: gives each one's mask.
        progress: is shown the tiles.

    Raises:
        InputError: an image is none that is read.
    """
    written, rows = Written(), []
    for cut in progress(cuts, "tiles", len(cuts)):
        with open_raster(images[cut.source]) as raster:
            bands = [1, 1, 1] if check_bands(raster) == "grey" else [1, 2, 3]
            window = Window.from_slices(*cut.window)
            if cut.image_id != cut.source and not raster.dataset_mask(window=window).any():
                written.blank += 1
                continue
            pixels = read_bands(raster, indexes=bands, window=window)
            crs, transform = raster.crs, raster.window_transform(window)
        mask = draw(cut)
        write_picture(folder / "images" / f"{cut.image_id}.tif", pixels, crs, transform)
        write_picture(folder / "masks" / f"{cut.image_id}.tif", mask[None] * np.uint8(255), crs, transform)
        rows.append((cut.image_id, name_group(cut, len(images)), cut.source))
        written.tiles += 1
        written.empty += not mask.any()
        written.sizes[mask.shape[0], mask.shape[1]] += 1
    written.groups = len({group for _, group, _ in rows})
    if any(cut.image_id != cut.source for cut in cuts):
        with write_whole(folder / "groups.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([("image_id", "group", "source"), *rows])
    return written


def write_picture(path: Path, bands: np.ndarray, crs: object, transform: Affine) -> None:
    """Write bands, uint8 (bands, h, w), as a GeoTIFF without loss."""
    profile = {"driver": "GTiff", "dtype": "uint8", "count": len(bands), "compress": "deflate", "predictor": 2}
    profile |= {"height": bands.shape[1], "width": bands.shape[2], "crs": crs, "transform": transform}
    with write_whole(path) as temporary, allow_ungeoreferenced(), rasterio.open(temporary, "w", **profile) as raster:
        raster.write(bands)


def write_outlines(
    folder: Path, frames: Mapping[str, Frame], cuts: Sequence[Cut], outlines: Mapping[str, Sequence[Polygon]]
) -> Path:
    """Write the buildings beside the tiles: on the map where images are georeferenced, else in pixels of each tile.

    Raises:
        InputError: some images are georeferenced and others are not.
    """
    import geopandas
    import pandas as pd

    from postproc.formats.vector import write_table
    from postproc.geo.footprints import WGS84

    bare = [image_id for image_id, frame in frames.items() if frame.crs is None]
    if bare and len(bare) < len(frames):
        raise InputError(f"{bare[0]}: not georeferenced, other images are; prepare them apart")
    if bare:
        pieces = [(cut.image_id, piece) for cut in cuts for piece in clip_to_cut(outlines[cut.source], cut)]
        ids, polygons = zip(*pieces, strict=True)
        table = geopandas.GeoDataFrame({"image_id": ids}, geometry=list(polygons))
    else:
        parts = [
            geopandas.GeoDataFrame(
                geometry=list(move_outlines(np.array(own, object), frames[image_id].transform)),
                crs=frames[image_id].crs,
            ).to_crs(WGS84)
            for image_id, own in outlines.items()
            if len(own)
        ]
        table = pd.concat(parts, ignore_index=True)
    path = folder / "buildings.geojson"
    write_table(path, table)
    return path
