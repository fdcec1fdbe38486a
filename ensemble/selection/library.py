"""All members' maps in memory, laid out so that any blend of them is counted in one pass."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ensemble.mapfolder.samples import Samples
from ensemble.selection import pixels
from ensemble.selection.blend import Picks, check_weights, divide_sums, reduce_weights
from ensemble.statistics.counts import Counts, check_tile, check_truth, count_pixels, index_groups, sum_above
from members.common.choices import BlendObjective
from members.common.progress import Progress, silent

IDENTITY = np.arange(256, dtype=np.uint8)


@dataclass(frozen=True)
class Library:
    """All members' maps of the same tiles.

    Attributes:
        members: their names.
        groups: the group of each tile, in the tiles' order, equal ones together and sorted.
        values: uint8 (members, pixels), tile after tile, in each the truth's building pixels first.
        bounds: int64 (tiles, 3), in `values`: a tile's first pixel, its first that is no building, its end.
        objective: what blends of them are chosen by, at the threshold where it is highest.
    """

    members: tuple[str, ...]
    groups: tuple[str, ...]
    values: np.ndarray
    bounds: np.ndarray
    objective: BlendObjective = "pooled_iou"
    _counted: dict[Picks, Counts] = field(default_factory=dict, init=False, repr=False, compare=False)

    def count_blend(self, weights: Sequence[int]) -> Counts:
        """Count one blend at every threshold, as `count_maps` counts the blend's maps; each only once.

        Args:
            weights: non-negative integers, one a member, not all 0.
        """
        check_weights(weights)
        picks = reduce_weights(weights)
        if picks not in self._counted:
            nothing = np.zeros(self.values.shape[1], np.uint8)
            values = self.count_values(self.sum_members(picks), nothing, divide_sums(sum(picks)))
            self._counted[picks] = self.count_thresholds(values)
        return self._counted[picks]

    def count_additions(self, picks: Picks, members: Iterable[int]) -> list[Counts]:
        """Count the blends that one more pick of each of these members makes, at every threshold."""
        sums, blend_of = self.sum_members(picks), divide_sums(sum(picks) + 1)
        counted = (self.count_values(sums, self.values[member], blend_of) for member in members)
        return [self.count_thresholds(values) for values in counted]

    def count_members(self) -> np.ndarray:
        """Count pixels by map value: int64 (members, groups, 2, 256), building pixels first, groups sorted."""
        names, index = index_groups(self.groups)
        counts = np.zeros((len(self.members), len(names), 2, 256), np.int64)
        nothing = np.zeros(self.values.shape[1], np.uint32)
        for values, member in zip(self.values, counts, strict=True):
            np.add.at(member, index, self.count_values(nothing, values, IDENTITY))
        return counts

    def replace_values(self, tables: Sequence[np.ndarray]) -> "Library":
        """Return the library of calibrated maps; one table, uint8 (256,), a member."""
        values = np.stack([table[values] for table, values in zip(tables, self.values, strict=True)])
        return replace(self, values=values)

    def sum_members(self, weights: Sequence[int]) -> np.ndarray:
        """Sum weight * value over members: uint32 (pixels,)."""
        total = np.zeros(self.values.shape[1], np.uint32)
        for member, weight in zip(self.values, weights, strict=True):
            if weight:
                total += np.uint32(weight) * member
        return total

    def count_values(self, sums: np.ndarray, added: np.ndarray, blend_of: np.ndarray) -> np.ndarray:
        """Count every tile's building and other pixels by the value of their blend, as `pixels.count_values` says."""
        return pixels.count_values(sums, added, blend_of, self.bounds)

    def count_thresholds(self, by_value: np.ndarray) -> Counts:
        """Turn counts of tiles by value, int64 (tiles, 2, 256), into counts per group and threshold."""
        inside, outside = sum_above(by_value).swapaxes(0, 1)
        buildings = self.bounds[:, 1] - self.bounds[:, 0]
        columns = count_pixels(inside, outside + buildings[:, None])
        tiles = ({name: values[tile] for name, values in columns.items()} for tile in range(len(buildings)))
        return Counts.from_tiles(self.groups, tiles)


def build_library(samples: Samples, progress: Progress = silent, objective: BlendObjective = "pooled_iou") -> Library:
    """Lay out the members' maps.

    Args:
        samples: every tile's maps and truth.
        progress: shows how many tiles are read.
        objective: what blends are to be chosen by.

    Raises:
        InputError: there is no tile, a map or truth of a wrong type or shape, or no building in any truth.
    """
    index_groups(samples.groups)  # says that there is none
    parts, sizes, buildings = [], [], []
    tiles = zip(progress(samples, "reading maps", len(samples)), samples.groups, strict=True)
    for number, ((maps, truth), group) in enumerate(tiles):
        for member, values in zip(samples.members, maps, strict=True):
            check_tile(values, truth, f"{member}, tile {number} of group {group}")
        stack = np.stack(maps)
        parts.append(np.hstack([stack[:, truth], stack[:, ~truth]]))
        sizes.append(truth.size)
        buildings.append(int(truth.sum()))
    check_truth(sum(buildings), len(parts))
    order = np.argsort(np.asarray(samples.groups), kind="stable")
    ends = np.cumsum(np.asarray(sizes)[order])
    starts = ends - np.asarray(sizes)[order]
    bounds = np.stack([starts, starts + np.asarray(buildings)[order], ends], axis=1)
    values = np.hstack([parts[tile] for tile in order])
    return Library(tuple(samples.members), tuple(samples.groups[tile] for tile in order), values, bounds, objective)
