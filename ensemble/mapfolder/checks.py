"""What is wrong with folders of maps: missing, damaged, foreign, or not what the manifest says."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ensemble.mapfolder.manifest import MANIFEST, Manifest, list_missing, tell_apart
from ensemble.mapfolder.raster import map_path, read_map
from members.common.errors import InputError
from members.common.files import hash_file
from members.data.run import Run


def find_problems(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong with one member's maps, a line each."""
    missing = list_missing(folder, manifest.images)
    if missing:
        yield f"{folder}: missing: {', '.join(missing)}; run the same roofstack predict again"
    expected = {map_path(folder, image_id) for image_id in manifest.images} | {folder / MANIFEST}
    visible = [path for path in folder.iterdir() if not path.name.startswith(".")]  # others are at work, or were killed
    if foreign := sorted(path.name for path in visible if path not in expected):
        yield f"{folder}: foreign: {', '.join(foreign)}; not in {MANIFEST}, so move them elsewhere"
    for image_id, size in manifest.images.items():
        if image_id not in missing:
            try:
                read_map(map_path(folder, image_id), size)
            except InputError as error:
                yield str(error)
    run = Run.of_maps(folder)
    for fold, expected_hash in manifest.weights.items():
        weights = run.fold(folder.resolve().name, fold).weights_file if run else None
        if weights and weights.is_file() and hash_file(weights) != expected_hash:
            yield f"{folder}: made with other weights than {weights}; run roofstack predict again"


def compare_manifests(folder: Path, manifests: Mapping[str, Manifest]) -> Iterator[str]:
    """Yield which members' maps, in folders inside `folder`, can't be blended with the first one's."""
    members = list(manifests.items())
    for name, manifest in members[1:]:
        first, other = members[0]
        if what := tell_apart(other, manifest):
            yield f"{folder / name}: not the {what} of {first}'s maps; predict or import both again in one run"
