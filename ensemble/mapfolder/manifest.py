"""The manifest of a folder of maps: what they are of, what they were made with, and which are still to be made."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ensemble.mapfolder.raster import map_path
from members.common.errors import InputError
from members.common.files import read_json, write_json
from members.data.split import Split

MANIFEST = "manifest.json"
CURE = "restore it, or move the folder elsewhere and predict, or import, its maps again"
BUILT_BY = ("backbone", "decoder", "precision")
"""What of a member's spec changes what its weights compute; all else is of training alone."""


class Manifest(BaseModel):
    """What the maps of a folder are of, and what they were made with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    member: str
    spec: dict[str, Any]
    tta: str
    """the views that were merged, those that the member does not support left out"""
    merge: str = "mean"
    weights: dict[str, str]
    """fold -> hash of its weights file"""
    split: Split
    images: dict[str, tuple[int, int]]
    """image id -> (height, width) in px"""
    hashes: dict[str, str] = {}
    """image id -> hash of the image's file; an image that has none may be any"""
    files: dict[str, str] = {}
    """image id -> name of the image's file; one that has none is called as its map is"""
    int8: bool = False
    """whether the networks were of 8 bits"""
    context: int = 0
    """how far beyond its border an image was shown with what touches it, px"""
    around: dict[str, str] = {}
    """image id -> hash of what touches it and was shown with it"""
    engines: tuple[str, ...] = ()
    """what computed the networks, in the order in which it came in; maps of several differ by 1 of 255 at most"""

    def identify(self) -> dict[str, Any]:
        """Return all that changes pixels of the maps, but the images: maps of which it is equal are one set."""
        return {
            "weights": self.weights,
            "views": self.tta,
            "merge": self.merge,
            "8 bits": self.int8,
            "split": [self.split.folds, self.split.fold_of_group],
            "spec": {name: self.spec.get(name) for name in BUILT_BY},
            **({"context": self.context} if self.context else {}),
        }

    def list_differences(self, other: "Manifest") -> list[str]:
        """List in words what else than images and engines differs; maps of both are of one set where nothing does."""
        own, theirs = self.identify(), other.identify()
        return [name for name in {**own, **theirs} if theirs.get(name) != own.get(name)]

    def holds(self, image_id: str, other: "Manifest") -> bool:
        """Tell whether its map of an image is one of the image that another names so: size, content, surroundings.

        An image that is asked for alone keeps a map that was made with others around it.
        """
        known, wanted = self.hashes.get(image_id), other.hashes.get(image_id)
        return (
            self.images.get(image_id) == other.images[image_id]
            and (None in (known, wanted) or known == wanted)
            and other.around.get(image_id) in (None, self.around.get(image_id))
        )

    def covers(self, other: "Manifest") -> bool:
        """Tell whether its maps are those that another asks for: of one set, all its images among them."""
        return not self.list_differences(other) and all(self.holds(image_id, other) for image_id in other.images)


def read_manifest(folder: Path) -> Manifest:
    """Read a map folder's manifest.

    Raises:
        InputError: there is none, or it is damaged, or there are maps without one.
    """
    if not (folder / MANIFEST).is_file():
        if any(folder.glob("*.tif")):
            raise InputError(f"{folder}: maps without a {MANIFEST}, so of unknown origin; {CURE}")
        raise InputError(f"{folder}: no maps here (no {MANIFEST}); run roofstack predict")
    try:
        return Manifest.model_validate(read_json(folder / MANIFEST, CURE))
    except ValidationError as error:
        raise InputError(f"{folder / MANIFEST}: {error.errors()[0]['msg']}; {CURE}") from None


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
    there = (folder / MANIFEST).is_file() or any(folder.glob("*.tif"))
    return read_manifest(folder) if there else None


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
        if what := tell_apart(first, manifest):
            raise InputError(f"{folder}: not the {what} of {first.member}'s maps; predict both again in one run")
    if first is None:
        raise InputError("no member has maps of this part; run roofstack predict")
    return manifests, first.images


def tell_apart(one: Manifest, other: Manifest) -> str | None:
    """Say what keeps two members' maps from being blended; None where nothing does."""
    shared = one.hashes.keys() & other.hashes.keys()
    if one.images != other.images or any(one.hashes[each] != other.hashes[each] for each in shared):
        return "images"
    return None if one.split.fold_of_group == other.split.fold_of_group else "split"


def trace_maps(manifests: Mapping[str, Manifest]) -> dict[str, dict[str, Any]]:
    """Return what maps are of, by member, for the record of what is chosen on them: JSON."""
    return {
        member: {
            **(made := manifest.identify()),
            "images": hash_json([made, manifest.images, manifest.hashes, *filter(None, [manifest.around])]),
        }
        for member, manifest in sorted(manifests.items())
    }


def find_difference(recorded: Any, member: str, manifest: Manifest, images: bool) -> str | None:
    """Say in a word what differs between a member's maps and those that a record of `trace_maps` is of.

    Args:
        recorded: the record; what is none, or does not have the member, differs in nothing.
        member: whose maps.
        manifest: of the maps as they are.
        images: whether they are to be of the same images; if not, maps of another program may differ in all.
    """
    known = recorded.get(member) if isinstance(recorded, dict) else None
    if not isinstance(known, dict):
        return None
    found = trace_maps({member: manifest})[member]
    ignored = set() if images else {"images"} if manifest.spec else {"images", "weights"}
    return next((name for name, value in found.items() if name not in ignored and known.get(name) != value), None)


def hash_json(content: Any, size: int = 16) -> str:
    """Return the BLAKE2b hash of what JSON can hold, two hexadecimal digits a byte of `size`."""
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=size).hexdigest()
