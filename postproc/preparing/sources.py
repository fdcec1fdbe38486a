"""Images and masks wherever they are: a file, a folder, or a pattern whose star is the image's id."""

import glob
import re
from collections.abc import Mapping
from pathlib import Path

from members.common.errors import InputError
from members.data.drivers import DRIVERS
from members.data.names import check_name
from members.data.tiles import list_files

SUFFIXES = tuple(DRIVERS)


def find_files(where: str, option: str) -> dict[str, Path]:
    """Map image id -> file, sorted by id.

    Args:
        where: a file; a folder, whose files' stems are the ids; or a pattern such as 'a/*_img.png', whose first star in
            the file's name is the id, without one the last in the folder's.
        option: the option that it was given with, for messages.

    Raises:
        InputError: nothing is there, a file is no raster, or two files have one id.
    """
    path = Path(where)
    if path.is_file():
        return {check_name(path.stem, f"{option} {where}: image"): path}
    if path.is_dir():
        return list_files(path, SUFFIXES)
    if "*" not in where:
        raise InputError(f"{option} {where}: no such file or folder; a pattern has a star for the id, as 'a/*_img.png'")
    files: dict[str, Path] = {}
    matching = compile_pattern(where)
    for name in sorted(glob.glob(where)):
        found = matching.fullmatch(name)
        if not found or not Path(name).is_file() or Path(name).suffix.lower() not in SUFFIXES:
            continue
        image_id = check_name(found["id"], f"{option} {where}: image")
        if image_id in files:
            raise InputError(f"{option} {where}: {files[image_id]} and {name} are both {image_id}; narrow the pattern")
        files[image_id] = Path(name)
    if not files:
        raise InputError(f"{option} {where}: no raster matches; a raster ends in {', '.join(SUFFIXES)}")
    return dict(sorted(files.items()))


def compile_pattern(where: str) -> re.Pattern[str]:
    """Make a regular expression of a pattern, whose group `id` is what the id's star matches.

    >>> compile_pattern("a/*_img.*").fullmatch("a/x_1_img.png")["id"]
    'x_1'
    >>> compile_pattern("*/image.png").fullmatch("x/image.png")["id"]
    'x'
    """
    folders, _, name = where.rpartition("/")
    id_at = folders.count("*") if "*" in name else folders.count("*") - 1
    parts = [re.escape(part) for part in where.split("*")]
    stars = ["(?P<id>[^/]+)" if number == id_at else "[^/]*" for number in range(len(parts) - 1)]
    return re.compile(parts[0] + "".join(star + part for star, part in zip(stars, parts[1:], strict=True)))


def pair_files(images: Mapping[str, Path], masks: Mapping[str, Path], option: str) -> None:
    """Check that each image has a mask.

    Raises:
        InputError: one has none.
    """
    missing = [image_id for image_id in images if image_id not in masks]
    if missing:
        raise InputError(
            f"{option}: no mask of {len(missing)} of {len(images)} images, such as {missing[0]} "
            f"({images[missing[0]]}); masks there are of {', '.join(list(masks)[:3])}, ..: give patterns whose stars "
            "match the same"
        )
