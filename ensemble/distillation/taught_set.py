"""What a fold of a student is trained on: masks and maps by the same fold of its teachers, which has seen no more."""

from dataclasses import dataclass, replace

import numpy as np

from ensemble.distillation.images import cut_pair
from ensemble.inference.tasks import Request
from ensemble.inference.views import name_views
from ensemble.mapfolder.manifest import hash_json
from ensemble.mapfolder.raster import map_path, read_map
from members.common.files import hash_file
from members.data.raster import Pair, read_image
from members.data.run import FoldFolder
from members.data.tiles import Tile
from members.training.spec import Distillation, MemberSpec
from members.training.targets import encode_probabilities
from members.training.training_set import Source, TrainingSet, decode_tiles

PART = "teaching"
SMALLEST = 1 / 512
"""Of a map's probability and of its inverse, where odds are taken of it: half of a map's step."""


@dataclass(frozen=True)
class Teachers:
    """Who teaches a student, and on which images.

    The teachers of a fold are the networks of the same fold: they were not trained on the groups that the student's
    fold is validated on. They count alike, as weights of a blend were chosen on those groups, too.

    Attributes:
        names: of the members.
        asked: for their maps of all images, labelled tiles first; an image without a mask is a group of its own.
    """

    names: tuple[str, ...]
    asked: Request

    @property
    def unlabelled(self) -> tuple[Tile, ...]:
        """The images without masks."""
        return tuple(tile for tile in self.asked.tiles if tile.mask is None)

    def ask_fold(self, fold: int) -> Request:
        """Return the request for the maps that teach a fold: of what that fold is not validated on."""
        asked, split = self.asked, self.asked.record.split
        tiles = tuple(tile for tile in asked.tiles if tile.mask is None or not split.validates(tile.group, fold))
        hashes = {tile.image_id: asked.hashes[tile.image_id] for tile in tiles}
        return replace(asked, tiles=tiles, hashes=hashes, fold=fold)

    def read_maps(self, fold: int, image_id: str) -> np.ndarray:
        """Return the mean of a fold's maps of an image, float64 (h, w), 0..1."""
        folders = (self.asked.run.teaching_folder(fold, name) for name in self.names)
        size = self.asked.frames[image_id].size
        maps = [read_map(map_path(folder, image_id), size) for folder in folders]
        return np.mean(maps, axis=0) / 255

    def describe(self, fold: int) -> dict[str, object]:
        """Return what a fold is taught by, for a note beside its weights; `hash` tells it from others."""
        run, request = self.asked.run, self.ask_fold(fold)
        content: dict[str, object] = {
            "teachers": {name: hash_file(run.fold(name, fold).weights_file) for name in self.names},
            "views": name_views(request.views),
        }
        return content | {"images": len(request.tiles), "hash": hash_json([content, dict(request.hashes)])}


@dataclass(frozen=True, kw_only=True)
class TaughtSet(TrainingSet):
    """A training set whose masks are mixed with teachers' maps, and which has images without masks beside it.

    Attributes:
        teachers: whose maps are there.
        lesson: how masks and maps are mixed.
    """

    teachers: Teachers
    lesson: Distillation

    def take_fold(self, fold: int) -> tuple[dict[str, Pair], dict[str, Pair]]:
        """Return what a fold of the student trains on, and the tiles that its early stopping looks at, by image id."""
        training, validation = super().take_fold(fold)
        teachers, lesson = self.teachers, self.lesson

        def read(tile: Tile) -> Pair:
            return read_image(tile.image), draw_lesson(teachers.read_maps(fold, tile.image_id), None, lesson)

        taught = {
            image_id: (image, draw_lesson(teachers.read_maps(fold, image_id), mask, lesson))
            for image_id, (image, mask) in training.items()
        }
        side = max(max(mask.shape) for _, mask in self.pairs)
        unlabelled = teachers.unlabelled
        for tile, pair in zip(unlabelled, decode_tiles(unlabelled, teachers.asked.run.path, read), strict=True):
            taught |= {f"{tile.image_id}.{number}": cut for number, cut in enumerate(cut_pair(*pair, side))}
        return taught, {
            image_id: (image, encode_probabilities(mask.astype(np.float32)))
            for image_id, (image, mask) in validation.items()
        }

    def list_sources(self, spec: MemberSpec, fold: int, folder: FoldFolder) -> list[Source]:
        """List the student's teachers as what it is trained on beside tiles, masks and split."""
        refusal = "begun with other teachers, views or images; name those with --teachers, --tta and --images"
        return [Source(folder.teachers_file, self.teachers.describe(fold), refusal)]


def draw_lesson(taught: np.ndarray, mask: np.ndarray | None, lesson: Distillation) -> np.ndarray:
    """Draw what a student is taught of a tile.

    Args:
        taught: the teachers' probabilities of building, (h, w), 0..1.
        mask: bool (h, w), True = building; None of an image without labels.
        lesson: how they are mixed. A floor keeps pixels of unlabelled images back, of which the teachers are unsure.

    Returns:
        A target, as `encode_probabilities` makes it.
    """
    bounded = np.clip(taught, SMALLEST, 1 - SMALLEST)
    softened = 1 / (1 + (1 / bounded - 1) ** (1 / lesson.temperature))
    if mask is None:
        return encode_probabilities(softened, np.maximum(taught, 1 - taught) >= lesson.floor)
    return encode_probabilities(lesson.label_weight * mask + (1 - lesson.label_weight) * softened)
