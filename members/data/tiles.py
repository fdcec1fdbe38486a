"""Folders of tiles and masks: finding them and pairing them. No pixel is read, nothing is written.

Two layouts are read: the Kaggle competition's (`training/images/img`, `training/masks/img`, `test/images/img`)
and any two folders `images` and `masks` with equal file stems. A tile's id is its file stem.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from members.common.errors import InputError
from members.data.groups import group_images
from members.data.names import check_name

IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
MASK_SUFFIXES = (".tif", ".tiff", ".png")
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
        raise InputError(f"{folder}: empty folder, no {'/'.join(suffixes)} file in it; point at a folder of tiles")
    return dict(sorted(files.items()))


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
    raise InputError(f"{root}: no folder of {part} {kind} ({looked}); see the README for the layouts")


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


def find_unpaired(images: Mapping[str, Path], masks: Mapping[str, Path], folder: Path) -> list[str]:
    """List the images without a mask in the folder of masks, and the masks without an image, a line each."""
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
