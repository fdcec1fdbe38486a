"""Where truth, images and groups are: the folders of masks and images in a data set, and its table."""

from collections.abc import Collection
from pathlib import Path

from members.common.errors import InputError
from members.data.groups import find_group_table
from members.data.tiles import MASK_SUFFIXES, list_files

DEPTH = 3  # folders below a data set: training/masks/img


def find_truth(folder: Path) -> dict[str, Path]:
    """Map image id -> mask file, for a folder of masks or a data set that holds one.

    Test masks come before training masks where a data set has both.

    Raises:
        InputError: no such folder, or no masks in it.
    """
    return list_files(_list_folders(folder, "masks")[0], MASK_SUFFIXES)


def find_images(path: Path, wanted: Collection[str] | None = None) -> dict[str, Path]:
    """Map image id -> image file, for one image, a folder of images, or a data set's part.

    Args:
        path: the image, the folder, or the data set.
        wanted: ids that say which part of a data set is meant: the first that has all of them.

    Raises:
        InputError: no such file or folder, no images, or a data set with several parts that `wanted` does not tell
            apart.
    """
    if path.is_file():
        return {path.stem: path}
    folders = _list_folders(path, "images")
    if wanted is None and len(folders) > 1:
        raise InputError(f"{path}: images in {' and '.join(map(str, folders))}; give one of these folders")
    parts = [list_files(folder) for folder in folders]
    return next((part for part in parts if part.keys() >= set(wanted or ())), parts[0])


def _list_folders(root: Path, kind: str) -> list[Path]:
    """List the folders of `images` or `masks` of a data set's parts; where it is none the root, or img in it."""
    layouts = [[root / part / layout for layout in (f"{kind}/img", kind)] for part in ("", "test", "training")]
    found = [[folder for folder in part if folder.is_dir()] for part in layouts]
    inner = root / "img"
    return [folders[0] for folders in found if folders] or [inner if inner.is_dir() else root]


def find_table(*paths: Path | None) -> Path | None:
    """Find the folder of tiles.csv or groups.csv: the first of the paths, or of the folders around them, that has one.

    Args:
        paths: data sets or their folders of images and masks; None is passed over.
    """
    for path in paths:
        if path is not None:
            for folder in (path, *path.resolve().parents[:DEPTH]):
                if find_group_table(folder):
                    return folder
    return None
