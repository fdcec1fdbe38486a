"""The manifest of a folder of maps: what they are of, what they were made with, and which are still to be made."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ensemble.mapfolder.raster import map_path
from members.common.errors import InputError
from members.common.files import read_json, write_json

MANIFEST = "manifest.json"


class Manifest(BaseModel):
    """What the maps of a folder are of, and what they were made with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    member: str
    spec: dict[str, Any]
    tta: str
    merge: str = "mean"
    weights: dict[str, str]
    """fold -> hash of its weights file"""
    split: dict[str, Any]
    images: dict[str, tuple[int, int]]
    """image id -> (height, width) in px"""
    int8: bool = False
    """whether the networks were of 8 bits"""
    engines: tuple[str, ...] = ()
    """what computed the networks, in the order in which it came in; maps of several differ by 1 of 255 at most"""

    def is_alike(self, other: "Manifest | None") -> bool:
        """Tell whether maps of both are the same to 1 of 255: all but the engines is equal."""
        return other is not None and self.model_copy(update={"engines": other.engines}) == other


def read_manifest(folder: Path) -> Manifest:
    """Read a map folder's manifest.

    Raises:
        InputError: there is none, or it is damaged.
    """
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder}: no maps here (no {MANIFEST}); run roofstack predict")
    try:
        return Manifest.model_validate(read_json(folder / MANIFEST))
    except ValidationError as error:
        raise InputError(
            f"{folder / MANIFEST}: {error.errors()[0]['msg']}; remove the folder and predict again"
        ) from None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a map folder's manifest, before the first map."""
    write_json(folder / MANIFEST, manifest.model_dump())


def list_missing(folder: Path, image_ids: Iterable[str]) -> list[str]:
    """List the images whose map is not there yet, in their order."""
    return [image_id for image_id in image_ids if not map_path(folder, image_id).is_file()]


def find_manifest(folder: Path) -> Manifest | None:
    """Read a folder's manifest; None where there is neither a manifest nor a map.

    Raises:
        InputError: there are maps without a manifest, or it is damaged.
    """
    if (folder / MANIFEST).is_file():
        return read_manifest(folder)
    if any(folder.glob("*.tif")):
        raise InputError(f"{folder}: maps without a {MANIFEST}, so of unknown origin; move them elsewhere")
    return None


def plan_maps(folder: Path, manifest: Manifest) -> list[str]:
    """List the images whose map is still to be made: all, where the maps there are of another manifest.

    Raises:
        InputError: there are maps without a manifest, or it is damaged.
    """
    found = find_manifest(folder)
    return list_missing(folder, manifest.images) if manifest.is_alike(found) else list(manifest.images)


def prepare_folder(folder: Path, manifest: Manifest) -> None:
    """Make a folder ready for the maps of a manifest: maps of another one are dropped.

    Of a manifest that differs in its engines alone the maps are kept, and the new engines are noted beside the old.

    Raises:
        InputError: there are maps without a manifest, or it is damaged.
    """
    found = find_manifest(folder)
    if found is not None and manifest.is_alike(found):
        engines = tuple(dict.fromkeys((*found.engines, *manifest.engines)))
        manifest = manifest.model_copy(update={"engines": engines})
    elif found is not None:
        shutil.rmtree(folder)
    if found != manifest:
        write_manifest(folder, manifest)


def read_manifests(folders: Iterable[Path]) -> tuple[dict[str, Manifest], dict[str, tuple[int, int]]]:
    """Read the manifests of several members' folders, by member, and the images that all of them cover, with sizes.

    Raises:
        InputError: a manifest is missing, maps are missing, or the members' images, sizes or splits differ.
    """
    manifests: dict[str, Manifest] = {}
    first: Manifest | None = None
    for folder in folders:
        manifest = manifests[folder.name] = read_manifest(folder)
        first = first or manifest
        if missing := list_missing(folder, manifest.images):
            raise InputError(
                f"{folder}: {len(missing)} of {len(manifest.images)} maps are missing ({missing[0]}, ...); "
                "run the same roofstack predict again, it goes on where it stopped"
            )
        if manifest.images != first.images or manifest.split != first.split:
            what = "images" if manifest.images != first.images else "split"
            raise InputError(f"{folder}: not the {what} of {first.member}'s maps; predict both again in one run")
    if first is None:
        raise InputError("no member has maps of this part; run roofstack predict")
    return manifests, first.images


def hash_file(path: Path) -> str:
    """Return the BLAKE2b hash of a file's bytes, 32 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
