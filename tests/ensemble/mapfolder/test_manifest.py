"""Manifests: what a folder's maps are of, and which members fit together."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_raster

from ensemble.mapfolder.manifest import (
    Manifest,
    find_difference,
    read_manifest,
    read_manifests,
    trace_maps,
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
        ('{"member": "m"}', r"manifest.json: Field required; restore it, or move the folder"),
        ("[1]", r"manifest.json: Input should be .*; restore it, or move the folder"),
    ],
)
def test_manifests_that_are_none(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path)


def test_members_that_fit_together(tmp_path: Path) -> None:
    folders = [fill_folder(tmp_path / name, describe(name)) for name in ("x", "y")]
    manifests, images = read_manifests(folders)
    assert list(manifests) == ["x", "y"]
    assert images == IMAGES


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"split": {"fold_of_group": {"g": 0}}}, r"y: not the split of x's maps; predict both again in one run"),
        ({"images": {"a": (32, 40)}}, r"y: not the images of x's maps; predict both again in one run"),
        ({"images": IMAGES | {"b": (40, 32)}}, r"y: not the images of x's maps"),
        ({"hashes": {"a": "other"}}, r"y: not the images of x's maps"),
    ],
)
def test_members_that_do_not(tmp_path: Path, other: dict, message: str) -> None:
    folders = [
        fill_folder(tmp_path / "x", describe("x", hashes={"a": "one"})),
        fill_folder(tmp_path / "y", describe("y", **other)),
    ]
    with pytest.raises(InputError, match=message):
        read_manifests(folders)


def test_members_with_maps_missing(tmp_path: Path) -> None:
    fill_folder(tmp_path / "x", describe("x"))
    map_path(tmp_path / "x", "b").unlink()
    with pytest.raises(InputError, match=r"x: 1 of 2 maps are missing \(b, \.\.\.\); run the same roofstack predict"):
        read_manifests([tmp_path / "x"])
    with pytest.raises(InputError, match="no member has maps of this part; run roofstack predict"):
        read_manifests([])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({}, None),
        ({"spec": {"backbone": "lite0", "epochs": 9, "new_in_a_release": 1}}, None),  # nothing that the weights compute
        ({"engines": ["onnx"]}, None),
        ({"split": {"folds": 1, "seed": 7}}, None),
        ({"spec": {"backbone": "lite2"}}, "spec"),
        ({"weights": {"0": "bad"}}, "weights"),
        ({"tta": "none"}, "views"),
        ({"merge": "max"}, "merge"),
        ({"int8": True}, "8 bits"),
        ({"split": {"fold_of_group": {"g": 0}}}, "split"),
        ({"images": {"a": (32, 40)}}, "images"),
        ({"hashes": {"a": "other", "b": "two"}}, "images"),
    ],
    ids=str,
)
def test_what_was_chosen_on_other_maps_is_known(change: dict[str, Any], what: str | None) -> None:
    hashes = {"a": "one", "b": "two"}
    recorded = json.loads(json.dumps(trace_maps({"m": describe(hashes=hashes)})))
    other = describe(**{"hashes": hashes, **change})
    assert find_difference(recorded, "m", other, images=True) == what
    assert find_difference(recorded, "m", other, images=False) == (None if what == "images" else what)
    assert find_difference(None, "m", other, images=True) is None
    theirs = describe(spec={}, weights={"imported": "f1"})  # another program's maps of another part
    assert find_difference(trace_maps({"m": describe(spec={})}), "m", theirs, images=False) is None
