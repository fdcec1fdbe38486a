"""The library: what it counts of a blend is what the blended maps themselves show."""

from collections.abc import Iterator

import numpy as np
import pytest
from conftest import TILE_GROUPS, draw_samples

from ensemble.mapfolder.samples import Sample
from ensemble.selection.blend import blend_maps
from ensemble.selection.library import build_library
from ensemble.statistics.counts import Counts, count_maps
from members.common.errors import InputError


def assert_same(found: Counts, expected: Counts) -> None:
    assert found.groups == expected.groups == ("a", "b", "c")
    assert found.tiles.tolist() == expected.tiles.tolist() == [1, 2, 1]
    assert found.sums.keys() == expected.sums.keys()
    for column, values in found.sums.items():
        np.testing.assert_array_equal(values, expected.sums[column])


@pytest.mark.parametrize("weights", [(1, 0, 0), (1, 1, 1), (0, 3, 2), (7, 0, 13), (4, 2, 0)])
def test_counts_are_those_of_the_blended_maps(weights: tuple[int, ...]) -> None:
    samples = draw_samples(3)
    library = build_library(samples)
    expected = count_maps([blend_maps(maps, weights) for maps, _ in samples], samples.truths, TILE_GROUPS)
    assert_same(library.count_blend(weights), expected)
    assert library.count_blend([2 * weight for weight in weights]) is library.count_blend(weights)
    picks = (weights[0], weights[1], weights[2] - 1)
    if min(picks) >= 0:
        [added] = library.count_additions(picks, [2])
        assert_same(added, expected)


def test_pixels_of_members_by_value() -> None:
    samples = draw_samples(3)
    counted = build_library(samples).count_members()
    assert counted.shape == (3, 3, 2, 256)
    for member in range(3):
        for index, group in enumerate("abc"):
            own = [sample for sample, name in zip(samples, TILE_GROUPS, strict=True) if name == group]
            for part, kind in enumerate((True, False)):
                values = np.concatenate([maps[member][truth == kind] for maps, truth in own])
                np.testing.assert_array_equal(counted[member, index, part], np.bincount(values, minlength=256))


def test_calibrated_values() -> None:
    """Tables replace values, and nothing that was counted before is taken for them."""
    samples = draw_samples(2)
    library = build_library(samples)
    library.count_blend((1, 1))
    tables = [np.arange(256, dtype=np.uint8) // 2, np.arange(256, dtype=np.uint8)]
    blends = [blend_maps([tables[0][maps[0]], maps[1]], (1, 1)) for maps, _ in samples]
    assert_same(library.replace_values(tables).count_blend((1, 1)), count_maps(blends, samples.truths, TILE_GROUPS))


class Unchecked:
    """Samples that are as wrong as they come."""

    def __init__(self, tiles: list[Sample], groups: list[str]) -> None:
        self.tiles, self.groups = tiles, tuple(groups)
        self.members = tuple(f"m{member}" for member in range(len(tiles[0][0]))) if tiles else ("m0",)

    def __len__(self) -> int:
        return len(self.tiles)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.tiles)

    def __getitem__(self, number: int) -> Sample:
        return self.tiles[number]

    def read_gaps(self, number: int) -> list[None]:
        return [None] * len(self.members)

    def list_buildings(self, number: int) -> None:
        return None


def test_bad_maps() -> None:
    [(maps, truth), *rest] = draw_samples(2)
    with pytest.raises(InputError, match=r"m1, tile 0 of group b: a map is uint8 .* got uint8 \(3, 9\)"):
        build_library(Unchecked([([maps[0], maps[1][:3]], truth), *rest], TILE_GROUPS))
    with pytest.raises(InputError, match="the truth of all 4 tiles is empty"):
        build_library(Unchecked([(maps, np.zeros_like(truth)) for maps, truth in draw_samples(1)], TILE_GROUPS))
    with pytest.raises(InputError, match="no tile to score"):
        build_library(Unchecked([], []))
    with pytest.raises(InputError, match="integers from 0 to 10000, and not all 0"):
        build_library(draw_samples(2)).count_blend([0, 0])
