"""What is set aside as a test part shares no group with the rest, and is there whole or not at all."""

import csv
from pathlib import Path

import pytest

from members.common.errors import InputError
from members.data.setting_aside import set_test_aside
from members.data.tiles import list_tiles
from members.synthetic.scenes import write_scenes

SHARE = 0.15


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, 24, size=64)
    return folder


def read_groups(folder: Path) -> dict[str, str]:
    table = next(path for path in (folder / "tiles.csv", folder / "groups.csv") if path.is_file())
    return {row["image_id"]: row["group"] for row in csv.DictReader(table.read_text().splitlines())}


@pytest.mark.parametrize("most", [24, 16])
def test_parts_share_no_tile_and_no_group(scenes: Path, tmp_path: Path, most: int) -> None:
    set_test_aside(scenes, tmp_path / "data", most, SHARE)
    training, test = list_tiles(tmp_path / "data"), list_tiles(tmp_path / "data", "test")
    groups = read_groups(tmp_path / "data")
    assert not {groups[tile.image_id] for tile in training} & {groups[tile.image_id] for tile in test}
    assert not {tile.image_id for tile in training} & {tile.image_id for tile in test}
    assert most - 4 <= len(training) + len(test) <= most + 4
    assert 0.1 <= len(test) / (len(training) + len(test)) <= 0.4


def test_copies_are_the_source_and_truth_of_test_tiles_is_kept(scenes: Path, tmp_path: Path) -> None:
    set_test_aside(scenes, tmp_path / "data", 24, SHARE)
    groups = read_groups(scenes)
    assert groups == read_groups(tmp_path / "data")
    for tile in list_tiles(tmp_path / "data", "test"):
        for kind in ("images", "masks"):
            copy = tmp_path / f"data/test/{kind}/img/{tile.image_id}.tif"
            assert copy.read_bytes() == (scenes / kind / f"{tile.image_id}.tif").read_bytes()


def test_preparing_again_leaves_everything_as_it_is(scenes: Path, tmp_path: Path) -> None:
    set_test_aside(scenes, tmp_path / "data", 24, SHARE)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    set_test_aside(scenes, tmp_path / "data", 24, SHARE)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_other_data_does_not_replace_a_demo(scenes: Path, tmp_path: Path) -> None:
    set_test_aside(scenes, tmp_path / "data", 24, SHARE)
    with pytest.raises(InputError, match=r"data: holds 24 tiles at most of .*scenes\d; give another --run, or remove"):
        set_test_aside(tmp_path / "mine", tmp_path / "data", 24, SHARE)


def test_copying_that_was_killed_begins_anew(scenes: Path, tmp_path: Path) -> None:
    set_test_aside(scenes, tmp_path / "data", 24, SHARE)
    whole = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    (tmp_path / "data/origin.json").unlink()
    next((tmp_path / "data/training/images/img").iterdir()).unlink()
    set_test_aside(scenes, tmp_path / "data", 24, SHARE)
    assert whole == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
