"""Read the buildings of images, each as a mask and as outlines, from files that hold either, and their truth."""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from shapely import Polygon

from members.common.errors import InputError
from members.common.progress import Progress, silent
from members.common.workers import Threads, Workers
from members.data.frames import Frame, read_frame
from members.data.raster import read_mask
from members.data.tiles import MASK_SUFFIXES, find_labels
from postproc.formats.dialects.dialect import KAGGLE, Dialect
from postproc.formats.dialects.images import EncodedImage, open_dialect, read_images
from postproc.formats.dialects.rows import is_csv
from postproc.formats.submission import check_ids
from postproc.polygons.tracing import trace_mask
from postproc.scoring.buildings import Comparison, ImageBuildings, compare_buildings
from postproc.scoring.layouts import find_images, find_truth

Take = Callable[[tuple[int, int]], ImageBuildings]
"""From the size, (h, w), that an image has, to its buildings; it raises InputError where they are of another size."""


@dataclass(frozen=True)
class Inputs:
    """What is scored, and what it is scored against.

    Attributes:
        source: the file that is scored.
        ids: of the images that are scored, sorted.
        images: how many images there are; those that the source does not name are not scored.
        predicted: ids, and what gives an image's buildings, in any process. Can be gone through once.
        read_truth: gives the true buildings of an id.
        remark: what the user ought to know of the truth, or "".
    """

    source: Path
    ids: list[str]
    images: int
    predicted: Iterable[tuple[str, Take]]
    read_truth: Callable[[str], ImageBuildings]
    remark: str = ""

    def compare(self, progress: Progress = silent, workers: Workers | None = None) -> list[Comparison]:
        """Compare each image's buildings with the true ones, and list them in the order of the ids.

        Args:
            progress: is shown the images.
            workers: who reads and compares; by default a thread a core.

        Raises:
            InputError: a size differs from the truth's.
        """
        source, read_truth = self.source, self.read_truth

        def compare(image: tuple[str, Take]) -> tuple[str, Comparison]:
            image_id, take = image
            expected = read_truth(image_id)
            buildings = take((expected.mask.shape[0], expected.mask.shape[1]))
            try:
                return image_id, compare_buildings(buildings, expected)
            except InputError as error:
                raise InputError(f"{source}, image {image_id}: {error}") from None

        found = (workers or Threads()).map(compare, self.predicted)
        compared = dict(progress(found, "scoring", len(self.ids)))
        return [compared[image_id] for image_id in self.ids]


def open_inputs(
    truth: Path, submission: Path | None, vector: Path | None, images: Path | None, words: str = ""
) -> Inputs:
    """Find and check the files of a submission CSV or a vector file, and of its truth.

    Args:
        truth: a mask, a folder of masks, a data set that holds one, a vector file, COCO JSON, or a CSV of run lengths.
        submission, vector: what is scored, one of the two.
        images: one image, a folder of images, or a data set; needed where `truth` is a file but no mask, or the masks'
            georeferencing does not do for `vector`.
        words: what headers of CSV files do not tell, as for `postproc.formats.dialects.dialect.parse_dialect`.

    Raises:
        InputError: both or neither of `submission` and `vector`, or a file is missing, bad, or does not go with the
            others.
    """
    source = submission or vector
    if source is None or (submission and vector):
        raise InputError("score takes one of --submission FILE and --vector FILE; give either")
    masks = find_masks(truth)
    if not masks and images is None:
        kind = "a CSV" if is_csv(truth) else "a vector file"
        raise InputError(f"{truth}: {kind} does not tell where the images are, nor their sizes; give them as --images")
    dialect = open_dialect(submission, words) if submission else None
    wanted = list(masks) or None
    if submission and dialect:
        wanted = [dialect.find_id(image.name) for image in read_images(submission, dialect)]
    files = find_images(images, wanted) if images else masks
    expected = masks or {image_id: path for image_id, path in files.items() if wanted is None or image_id in wanted}
    if submission:
        check_ids(submission, wanted or (), expected)
    frames = read_frames(files, expected) if vector or not masks or find_labels(truth) else {}
    predicted = read_masks(source, dialect) if dialect else read_vector(source, frames)
    if not masks:
        return Inputs(source, sorted(expected), len(files), predicted, read_outlined(truth, frames, words))
    outlines = find_buildings(truth, expected, frames)
    labels = find_labels(truth)
    remark = (
        "" if outlines or not labels else f"{labels}: not the outlines of these masks, so that their components count"
    )
    return Inputs(source, sorted(expected), len(masks), predicted, read_masked(expected, outlines), remark)


def find_masks(truth: Path) -> dict[str, Path]:
    """Map image id -> mask file, of one mask, a folder, or a data set; nothing of a file of another kind.

    Raises:
        InputError: no such file or folder, or no masks in it.
    """
    if truth.is_file():
        return {truth.stem: truth} if truth.suffix.lower() in MASK_SUFFIXES else {}
    return find_truth(truth)


def read_frames(files: Mapping[str, Path], expected: Mapping[str, Path]) -> dict[str, Frame]:
    """Read the frames of the images whose ids are expected.

    Raises:
        InputError: an image is missing, or is no raster.
    """
    for image_id, mask in expected.items():
        if image_id not in files:
            raise InputError(f"{mask}: mask without an image; --images has to hold {image_id} too")
    return {image_id: read_frame(files[image_id]) for image_id in expected}


def read_masked(
    masks: Mapping[str, Path], outlines: Mapping[str, Sequence[Polygon]] | None
) -> Callable[[str], ImageBuildings]:
    """Return the function that gives an image's true buildings by its id: its mask, with outlines or its components.

    Args:
        masks: image id -> mask file.
        outlines: as `find_buildings` gives them.
    """
    if outlines is None:
        return lambda image_id: ImageBuildings.from_mask(read_mask(masks[image_id]))
    return lambda image_id: ImageBuildings(read_mask(masks[image_id]), outlines[image_id])


def read_outlined(path: Path, frames: Mapping[str, Frame], words: str = "") -> Callable[[str], ImageBuildings]:
    """Return the function that gives an image's true buildings by its id, out of a file that is no mask.

    Args:
        path: a vector file, COCO JSON, or a CSV of run lengths.
        frames: image id -> frame.
        words: what the header of a CSV does not tell, as for `postproc.formats.dialects.dialect.parse_dialect`.

    Raises:
        InputError: the file is bad, or has no building in any of the images.
    """
    from postproc.preparing.truths import read_truth

    known = read_truth(path, frames, words)

    def take(image_id: str) -> ImageBuildings:
        found = ImageBuildings.from_outlines(known.outlines[image_id], frames[image_id].size)
        return replace(found, traced=known.traced)

    return take


def find_buildings(
    truth: Path, masks: Mapping[str, Path], frames: Mapping[str, Frame]
) -> dict[str, list[Polygon]] | None:
    """Find the outlines that masks were drawn from, px, by image id; None where the data set has no such file.

    Args:
        truth: the data set.
        masks: image id -> mask file.
        frames: image id -> frame.
    """
    path = find_labels(truth)
    if path is None:
        return None
    from members.labels.agreement import Agreement
    from members.labels.reading import read_outlines

    with contextlib.suppress(InputError):  # it may be in another frame, or of other images, such as training's alone
        outlines = read_outlines(path, frames)
        pairs = ((image_id, read_mask(mask)) for image_id, mask in masks.items())
        if Agreement.of_masks(path, outlines, pairs).is_good:
            return outlines
    return None


def read_masks(submission: Path, dialect: Dialect = KAGGLE) -> Iterator[tuple[str, Take]]:
    """Yield each image's id, and what gives its buildings, out of a submission CSV."""
    for image in read_images(submission, dialect):
        yield dialect.find_id(image.name), functools.partial(_take_image, image)


def _take_image(image: EncodedImage, size: tuple[int, int]) -> ImageBuildings:
    if not image.dialect.per_building:
        return ImageBuildings.from_mask(image.decode(size))
    parts = image.decode_buildings(size)
    outlines = [outline for part in parts for outline in trace_mask(part)]
    return ImageBuildings(np.any(parts, axis=0) if parts else np.zeros(size, bool), outlines, traced=True)


def read_vector(path: Path, frames: Mapping[str, Frame]) -> Iterator[tuple[str, Take]]:
    """Yield each image's id, and what gives its buildings, out of a vector file, with the confidences that it holds."""
    from members.labels.reading import read_detections

    for image_id, (outlines, confidences) in read_detections(path, frames).items():
        yield image_id, functools.partial(_take_outlines, outlines, confidences)


def _take_outlines(
    outlines: Sequence[Polygon], confidences: Sequence[float] | None, size: tuple[int, int]
) -> ImageBuildings:
    return ImageBuildings.from_outlines(outlines, size, confidences)
