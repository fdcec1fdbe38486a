"""The buildings of images, each as a mask and as outlines, from files that hold either."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from shapely import Polygon

from members.common.errors import InputError
from members.data.raster import read_mask
from members.data.tiles import MASK_SUFFIXES, list_files
from postproc.formats.submission import read_submission
from postproc.formats.vector import read_detections, read_outlines
from postproc.geo.frames import Frame
from postproc.polygons.buildings import rasterize_outlines
from postproc.polygons.tracing import trace_mask

DEPTH = 3  # folders below a data set: training/masks/img
TABLES = ("tiles.csv", "groups.csv")


@dataclass(frozen=True)
class Picture:
    """The buildings of one image.

    Attributes:
        mask: bool (height, width).
        outlines: valid polygons in pixels, as in `Building`.
        confidences: one an outline; None where nothing is known of them.
    """

    mask: np.ndarray
    outlines: Sequence[Polygon]
    confidences: Sequence[float] | None = None

    @classmethod
    def of_mask(cls, mask: np.ndarray) -> "Picture":
        """Each 4-connected component is a building."""
        return cls(mask, trace_mask(mask))

    @classmethod
    def of_outlines(
        cls, outlines: Sequence[Polygon], size: tuple[int, int], confidences: Sequence[float] | None = None
    ) -> "Picture":
        """A pixel is building where its centre lies inside an outline."""
        return cls(rasterize_outlines(outlines, size), outlines, confidences)


def find_truth(folder: Path) -> dict[str, Path]:
    """Map image id -> mask file, for a folder of masks or a data set that holds one.

    Test masks come before training masks where a data set has both.

    Raises:
        InputError: no such folder, or no masks in it.
    """
    return list_files(_list_folders(folder, "masks")[0], MASK_SUFFIXES)


def find_images(place: Path, wanted: Collection[str] | None = None) -> dict[str, Path]:
    """Map image id -> image file, for one image, a folder of images, or a data set's part.

    Args:
        place: the image, the folder, or the data set.
        wanted: ids that say which part of a data set is meant: the first that has all of them.

    Raises:
        InputError: no such file or folder, no images, or a data set with several parts that `wanted` does not tell
            apart.
    """
    if place.is_file():
        return {place.stem: place}
    folders = _list_folders(place, "images")
    if wanted is None and len(folders) > 1:
        raise InputError(f"{place}: images in {' and '.join(map(str, folders))}; give one of these folders")
    parts = [list_files(folder) for folder in folders]
    return next((part for part in parts if part.keys() >= set(wanted or ())), parts[0])


def _list_folders(root: Path, kind: str) -> list[Path]:
    """The folders of `images` or `masks` of a data set's parts; the root itself where it is no data set."""
    layouts = [[root / part / layout for layout in (f"{kind}/img", kind)] for part in ("", "test", "training")]
    found = [[place for place in part if place.is_dir()] for part in layouts]
    return [places[0] for places in found if places] or [root]


def find_table(*places: Path | None) -> Path | None:
    """The folder of tiles.csv or groups.csv: the first of the places, or of what they lie in, that has one.

    Args:
        places: data sets or their folders of images and masks; None is passed over.
    """
    for place in places:
        if place is not None:
            for folder in (place, *place.resolve().parents[:DEPTH]):
                if any((folder / table).is_file() for table in TABLES):
                    return folder
    return None


def read_truth(path: Path, masks: Mapping[str, Path], frames: Mapping[str, Frame]) -> Callable[[str], Picture]:
    """Return the function that gives an image's true buildings by its id.

    Args:
        path: the folder of masks, or the vector file.
        masks: image id -> mask file; none where `path` is a vector file.
        frames: image id -> frame, for a vector file.

    Raises:
        InputError: the vector file is bad, or has no building in any of the images.
    """
    if masks:
        return lambda image_id: Picture.of_mask(read_mask(masks[image_id]))
    outlines = read_outlines(path, frames)
    if not any(outlines.values()):
        raise InputError(
            f"{path}: none of its outlines lies in the {len(frames)} images; check the place and the CRS of both"
        )
    return lambda image_id: Picture.of_outlines(outlines[image_id], frames[image_id].size)


def read_masks(submission: Path) -> Iterator[tuple[str, Picture]]:
    """Yield each image's id and buildings out of a submission CSV, one at a time in memory."""
    for image_id, mask in read_submission(submission):
        yield image_id, Picture.of_mask(mask)


def read_vector(path: Path, frames: Mapping[str, Frame]) -> Iterator[tuple[str, Picture]]:
    """Yield each image's id and buildings out of a vector file, with the confidences that it holds."""
    for image_id, (outlines, confidences) in read_detections(path, frames).items():
        yield image_id, Picture.of_outlines(outlines, frames[image_id].size, confidences)
