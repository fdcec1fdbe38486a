"""What a submission's masks are written as beside the CSV: buildings in vector files and COCO, and mask pictures."""

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio

from members.common.console import track
from members.common.errors import InputError
from members.data.raster import allow_ungeoreferenced, read_mask
from postproc.formats.coco import make_coco, write_coco
from postproc.formats.targets import check_folder, check_target, write_target
from postproc.formats.vector import check_vector, write_buildings
from postproc.geo.blocks import BLOCK
from postproc.geo.footprints import Footprint, place_buildings
from postproc.geo.frames import Frame
from postproc.geo.mosaic import Outliner, Reader, join_frames, share_buildings, trace_mosaic
from postproc.polygons.buildings import Building


@dataclass(frozen=True)
class Exports:
    """The files that are asked for; None where one is not.

    Attributes:
        vector: .geojson, .gpkg or .parquet.
        coco: .json.
        masks: folder of a mask picture an image.
        min_area_m2: smaller buildings are left out of the vector file and of COCO.
    """

    vector: Path | None = None
    coco: Path | None = None
    masks: Path | None = None
    min_area_m2: float = 0.0

    def check(self, frames: Mapping[str, Frame]) -> None:
        """Check all that can be before the work starts.

        Raises:
            InputError: a file cannot be written, or cannot hold the buildings of these images.
        """
        if self.coco is not None:
            check_target(self.coco, (".json",))
        if self.vector is not None:
            check_vector(self.vector, frames.values())
        if self.masks is not None:
            check_folder(self.masks if self.masks.exists() else self.masks.parent)
        if self.min_area_m2 > 0:
            if self.vector is None and self.coco is None:
                raise InputError("--min-area-m2 drops buildings from --vector and --coco; give one of them")
            if bare := [image_id for image_id, frame in frames.items() if frame.crs is None]:
                raise InputError(
                    f"--min-area-m2 {self.min_area_m2:g}: image {bare[0]} has no georeferencing, so no square metres; "
                    "the recipe's min_object drops objects by pixels"
                )

    def write_buildings(self, frames: Mapping[str, Frame], read: Reader, outline: Outliner) -> int | None:
        """Trace the buildings of joined images and write the vector file and COCO.

        Args:
            frames: image id -> its frame.
            read: reads an image's mask and blend.
            outline: traces a mask.

        Returns:
            How many buildings there are; None where neither file is asked for.

        Raises:
            InputError: a file cannot be written.
        """
        if self.vector is None and self.coco is None:
            return None
        crs = None if self.vector is None else check_vector(self.vector, frames.values())
        footprints: list[Footprint] = []
        pieces: dict[str, list[Building]] = {image_id: [] for image_id in frames}
        mosaics = join_frames(frames.values())
        for mosaic in track(mosaics, "outlines", len(mosaics)):
            buildings = list(trace_mosaic(mosaic, read, outline))
            shares = share_buildings(mosaic, buildings)
            places = place_buildings(mosaic, buildings, [share[0][0] for share in shares], crs)
            for footprint, share in zip(places, shares, strict=True):
                if footprint.area_m2 is None or footprint.area_m2 >= self.min_area_m2:
                    footprints.append(footprint)
                    for image_id, piece in share:
                        pieces[image_id].append(piece)
        if self.vector is not None:
            write_buildings(self.vector, footprints, crs)
        if self.coco is not None:
            write_coco(self.coco, make_coco({image_id: frame.size for image_id, frame in frames.items()}, pieces))
        return len(footprints)

    def write_masks(
        self, rows: Iterable[tuple[str, np.ndarray]], frames: Mapping[str, Frame]
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield image ids and masks, bool (h, w), as they come, each written on its way where that is asked for."""
        for image_id, mask in rows:
            if self.masks is not None:
                write_mask(self.masks, mask, frames[image_id])
            yield image_id, mask


def write_mask(folder: Path, mask: np.ndarray, frame: Frame) -> Path:
    """Write a mask, bool (h, w), as 0 and 255: GeoTIFF with the image's place on earth, or PNG where it has none.

    Returns:
        IMAGE_ID.tif or IMAGE_ID.png in the folder.

    Raises:
        InputError: it cannot be written.
    """
    height, width = mask.shape
    profile = {"height": height, "width": width, "count": 1, "dtype": "uint8"}
    if frame.crs is None:
        path = folder / f"{frame.image_id}.png"
        profile |= {"driver": "PNG"}
    else:
        path = folder / f"{frame.image_id}.tif"
        profile |= {"driver": "GTiff", "compress": "deflate", "crs": frame.crs, "transform": frame.transform}
    with write_target(path) as temporary:
        with allow_ungeoreferenced(), rasterio.open(temporary, "w", **profile) as raster:
            raster.write(mask * np.uint8(255), 1)
        if not np.array_equal(read_mask(temporary), mask):  # GDAL says nothing where the disk fills up as it closes
            raise OSError("what was written does not read back")
    return path


def remember(read: Reader, frames: Mapping[str, Frame]) -> Reader:
    """Keep the last images read, as many as two blocks have pixels: neighbouring windows share them."""
    largest = max(frame.size[0] * frame.size[1] for frame in frames.values())
    return functools.lru_cache(maxsize=max(1, 2 * BLOCK**2 // largest))(read)
