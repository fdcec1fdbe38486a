"""The demo sets tiles aside before anything is trained, and shows on these what each stage brings."""

import csv
from pathlib import Path

import numpy as np
import pytest
from conftest import write_raster

from ensemble.selection.blend import Blend
from members.common.errors import InputError
from members.data.run import Run
from members.data.tiles import list_tiles
from members.synthetic.scenes import write_scenes
from postproc.demo import MEMBERS, draw_results, prepare_data, tabulate_stages
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, 24)
    return folder


def read_groups(folder: Path) -> dict[str, str]:
    table = next(path for path in (folder / "tiles.csv", folder / "groups.csv") if path.is_file())
    return {row["image_id"]: row["group"] for row in csv.DictReader(table.read_text().splitlines())}


@pytest.mark.parametrize("most", [24, 16])
def test_parts_share_no_tile_and_no_group(scenes: Path, tmp_path: Path, most: int) -> None:
    prepare_data(scenes, tmp_path / "data", most)
    training, test = list_tiles(tmp_path / "data"), list_tiles(tmp_path / "data", "test")
    groups = read_groups(tmp_path / "data")
    assert not {groups[tile.image_id] for tile in training} & {groups[tile.image_id] for tile in test}
    assert not {tile.image_id for tile in training} & {tile.image_id for tile in test}
    assert most - 4 <= len(training) + len(test) <= most + 4
    assert 0.1 <= len(test) / (len(training) + len(test)) <= 0.4


def test_copies_are_the_source_and_truth_of_test_tiles_is_kept(scenes: Path, tmp_path: Path) -> None:
    prepare_data(scenes, tmp_path / "data", 24)
    groups = read_groups(scenes)
    assert groups == read_groups(tmp_path / "data")
    for tile in list_tiles(tmp_path / "data", "test"):
        for kind in ("images", "masks"):
            copy = tmp_path / f"data/test/{kind}/img/{tile.image_id}.tif"
            assert copy.read_bytes() == (scenes / kind / f"{tile.image_id}.tif").read_bytes()


def test_preparing_again_leaves_everything_as_it_is(scenes: Path, tmp_path: Path) -> None:
    prepare_data(scenes, tmp_path / "data", 24)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    prepare_data(scenes, tmp_path / "data", 24)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_other_data_does_not_replace_a_demo(scenes: Path, tmp_path: Path) -> None:
    prepare_data(scenes, tmp_path / "data", 24)
    with pytest.raises(InputError, match=r"data: holds 24 tiles at most of .*scenes0; give another --run, or remove"):
        prepare_data(tmp_path / "mine", tmp_path / "data", 24)


def test_copying_that_was_killed_begins_anew(scenes: Path, tmp_path: Path) -> None:
    prepare_data(scenes, tmp_path / "data", 24)
    whole = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    (tmp_path / "data/origin.json").unlink()
    next((tmp_path / "data/training/images/img").iterdir()).unlink()
    prepare_data(scenes, tmp_path / "data", 24)
    assert whole == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))


SIZE = (32, 40)
TRUTH = np.zeros(SIZE, bool)
TRUTH[:, :20] = True
EMPTY = np.zeros(SIZE, bool)


def draw_map(columns: int, value: int = 200) -> np.ndarray:
    """A map of a value in the first columns."""
    values = np.zeros(SIZE, np.uint8)
    values[:, :columns] = value
    return values


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with two test tiles, the second without a building and right throughout.

    Of the true 20 columns the members find 8 and 16, and with TTA 12 and 18; in between a map of 200 blends to 100.
    """
    made, found = Run(tmp_path / "run"), {"test_without_tta": (8, 16), "test": (12, 18)}
    for image_id in ("built", "empty"):
        write_raster(made.path / f"data/test/images/img/{image_id}.tif", np.zeros((*SIZE, 3), np.uint8))
        for part, columns in found.items():
            for member, count in zip(MEMBERS, columns, strict=True):
                values = draw_map(count if image_id == "built" else 0)
                write_raster(made.map_folder(part, member) / f"{image_id}.tif", values)
    return made


def test_table_shows_what_each_stage_brings(run: Run) -> None:
    tuned = Pipeline(Blend(dict.fromkeys(MEMBERS, 1)), Recipe(threshold=100))
    table = tabulate_stages(run, {"built": TRUTH, "empty": EMPTY}, tuned)
    assert table.title == "2 tiles that nothing was trained or tuned on"
    assert list(table.header) == ["stage", "pooled IoU"]
    assert [tuple(row) for row in table.rows] == [
        ("member lite0_unet", "0.4000"),
        ("member lite2_unet", "0.8000"),
        ("blend of both", "0.4000"),  # 100 stays below the neutral threshold
        ("blend with TTA (d4)", "0.6000"),
        ("blend with TTA, tuned", "0.9000"),
    ]


def test_picture_is_of_tiles_with_buildings(run: Run) -> None:
    tuned = Pipeline(Blend(dict.fromkeys(MEMBERS, 1)), Recipe(threshold=100))
    figure = draw_results(run, {"empty": EMPTY, "built": TRUTH}, tuned)
    assert [row.get_suptitle() for row in figure.subfigs] == ["built: IoU 0.900, of outlines 0.900; 1 building"]
    mask = next(axes for axes in figure.axes if axes.get_title(loc="left") == "mask").images[0].get_array()
    np.testing.assert_array_equal(mask, draw_map(18, 1))
