"""Blending: the weighted mean of maps, rounded half to even."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conftest import write_raster
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ensemble.blend import blend_maps, read_blend
from members.errors import InputError

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
