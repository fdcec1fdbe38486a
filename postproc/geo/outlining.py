"""One outlining pass over images: those that touch are joined, each building is outlined once, and cut per image.

Memory is bounded by a block and by what reaches over its sides, however many images there are: each object of
the mask is traced whole, with the block that it begins in. What is kept are outlines alone, no pixels.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from rasterio import Affine
from shapely import GeometryType
from shapely.affinity import translate

from members.common.progress import Progress, silent
from members.common.workers import Threads, Workers
from members.data.frames import Frame
from members.data.mosaic import Mosaic, Reader, Window, join_frames
from members.labels.geometry import clip_outlines, draw_border, move_outlines
from postproc.geo.blocks import BLOCK, list_windows, plan_windows
from postproc.polygons.buildings import Building, rasterize_outlines
from postproc.polygons.labelling import label_components
from postproc.polygons.splitting import REACH

Outliner = Callable[[np.ndarray, np.ndarray], list[Building]]
"""From a mask, bool (h, w), and blend, uint8 (h, w) or (h, w, layers), to the buildings in it."""

Piece = tuple[str, Building]
"""The part of a building that is in one image: the image's id, and the part in the image's pixels."""


@dataclass(frozen=True)
class OutlinedMosaic:
    """The buildings of joined images.

    Attributes:
        mosaic: the images.
        buildings: outlines in the mosaic's pixels.
        pieces: for each building, its parts as `cut_buildings` makes them.
    """

    mosaic: Mosaic
    buildings: Sequence[Building]
    pieces: Sequence[Sequence[Piece]]


def outline_images(
    frames: Iterable[Frame],
    read: Reader,
    outline: Outliner,
    progress: Progress = silent,
    workers: Workers | None = None,
) -> list[OutlinedMosaic]:
    """Outline the buildings of images; each is outlined once, however many images it reaches over.

    Args:
        frames: the images; those that touch on one pixel grid are joined.
        read: reads a window of one of them, several times where it is large or has neighbours.
        outline: outlines a mask.
        progress: is shown the blocks.
        workers: who reads and outlines; by default a thread a core.

    Returns:
        Mosaics in the order of their first images. No outline reaches past the images.
    """
    mosaics = join_frames(frames)
    blocks = sum(len(list_windows(mosaic.size)) for mosaic in mosaics)
    buildings: list[list[Building]] = [[] for _ in mosaics]
    for number, found in progress(trace_mosaics(mosaics, read, outline, workers=workers), "outlines", blocks):
        buildings[number] += found
    inside = [clip_buildings(mosaic, found) for mosaic, found in zip(mosaics, buildings, strict=True)]
    return [
        OutlinedMosaic(mosaic, found, cut_buildings(mosaic, found))
        for mosaic, found in zip(mosaics, inside, strict=True)
    ]


def trace_mosaics(
    mosaics: Sequence[Mosaic],
    read: Reader,
    outline: Outliner,
    block: int = BLOCK,
    workers: Workers | None = None,
) -> Iterator[tuple[int, list[Building]]]:
    """Yield, for every block of every mosaic, the mosaic's number and the buildings that begin there, in its pixels.

    Args:
        mosaics: joined images.
        read: reads a window of one of them.
        outline: outlines a mask; it is given whole objects (4-connected) and only sees those of one block at once.
        block: side of the blocks, px; memory grows with its square, and with the largest object's bounds.
        workers: who reads and outlines; by default a thread a core.
    """
    workers = workers or Threads()

    def list_shares() -> Iterator[tuple[int, Window, np.ndarray | None]]:
        for number, mosaic in enumerate(mosaics):
            for window, seeds in plan_windows(mosaic.size, functools.partial(read_mask, mosaic, read), block, workers):
                yield number, window, seeds

    def trace(share: tuple[int, Window, np.ndarray | None]) -> tuple[int, list[Building]]:
        number, window, seeds = share
        return number, trace_window(mosaics[number], read, outline, window, seeds)

    yield from workers.map(trace, list_shares())


def read_mask(mosaic: Mosaic, read: Reader, window: Window) -> np.ndarray:
    """Read a window of a mosaic's mask, bool (h, w)."""
    return mosaic.read(window, read)[0]


def trace_window(
    mosaic: Mosaic, read: Reader, outline: Outliner, window: Window, seeds: np.ndarray | None
) -> list[Building]:
    """Outline the objects of a window that `plan_windows` gave, in the mosaic's pixels."""
    if seeds is not None and len(seeds) == 0:
        return []
    mask, blend, corner = read_objects(mosaic, read, window, seeds)
    return [move_building(building, corner) for building in outline(mask, blend)]


def read_objects(
    mosaic: Mosaic, read: Reader, window: Window, seeds: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Read a window that `plan_windows` gave: its own objects' mask, bool (h, w), and the blend, as `read` does.

    It is read with what lies around it, as far as that changes where objects are split.

    Returns:
        The mask, the blend, and column and row of their first pixel in the mosaic.
    """
    if seeds is None:
        return *mosaic.read(window, read), (window[1].start, window[0].start)
    starts = [max(part.start - REACH, 0) for part in window]
    stops = [min(part.stop + REACH, side) for part, side in zip(window, mosaic.size, strict=True)]
    mask, blend = mosaic.read((slice(starts[0], stops[0]), slice(starts[1], stops[1])), read)
    labels = label_components(mask)
    chosen = np.zeros(labels.max() + 1, bool)
    moved = seeds + [part.start - start for part, start in zip(window, starts, strict=True)]
    chosen[labels[tuple(moved.T)]] = True
    return chosen[labels], blend, (starts[1], starts[0])


def move_building(building: Building, corner: tuple[float, float]) -> Building:
    """Move a building by (x, y) px."""
    return replace(building, outline=translate(building.outline, *corner))


def clip_buildings(mosaic: Mosaic, buildings: Sequence[Building]) -> list[Building]:
    """Cut off what straight walls have put past the images, where nothing was seen; what falls apart is several."""
    borders = [
        translate(draw_border(frame.size), column, row)
        for frame, (row, column) in zip(mosaic.frames, mosaic.corners, strict=True)
    ]
    seen = shapely.union_all(borders)
    shapely.prepare(seen)
    outlines = np.array([building.outline for building in buildings], object)
    inside: list[Building] = []
    for building, whole in zip(buildings, shapely.covers(seen, outlines).tolist(), strict=True):
        if whole:
            inside.append(building)
        else:
            parts = shapely.get_parts(shapely.intersection(building.outline, seen))
            areal = parts[shapely.get_type_id(parts) == GeometryType.POLYGON]
            inside += [replace(building, outline=part) for part in areal]
    return inside


def cut_buildings(mosaic: Mosaic, buildings: Sequence[Building]) -> list[list[Piece]]:
    """Cut buildings along the images' borders.

    Args:
        mosaic: the joined images.
        buildings: outlines in its pixels.

    Returns:
        For each building its pieces, the greatest first. Where images overlap each has its own.
    """
    cut: list[list[Piece]] = [[] for _ in buildings]
    outlines = np.array([building.outline for building in buildings], object)
    for frame, (pieces, owners) in zip(mosaic.frames, clip_to_frames(mosaic, outlines), strict=True):
        for piece, owner in zip(pieces, owners.tolist(), strict=True):
            cut[owner].append((frame.image_id, replace(buildings[owner], outline=piece)))
    return [sorted(pieces, key=lambda piece: -piece[1].outline.area) for pieces in cut]


def clip_to_frames(mosaic: Mosaic, outlines: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, for each of the mosaic's images, the parts of outlines that are in it.

    Args:
        mosaic: the images.
        outlines: Polygon (n,), in the mosaic's pixels.

    Yields:
        Polygon (pieces,), in the image's pixels, and int (pieces,), the number of the outline that each is of.
    """
    tree = shapely.STRtree(outlines)
    for frame, (row, column) in zip(mosaic.frames, mosaic.corners, strict=True):
        near = np.sort(tree.query(translate(draw_border(frame.size), column, row), predicate="intersects"))
        moved = move_outlines(outlines[near], Affine.translation(-column, -row))
        pieces, owners = clip_outlines(moved, frame.size)
        yield pieces, near[owners]


def collect_pieces(outlined: Iterable[OutlinedMosaic]) -> dict[str, list[Building]]:
    """Collect the buildings of each image, in its pixels, cut off at its border; images without one are left out."""
    found: dict[str, list[Building]] = {}
    for each in outlined:
        for pieces in each.pieces:
            for image_id, piece in pieces:
                found.setdefault(image_id, []).append(piece)
    return found


def draw_masks(
    outlined: Iterable[OutlinedMosaic], sizes: Mapping[str, tuple[int, int]]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the id of each image of `sizes`, in its order, and the mask that the buildings cover, bool (h, w)."""
    pieces = collect_pieces(outlined)
    for image_id, size in sizes.items():
        yield image_id, rasterize_outlines((piece.outline for piece in pieces.get(image_id, ())), size)
