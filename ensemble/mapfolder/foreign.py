"""Maps of other programs: read, checked, and taken into a run as those of one more member."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble.mapfolder.coding import PROBABILITIES, Coding
from ensemble.mapfolder.manifest import Manifest, read_manifest
from ensemble.mapfolder.preparation import Terms, prepare_folder
from ensemble.mapfolder.raster import map_path, write_map
from members.common.choices import BANDS
from members.common.errors import InputError
from members.common.progress import Progress, silent
from members.data.drivers import hash_image
from members.data.raster import open_raster, read_bands, read_mask, read_size
from members.data.run import Run
from members.data.split import Split, draw_split
from members.data.tiles import Tile, list_files, list_tiles, take_images

IMPORTED = "imported"
SUFFIXES = (".npy", ".png", ".tif", ".tiff")
FOLDS = 5
"""Folds of a run that begins with maps of another program, as far as there are groups."""


@dataclass(frozen=True)
class Image:
    """An image that a map is of.

    Attributes:
        place: a file that lies where it does on the earth.
        size: height and width, px.
        digest: hash of its file, or "" where that is not known.
        file: the file's name, or "".
    """

    place: Path
    size: tuple[int, int]
    digest: str
    file: str


@dataclass(frozen=True)
class Target:
    """The run that takes maps in.

    Attributes:
        run: the run; its folder need not exist yet.
        data: its data set.
        split: which groups validate.
        tiles: all tiles of the data set, where the run is yet to be recorded.
        images: an image, or a folder of them, that a part with a name of its own is of.
    """

    run: Run
    data: Path
    split: Split
    tiles: tuple[Tile, ...] | None = None
    images: Path | None = None

    def list_images(self, part: str, member: str) -> dict[str, Image]:
        """List the images of a part.

        Raises:
            InputError: the part is unknown, or the run's data are not where they were.
        """
        if self.images is not None and part in ("valid", "test"):
            raise InputError(f"--part {part} with --images: it is of the run's data; give a --part name of your own")
        others = [name for name in self.run.list_mapped_members(part) if name != member]
        if others and self.images is None:
            folder = self.run.map_folder(part, others[0])
            manifest = read_manifest(folder)
            return {
                each: Image(map_path(folder, each), size, manifest.hashes.get(each, ""), manifest.files.get(each, ""))
                for each, size in manifest.images.items()
            }
        if self.images is None and not self.data.is_dir():
            raise InputError(f"{self.data}: the run's data are no longer there; say where they are: --data DIR")
        if self.images is not None:
            tiles = take_images(self.images)
        elif part == "test":
            tiles = list_tiles(self.data, "test")
        elif part == "valid":
            tiles = [tile for tile in self.list_tiles() if tile.group in self.split.valid_groups]
        else:
            raise InputError(
                f"--part {part}: no member has maps of it; give valid, test, a part that has some, or its --images"
            )
        return {
            tile.image_id: Image(tile.image, read_size(tile.image), hash_image(tile.image), tile.image.name)
            for tile in tiles
        }

    def list_tiles(self) -> list[Tile]:
        """List all tiles of the data set.

        Raises:
            InputError: the run is of other data.
        """
        if self.tiles is not None:
            return list(self.tiles)
        tiles = list_tiles(self.data, group_by=self.split.group_by)
        self.run.check_tiles(tiles)
        return tiles

    def record(self) -> None:
        """Write run.json, where there is none yet."""
        if self.tiles is not None:
            self.run.write_record(self.data, list(self.tiles), self.split)


def find_target(run: Run, data: Path | None, group_by: str | None, images: Path | None = None) -> Target:
    """Return the run as a target: one that is there as it is, one that is not with a split of all tiles.

    Raises:
        InputError: there is no run and no data set, the data set has flaws, or the run's groups are others.
    """
    if run.record_file.is_file():
        record = run.read_record()
        if group_by not in (None, record.split.group_by):
            raise InputError(
                f"{run.path}: this run has group_by {record.split.group_by}, not {group_by}; its members share one "
                "split, so leave the option out or begin another --run"
            )
        return Target(run, data or Path(record.data), record.split, images=images)
    if data is None:
        raise InputError(f"{run.path}: no run here (no run.json); give the data set, --data, and one is made")
    tiles = list_tiles(data, group_by=group_by)
    return Target(run, data, split_all(tiles, group_by), tuple(tiles), images)


def split_all(tiles: list[Tile], group_by: str | None) -> Split:
    """Deal all groups to folds, so that every tile validates; a member trained later in the run goes by these folds.

    Raises:
        InputError: a mask is damaged, or not of its image's size.
    """
    groups, areas = [tile.group for tile in tiles], [measure_buildings(tile) for tile in tiles]
    plan = Split(folds=min(FOLDS, len(set(groups))), group_by=group_by)
    if plan.folds == 1:
        return plan.model_copy(update={"fold_of_group": {groups[0]: 0}})
    return draw_split(groups, areas, plan)


def measure_buildings(tile: Tile) -> int:
    """Return how many pixels of a tile's mask are building.

    Raises:
        InputError: it has none, or one that is damaged or not of the image's size.
    """
    if tile.mask is None:
        raise InputError(f"{tile.image}: image without a mask; only tiles with masks can be scored")
    mask, (height, width) = read_mask(tile.mask), read_size(tile.image)
    if mask.shape != (height, width):
        raise InputError(
            f"{tile.mask}: mask of {mask.shape[1]}x{mask.shape[0]} px for an image of {width}x{height} px; they must "
            "be equal"
        )
    return int(np.count_nonzero(mask))


def list_maps(source: Path, suffix: str) -> dict[str, Path]:
    """Map image id -> file for the maps in a folder: those whose names end with the suffix, which is no part of the id.

    Raises:
        InputError: as for `list_files`, or no name ends so.
    """
    files = list_files(source, SUFFIXES)
    named = {stem.removesuffix(suffix): path for stem, path in files.items() if stem.endswith(suffix)}
    if not named:
        raise InputError(f"{source}: no map whose name ends with {suffix}, such as {next(iter(files))}{suffix}.tif")
    return named


def import_maps(
    target: Target,
    part: str,
    member: str,
    source: Path,
    progress: Progress = silent,
    coding: Coding = PROBABILITIES,
    suffix: str = "",
) -> int:
    """Take another program's maps into a run as those of a member; return how many.

    Args:
        target: the run; it is recorded, if it is yet to begin.
        part: what they are of.
        member: the name to give to what made them.
        source: the folder of files, one an image.
        progress: shows how far the writing is.
        coding: what their values stand for.
        suffix: what the names of the files have behind the image's.

    Raises:
        InputError: the member has other maps, or a map is missing, is of no image of the part, or is no map.
    """
    folder = target.run.map_folder(part, member)
    if folder.is_dir() and IMPORTED not in read_manifest(folder).weights:
        raise InputError(f"{folder}: maps that were not imported; give another --member, or move them elsewhere")
    images = target.list_images(part, member)
    files = list_maps(source, suffix)
    if missing := [image_id for image_id in images if image_id not in files]:
        name = next(iter(files))
        own = next((image_id for image_id in images if name.startswith(image_id)), name)
        cure = f"; in a name such as {name} the suffix is {name.removeprefix(own)}" if own not in files else ""
        raise InputError(
            f"{source}: no map of {', '.join(missing[:3])} ({len(missing)} missing); each image needs one{cure}"
        )
    if foreign := [image_id for image_id in files if image_id not in images]:
        raise InputError(f"{source}: {foreign[0]} is no image of {part} ({len(foreign)} foreign); move them elsewhere")
    digest = hashlib.blake2b(digest_size=16)
    kinds = set()
    for image_id, image in images.items():  # everything is checked before anything is written
        values = read_foreign(files[image_id], image.size, coding)
        digest.update(values.tobytes())
        kinds.add(values.ndim)
        if len(kinds) > 1:
            raise InputError(
                f"{files[image_id]}: {(values.ndim == 3 and 3) or 1} band(s), unlike those before; "
                "all maps of a member have one, or all have three"
            )
    target.record()
    manifest = Manifest(
        member=member,
        spec={},
        tta=IMPORTED,
        weights={IMPORTED: digest.hexdigest()},
        split=target.split,
        images={image_id: image.size for image_id, image in images.items()},
        hashes={image_id: image.digest for image_id, image in images.items() if image.digest},
        files={image_id: image.file for image_id, image in images.items() if image.file},
    )
    # earlier imports go, so that a stop half-way leaves no mixture
    prepare_folder(folder, manifest, Terms(replace=True))
    for image_id, image in progress(images.items(), "import", len(images)):
        write_map(map_path(folder, image_id), read_foreign(files[image_id], image.size, coding), image.place)
    return len(images)


def read_foreign(path: Path, size: tuple[int, int], coding: Coding = PROBABILITIES) -> np.ndarray:
    """Read another program's map as uint8 (h, w), or (3, h, w) where it has bands as a contact member's.

    Args:
        path: .npy, or a raster of one band or three.
        size: (h, w) of the image.
        coding: what its values stand for.

    Raises:
        InputError: it is unreadable, of another size, or its values stand for no probabilities.
    """
    if path.suffix == ".npy":
        try:
            # mapped, not read: a header may say any size, and only then is compared with the file's
            values = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError, OverflowError) as error:
            raise InputError(f"{path}: not a readable array ({error}); export it again") from None
    else:
        with open_raster(path) as raster:
            values = read_bands(raster)
    shape = values.shape
    values = values.reshape([side for side in shape if side != 1]) if values.ndim > 2 else values
    if values.shape not in (tuple(size), (len(BANDS), *size)):
        raise InputError(
            f"{path}: shape {shape}; the image is {size[0]} high and {size[1]} wide, and a map has one band, or the "
            f"{len(BANDS)} of a contact member first: {', '.join(BANDS)}"
        )
    try:
        return coding.decode(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
