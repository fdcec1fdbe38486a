"""Where buildings are, if no masks say so: vector files, COCO, and CSV files of run lengths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rasterio import Affine
from shapely import Polygon
from shapely.errors import GEOSException

from members.common.errors import InputError
from members.common.files import read_json
from members.data.frames import Frame
from members.labels.geometry import clip_outlines, move_outlines
from postproc.formats.dialects.images import open_dialect, read_images
from postproc.formats.dialects.rows import is_csv
from postproc.polygons.buildings import rasterize_outlines
from postproc.polygons.tracing import trace_mask
from postproc.preparing.sources import SUFFIXES
from postproc.preparing.tiling import Cut, Draw

Outlines = dict[str, list[Polygon]]
"""Image id -> the buildings in it, px."""


@dataclass(frozen=True)
class Truth:
    """The buildings of images.

    Attributes:
        outlines: of every image.
        kind: what they were read from, in a word or two.
        traced: whether any are those of pixels.
    """

    outlines: Outlines
    kind: str
    traced: bool


def read_truth(path: Path, frames: Mapping[str, Frame], words: str = "") -> Truth:
    """Read the buildings of images, and say from what.

    Args:
        path: a vector file, a COCO JSON, or a CSV of run lengths, plain or gzipped, one row an image or one a building.
        frames: image id -> frame.
        words: what the header of a CSV does not tell, as for `postproc.formats.dialects.dialect.parse_dialect`.

    Raises:
        InputError: it is none of these, or has no building in any of the images.
    """
    content = None
    if path.suffix.lower() == ".json":
        content = read_json(path, "export it again")
    if is_csv(path):
        truth = Truth(read_runs(path, frames, words), "run lengths", traced=True)
    elif isinstance(content, dict) and "annotations" in content:
        truth = read_coco(path, content, frames)
    else:
        from members.labels.reading import read_outlines

        truth = Truth(read_outlines(path, frames), "outlines", traced=False)
    if not any(truth.outlines.values()):
        raise InputError(
            f"{path}: none of its buildings lies in the {len(frames)} images; check ids, coordinates and CRS of both"
        )
    return truth


def find_id(name: str, frames: Mapping[str, Frame]) -> str | None:
    """Return the image that a name, with or without its ending and folder, is of; None where there is none."""
    stem = Path(name).name
    if stem not in frames and Path(stem).suffix.lower() in SUFFIXES:
        stem = Path(stem).stem
    return stem if stem in frames else None


def read_coco(path: Path, content: Mapping[str, Any], frames: Mapping[str, Frame]) -> Truth:
    """Take the buildings of images from a COCO data set: polygons, or run lengths, of all categories.

    Raises:
        InputError: it is damaged.
    """
    outlines: Outlines = {image_id: [] for image_id in frames}
    traced = False
    try:
        ids = {image["id"]: find_id(str(image["file_name"]), frames) for image in content["images"]}
        for annotation in content["annotations"]:
            image_id = ids[annotation["image_id"]]
            if image_id is not None and not annotation.get("iscrowd"):
                segmentation = annotation["segmentation"]
                outlines[image_id] += _take_segmentation(segmentation, frames[image_id].size)
                traced |= isinstance(segmentation, dict)
    except (KeyError, TypeError, ValueError, IndexError, GEOSException) as error:
        raise InputError(f"{path}: no COCO data set ({type(error).__name__}: {error}); export it again") from None
    return Truth(outlines, "COCO", traced)


def _take_segmentation(segmentation: Any, size: tuple[int, int]) -> list[Polygon]:
    if isinstance(segmentation, dict):
        from pycocotools import mask as coco_mask

        counts = segmentation["counts"]
        encoded = coco_mask.frPyObjects(segmentation, *size) if isinstance(counts, list) else segmentation
        return trace_mask(coco_mask.decode(encoded) > 0)
    rings = [np.asarray(ring, float).reshape(-1, 2) for ring in segmentation]
    polygons = [Polygon(ring).buffer(0) for ring in rings if len(ring) >= 3]
    parts = [part for polygon in polygons for part in getattr(polygon, "geoms", [polygon])]
    return [part for part in parts if not part.is_empty]


def read_runs(path: Path, frames: Mapping[str, Frame], words: str = "") -> Outlines:
    """Take the buildings of images from a CSV of run lengths, which may name further images.

    Where an image has several rows each is a building; where it has one, each component of the mask is.

    Args:
        path: the file, plain or gzipped.
        frames: image id -> frame.
        words: what its header does not tell, as for `read_truth`.

    Raises:
        InputError: it is no such file.
    """
    outlines: Outlines = {image_id: [] for image_id in frames}
    for image in read_images(path, replace(open_dialect(path, words), per_building=True)):
        image_id = find_id(image.name, frames)
        if image_id is not None:
            parts = image.decode_buildings(frames[image_id].size)
            outlines[image_id] += [outline for part in parts for outline in trace_mask(part)]
    return outlines


def clip_to_cut(outlines: Sequence[Polygon], cut: Cut) -> np.ndarray:
    """Return the parts of an image's outlines, px, that are in a tile, in the tile's pixels: Polygon (n,)."""
    rows, columns = cut.window
    moved = move_outlines(np.array(outlines, object), Affine.translation(-columns.start, -rows.start))
    return clip_outlines(moved, (rows.stop - rows.start, columns.stop - columns.start))[0]


def draw_from_outlines(outlines: Outlines) -> Draw:
    """Return what draws tiles out of outlines: a pixel is building where its centre lies inside one."""

    def draw(cut: Cut) -> np.ndarray:
        rows, columns = cut.window
        size = rows.stop - rows.start, columns.stop - columns.start
        return rasterize_outlines(clip_to_cut(outlines[cut.source], cut), size)

    return draw
