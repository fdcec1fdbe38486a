"""What is tuned and scored on: every tile's maps, one a member, and its truth; from arrays, or from a run's folders."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ensemble.mapfolder.manifest import Manifest, read_manifests
from ensemble.mapfolder.raster import map_path, read_bands_of_map, read_map, split_bands
from members.common.choices import BANDS
from members.common.errors import InputError
from members.data.raster import read_mask
from members.data.run import Run
from members.data.tiles import Tile, find_labels, list_tiles

if TYPE_CHECKING:
    from shapely import Polygon

KEPT_BYTES = 2**28
"""Of maps and truths that a run's samples keep: a pass over the files costs a second a thousand."""

Sample = tuple[Sequence[np.ndarray], np.ndarray]
"""One tile: its maps, uint8 (h, w), one a member, and its truth, bool (h, w)."""


class Samples(Protocol):
    """Tiles with maps and truth, which can be gone through again and again, always in the same order."""

    @property
    def members(self) -> tuple[str, ...]:
        """The members' names, in the order of each tile's maps."""

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each tile, in the order of the tiles."""

    def __len__(self) -> int:
        """Return the number of tiles."""

    def __getitem__(self, number: int) -> Sample:
        """Return one tile's maps, uint8 (h, w), one a member, and its truth, bool (h, w)."""

    def __iter__(self) -> Iterator[Sample]:
        """Yield all tiles in their order."""

    def read_gaps(self, number: int) -> Sequence[np.ndarray | None]:
        """Return of one tile for each member where buildings are apart, as `measure_gaps` says, or None."""

    def list_buildings(self, number: int) -> Sequence[Polygon] | None:
        """Return the outlines of one tile's true buildings, px; None where only their mask is known."""


class ArraySamples:
    """Samples of arrays in memory.

    Args:
        maps: member -> one map a tile, uint8 (h, w), probability = value / 255, or (h, w, 3) of a contact member;
            tiles may differ in size.
        truths: one mask a tile, bool (h, w), True = building.
        groups: one name a tile; tiles of one group resemble one another and are never torn apart.
        buildings: the outlines of each tile's true buildings, px, as `read_outlines` gives them; without them they are
            the truths' components.

    Raises:
        InputError: there is no member or no tile, a map or truth is of another type or shape, or the members' maps,
            the truths and the groups are not equally many.
    """

    def __init__(
        self,
        maps: Mapping[str, Iterable[np.ndarray]],
        truths: Iterable[np.ndarray],
        groups: Iterable[object],
        buildings: Iterable[Sequence[Polygon]] | None = None,
    ) -> None:
        if not maps:
            raise InputError("maps: no member; give a mapping of member to its maps, one a tile")
        self.members = tuple(maps)
        self.groups = tuple(map(str, groups))
        self.maps = {member: tuple(maps[member]) for member in maps}
        self.truths = tuple(truths)
        self.buildings = None if buildings is None else tuple(buildings)
        self._check()

    def _check(self) -> None:
        tiles = len(self.truths)
        if tiles == 0:
            raise InputError("truths: no tile; give at least one, with its map and its group")
        counts = {f"maps[{member!r}]": len(maps) for member, maps in self.maps.items()} | {"groups": len(self.groups)}
        if self.buildings is not None:
            counts["buildings"] = len(self.buildings)
        for name, count in counts.items():
            if count != tiles:
                raise InputError(f"{name}: {count} for {tiles} truths; give one a tile, all in the same order")
        for number, truth in enumerate(self.truths):
            _check_array(f"truths[{number}]", truth, np.dtype(bool), "a truth is a bool array (h, w), True = building")
            for member, maps in self.maps.items():
                name = f"maps[{member!r}][{number}]"
                rule = "a map is a uint8 array (h, w), 255 where the probability is 1, of a contact member (h, w, 3)"
                _check_array(name, maps[number], np.dtype(np.uint8), rule, len(BANDS))
                if maps[number].shape[:2] != truth.shape:
                    raise InputError(
                        f"{name}: {maps[number].shape}, but truths[{number}] is {truth.shape}; give both in one order"
                    )

    def __len__(self) -> int:
        return len(self.truths)

    def __getitem__(self, number: int) -> Sample:
        return [split_bands(maps[number])[0] for maps in self.maps.values()], self.truths[number]

    def __iter__(self) -> Iterator[Sample]:
        return (self[number] for number in range(len(self)))

    def read_gaps(self, number: int) -> Sequence[np.ndarray | None]:
        return [split_bands(maps[number])[1] for maps in self.maps.values()]

    def list_buildings(self, number: int) -> Sequence[Polygon] | None:
        return None if self.buildings is None else self.buildings[number]


def _check_array(name: str, array: np.ndarray, dtype: np.dtype, rule: str, bands: int = 0) -> None:
    if not isinstance(array, np.ndarray):
        raise InputError(f"{name}: {type(array).__name__}; {rule}")
    if array.dtype != dtype or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == bands)):
        raise InputError(f"{name}: {array.dtype} {array.shape}; {rule}")


class RunSamples:
    """Samples of a run's folders: the first tiles are kept in memory, the others read anew in every pass.

    Args:
        run: the run.
        data: the data set that has the truth.
        part: the part whose maps are read. Of `valid` the tiles are those that the run's members did not train on, and
            `data` must be the run's; of any other part they are all tiles of `data` that have masks.
        members: names of those whose maps are read; without it all that have maps of the part.
        labels: a vector file of the true buildings; without it that of the data set, where it has one.

    Attributes:
        members: the members' names.
        groups: the group of each tile.
        data: the data set.
        tiles: the tiles, with the paths of image and mask.
        sizes: image id -> (height, width), px.
        manifests: member -> what its maps were made with.
        labels: the vector file of the true buildings; None where masks alone are known.

    Raises:
        InputError: there is no run or no map, maps are missing, are not of these tiles, or are by members of another
            split than the run's.
    """

    def __init__(
        self,
        run: Run,
        data: Path,
        part: str = "valid",
        members: Sequence[str] | None = None,
        labels: Path | None = None,
    ) -> None:
        record = run.read_record()
        tiles = list_valid_tiles(run, data) if part == "valid" else list_tiles(data, group_by=record.split.group_by)
        folder, names = run.part_folder(part), run.list_mapped_members(part) if members is None else members
        self.manifests: dict[str, Manifest]
        self.manifests, self.sizes = read_manifests(folder / name for name in names)
        self.folder, self.tiles, self.data = folder, tuple(tiles), data
        self.labels = labels or find_labels(data)
        self._kept: dict[int, Sample] = {}
        self._left = KEPT_BYTES
        self.members, self.groups = tuple(self.manifests), tuple(tile.group for tile in tiles)
        for member, manifest in self.manifests.items():
            if manifest.split.fold_of_group != record.split.fold_of_group:
                raise InputError(
                    f"{folder / member}: maps by a member trained on another split than the run's; predict them again"
                )
            if set(manifest.images) != {tile.image_id for tile in tiles}:
                which = "the run's validation tiles" if part == "valid" else f"the tiles of {data}"
                raise InputError(f"{folder / member}: not maps of {which}; predict them again")

    def __len__(self) -> int:
        return len(self.tiles)

    def __getitem__(self, number: int) -> Sample:
        if number in self._kept:
            return self._kept[number]
        tile = self.tiles[number]
        maps, truth = self.read_maps(tile), read_truth(tile)
        size = sum(each.nbytes for each in (*maps, truth))
        if size <= self._left:
            self._left -= size
            self._kept[number] = maps, truth
        return maps, truth

    def __iter__(self) -> Iterator[Sample]:
        return (self[number] for number in range(len(self)))

    def read_gaps(self, number: int) -> Sequence[np.ndarray | None]:
        tile, told = self.tiles[number], self._tell_gaps
        paths = [map_path(self.folder / member, tile.image_id) for member in self.members]
        size = self.sizes[tile.image_id]
        return [read_bands_of_map(path, size)[1] if own else None for path, own in zip(paths, told, strict=True)]

    @functools.cached_property
    def _tell_gaps(self) -> list[bool]:
        """Tell which members' maps have bands for it, by the first tile."""
        image_id = self.tiles[0].image_id
        paths = (map_path(self.folder / member, image_id) for member in self.members)
        return [read_bands_of_map(path, self.sizes[image_id])[1] is not None for path in paths]

    def list_buildings(self, number: int) -> Sequence[Polygon] | None:
        known = self._buildings
        return None if known is None else known[self.tiles[number].image_id]

    @functools.cached_property
    def _buildings(self) -> Mapping[str, Sequence[Polygon]] | None:
        if self.labels is None:
            return None
        from members.labels.agreement import Agreement
        from members.labels.reading import read_labels

        outlines = read_labels(self.labels, self.tiles)
        masks = ((tile.image_id, read_truth(tile)) for tile in self.tiles)
        Agreement.of_masks(self.labels, outlines, masks).check()
        return outlines

    def read_maps(self, tile: Tile) -> list[np.ndarray]:
        """Read a tile's maps, uint8 (h, w), one a member.

        Raises:
            InputError: one is missing, truncated, or not of the size that its manifest says.
        """
        size = self.sizes[tile.image_id]
        return [read_map(map_path(self.folder / member, tile.image_id), size) for member in self.members]


def read_truth(tile: Tile) -> np.ndarray:
    """Read a tile's truth, bool (h, w).

    Raises:
        InputError: it has none, or one that is damaged.
    """
    if tile.mask is None:
        raise InputError(f"{tile.image}: image without a mask; only tiles with masks can be scored")
    return read_mask(tile.mask)


def list_valid_tiles(run: Run, data: Path) -> list[Tile]:
    """Return the tiles that a run's members did not train on: the only ones that anything may be chosen on.

    Raises:
        InputError: there is no run, or it is of other data.
    """
    split = run.read_record().split
    tiles = list_tiles(data, group_by=split.group_by)
    run.check_tiles(tiles)
    return [tile for tile in tiles if tile.group in split.valid_groups]
