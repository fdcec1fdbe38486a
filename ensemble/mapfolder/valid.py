"""The tiles of a run that its members did not train on: the only ones that weights may be chosen on."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ensemble.mapfolder.maps import Manifest, map_path, read_map, read_maps
from members.common.errors import InputError
from members.data.raster import read_mask
from members.data.run import Run, RunRecord
from members.data.tiles import Tile, list_tiles


def list_valid(run: Run, data: Path) -> tuple[RunRecord, list[Tile]]:
    """The run's record and the tiles that its members did not train on.

    Raises:
        InputError: there is no run, or it is of other data.
    """
    split = run.read_record().split
    tiles = list_tiles(data, group_by=split.group_by)
    record = run.check_tiles(tiles)
    return record, [tile for tile in tiles if tile.group in split.valid_groups]


def check_valid(run: Run, record: RunRecord, tiles: Sequence[Tile], manifests: Mapping[str, Manifest]) -> None:
    """Refuse maps of other tiles than the run's validation tiles, or by members of another split.

    Raises:
        InputError: such maps are in the folder.
    """
    for member, manifest in manifests.items():
        folder = run.map_folder("valid", member)
        if manifest.split != record.split.model_dump(mode="json"):
            raise InputError(f"{folder}: maps by a member trained on another split than the run's; predict them again")
        if set(manifest.images) != {tile.image_id for tile in tiles}:
            raise InputError(f"{folder}: not maps of the run's validation tiles; predict them again")


def read_valid(run: Run, data: Path) -> tuple[dict[str, Manifest], list[Tile], dict[str, tuple[int, int]]]:
    """The manifests of maps of the run's validation tiles, by member, these tiles, and their sizes.

    Raises:
        InputError: there is no run or no map, maps are missing or are not of the run's validation tiles.
    """
    record, tiles = list_valid(run, data)
    manifests, sizes = read_maps(run.map_folder("valid", member) for member in run.list_mapped_members("valid"))
    check_valid(run, record, tiles, manifests)
    return manifests, tiles, sizes


def read_members(
    run: Run, members: Sequence[str], tiles: Sequence[Tile], sizes: Mapping[str, tuple[int, int]]
) -> Iterator[tuple[list[np.ndarray], np.ndarray]]:
    """Yield each tile's maps, uint8 (h, w), one a member, and its truth, bool (h, w)."""
    for tile in tiles:
        if tile.mask is None:
            raise InputError(f"{tile.image}: image without a mask; only tiles with masks can be scored")
        size = sizes[tile.image_id]
        maps = [read_map(map_path(run.map_folder("valid", member), tile.image_id), size) for member in members]
        yield maps, read_mask(tile.mask)
