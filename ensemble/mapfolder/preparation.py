"""A folder made ready for the maps of a manifest: what is true of those that it has stays, whatever is added."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ensemble.mapfolder.manifest import Manifest, find_manifest, list_missing, write_manifest
from ensemble.mapfolder.raster import find_blocks, map_path
from members.common.errors import InputError


@dataclass(frozen=True)
class Terms:
    """What may happen to the maps that a folder has.

    Attributes:
        adds: maps of further images stay beside those that are asked for, as in a part that grows scene by scene.
        replace: maps that are in the way are dropped.
    """

    adds: bool = False
    replace: bool = False


def plan_maps(folder: Path, manifest: Manifest) -> list[str]:
    """List the images whose map is still to be made: those that have none, or one of another image of that name.

    Where the maps there are of another set these are all images.

    Raises:
        InputError: there are maps without a manifest, or it is damaged.
    """
    found = find_manifest(folder)
    if found is None or manifest.list_differences(found):
        return list(manifest.images)
    missing = {*list_missing(folder, manifest.images), *list_changed(found, manifest)}
    return [image_id for image_id in manifest.images if image_id in missing]


def list_changed(found: Manifest, manifest: Manifest) -> list[str]:
    """List the images of a manifest that are not those of the same name that another one has maps of."""
    return [image_id for image_id in manifest.images if not found.holds(image_id, manifest)]


def find_obstacle(folder: Path, manifest: Manifest, terms: Terms) -> str | None:
    """Say which maps that are true of what they were made of would be lost, and the cure; None where none would.

    Raises:
        InputError: there are maps without a manifest, or it is damaged.
    """
    found = find_manifest(folder)
    if found is None or terms.replace:
        return None
    cure = "give --replace to drop them, or " + ("another --part" if terms.adds else "move the folder elsewhere")
    for fold, weights in manifest.weights.items():
        if found.weights.get(fold) != weights:
            return (
                f"{folder}: its maps were made with other weights than fold {fold} of {manifest.member} has now (hash "
                f"{weights}); restore those weights, {cure}"
            )
    if what := manifest.list_differences(found):
        told = ", ".join(f"{each} {tell(found, each)}, not {tell(manifest, each)}" for each in what)
        return f"{folder}: its {len(found.images)} maps are of other {told}; ask for the same to go on, {cure}"
    surplus = [] if terms.adds else [each for each in found.images if each not in manifest.images]
    there = [each for each in surplus if map_path(folder, each).is_file()]
    if there:
        return (
            f"{folder}: has maps of {len(there)} images that are not among the {len(manifest.images)} of this part "
            f"({there[0]}, ...); put these images back, {cure}"
        )
    return None


def tell(manifest: Manifest, what: str) -> str:
    """Return in a word what a manifest says of one of the things that it is identified by."""
    value = manifest.identify().get(what, 0)
    return str(value) if isinstance(value, str | bool | int) else "here"


def prepare_folder(folder: Path, manifest: Manifest, terms: Terms = Terms(), beside: Sequence[Path] = ()) -> None:
    """Make a folder ready for the maps of a manifest, and write that.

    Maps of other images than those of that name now are dropped, and so is what `terms` let go. Of a manifest that
    differs in its engines alone all is kept, and the new engines are noted beside the old.

    Args:
        folder: of the maps.
        manifest: of what is asked for.
        terms: what may happen to the maps there.
        beside: folders of files of the same names that go with the maps.

    Raises:
        InputError: true maps would be lost, there are maps without a manifest, or it is damaged.
    """
    found = find_manifest(folder)
    if obstacle := find_obstacle(folder, manifest, terms):
        raise InputError(obstacle)
    wanted = manifest
    if found is not None:
        dropped = [*list_changed(found, manifest)]
        if manifest.list_differences(found):
            dropped += found.images
        else:
            engines = tuple(dict.fromkeys((*found.engines, *manifest.engines)))
            kept = found if terms.adds else manifest
            told = {
                name: dict(sorted({**getattr(kept, name), **getattr(manifest, name)}.items()))
                for name in ("images", "hashes", "files", "around")
            }
            wanted = manifest.model_copy(update={"engines": engines, **told})
            dropped += [each for each in found.images if each not in wanted.images]
        for image_id in dropped:  # the map last, as it says that all is there
            for each in (*beside, folder):
                map_path(each, image_id).unlink(missing_ok=True)
    blocks = {find_blocks(folder, image_id, wanted.hashes.get(image_id, "")) for image_id in wanted.images}
    for path in folder.glob(".*/"):
        if path not in blocks:  # of images that have changed
            shutil.rmtree(path, ignore_errors=True)
    if found != wanted:
        write_manifest(folder, wanted)
