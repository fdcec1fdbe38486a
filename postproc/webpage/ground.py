"""The ground: where tiles and outlines lie on earth, as the data of a map that needs no network."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import rasterio.warp
import shapely
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.errors import RasterioError

from members.common.errors import InputError
from members.data.frames import Frame
from members.data.raster import allow_ungeoreferenced
from members.labels.geometry import draw_border, move_outlines
from postproc.geo.footprints import WGS84, Footprint, transform_outlines
from postproc.webpage.gallery import encode

MOST_TILES = 400
MOST_VERTICES, EACH = 50_000, 4
"""Of our outlines, and of the true ones: 1.5 MB each of a page of at most 15. An outline by itself, with what is said
of it, takes as much as so many vertices."""
PIXELS, PICTURES = 4_000_000, 2_400_000
"""Of all pictures of tiles together, and letters that they take, so that a page has one size whatever the run's."""
QUALITY = 55
MERCATOR = "EPSG:3857"
LARGEST = 512
"""Longest side of a tile's picture, px."""


@dataclass(frozen=True)
class GroundTile:
    """A tile where it lies.

    Attributes:
        image_id, group: of it.
        iou: of its mask.
        bounds: south, west, north, east, degrees.
        picture: data address of a WebP, in web-mercator between the bounds.
    """

    image_id: str
    group: str
    iou: float
    bounds: tuple[float, float, float, float]
    picture: str


@dataclass(frozen=True)
class Ground:
    """What a map shows.

    Attributes:
        tiles: those that are drawn.
        ours: our outlines, in degrees.
        truths: true outlines, Polygon (n,), in degrees.
        left_out: what is not drawn, in words; "" where nothing is left out.
    """

    tiles: Sequence[GroundTile]
    ours: Sequence[Footprint]
    truths: np.ndarray
    left_out: str = ""

    def export(self) -> str:
        """Return what the page's script draws, as JSON."""
        outlines = np.array([footprint.outline for footprint in self.ours], object)
        extra, missed = find_uncovered(outlines, self.truths), find_uncovered(self.truths, outlines)
        content: dict[str, Any] = {
            "tiles": [
                {"id": tile.image_id, "group": tile.group, "iou": round(tile.iou, 3), "bounds": tile.bounds,
                 "picture": tile.picture}
                for tile in self.tiles
            ],
            "ours": [
                {"rings": list_rings(each.outline), "wrong": bool(wrong), "words": describe(each)}
                for each, wrong in zip(self.ours, extra, strict=True)
            ],
            "truths": [
                {"rings": list_rings(outline), "wrong": bool(wrong)}
                for outline, wrong in zip(self.truths, missed, strict=True)
            ],
        }  # fmt: skip
        return json.dumps(content, separators=(",", ":"))


def describe(footprint: Footprint) -> str:
    """Say in a line what is known of a building."""
    area = "" if footprint.area_m2 is None else f"{footprint.area_m2:.0f} m², "
    return f"{footprint.image_id}: {area}confidence {footprint.confidence:.2f}, {footprint.status}"


def list_rings(outline: shapely.Polygon) -> list[list[list[float]]]:
    """Return the rings of a polygon in degrees, exterior first, as [latitude, longitude] to the centimetre.

    >>> list_rings(shapely.box(8, 50, 9, 51))[0][:2]
    [[50.0, 9.0], [51.0, 9.0]]
    """
    return [
        np.round(shapely.get_coordinates(ring)[:-1, ::-1], 7).tolist()
        for ring in (outline.exterior, *outline.interiors)
    ]


def count_drawn(outlines: np.ndarray, most: int = MOST_VERTICES) -> int:
    """Return how many of the first polygons, (n,), have no more vertices than may be drawn, and `EACH` for each.

    >>> count_drawn(np.array([shapely.box(0, 0, 1, 1)] * 5), most=20)
    2
    """
    return int(np.searchsorted(np.cumsum(shapely.get_num_coordinates(outlines) + EACH), most, side="right"))


def find_uncovered(outlines: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Tell the polygons, (n,), of which less than half is covered by others that do not overlap, bool (n,).

    >>> box = shapely.box
    >>> find_uncovered(np.array([box(0, 0, 2, 1), box(5, 0, 6, 1)]), np.array([box(0, 0, 1, 1)]))
    array([False,  True])
    """
    if not len(outlines):
        return np.zeros(0, bool)
    covered = np.zeros(len(outlines))
    if len(others):
        one, other = shapely.STRtree(others).query(outlines, predicate="intersects")
        np.add.at(covered, one, shapely.area(shapely.intersection(outlines[one], others[other])))
    return covered < shapely.area(outlines) / 2


def choose_ground(wrong: Sequence[int], groups: Sequence[str], most: int = MOST_TILES) -> list[int]:
    """Choose tiles for a map: whole groups, and in this order, those with most wrong pixels first.

    The first one may be cut off.

    Args:
        wrong: pixels that are wrong, a tile.
        groups: the group of each tile.
        most: how many at most.

    >>> choose_ground([1, 5, 2, 0], ["a", "b", "a", "c"], 3)
    [1, 0, 2]
    """
    members: dict[str, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(group, []).append(number)
    order = sorted(members, key=lambda group: -sum(wrong[number] for number in members[group]))
    chosen = members[order[0]][:most] if order else []
    for group in order[1:]:
        if len(chosen) + len(members[group]) <= most:
            chosen = chosen + members[group]
    return chosen


def locate(frame: Frame) -> shapely.Polygon | None:
    """Return the border of an image in degrees; None where it is not on earth, or cannot be drawn in web-mercator."""
    if frame.crs is None:
        return None
    try:
        (border,) = move_to_degrees(np.array([draw_border(frame.size)], object), frame)
    except InputError:
        return None
    west, south, east, north = border.bounds
    return border if -85 < south < north < 85 and -180 <= west < east <= 180 else None


def move_to_degrees(outlines: np.ndarray, frame: Frame) -> np.ndarray:
    """Move polygons, (n,), from an image's pixels to degrees.

    Raises:
        InputError: the image's CRS has no way there.
    """
    return transform_outlines(move_outlines(outlines, frame.transform), str(frame.crs), WGS84)


def place_tile(image: np.ndarray, frame: Frame, group: str, iou: float, tiles: int) -> GroundTile:
    """Draw one of some tiles, uint8 (h, w, 3), where it lies.

    Raises:
        InputError: its CRS has no way to web-mercator.
    """
    border = shapely.Polygon() if (found := locate(frame)) is None else found
    west, south, east, north = border.bounds
    ends = rasterio.warp.transform_bounds(CRS.from_string(WGS84), CRS.from_string(MERCATOR), *border.bounds)
    across, down = ends[2] - ends[0], ends[3] - ends[1]
    side = min(np.sqrt(PIXELS / max(tiles, 1)), LARGEST, max(frame.size))
    width, height = (max(round(side * each / max(across, down)), 1) for each in (across, down))
    shrink = min(2 * side / max(frame.size), 1.0)  # GDAL's warp takes the nearest of what is much finer
    small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1 else image
    source = np.concatenate([small.transpose(2, 0, 1), np.full((1, *small.shape[:2]), 255, np.uint8)])
    picture = np.zeros((4, height, width), np.uint8)
    scale = frame.size[1] / small.shape[1], frame.size[0] / small.shape[0]
    try:
        with allow_ungeoreferenced():  # rasterio warns of its own arrays, which lie nowhere yet
            rasterio.warp.reproject(
                source, picture, src_transform=frame.transform @ Affine.scale(*scale), src_crs=frame.crs,
                dst_transform=rasterio.transform.from_bounds(*ends, width, height), dst_crs=MERCATOR,
                resampling=rasterio.warp.Resampling.average,
            )  # fmt: skip
    except RasterioError as error:
        raise InputError(f"{frame.image_id}: cannot be drawn on a map ({error})") from None
    bounds = round(south, 7), round(west, 7), round(north, 7), round(east, 7)
    address = encode(picture.transpose(1, 2, 0), QUALITY, most=PICTURES // max(tiles, 1))
    return GroundTile(frame.image_id, group, iou, bounds, address)
