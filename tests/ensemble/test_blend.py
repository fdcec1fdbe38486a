"""Blending: the weighted mean of maps, rounded half to even."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conftest import Outcome, hash_folder, write_raster, write_tiles
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ensemble.mapfolder.maps import Manifest, write_manifest
from ensemble.selection.blend import blend_maps, read_blend, read_weights
from members.common.errors import InputError
from members.common.files import write_json
from members.data.raster import read_mask
from members.data.run import Run
from members.data.split import Split
from members.data.tiles import list_tiles

blends = st.integers(1, 4).flatmap(
    lambda count: st.tuples(
        arrays(np.uint8, (count, 2, 3)),
        st.lists(st.integers(0, 1000), min_size=count, max_size=count).filter(any),
    )
)


def row(*values: int) -> np.ndarray:
    return np.array([values], np.uint8)


def test_by_hand() -> None:
    equal = blend_maps([row(0, 1, 2, 255), row(1, 2, 3, 254)], [1, 1])  # 0.5, 1.5, 2.5, 254.5
    np.testing.assert_array_equal(equal, row(0, 2, 2, 254))
    assert equal.dtype == np.uint8
    np.testing.assert_array_equal(blend_maps([row(0, 100), row(4, 104)], [3, 1]), row(1, 101))
    np.testing.assert_array_equal(blend_maps([row(9), row(200)], [0, 5]), row(200))


@given(blends)
def test_against_fractions(blend: tuple[np.ndarray, list[int]]) -> None:
    maps, weights = blend
    expected = [
        round(Fraction(sum(w * int(v) for w, v in zip(weights, values, strict=True)), sum(weights)))
        for values in maps.reshape(len(maps), -1).T
    ]
    np.testing.assert_array_equal(blend_maps(list(maps), weights).ravel(), expected)


@given(blends)
def test_a_common_factor_does_not_matter(blend: tuple[np.ndarray, list[int]]) -> None:
    maps, weights = blend
    np.testing.assert_array_equal(blend_maps(list(maps), weights), blend_maps(list(maps), [7 * w for w in weights]))


@pytest.mark.parametrize("weights", [[0, 0], [2, -1], [-1, 1]])
def test_weights_that_are_none(weights: list[int]) -> None:
    with pytest.raises(InputError, match="they are non-negative integers and not all 0"):
        blend_maps([row(1), row(2)], weights)


def test_maps_on_disk(tmp_path: Path) -> None:
    write_raster(tmp_path / "a/x.tif", row(10, 20))
    write_raster(tmp_path / "b/x.tif", row(20, 40))
    np.testing.assert_array_equal(read_blend(tmp_path, {"a": 1, "b": 3}, "x", (1, 2)), row(18, 35))
    np.testing.assert_array_equal(read_blend(tmp_path, {"b": 1, "not there": 0}, "x", (1, 2)), row(20, 40))
    with pytest.raises(InputError, match=r"not there/x.tif: no such file"):
        read_blend(tmp_path, {"b": 1, "not there": 1}, "x", (1, 2))
    with pytest.raises(InputError, match="not all 0"):
        read_blend(tmp_path, {"a": 0}, "x", (1, 2))


def test_real_maps(shared_data: Path) -> None:
    part = shared_data / "hot_maps/valid"
    image_id = sorted(path.stem for path in (part / "lite0").glob("*.tif"))[100]
    one, other = (read_blend(part, {member: 1}, image_id, (256, 256)) for member in ("lite0", "lite1"))
    both = read_blend(part, {"lite0": 2, "lite1": 1}, image_id, (256, 256))
    np.testing.assert_array_equal(both, np.rint((2.0 * one + other) / 3))
    assert np.ptp(both) > 100


# The command


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of six tiles in three groups with maps of a good, a fair and a useless member."""
    data = write_tiles(tmp_path / "data")
    run = Run(tmp_path / "run")
    tiles = list_tiles(data)
    split = Split(folds=3, fold_of_group={"g0": 0, "g1": 1, "g2": 2})
    run.write_record(data, tiles, split)
    for member, noise in {"good": 40, "fair": 60, "useless": 500}.items():
        images = {tile.image_id: (64, 64) for tile in tiles}
        manifest = Manifest(member=member, spec={}, tta="none", weights={}, split=split.model_dump(), images=images)
        write_manifest(run.map_folder("valid", member), manifest)
        for number, tile in enumerate(tiles):
            noisy = read_mask(tile.mask) * 100.0 + 80 + np.random.default_rng(number).normal(0, noise, (64, 64))
            noisy = noisy if member == "good" else np.roll(noisy, 0 if member == "fair" else 9, 1)
            write_raster(
                run.map_folder("valid", member) / f"{tile.image_id}.tif", np.clip(noisy, 0, 255).astype(np.uint8)
            )
    return run


def test_the_command_writes_what_tune_takes_up(roofstack: Callable[..., Outcome], run: Run) -> None:
    data = run.path.parent / "data"
    outcome = roofstack("blend", "--data", data, "--run", run.path, "--bags", 3)
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(run.blend_file.read_text())
    assert set(content["scores"]) == {"mean", "single", "greedy"}
    assert content["scores"]["single"]["weights"] == {"fair": 0, "good": 1, "useless": 0}
    assert content["method"] in ("single", "greedy")  # the useless member spoils the mean
    assert content["members"]["useless"] == 0
    assert "weight 0, so not needed: " in outcome.out
    assert "useless" in outcome.out.splitlines()[-2]
    assert read_weights(run, ["fair", "good", "useless"]) == content["members"]
    for score in content["scores"].values():
        assert 0 < score["interval"][0] <= score["cross_fitted"] <= score["in_sample"] <= 1


def test_given_weights_are_kept(roofstack: Callable[..., Outcome], run: Run) -> None:
    command = ("blend", "--data", run.path.parent / "data", "--run", run.path, "--bags", 1)
    assert roofstack(*command, "--weights", "good=3,fair=1").code == 0
    assert json.loads(run.blend_file.read_text())["members"] == {"fair": 1, "good": 3, "useless": 0}
    before = hash_folder(run.path)
    for bad in ("good=0", "good=-1", "bad=1"):
        outcome = roofstack(*command, "--weights", bad)
        assert outcome.code == 2
        assert outcome.err.startswith(f"error: --weights {bad}: ")
    assert hash_folder(run.path) == before


def test_members_of_other_images_are_not_mixed(roofstack: Callable[..., Outcome], run: Run) -> None:
    path = run.map_folder("valid", "good") / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["images"]["tile0"] = [64, 32]
    path.write_text(json.dumps(manifest))
    outcome = roofstack("blend", "--data", run.path.parent / "data", "--run", run.path)
    assert outcome.code == 2
    assert "good: not the images of fair's maps; predict both again in one run" in outcome.err
    assert not run.blend_file.exists()


def test_weights_of_a_run(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert read_weights(run, ["a", "b"]) == {"a": 1, "b": 1}
    write_json(tmp_path / "blend.json", {"members": {"a": 3, "b": 0}})
    assert read_weights(run, ["a", "b"]) == {"a": 3, "b": 0}
    with pytest.raises(
        InputError, match=r"blend.json: chosen among a, b, but there are maps of a, b, c; run roofstack"
    ):
        read_weights(run, ["a", "b", "c"])
    for bad in ({"a": 0, "b": 0}, {"a": -1, "b": 2}, {"a": 0.5, "b": 1}, {}, None):
        write_json(tmp_path / "blend.json", {"members": bad})
        with pytest.raises(InputError, match=r"non-negative integer weights by member, not all 0; run .* blend again"):
            read_weights(run, ["a", "b"])
