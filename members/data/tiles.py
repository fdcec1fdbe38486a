"""Folders of tiles and masks: finding them and pairing them. No pixel is read, nothing is written.

Two layouts are read: the Kaggle competition's (`training/images/img`, `training/masks/img`, `test/images/img`)
and any two folders `images` and `masks` with equal file stems. A tile's id is its file stem.
"""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from members.common.errors import InputError
from members.data.groups import group_images
from members.data.names import check_name

IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
MASK_SUFFIXES = (".tif", ".tiff", ".png")
MAKES = "roofstack prepare OUT --images WHERE --masks WHERE makes a data set"
"""Of what no layout is."""
LABELS = tuple(f"buildings{suffix}" for suffix in (".gpkg", ".geojson", ".parquet", ".fgb"))
"""Names of the files of outlines that are found by themselves, beside tiles.csv."""


@dataclass(frozen=True)
class Tile:
    """One image of a data set, its mask where there is one, and the group that no split may tear apart."""

    image_id: str
    image: Path
    mask: Path | None
    group: str


def list_files(folder: Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> dict[str, Path]:
    """Map file stem -> path for the rasters in a folder, sorted by stem; hidden and other files are skipped.

    Raises:
        InputError: no such folder, no raster in it, two rasters with one stem, or a stem that is no name.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in suffixes:
            continue
        check_name(path.stem, f"{folder}: file")
        if path.stem in files:
            raise InputError(
                f"{folder}: {files[path.stem].name} and {path.name} share one stem; a stem is an id, so remove one"
            )
        files[path.stem] = path
    if not files:
        raise InputError(f"{folder}: empty folder, no {'/'.join(suffixes)} file in it; {_find_cure(folder, suffixes)}")
    return dict(sorted(files.items()))


def _find_cure(folder: Path, suffixes: Sequence[str]) -> str:
    """Say what to do about a folder without rasters of some endings: they may lie below it, or have other endings."""
    for below in sorted(each for each in folder.iterdir() if each.is_dir()):
        if any(path.suffix.lower() in suffixes for path in below.iterdir()):
            return f"{below} has some, so give that"
    others = sorted({path.suffix.lower() for path in folder.iterdir()} & set(IMAGE_SUFFIXES))
    return f"of {'/'.join(others)} files {MAKES}" if others else "point at a folder of tiles"


def find_folder(root: Path, part: str, kind: str) -> Path:
    """Find the folder of a part's `images` or `masks`, in either layout.

    Raises:
        InputError: there is none.
    """
    folders = [root / part / kind / "img", root / part / kind]
    if part == "training":
        folders.append(root / kind)
    for folder in folders:
        if folder.is_dir():
            return folder
    looked = " nor ".join(str(folder.relative_to(root)) for folder in folders)
    cure = f"; of another one {MAKES}" if part == "training" else ""
    raise InputError(f"{root}: no folder of {part} {kind} ({looked}); see the README for the layouts{cure}")


def list_tiles(root: Path, part: str = "training", group_by: str | None = None) -> list[Tile]:
    """List the tiles of a part, sorted by id: "training" with masks and groups (`group_images`), "test" without.

    Raises:
        InputError: a folder is missing or empty, ids are not unique, or images and masks don't pair up.
    """
    images = list_files(find_folder(root, part, "images"))
    if part != "training":
        return [Tile(image_id, image, None, image_id) for image_id, image in images.items()]
    groups = group_images(root, images, group_by)
    folder = find_folder(root, part, "masks")
    masks = list_files(folder, MASK_SUFFIXES)
    if flaws := find_unpaired(images, masks, folder):
        raise InputError(flaws[0])
    return [Tile(image_id, image, masks[image_id], groups[image_id]) for image_id, image in images.items()]


def take_images(path: Path) -> list[Tile]:
    """List an image, or the images of a folder, as tiles without masks, sorted by id.

    Raises:
        InputError: no such file or folder, or as by `list_files`.
    """
    files = {path.stem: path} if path.is_file() else list_files(path)
    return [Tile(image_id, image, None, image_id) for image_id, image in files.items()]


def find_unpaired(images: Mapping[str, Path], masks: Mapping[str, Path], folder: Path) -> list[str]:
    """List the images without a mask in the folder of masks, and the masks without an image, a line each.

    Where no image has one, that is one line, as they are only called otherwise.
    """
    if images and masks and not images.keys() & masks.keys():
        return [
            f"{folder}: no mask is called as an image is; {_find_patterns(min(images.items()), min(masks.items()))}"
        ]
    lonely = [
        f"{image}: image without a mask; add {folder / image_id}.tif or remove the image"
        for image_id, image in images.items()
        if image_id not in masks
    ]
    return lonely + [
        f"{mask}: mask without an image; add the image or remove the mask"
        for image_id, mask in masks.items()
        if image_id not in images
    ]


def _find_patterns(image: tuple[str, Path], mask: tuple[str, Path]) -> str:
    """Return the command that pairs images and masks by what one of each is called: its stem, and its file.

    >>> _find_patterns(("a_1_img", Path("i/a_1_img.png")), ("a_1_mask", Path("m/a_1_mask.tif")))
    "roofstack prepare OUT --images 'i/*_img.png' --masks 'm/*_mask.tif' pairs them"
    """
    alike = itertools.takewhile(lambda letters: letters[0] == letters[1], zip(image[0], mask[0], strict=False))
    same = len("".join(letter for letter, _ in alike).rstrip("_-. "))
    patterns = (f"'{path.parent}/*{stem[same:] if same else ''}{path.suffix}'" for stem, path in (image, mask))
    return "roofstack prepare OUT --images {} --masks {} pairs them".format(*patterns)


def find_labels(root: Path) -> Path | None:
    """Find the file of outlines that a data set's masks were drawn from; None where it has none."""
    return next((root / name for name in LABELS if (root / name).is_file()), None)


def fingerprint_tiles(tiles: Sequence[Tile]) -> str:
    """Hash all tiles' ids, groups and bytes of image and mask, whatever their order and folder."""
    digest = hashlib.blake2b(digest_size=16)
    for tile in sorted(tiles, key=lambda tile: tile.image_id):
        digest.update(f"{tile.image_id}\0{tile.group}\0".encode())  # a tile that changes groups may leak
        for path in (tile.image, tile.mask):
            if path is not None:
                digest.update(hashlib.blake2b(path.read_bytes(), digest_size=16).digest())
    return digest.hexdigest()
