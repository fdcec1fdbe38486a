"""Blending: the weighted mean of maps, rounded half to even, of calibrated maps where there are tables."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_raster
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ensemble.mapfolder.manifest import Manifest, trace_maps
from ensemble.selection.blend import Blend, blend_maps, read_blend, read_weights
from members.common.errors import InputError
from members.common.files import write_json
from members.data.run import Run

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


@pytest.mark.parametrize("weights", [[0, 0], [2, -1], [-1, 1], [0.5, 1], [True, True]])
def test_weights_that_are_none(weights: list[int]) -> None:
    with pytest.raises(InputError, match="they are integers from 0 to 10000, and not all 0"):
        blend_maps([row(1), row(2)], weights)


def test_maps_on_disk(tmp_path: Path) -> None:
    write_raster(tmp_path / "a/x.tif", row(10, 20))
    write_raster(tmp_path / "b/x.tif", row(20, 40))
    np.testing.assert_array_equal(read_blend(tmp_path, Blend({"a": 1, "b": 3}), "x", (1, 2)), row(18, 35))
    np.testing.assert_array_equal(read_blend(tmp_path, Blend({"b": 1, "not there": 0}), "x", (1, 2)), row(20, 40))
    with pytest.raises(InputError, match=r"not there/x.tif: no such file"):
        read_blend(tmp_path, Blend({"b": 1, "not there": 1}), "x", (1, 2))
    with pytest.raises(InputError, match="not all 0"):
        read_blend(tmp_path, Blend({"a": 0}), "x", (1, 2))


def test_real_maps(shared_data: Path) -> None:
    part = shared_data / "hot_maps/valid"
    image_id = sorted(path.stem for path in (part / "lite0").glob("*.tif"))[100]
    one, other = (read_blend(part, Blend({member: 1}), image_id, (256, 256)) for member in ("lite0", "lite1"))
    both = read_blend(part, Blend({"lite0": 2, "lite1": 1}), image_id, (256, 256))
    np.testing.assert_array_equal(both, np.rint((2.0 * one + other) / 3))
    assert np.ptp(both) > 100


# The object

DOUBLE = np.minimum(2 * np.arange(256), 255).astype(np.uint8)


def test_maps_in_memory() -> None:
    blend = Blend({"a": 1, "idle": 0, "b": 3}, {"b": DOUBLE})
    maps = {"b": [row(20, 40), row(200)], "a": [row(10, 20), row(255)], "other": []}
    [first, second] = blend(maps)
    np.testing.assert_array_equal(first, row(32, 65))  # (10 + 3 x 40) / 4, (20 + 3 x 80) / 4
    np.testing.assert_array_equal(second, row(255))
    np.testing.assert_array_equal(blend.mix([row(10, 20), row(9, 9), row(20, 40)]), first)
    assert blend.members == ("a", "idle", "b")
    assert blend.used == ("a", "b")
    assert str(blend) == "1 x a, 3 x b"


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ({"a": [row(1)]}, r"maps: none of b, whose weight is 2; predict them first"),
        ({"a": [row(1)], "b": []}, r"maps\['b'\]: 0, but 1 of a; give one a tile, all in the same order"),
        ({"a": [row(1)], "b": [row(1, 2)]}, r"maps\['b'\]\[0\]: uint8 \(1, 2\); .* of one size, here \(1, 1\)"),
        ({"a": [row(1) / 255], "b": [row(1)]}, r"maps\['a'\]\[0\]: float64 \(1, 1\); maps of a tile are uint8"),
    ],
)
def test_maps_that_do_not_fit(maps: dict[str, list[np.ndarray]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Blend({"a": 1, "b": 2})(maps)


def test_equal_blends_have_equal_tables() -> None:
    plain, calibrated = Blend({"a": 1}), Blend({"a": 1}, {"a": DOUBLE})
    assert plain == Blend({"a": 1})
    assert plain != calibrated
    assert calibrated == Blend({"a": 1}, {"a": DOUBLE.copy()})
    assert calibrated != Blend({"a": 1}, {"a": np.arange(256, dtype=np.uint8)})
    assert plain != Blend({"a": 2})
    assert plain != {"a": 1}
    assert Blend.mean(["a", "b"]) == Blend({"a": 1, "b": 1})


def test_calibrated_maps_on_disk(tmp_path: Path) -> None:
    write_raster(tmp_path / "a/x.tif", row(10, 20))
    write_raster(tmp_path / "b/x.tif", row(20, 40))
    blend = Blend({"a": 1, "b": 3}, {"b": DOUBLE})
    np.testing.assert_array_equal(read_blend(tmp_path, blend, "x", (1, 2)), row(32, 65))
    np.testing.assert_array_equal(blend.calibrate("b", row(20, 200)), row(40, 255))
    np.testing.assert_array_equal(blend.calibrate("a", row(20, 200)), row(20, 200))


def test_weights_of_a_run(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert read_weights(run, dict.fromkeys(["a", "b"])) == Blend({"a": 1, "b": 1})
    write_json(tmp_path / "blend.json", {"members": {"a": 3, "b": 0}})
    assert read_weights(run, dict.fromkeys(["a", "b"])) == Blend({"a": 3, "b": 0})
    with pytest.raises(
        InputError, match=r"blend.json: chosen among a, b, but there are maps of a, b, c; run roofstack"
    ):
        read_weights(run, dict.fromkeys(["a", "b", "c"]))
    for bad in ({"a": 0, "b": 0}, {"a": -1, "b": 2}, {"a": 0.5, "b": 1}, {}, None):
        write_json(tmp_path / "blend.json", {"members": bad})
        with pytest.raises(
            InputError, match=r"non-negative integer weights by member, not all 0, 10000 at most; run .* again"
        ):
            read_weights(run, dict.fromkeys(["a", "b"]))


def test_a_blend_goes_with_the_maps_that_it_was_chosen_on(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"member": "a", "spec": {}, "tta": "d4", "split": {}, "images": {"x": (2, 2)}}
    ours, others = (Manifest.model_validate({**fields, "weights": {"0": name}}) for name in ("f0", "f1"))
    write_json(tmp_path / "blend.json", {"members": {"a": 3}, "maps": trace_maps({"a": ours})})
    assert read_weights(Run(tmp_path), {"a": ours}) == Blend({"a": 3})
    with pytest.raises(InputError, match=r"blend.json: chosen on maps of a of other weights than they are of now; run"):
        read_weights(Run(tmp_path), {"a": others})


def test_tables_as_they_are_stored(tmp_path: Path) -> None:
    blend = Blend({"a": 2, "b": 0}, {"a": DOUBLE})
    write_json(tmp_path / "blend.json", blend.describe())
    assert read_weights(Run(tmp_path), dict.fromkeys(["a", "b"])) == blend


@pytest.mark.parametrize(
    "tables",
    [
        [],
        {"a": 3},
        {"a": list(range(255))},
        {"a": [1] * 256},
        {"a": [*range(255), 256]},
        {"a": [*range(255), 3]},
        {"a": [*range(255), 255.0]},
    ],
)
def test_tables_that_are_none(tmp_path: Path, tables: object) -> None:
    write_json(tmp_path / "blend.json", {"members": {"a": 1}, "tables": tables})
    with pytest.raises(InputError, match=r"blend.json: tables: not 256 whole numbers .*; run roofstack blend again"):
        read_weights(Run(tmp_path), dict.fromkeys(["a"]))
