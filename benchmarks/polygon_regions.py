"""The regions of hot_buildings as pictures to outline, and settings of some regions that are reported on another.

For `bench_polygons.py`. The tiles of a region that touch are joined; what does not touch stands below one another.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from rasterio import Affine

from members.data.frames import read_frame
from members.data.mosaic import Mosaic, join_frames
from members.labels.geometry import clip_outlines, move_outlines


@dataclass(frozen=True)
class Region:
    """A region's tiles in one picture.

    Attributes:
        truth: their masks, bool (height, width).
        map: lite0's maps of them, uint8 (height, width).
        drawn: the outlines that the masks were drawn from, Polygon (n,), px.
    """

    truth: np.ndarray
    map: np.ndarray
    drawn: np.ndarray


def read_regions(data: Path) -> dict[str, Region]:
    """Read the training tiles of hot_buildings, and lite0's maps of them, by region."""
    with (data / "hot_buildings/tiles.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "training"]
    table = gpd.read_file(data / "hot_buildings/buildings.geojson")
    masks, maps = data / "hot_buildings/training/masks/img", data / "hot_maps/valid/lite0"
    found = {}
    for region in sorted({row["region"] for row in rows}):
        names = [row["image_id"] for row in rows if row["region"] == region]
        mosaics = join_frames(read_frame(masks / f"{name}.tif") for name in names)
        width, tops = max(mosaic.size[1] for mosaic in mosaics), np.cumsum([0, *(each.size[0] for each in mosaics)])
        picture = np.zeros((2, tops[-1], width), np.uint8)
        outlines = table[table.region == region].to_crs(mosaics[0].crs).geometry.to_numpy()
        drawn = []
        for mosaic, top in zip(mosaics, tops.tolist(), strict=False):
            for name, window in list_windows(mosaic, top):
                picture[(0, *window)], picture[(1, *window)] = read(masks / f"{name}.tif"), read(maps / f"{name}.tif")
            inside, _ = clip_outlines(move_outlines(outlines, ~mosaic.transform), mosaic.size)
            drawn.append(move_outlines(inside, Affine.translation(0, top)))
        found[region] = Region(picture[0] > 0, picture[1], np.concatenate(drawn))
    return found


def list_windows(mosaic: Mosaic, top: int) -> Iterator[tuple[str, tuple[slice, slice]]]:
    """Yield each image's id and where it lies in a picture that has the mosaic from row `top` on."""
    for frame, (row, column) in zip(mosaic.frames, mosaic.corners, strict=True):
        height, width = frame.size
        yield frame.image_id, (slice(top + row, top + row + height), slice(column, column + width))


def read(path: Path) -> np.ndarray:
    """Read the first band of a raster."""
    with rasterio.open(path) as source:
        values: np.ndarray = source.read(1)
    return values


Score = Mapping[str, float]
"""Of a setting in a region: `intersection` and `union` of pixels, `buildings`, and the sum of their `c_iou`."""


def pool(scores: Sequence[Score]) -> dict[str, float]:
    """Score regions together: pooled IoU, and the mean C-IoU of their buildings."""
    sums = {key: sum(score[key] for score in scores) for key in scores[0]}
    return {
        "iou": round(sums["intersection"] / sums["union"], 4),
        "c_iou": round(sums["c_iou"] / sums["buildings"], 4),
    }


def hold_out(scores: Mapping[str, Mapping[str, Score]], families: Sequence[str]) -> dict[str, dict[str, float]]:
    """Score each method on each region at the setting that is best on all the others.

    Args:
        scores: setting -> region -> score.
        families: of settings: the beginning of their names.

    Returns:
        family -> the scores of all regions together, and the C-IoU of each.

    >>> def score(c_iou): return {"intersection": 1, "union": 2, "buildings": 10, "c_iou": 10 * c_iou}
    >>> scores = {"a_1": {"x": score(0.9), "y": score(0.5)}, "a_2": {"x": score(0.7), "y": score(0.6)}}
    >>> hold_out(scores, ["a"])["a"]
    {'iou': 0.5, 'c_iou': 0.6, 'c_iou of x': 0.7, 'c_iou of y': 0.5}
    """
    found = {}
    for family in families:
        settings = [own for name, own in scores.items() if name.startswith(family)]
        taken = {
            region: max(settings, key=lambda own: pool([own[each] for each in own if each != region])["c_iou"])[region]
            for region in settings[0]
        }
        each = {f"c_iou of {region}": pool([score])["c_iou"] for region, score in taken.items()}
        found[family] = {**pool(list(taken.values())), **each}
    return found
