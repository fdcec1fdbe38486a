"""Proposed groups: what belongs together is never torn apart, and it is said why."""

from pathlib import Path

import pytest
from rasterio import Affine
from rasterio.crs import CRS

from members.audit.duplicates import Duplicate
from members.audit.neighbours import Neighbours, find_touching
from members.audit.proposal import mend_groups, name_scene, propose_from_tiles, propose_groups, tell_ungrouped
from members.data.frames import Frame
from members.data.groups import read_groups
from members.data.raster import read_image
from members.data.split import ENOUGH_GROUPS
from members.data.tiles import list_tiles

COPY = Duplicate(0, 4, 0, 0, 1.0, True)


def frames(*names: str) -> list[Frame]:
    return [Frame(name, (64, 64), None, Affine.identity()) for name in names]


@pytest.mark.parametrize(
    ("image_id", "scene"),
    [
        ("austin1_0_3", "austin1"), ("a-b-10-20", "a-b"), ("town_r1_c22", "town"), ("town_y3_x4", "town"),
        ("tile_7", None), ("tile7", None), ("_1_2", None), ("1_2", None),
    ],
)  # fmt: skip
def test_scenes_by_name(image_id: str, scene: str | None) -> None:
    assert name_scene(image_id) == scene


def test_names_neighbours_and_copies() -> None:
    """Two tiles of one name, two that touch, a copy of the first among them, and one alone."""
    proposal = propose_groups(frames("a_0_0", "a_0_1", "b", "c", "d"), [COPY], [Neighbours(2, 3, 0.0)])
    groups = proposal.groups
    assert groups["a_0_0"] == groups["a_0_1"] == groups["d"]
    assert groups["b"] == groups["c"] != groups["a_0_0"]
    assert dict(proposal.reasons) == {"touch": 2, "name": 2, "look": 2}
    assert proposal.describe() == (
        "2 groups of 5 tiles (2 touch or continue another, 2 share the start of their name, 2 are copies)"
    )


def test_a_group_of_one_scene_has_its_name_and_pieces_of_a_scene_have_their_own() -> None:
    proposal = propose_groups(frames("a_0_0", "a_0_1", "b_0_0", "x"), [], [])
    assert list(proposal.groups.values()) == ["a", "a", "b", "x"]


def lay(columns: int, rows: int, gap: int = 0) -> list[Frame]:
    """Lay tiles of 32 m side by side."""
    crs = CRS.from_epsg(32633).to_wkt()
    places = [(column, row) for column in range(columns) for row in range(rows)]
    return [
        Frame(f"t{c}x{r}", (64, 64), crs, Affine(0.5, 0, 500000 + 32 * c + gap * c, 0, -0.5, 5000000 - 32 * r))
        for c, r in places
    ]


def test_one_large_scene_is_cut_into_squares() -> None:
    tiles = lay(20, 20)
    neighbours = find_touching(tiles)
    proposal = propose_groups(tiles, [COPY], neighbours)
    assert proposal.square == 200
    assert proposal.count >= ENOUGH_GROUPS
    assert proposal.groups[tiles[0].image_id] == proposal.groups[tiles[4].image_id]  # the copy
    torn = sum(proposal.groups[tiles[p.one].image_id] != proposal.groups[tiles[p.other].image_id] for p in neighbours)
    assert proposal.torn == torn > 0


def test_scenes_that_are_enough_are_left_whole() -> None:
    proposal = propose_groups(lay(ENOUGH_GROUPS, 2, gap=100), [], find_touching(lay(ENOUGH_GROUPS, 2, gap=100)))
    assert (proposal.count, proposal.square, proposal.torn) == (ENOUGH_GROUPS, None, 0)


def test_given_groups_are_joined_where_they_share_copies_or_ground() -> None:
    groups = {"t0": "a", "t1": "a", "t2": "b", "t3": "c", "t4": "d"}
    mended = mend_groups(groups, [COPY], [Neighbours(1, 2, 0.3), Neighbours(2, 3, 0.0)])
    assert dict(mended.groups) == {"t0": "a", "t1": "a", "t2": "a", "t3": "c", "t4": "a"}
    assert dict(mend_groups(groups, [], []).groups) == groups


def test_a_written_proposal_is_read_as_groups(tmp_path: Path) -> None:
    proposal = propose_groups(frames("a_0_0", "a_0_1", "b"), [], [])
    proposal.write(tmp_path / "groups.csv")
    assert read_groups(tmp_path, list(proposal.groups)) == proposal.groups


def test_words(tmp_path: Path) -> None:
    alone = tell_ungrouped(tmp_path, propose_groups(frames("a", "b"), [], []))
    said = f"NO GROUPS: {tmp_path} has no tiles.csv or groups.csv, so each tile is its own group"
    assert alone.startswith(f"{said}; nothing tells that any belong together")
    tied = tell_ungrouped(tmp_path, propose_groups(frames("a_0_0", "a_0_1"), [], []))
    assert tied.startswith(f"{said}, and tiles that belong together stand on both sides")
    assert tied.startswith(f"{said}, and tiles that belong together stand on both sides of a split")
    assert "scores will be too good. Proposed: 1 groups of 2 tiles (2 share the start of their name)" in tied


def test_real_tiles(shared_data: Path) -> None:
    """Regions touch within themselves alone; each is more than one place, and none is torn where there are enough."""
    tiles = [tile for tile in list_tiles(shared_data / "hot_buildings") if not tile.image_id.startswith("banepa")][::4]
    proposal = propose_from_tiles(tiles, lambda number: read_image(tiles[number].image))
    assert proposal.count >= ENOUGH_GROUPS
    assert proposal.reasons["look"] == 0
    regions = {tile.image_id.split("_")[0] for tile in tiles}
    for region in regions:
        mine = {proposal.groups[tile.image_id] for tile in tiles if tile.image_id.startswith(region)}
        others = {proposal.groups[tile.image_id] for tile in tiles if not tile.image_id.startswith(region)}
        assert not mine & others
