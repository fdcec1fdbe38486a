"""Manifests: what a folder's maps are of, which are still to be made, and which members fit together."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_raster

from ensemble.mapfolder.manifest import (
    Manifest,
    find_manifest,
    list_missing,
    plan_maps,
    prepare_folder,
    read_manifest,
    read_manifests,
    write_manifest,
)
from ensemble.mapfolder.raster import map_path
from members.common.errors import InputError

VALUES = np.arange(32 * 40, dtype=np.uint8).reshape(32, 40)
IMAGES = {"a": (32, 40), "b": (32, 40)}


def describe(member: str = "m", **changes: object) -> Manifest:
    fields = {"spec": {"backbone": "lite0"}, "tta": "d4", "weights": {"0": "f00"}, "split": {"folds": 1}}
    return Manifest.model_validate({"member": member, **fields, "images": IMAGES, **changes})


def fill_folder(folder: Path, manifest: Manifest) -> Path:
    write_manifest(folder, manifest)
    for image_id in manifest.images:
        write_raster(map_path(folder, image_id), VALUES)
    return folder


def test_the_manifest_reads_as_written(tmp_path: Path) -> None:
    write_manifest(tmp_path, describe())
    assert read_manifest(tmp_path) == describe()
    assert read_manifest(tmp_path).images == IMAGES


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"no maps here \(no manifest.json\); run roofstack predict"),
        ('{"member"', r"manifest.json: not a readable JSON file"),
        ('{"member": "m"}', r"manifest.json: Field required; remove the folder and predict again"),
        ("[1]", r"manifest.json: Input should be .*; remove the folder and predict again"),
    ],
)
def test_manifests_that_are_none(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path)


def test_what_is_still_to_be_made(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    assert plan_maps(folder, describe()) == ["a", "b"]
    fill_folder(folder, describe())
    assert plan_maps(folder, describe()) == []
    map_path(folder, "a").unlink()
    assert plan_maps(folder, describe()) == list_missing(folder, IMAGES) == ["a"]
    assert plan_maps(folder, describe(weights={"0": "bad"})) == ["a", "b"]
    assert map_path(folder, "b").is_file()  # planning changes nothing


def test_maps_of_unknown_origin_are_refused(tmp_path: Path) -> None:
    fill_folder(tmp_path / "m", describe())
    (tmp_path / "m/manifest.json").unlink()
    for use in (plan_maps, prepare_folder):
        with pytest.raises(InputError, match=r"m: maps without a manifest.json, so of unknown origin; move them"):
            use(tmp_path / "m", describe())
    assert map_path(tmp_path / "m", "a").is_file()


@pytest.mark.parametrize("change", [{"tta": "none"}, {"weights": {"0": "bad"}}, {"images": {"a": (32, 40)}}], ids=str)
def test_a_folder_is_prepared_by_dropping_maps_of_another_manifest(tmp_path: Path, change: dict[str, Any]) -> None:
    folder = tmp_path / "m"
    assert find_manifest(folder) is None
    prepare_folder(folder, describe())
    fill_folder(folder, describe())
    prepare_folder(folder, describe())
    assert find_manifest(folder) == describe()
    assert plan_maps(folder, describe()) == []
    prepare_folder(folder, describe(**change))
    assert find_manifest(folder) == describe(**change)
    assert list(folder.glob("*.tif")) == []


def test_members_that_fit_together(tmp_path: Path) -> None:
    folders = [fill_folder(tmp_path / name, describe(name)) for name in ("x", "y")]
    manifests, images = read_manifests(folders)
    assert list(manifests) == ["x", "y"]
    assert images == IMAGES


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"split": {"folds": 2}}, r"y: not the split of x's maps; predict both again in one run"),
        ({"images": {"a": (32, 40)}}, r"y: not the images of x's maps; predict both again in one run"),
        ({"images": IMAGES | {"b": (40, 32)}}, r"y: not the images of x's maps"),
    ],
)
def test_members_that_do_not(tmp_path: Path, other: dict, message: str) -> None:
    folders = [fill_folder(tmp_path / "x", describe("x")), fill_folder(tmp_path / "y", describe("y", **other))]
    with pytest.raises(InputError, match=message):
        read_manifests(folders)


def test_members_with_maps_missing(tmp_path: Path) -> None:
    fill_folder(tmp_path / "x", describe("x"))
    map_path(tmp_path / "x", "b").unlink()
    with pytest.raises(InputError, match=r"x: 1 of 2 maps are missing \(b, \.\.\.\); run the same roofstack predict"):
        read_manifests([tmp_path / "x"])
    with pytest.raises(InputError, match="no member has maps of this part; run roofstack predict"):
        read_manifests([])


def test_maps_of_several_engines_are_one_set(tmp_path: Path) -> None:
    ours, theirs = describe(engines=["keras"]), describe(engines=["openvino"])
    assert ours.is_alike(theirs)
    assert not ours.is_alike(None)
    assert not ours.is_alike(describe(engines=["keras"], int8=True))
    folder = fill_folder(tmp_path / "m", ours)
    assert plan_maps(folder, theirs) == []
    prepare_folder(folder, theirs)
    assert read_manifest(folder).engines == ("keras", "openvino")
    assert list_missing(folder, IMAGES) == []
    prepare_folder(folder, ours)
    assert read_manifest(folder).engines == ("keras", "openvino")
    prepare_folder(folder, describe(int8=True))
    assert list_missing(folder, IMAGES) == ["a", "b"]
