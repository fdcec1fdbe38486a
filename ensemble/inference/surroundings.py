"""What lies around an image, in images that touch it: so a network sees beyond the border that a tile was cut at.

A network that is shown a tile alone guesses near its sides, where it misses half of what it goes by.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import shapely

from ensemble.inference.scenes import WINDOW, Block, Scene, open_scene
from ensemble.mapfolder.manifest import hash_json
from members.data.frames import Frame
from members.data.mosaic import Mosaic, join_frames


@dataclass(frozen=True)
class Neighbour:
    """An image that is seen beyond the border of another.

    Attributes:
        image_id: its id.
        corner: row and column of its first pixel, in the other image's pixels.
        size: its height and width, px.
    """

    image_id: str
    corner: tuple[int, int]
    size: tuple[int, int]


@dataclass(frozen=True)
class Surroundings:
    """What a part's images are shown with.

    Attributes:
        margin: how far beyond its border an image that has neighbours is shown, px.
        neighbours: image id -> the images that touch it, of those that the same networks predict; large images have
            none, as they are predicted in windows.
        paths: image id -> the file of each neighbour.
    """

    margin: int = 0
    neighbours: Mapping[str, tuple[Neighbour, ...]] = field(default_factory=dict)
    paths: Mapping[str, Path] = field(default_factory=dict)

    def measure(self, image_id: str) -> int:
        """Return how far beyond its border an image is shown, px: not at all where no other touches it."""
        return self.margin if self.neighbours.get(image_id) else 0

    def cut(self, image_id: str, values: np.ndarray) -> np.ndarray:
        """Cut what is of the image, (.., h, w), out of values of what is shown, (.., h + 2 margin, w + 2 margin)."""
        margin = self.measure(image_id)
        height, width = values.shape[-2:]
        return values[..., margin : height - margin, margin : width - margin]

    def take(self, image_ids: Sequence[str]) -> "Surroundings":
        """Return those of some images alone."""
        neighbours = {image_id: self.neighbours.get(image_id, ()) for image_id in image_ids}
        needed = {each.image_id for found in neighbours.values() for each in found}
        return Surroundings(self.margin, neighbours, {image_id: self.paths[image_id] for image_id in needed})

    def hash(self, hashes: Mapping[str, str]) -> dict[str, str]:
        """Return, for each image that has neighbours, a hash of which they are, with that of each one's file."""
        return {
            image_id: hash_json([[*each.corner, hashes[each.image_id]] for each in found])
            for image_id, found in self.neighbours.items()
            if found
        }

    def read(self, image_id: str, scene: Scene) -> np.ndarray:
        """Read an image with what lies around it: reflected where no neighbour has data.

        Args:
            image_id: its id.
            scene: the image.

        Returns:
            uint8 RGB (h + 2 margin, w + 2 margin, 3); the image alone, (h, w, 3), where no other touches it.
        """
        height, width = scene.size
        image, margin = scene.read((slice(0, height), slice(0, width))), self.measure(image_id)
        if not margin:
            return image
        shown = np.pad(image, [(margin, margin), (margin, margin), (0, 0)], mode="symmetric")
        for each in self.neighbours[image_id]:
            inside, target = cut_overlap(each, (height, width), margin)
            with open_scene(self.paths[each.image_id]) as other:
                valid = other.read_valid(inside)
                shown[target][valid] = other.read(inside)[valid]
        shown[margin : margin + height, margin : margin + width] = image
        return shown


def cut_overlap(neighbour: Neighbour, size: tuple[int, int], margin: int) -> tuple[Block, Block]:
    """Return the part of a neighbour that is seen, in its own pixels and in those of the picture with a margin."""
    spans = []
    for first, length, side in zip(neighbour.corner, neighbour.size, size, strict=True):
        spans.append((first, max(first, -margin), min(first + length, side + margin)))
    inside = tuple(slice(start - first, stop - first) for first, start, stop in spans)
    target = tuple(slice(start + margin, stop + margin) for _, start, stop in spans)
    return (inside[0], inside[1]), (target[0], target[1])


def find_surroundings(
    frames: Sequence[Frame], paths: Mapping[str, Path], margin: int, together: Sequence[Sequence[str]]
) -> Surroundings:
    """Find which images are seen around which.

    Args:
        frames: of the images.
        paths: image id -> its file.
        margin: how far beyond its border an image is shown, px.
        together: the ids of images that the same networks predict: none is shown with one of others, which these
            networks may have been trained on.
    """
    share_of = {image_id: number for number, image_ids in enumerate(together) for image_id in image_ids}
    found: dict[str, tuple[Neighbour, ...]] = {}
    mosaics = join_frames(frames) if margin else []
    for mosaic in (mosaic for mosaic in mosaics if len(mosaic.frames) > 1):
        for number, others in list_close(mosaic, margin):
            frame, (top, left) = mosaic.frames[number], mosaic.corners[number]
            neighbours = [
                Neighbour(other.image_id, (row - top, column - left), other.size)
                for other, (row, column) in ((mosaic.frames[n], mosaic.corners[n]) for n in others)
                if share_of[other.image_id] == share_of[frame.image_id]
            ]
            neighbours = [each for each in neighbours if goes_beyond(each, frame.size)]
            if neighbours and max(frame.size) <= WINDOW:
                found[frame.image_id] = tuple(sorted(neighbours, key=lambda each: each.image_id))
    needed = {each.image_id for neighbours in found.values() for each in neighbours}
    return Surroundings(margin, found, {image_id: paths[image_id].resolve() for image_id in sorted(needed)})


def goes_beyond(neighbour: Neighbour, size: tuple[int, int]) -> bool:
    """Tell whether a neighbour shows anything that an image of a size, px, does not."""
    spans = zip(neighbour.corner, neighbour.size, size, strict=True)
    return any(first < 0 or first + length > side for first, length, side in spans)


def list_close(mosaic: Mosaic, margin: int) -> Iterator[tuple[int, list[int]]]:
    """Yield the number of each image of a mosaic with those of the others of which it sees a pixel."""
    tops, lefts = np.array(mosaic.corners).T
    heights, widths = np.array([frame.size for frame in mosaic.frames]).T
    reach = margin - 0.5
    seen = shapely.box(lefts - reach, tops - reach, lefts + widths + reach, tops + heights + reach)
    pairs = shapely.STRtree(shapely.box(lefts, tops, lefts + widths, tops + heights)).query(
        seen, predicate="intersects"
    )
    order = np.lexsort(pairs[::-1])
    first, other = pairs[:, order]
    for number, others in enumerate(np.split(other, np.searchsorted(first, np.arange(1, len(tops))))):
        yield number, [int(each) for each in others if each != number]
