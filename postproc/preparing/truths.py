"""Where buildings are, if no masks say so: vector files, COCO, and CSV files of run lengths."""

import csv
from collections.abc import Mapping, Sequence
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
from postproc.formats.rle import decode_rle
from postproc.polygons.buildings import rasterize_outlines
from postproc.polygons.tracing import trace_mask
from postproc.preparing.sources import SUFFIXES
from postproc.preparing.tiling import Cut, Draw

IDS, RUNS = ("ImageId", "image_id", "id", "img"), ("EncodedPixels", "rle", "rle_mask", "segmentation")
"""Columns of run-length CSV files, by the names that competitions give them."""

Outlines = dict[str, list[Polygon]]
"""Image id -> the buildings in it, px."""


def read_truth(path: Path, frames: Mapping[str, Frame]) -> tuple[Outlines, str]:
    """Read the buildings of images, and say from what.

    Args:
        path: a vector file, a COCO JSON, or a CSV of run lengths, one row an image or one a building.
        frames: image id -> frame.

    Raises:
        InputError: it is none of these, or has no building in any of the images.
    """
    content = None
    if path.suffix.lower() == ".json":
        content = read_json(path, "export it again")
    if path.suffix.lower() == ".csv":
        outlines, kind = read_runs(path, frames), "run lengths"
    elif isinstance(content, dict) and "annotations" in content:
        outlines, kind = read_coco(path, content, frames), "COCO"
    else:
        from members.labels.reading import read_outlines

        outlines, kind = read_outlines(path, frames), "outlines"
    if not any(outlines.values()):
        raise InputError(f"{path}: no building in any of the {len(frames)} images; check ids, coordinates and CRS")
    return outlines, kind


def find_id(name: str, frames: Mapping[str, Frame]) -> str | None:
    """Return the image that a name, with or without its ending and folder, is of; None where there is none."""
    stem = Path(name).name
    if stem not in frames and Path(stem).suffix.lower() in SUFFIXES:
        stem = Path(stem).stem
    return stem if stem in frames else None


def read_coco(path: Path, content: Mapping[str, Any], frames: Mapping[str, Frame]) -> Outlines:
    """Take the buildings of images from a COCO data set: polygons, or run lengths, of all categories.

    Raises:
        InputError: it is damaged.
    """
    outlines: Outlines = {image_id: [] for image_id in frames}
    try:
        ids = {image["id"]: find_id(str(image["file_name"]), frames) for image in content["images"]}
        for annotation in content["annotations"]:
            image_id = ids[annotation["image_id"]]
            if image_id is not None and not annotation.get("iscrowd"):
                outlines[image_id] += _take_segmentation(annotation["segmentation"], frames[image_id].size)
    except (KeyError, TypeError, ValueError, IndexError, GEOSException) as error:
        raise InputError(f"{path}: no COCO data set ({type(error).__name__}: {error}); export it again") from None
    return outlines


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


def read_runs(path: Path, frames: Mapping[str, Frame]) -> Outlines:
    """Take the buildings of images from a CSV of run lengths, down the columns and from 1, as Kaggle has them.

    Where an image has several rows each is a building; where it has one, each component of the mask is.

    Raises:
        InputError: it is no such file.
    """
    csv.field_size_limit(2**31 - 1)
    outlines: Outlines = {image_id: [] for image_id in frames}
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            names = [_choose(path, candidates, reader.fieldnames or []) for candidates in (IDS, RUNS)]
            for row in reader:
                image_id, runs = find_id(row[names[0]] or "", frames), (row[names[1]] or "").strip()
                if image_id is None or runs in ("", "-1"):
                    continue
                try:
                    outlines[image_id] += trace_mask(decode_rle(runs, *frames[image_id].size))
                except InputError as error:
                    raise InputError(f"{path}, line {reader.line_num}, image {image_id}: {error}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable CSV ({error}); save it as UTF-8") from None
    return outlines


def _choose(path: Path, candidates: Sequence[str], columns: Sequence[str]) -> str:
    found = next((name for name in candidates if name in columns), None)
    if found is None:
        raise InputError(
            f"{path}: columns {', '.join(columns) or 'none'}; one of them has to be {' or '.join(candidates)}"
        )
    return found


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
