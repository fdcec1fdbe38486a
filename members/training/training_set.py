"""What is trained on: tiles with their pixels and their split; and the folder of a fold, kept from other processes."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from members.common.console import stderr, warn
from members.common.errors import InputError
from members.common.files import hash_file, read_json, remove_stale, write_json
from members.common.locking import hold

if TYPE_CHECKING:
    from members.data.raster import Pair
    from members.data.record import RunRecord
    from members.data.run import FoldFolder
    from members.data.split import Split
    from members.data.tiles import Tile
    from members.training.spec import MemberSpec


@dataclass(frozen=True)
class Source:
    """What a fold is trained on beside tiles, masks and split: outlines, or teachers.

    Attributes:
        file: the note of it, beside the fold's weights.
        content: of the note; its `hash` tells it from others.
        refusal: what to say where the fold was begun on another one.
    """

    file: Path
    content: Mapping[str, object]
    refusal: str


@dataclass(frozen=True)
class TrainingSet:
    """A data set, its tiles with their pixels, and the split that says which of them a fold trains on.

    Attributes:
        folder: of the data set.
        tiles: with masks.
        pairs: of each tile its image, uint8 (h, w, 3), and its mask, bool (h, w), or target as `draw_target` draws it.
        split: of the groups.
        labels: the file of outlines that targets were drawn from.
    """

    folder: Path
    tiles: list[Tile]
    pairs: list[Pair]
    split: Split
    labels: Path | None = None

    def take_fold(self, fold: int) -> tuple[dict[str, Pair], dict[str, Pair]]:
        """Return the tiles that a fold trains on, and those that its early stopping looks at, by image id."""
        from members.data.split import split_training

        held = [self.split.validates(tile.group, fold) for tile in self.tiles]
        training = [index for index, out in enumerate(held) if not out]
        validation = [index for index, out in enumerate(held) if out]
        if self.split.inner_valid:
            groups = [self.tiles[index].group for index in training]
            areas = measure_areas(self.pairs[index] for index in training)
            inner = list(zip(training, split_training(groups, areas, self.split.seed), strict=True))
            training, validation = [index for index, out in inner if not out], [index for index, out in inner if out]
        return self.take(training), self.take(validation)

    def list_sources(self, spec: MemberSpec, fold: int, folder: FoldFolder) -> list[Source]:
        """List what a fold of a member is trained on beside tiles, masks and split; `folder` is the fold's."""
        if self.labels is None or not spec.contact:
            return []
        content = {"file": str(self.labels.resolve()), "hash": hash_file(self.labels)}
        refusal = f"begun on other outlines than {self.labels} holds now; give those as --labels"
        return [Source(folder.labels_file, content, refusal)]

    def take(self, indices: Iterable[int]) -> dict[str, Pair]:
        """Return some tiles' pixels by image id."""
        return {self.tiles[index].image_id: self.pairs[index] for index in indices}


def read_pairs(tiles: Sequence[Tile], run: Path, labels: Path | None = None) -> list[Pair]:
    """Decode all tiles with their masks, or with targets drawn from a file of outlines.

    Args:
        tiles: with masks.
        run: the run's folder.
        labels: the file of outlines.

    Raises:
        InputError: a tile is damaged, or the outlines are not those of the masks.
    """
    from members.data.raster import read_pair
    from members.training.targets import TargetReader

    if labels is None:
        return decode_tiles(tiles, run, read_pair)
    reader = TargetReader.open(labels, tiles)
    pairs = decode_tiles(tiles, run, reader)
    for remark in reader.agreement.check():
        warn(remark)
    return pairs


def decode_tiles(tiles: Sequence[Tile], run: Path, read: Callable[[Tile], Pair]) -> list[Pair]:
    """Decode all tiles, into memory, or into a mapped file beside the run where they would take too much of it.

    Args:
        tiles: the tiles.
        run: the run's folder.
        read: reads one, with its mask or target.

    Raises:
        InputError: a tile is damaged.
    """
    from members.training.stored_pairs import SHARE, map_pairs, measure_memory, measure_pairs

    need, memory = measure_pairs(tiles), measure_memory()
    if need <= SHARE * memory:
        return [read(tile) for tile in tiles]
    stderr.print(
        f"the tiles take {need / 2**30:.1f} GiB decoded, more than {SHARE:.0%} of {memory / 2**30:.1f} GiB of memory: "
        f"they are kept in a file on the disk of {run}"
    )
    return map_pairs(tiles, run, read)


def measure_areas(pairs: Iterable[Pair]) -> list[int]:
    """Return how many pixels are building in the mask or target of each pair."""
    from members.training.targets import take_mask

    return [int(take_mask(target).sum()) for _, target in pairs]


def choose_labels(specs: Sequence[MemberSpec], data: Path, labels: Path | None) -> Path | None:
    """Return the file of outlines that the contact members among specs learn from; None where there is no such member.

    Raises:
        InputError: they have none, or others are given one.
    """
    from members.data.tiles import LABELS, find_labels

    learning = [spec.name for spec in specs if spec.contact]
    if not learning:
        if labels is not None:
            raise InputError(f"--labels {labels}: no contact member learns from it; name one, such as lite0_contact")
        return None
    path = labels or find_labels(data)
    if path is None:
        raise InputError(
            f"{learning[0]}: learns where buildings touch, which masks do not tell; give their outlines, --labels FILE "
            f"or one of {', '.join(LABELS)} in {data}, or train members that learn from masks"
        )
    return path


@contextlib.contextmanager
def open_fold(folder: FoldFolder, record: RunRecord, restart: bool, sources: Sequence[Source] = ()) -> Iterator[None]:
    """Keep other processes from a fold while it is trained, and beside its weights what it is trained on.

    A restart keeps what was trained before until the new training has finished.

    Args:
        folder: of the fold.
        record: of the run.
        restart: whether it is trained anew.
        sources: what it is trained on beside the record's.

    Raises:
        InputError: another process trains it, or it was begun on other sources.
    """
    busy = f"{folder.path}: another process trains it; wait until it has finished, or train other folds: --fold"
    with hold(folder.lock_file, busy):
        remove_stale(folder.path)
        if restart and folder.path.is_dir():
            if not folder.former.path.is_dir():
                folder.path.rename(folder.former.path)
            shutil.rmtree(folder.path, ignore_errors=True)
        for source in sources:
            check_source(folder, source)
            write_json(source.file, dict(source.content))
        write_json(folder.record_file, record.model_dump())
        yield
        if folder.weights_file.is_file() and not folder.state_file.is_file():
            shutil.rmtree(folder.former.path, ignore_errors=True)


def check_source(folder: FoldFolder, source: Source) -> None:
    """Check that a fold is trained on what it was begun on.

    Raises:
        InputError: it was begun on something else.
    """
    if not source.file.is_file():
        return
    known = read_json(source.file, "train this member anew with --restart")
    if not isinstance(known, dict) or known.get("hash") != source.content["hash"]:
        raise InputError(f"{folder.path}: {source.refusal}, or train it anew with --restart")
