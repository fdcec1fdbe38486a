"""The relief over a blended map: lower where contact members see that buildings touch."""

import numpy as np
import pytest

from ensemble.mapfolder.raster import measure_gaps
from ensemble.mapfolder.samples import ArraySamples
from ensemble.selection.blend import Blend
from ensemble.selection.layers import blend_sample, split_layers, stack_layers
from members.common.errors import InputError


def row(*values: int) -> np.ndarray:
    return np.array([values], np.uint8)


def test_gaps_by_hand() -> None:
    border, contact = row(0, 255, 0, 0, 255), row(0, 0, 255, 51, 51)
    assert measure_gaps(border, contact).tolist() == [[255, 230, 0, 204, 184]]


def test_a_map_without_gaps_is_its_own_relief() -> None:
    values = row(1, 2)
    assert stack_layers(values, [None, None], [1, 1]) is values
    assert [each.tolist() for each in split_layers(values)] == [[[1, 2]]] * 2


def test_members_of_weight_0_tell_nothing() -> None:
    gaps = [row(0, 0), row(255, 51)]
    assert split_layers(stack_layers(row(200, 200), gaps, [0, 3]))[1].tolist() == [[200, 40]]
    assert split_layers(stack_layers(row(200, 200), gaps, [1, 3]))[1].tolist() == [[150, 30]]


def test_arrays_and_samples_are_blended_alike() -> None:
    plain, banded = row(100, 200), np.dstack([row(200, 100), row(0, 0), row(255, 0)])
    blend = Blend({"lite0_unet": 1, "lite0_contact": 3})
    maps = {"lite0_unet": [plain], "lite0_contact": [banded]}
    (values,) = blend(maps)
    assert values.tolist() == [[[175, 0], [125, 125]]]
    samples = ArraySamples(maps, [row(1, 0) > 0], ["a"])
    np.testing.assert_array_equal(blend_sample(samples, 0, blend), values)
    assert [each.tolist() for each in samples[0][0]] == [[[100, 200]], [[200, 100]]]
    assert blend_sample(samples, 0, Blend({"lite0_unet": 1, "lite0_contact": 0})).tolist() == [[100, 200]]


def test_bands_of_another_number_are_none() -> None:
    with pytest.raises(InputError, match=r"uint8 \(1, 2, 2\); maps of a tile are uint8 arrays \(h, w\), of contact"):
        Blend({"a": 1})({"a": [np.zeros((1, 2, 2), np.uint8)]})
    with pytest.raises(InputError, match=r"\(1, 2, 2\); a map is a uint8 array \(h, w\)"):
        ArraySamples({"a": [np.zeros((1, 2, 2), np.uint8)]}, [row(1, 0) > 0], ["a"])
