"""A copy of a data set with whole groups set aside as its test part, for what is tried out from end to end."""

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

from members.common.errors import InputError
from members.common.files import read_json, write_json
from members.data.raster import check_tiles, read_pair
from members.data.split import NEVER_VALID, Split, draw_split
from members.data.tiles import Tile, find_labels, list_tiles

ORIGIN = "origin.json"


def set_test_aside(source: Path, folder: Path, most: int, share: float) -> list[str]:
    """Copy at most `most` tiles, in whole groups, into the competition's layout with a test part set aside.

    A copy that is there already is left as it is.

    Args:
        source: the data set.
        folder: of the copy.
        most: how many tiles, about, at most.
        share: of these and of their building area, for the test part.

    Returns:
        Remarks on the tiles for the user.

    Raises:
        InputError: the source is no data set, has too few groups, or the folder holds a copy of another one.
    """
    origin = {"source": str(source.resolve()), "most": most}
    if (folder / ORIGIN).is_file():
        if (found := read_json(folder / ORIGIN, "give another --run, or remove the folder")) != origin:
            raise InputError(
                f"{folder}: holds {found['most']} tiles at most of {found['source']}; give another --run, or remove it"
            )
        return []
    tiles = list_tiles(source)
    remarks = check_tiles(tiles)
    areas = [int(read_pair(tile)[1].sum()) for tile in tiles]
    if len(tiles) > most:
        tiles, areas = choose_share(tiles, areas, most / len(tiles))
    test, _ = choose_share(tiles, areas, share)
    shutil.rmtree(folder, ignore_errors=True)
    for tile in tiles:
        part = "test" if tile in test else "training"
        for kind, path in (("images", tile.image), ("masks", tile.mask)):
            if path is None:
                continue
            target = folder / part / kind / "img" / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    if labels := find_labels(source):
        shutil.copyfile(labels, folder / labels.name)
    with (folder / "tiles.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image_id", "group"))
        writer.writerows((tile.image_id, tile.group) for tile in tiles)
    write_json(folder / ORIGIN, origin)  # last: a folder that has it is complete
    return remarks


def choose_share(tiles: Sequence[Tile], areas: Sequence[int], share: float) -> tuple[list[Tile], list[int]]:
    """Choose whole groups that make up about a share of the tiles and of the building area."""
    split = draw_split([tile.group for tile in tiles], areas, Split(valid_fraction=share))
    chosen = [split.fold_of_group[tile.group] != NEVER_VALID for tile in tiles]
    return (
        [tile for tile, taken in zip(tiles, chosen, strict=True) if taken],
        [area for area, taken in zip(areas, chosen, strict=True) if taken],
    )
