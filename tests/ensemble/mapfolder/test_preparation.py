"""What is true of the maps of a folder stays: images are added, changed ones are made anew, others are not dropped."""

from pathlib import Path
from typing import Any

import pytest
from test_manifest import IMAGES, describe, fill_folder

from ensemble.mapfolder.manifest import Manifest, find_manifest, list_missing, read_manifest
from ensemble.mapfolder.preparation import Terms, plan_maps, prepare_folder
from ensemble.mapfolder.raster import find_blocks, map_path
from members.common.errors import InputError

HASHES = {"a": "one", "b": "two"}
GROWS, REPLACE = Terms(adds=True), Terms(replace=True)


def fill(folder: Path, **changes: Any) -> Manifest:
    prepare_folder(folder, manifest := describe(**{"hashes": HASHES, **changes}))
    fill_folder(folder, manifest)
    return manifest


def test_what_is_still_to_be_made(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    assert plan_maps(folder, describe()) == ["a", "b"]
    manifest = fill(folder)
    assert plan_maps(folder, manifest) == []
    map_path(folder, "a").unlink()
    assert plan_maps(folder, manifest) == list_missing(folder, IMAGES) == ["a"]
    assert plan_maps(folder, describe(weights={"0": "bad"})) == ["a", "b"]
    assert map_path(folder, "b").is_file()  # planning changes nothing


def test_maps_of_unknown_origin_are_refused(tmp_path: Path) -> None:
    fill_folder(tmp_path / "m", describe())
    (tmp_path / "m/manifest.json").unlink()
    for use in (plan_maps, prepare_folder):
        with pytest.raises(InputError, match=r"m: maps without a manifest.json, so of unknown origin; restore it, or"):
            use(tmp_path / "m", describe())
    assert map_path(tmp_path / "m", "a").is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tta": "none"}, r"its 2 maps are of other views d4, not none; ask for the same to go on, give --replace to"),
        ({"merge": "max"}, r"its 2 maps are of other merge mean, not max"),
        ({"int8": True}, r"its 2 maps are of other 8 bits False, not True"),
        ({"weights": {"0": "bad"}}, r"its maps were made with other weights than fold 0 of m has now \(hash bad\)"),
        ({"images": {"a": (32, 40)}, "hashes": {}}, r"has maps of 1 images that are not among the 1 of this part \(b,"),
    ],
    ids=str,
)
def test_true_maps_are_dropped_when_asked_alone(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    folder, beside = tmp_path / "m", tmp_path / "std"
    fill(folder)
    fill(beside)
    other = describe(**{"hashes": HASHES, **change})
    with pytest.raises(InputError, match=message):
        prepare_folder(folder, other, beside=[beside])
    assert list_missing(folder, IMAGES) == list_missing(beside, IMAGES) == []
    prepare_folder(folder, other, REPLACE, [beside])
    assert read_manifest(folder) == other
    gone = ["b"] if "images" in change else ["a", "b"]
    assert list_missing(folder, IMAGES) == list_missing(beside, IMAGES) == gone


def test_an_image_that_is_added_leaves_the_maps_of_others(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    fill(folder)
    grown = describe(images=IMAGES | {"c": (9, 9)}, hashes=HASHES | {"c": "three"})
    assert plan_maps(folder, grown) == ["c"]
    prepare_folder(folder, grown)
    assert plan_maps(folder, grown) == ["c"]
    second = describe(images={"d": (5, 5)}, hashes={"d": "four"})  # a second scene, in a part of one's own
    prepare_folder(folder, second, GROWS)
    assert list(read_manifest(folder).images) == ["a", "b", "c", "d"]
    assert list_missing(folder, "abcd") == ["c", "d"]
    assert read_manifest(folder).covers(second)


def test_a_release_that_adds_to_specs_and_splits_leaves_all(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    fill(folder)
    later = describe(spec={"backbone": "lite0", "new": 1}, split={"folds": 1, "inner_valid": True}, hashes=HASHES)
    assert plan_maps(folder, later) == []
    prepare_folder(folder, later)
    assert list_missing(folder, IMAGES) == []


def test_another_image_of_a_name_and_size_gets_a_new_map(tmp_path: Path) -> None:
    folder, beside = tmp_path / "m", tmp_path / "std"
    fill(folder)
    fill(beside)
    old, kept = find_blocks(folder, "a", "one"), find_blocks(folder, "b", "two")
    for path in (old, kept):
        path.mkdir()
    changed = describe(hashes=HASHES | {"a": "other"})
    assert plan_maps(folder, changed) == ["a"]
    prepare_folder(folder, changed, beside=[beside])
    assert list_missing(folder, IMAGES) == list_missing(beside, IMAGES) == ["a"]
    assert read_manifest(folder) == changed
    assert (old.exists(), kept.exists()) == (False, True)  # a large image goes on with blocks of its own alone


def test_maps_of_several_engines_are_one_set(tmp_path: Path) -> None:
    ours, theirs = describe(engines=["keras"]), describe(engines=["openvino"])
    folder = fill_folder(tmp_path / "m", ours)
    assert plan_maps(folder, theirs) == []
    prepare_folder(folder, theirs)
    assert read_manifest(folder).engines == ("keras", "openvino")
    assert list_missing(folder, IMAGES) == []
    prepare_folder(folder, ours)
    assert read_manifest(folder).engines == ("keras", "openvino")
    assert find_manifest(tmp_path / "none") is None
