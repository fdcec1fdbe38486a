"""COCO instance JSON: one annotation a building, its pixels run-length encoded by pycocotools.

The format is that of https://cocodataset.org/#format-data (Lin et al. 2014, doi:10.1007/978-3-319-10602-1_48),
with the `score` that results have.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from shapely.affinity import translate

from members.common.files import write_target
from members.data.frames import Frame
from postproc.geo.outlining import OutlinedMosaic, collect_pieces
from postproc.polygons.buildings import Building, rasterize_outlines

CATEGORY = {"id": 1, "name": "building", "supercategory": "building"}


def make_coco(
    sizes: Mapping[str, tuple[int, int]],
    buildings: Mapping[str, Sequence[Building]],
    files: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Describe the buildings of images as a COCO instance dataset, which is the content of its JSON file.

    Args:
        sizes: image id -> height and width, px. Images are numbered in this order from 1.
        buildings: image id -> its buildings, in its pixels; parts beyond the border are cut off. One that covers no
            pixel's centre gets no annotation.
        files: image id -> name of its file; an image that has none there is called by its id.

    Returns:
        images, categories (the one category is building) and annotations, numbered
        from 1 in the images' order: bbox [x, y, width, height] and area in px, score = confidence, and
        segmentation as compressed RLE, its counts a str.
    """
    from pycocotools import mask as coco_mask

    annotations: list[dict[str, Any]] = []
    for number, (image_id, size) in enumerate(sizes.items(), 1):
        for building in buildings.get(image_id, ()):
            segmentation = encode_building(building, size)
            area = int(coco_mask.area(segmentation))
            if area:
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": CATEGORY["id"],
                        "segmentation": segmentation,
                        "bbox": coco_mask.toBbox(segmentation).tolist(),
                        "area": area,
                        "iscrowd": 0,
                        "score": building.confidence,
                    }
                )
    images = [
        {"id": number, "file_name": files.get(image_id) or image_id, "height": height, "width": width}
        for number, (image_id, (height, width)) in enumerate(sizes.items(), 1)
    ]
    return {"images": images, "categories": [CATEGORY], "annotations": annotations}


def encode_building(building: Building, size: tuple[int, int]) -> dict[str, Any]:
    """Encode a building's pixels as pycocotools does: {"size": [height, width], "counts": str}.

    Equal to `pycocotools.mask.encode` of the rasterised outline, in time and memory of the building's bounds alone.
    """
    from pycocotools import mask as coco_mask

    height, width = size
    x_min, y_min, x_max, y_max = building.outline.bounds
    left, right = np.clip([np.floor(x_min), np.ceil(x_max)], 0, width).astype(int).tolist()
    top, bottom = np.clip([np.floor(y_min), np.ceil(y_max)], 0, height).astype(int).tolist()
    part = np.zeros((0, 0), bool)
    if left < right and top < bottom:
        part = rasterize_outlines([translate(building.outline, -left, -top)], (bottom - top, right - left))
    columns, rows = np.nonzero(part.T)  # COCO counts down the columns
    pixels = (left + columns) * height + top + rows
    starts = pixels[np.diff(pixels, prepend=-2) > 1]
    stops = pixels[np.diff(pixels, append=-2) != 1] + 1
    edges = [0, *np.column_stack([starts, stops]).ravel().tolist(), height * width]
    counts = np.diff(edges).tolist()
    if counts[-1] == 0:  # the last pixel is building: then there is no run of background behind it
        counts.pop()
    encoded = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return {"size": [height, width], "counts": encoded["counts"].decode("ascii")}


def write_coco(path: Path, frames: Mapping[str, Frame], outlined: Sequence[OutlinedMosaic], note: str) -> str:
    """Write the buildings of images as a COCO dataset, whose info has the note.

    Returns:
        How many parts of buildings are in no pixels, and so not in the file, in words; "" where all are in it.

    Raises:
        InputError: it cannot be written.
    """
    sizes = {image_id: frame.size for image_id, frame in frames.items()}
    files = {image_id: frame.file for image_id, frame in frames.items()}
    info = {"info": {"description": note}} if note else {}
    pieces = collect_pieces(outlined)
    coco = make_coco(sizes, pieces, files)
    save_coco(path, info | coco)
    count = sum(map(len, pieces.values()))
    lost = count - len(coco["annotations"])
    return f"{lost} of {count} outlines cover no pixel's centre, so they are none of its annotations" if lost else ""


def save_coco(path: Path, coco: Mapping[str, Any]) -> None:
    """Write a COCO dataset as JSON, read it back and compare, and only then move it into place.

    Raises:
        InputError: it cannot be written.
    """
    with write_target(path) as temporary:
        text = json.dumps(coco)
        temporary.write_text(text, encoding="utf-8")
        if temporary.read_text(encoding="utf-8") != text:
            raise OSError("what was written does not read back; check the disk")
