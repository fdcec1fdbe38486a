"""Submission files: a CSV, plain or gzipped, of run-length encoded masks, in a dialect of `postproc.formats.dialects`.

By itself the header is `ImageId,EncodedPixels,Width,Height`, with a row an image. Both ways the file is streamed: a
submission of any length needs the memory of one mask, and its list of ids; where rows are buildings, that of its runs.
"""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from shapely.affinity import translate

from members.common.errors import InputError
from members.common.files import write_target
from members.data.frames import Frame
from members.data.mosaic import Window
from postproc.formats.dialects.dialect import KAGGLE, Dialect, parse_dialect
from postproc.formats.dialects.images import MAX_PIXELS, read_images
from postproc.formats.dialects.rows import write_rows
from postproc.formats.dialects.samples import Sample
from postproc.formats.rle import encode_labels, encode_rle
from postproc.geo.blocks import read_whole
from postproc.polygons.buildings import Building, rasterize_outlines
from postproc.polygons.labelling import label_components


def write_submission(path: str | Path, masks: Mapping[str, np.ndarray], format: str = "kaggle") -> None:
    """Write masks as a submission, decode the file and compare, and only then move it into place.

    Args:
        path: the CSV, gzipped where it ends in .csv.gz; what was there before stays as it was unless all goes well.
        masks: image id -> mask, bool (height, width), True = building; integers are read as 0 = background.
        format: columns, numbers of pixels, and what a row is of, as `roofstack submit --format` takes it: "kaggle",
            "airbus", ..; "salt,rows,from0".

    Raises:
        InputError: what is given are no masks, there is no such format, or the file cannot be written, or does not
            decode to the masks.
    """
    if not isinstance(masks, Mapping):
        raise InputError(f"masks: {type(masks).__name__}; give a mapping, such as a dict, of image id to mask")
    for image_id, mask in masks.items():
        if not isinstance(image_id, str):
            raise InputError(f"masks: image id {image_id!r}; an id is a string, a file name without its ending")
        if not isinstance(mask, np.ndarray):
            raise InputError(f"masks[{image_id!r}]: {type(mask).__name__}; a mask is a bool array (h, w)")
    dialect = parse_dialect(format)
    with open_submission(Path(path), masks, dialect) as add:
        for image_id, mask in masks.items():
            add(image_id, encode_mask(image_id, mask, dialect))


@dataclass(frozen=True)
class Row:
    """What a submission holds of one image.

    Attributes:
        runs: of its mask, or of each of its buildings.
        size: height and width, px.
        digest: of the mask, which the row, or the rows together, have to decode to.
    """

    runs: tuple[str, ...]
    size: tuple[int, int]
    digest: bytes


def encode_mask(image_id: str, mask: np.ndarray, dialect: Dialect = KAGGLE) -> Row:
    """Encode an image's mask, bool (h, w); its buildings are its 4-connected components.

    Raises:
        InputError: it is no mask.
    """
    try:
        runs = encode_rle(mask, dialect.order, dialect.start)
    except InputError as error:
        raise InputError(f"image {image_id}: {error}") from None
    if dialect.per_building:
        return encode_image(label_components(mask != 0), dialect)
    return Row((runs,), (mask.shape[0], mask.shape[1]), hash_mask(mask != 0))


def encode_image(labels: np.ndarray, dialect: Dialect) -> Row:
    """Encode an image's buildings, int (h, w), 0 = background, a row each."""
    runs = filter(None, encode_labels(labels, dialect.order, dialect.start))
    return Row(tuple(runs) or ("",), (labels.shape[0], labels.shape[1]), hash_mask(labels > 0))


def draw_labels(buildings: Sequence[Building], size: tuple[int, int]) -> np.ndarray:
    """Draw buildings with the numbers 1..n, int32 (h, w); where they overlap the first has the pixel."""
    labels = np.zeros(size, np.int32)
    for number, building in enumerate(buildings, start=1):
        left, top, right, bottom = building.outline.bounds
        rows = slice(max(int(top), 0), min(int(np.ceil(bottom)), size[0]))
        columns = slice(max(int(left), 0), min(int(np.ceil(right)), size[1]))
        part = labels[rows, columns]
        moved = translate(building.outline, -columns.start, -rows.start)
        part[rasterize_outlines([moved], part.shape) & (part == 0)] = number
    return labels


def encode_row(
    path: Path, frame: Frame, read_mask: Callable[[Window], np.ndarray], note: str, dialect: Dialect = KAGGLE
) -> Row:
    """Encode an image's mask for the submission at `path`, which has no room for a note."""
    return encode_mask(frame.image_id, read_whole(frame.size, read_mask), dialect)


def encode_buildings(path: Path, frame: Frame, buildings: Sequence[Building], dialect: Dialect) -> Row:
    """Encode an image's buildings, those that touch apart, for the submission at `path`."""
    return encode_image(draw_labels(buildings, frame.size), dialect)


def check_sides(path: Path, frames: Mapping[str, Frame]) -> None:
    """Check that a submission can hold images of these sizes.

    Raises:
        InputError: one is too large.
    """
    for image_id, frame in frames.items():
        if frame.size[0] * frame.size[1] > MAX_PIXELS:
            raise InputError(
                f"{path}: image {image_id} of {frame.size[1]}x{frame.size[0]} px; a submission holds images of up to "
                f"{MAX_PIXELS} px: cut it into several, or leave the CSV out: --no-csv"
            )


@contextlib.contextmanager
def open_submission(
    path: Path, expected_ids: Iterable[str], dialect: Dialect = KAGGLE, sample: Sample | None = None
) -> Iterator[Callable[[str, Row], None]]:
    """Yield a function that adds an image's row, by its id, to a submission; check the file at the end.

    As `write_submission`, with one image in memory at a time.

    Args:
        path: the CSV; what was there before stays as it was unless all goes well.
        expected_ids: the ids that must be added, each once, in any order; in that of the sample, where there is one.
        dialect: of the file; that of the sample, where there is one.
        sample: names the images, and has rows of those that are not expected, which are taken as they are.

    Raises:
        InputError: an expected id is missing, there is a surplus id or one that came twice, or the file cannot be
            written, or does not decode to the masks.
    """
    expected = dict.fromkeys(expected_ids)
    written: dict[str, Row] = {}
    added: list[str] = []
    left = iter(sample.names if sample else ())
    with write_target(path) as temporary:
        with write_rows(temporary) as writer:
            writer.writerow(dialect.columns)

            def fill(until: str | None) -> None:
                for image_id in left:
                    if image_id == until:
                        return
                    if sample is not None and image_id not in expected:
                        writer.writerows([own[column] for column in dialect.columns] for own in sample.rows[image_id])

            def add(image_id: str, row: Row) -> None:
                fill(image_id)
                name = sample.names[image_id] if sample else dialect.name(image_id)
                fields = {**dialect.constants, **(sample.rows[image_id][0] if sample else {}), dialect.id: name}
                if dialect.width is not None and dialect.height is not None:
                    fields |= {dialect.height: str(row.size[0]), dialect.width: str(row.size[1])}
                for runs in row.runs:
                    fields[dialect.runs] = runs or dialect.empty
                    writer.writerow([fields.get(column, "") for column in dialect.columns])
                added.append(image_id)
                written[name] = row

            yield add
            fill(None)
        check_ids(path, added, expected)
        found = (each for each in read_images(temporary, dialect) if each.name in written)
        if [(each.name, hash_mask(each.decode(written[each.name].size))) for each in found] != [
            (name, row.digest) for name, row in written.items()
        ]:
            raise OSError("what was written does not decode to the masks; check the disk")


def read_submission(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each row's image id and mask, bool (height, width), in the file's order, as `read_images` reads them."""
    for image in read_images(path):
        yield image.name, image.decode()


def check_ids(path: Path, ids: Iterable[str], expected_ids: Iterable[str]) -> None:
    """Check that a submission has each expected id once and no other.

    Raises:
        InputError: it does not; the first few ids of each kind are named, with the file at `path`.
    """
    counts, expected = Counter(list(ids)), dict.fromkeys(expected_ids)  # of a mapping, a Counter takes the values
    kinds = {
        "missing": [image_id for image_id in expected if image_id not in counts],
        "surplus": [image_id for image_id in counts if image_id not in expected],
        "twice": [image_id for image_id, count in counts.items() if count > 1],
    }
    found = [
        f"{len(wrong)} {kind} ({', '.join(wrong[:3])}{', ...' if len(wrong) > 3 else ''})"
        for kind, wrong in kinds.items()
        if wrong
    ]
    if found:
        raise InputError(
            f"{path}: of {len(expected)} expected image ids {'; '.join(found)}; "
            "each expected image needs exactly one row, and an id is a file name without its ending"
        )


def hash_mask(mask: np.ndarray) -> bytes:
    """Hash a mask, bool (h, w)."""
    digest = hashlib.blake2b(str(mask.shape).encode(), digest_size=16)
    digest.update(np.packbits(mask).tobytes())
    return digest.digest()
