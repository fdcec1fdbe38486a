"""roofstack audit: what is planted is told, drawn and written; what is broken is listed; nothing else changes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Outcome, hash_folder, write_raster, write_tiles

from members.data.raster import read_image, read_mask
from members.data.tiles import list_files, list_tiles
from members.synthetic.scenes import draw_scene

RoofStack = Callable[..., Outcome]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three drawn towns as quarters, town8_0_0 to town10_1_1, without groups."""
    root = tmp_path_factory.mktemp("scenes") / "data"
    for seed in (8, 9, 10):
        image, mask = draw_scene(seed)
        for row in (0, 1):
            for column in (0, 1):
                window = np.s_[128 * row : 128 * row + 128, 128 * column : 128 * column + 128]
                write_raster(root / f"images/town{seed}_{row}_{column}.png", image[window])
                write_raster(root / f"masks/town{seed}_{row}_{column}.png", (mask[window] > 0).astype(np.uint8))
    return root


@pytest.fixture
def data(scenes: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scenes, tmp_path / "data"))


def test_quarters_of_a_picture_are_groups(roofstack: RoofStack, data: Path, tmp_path: Path) -> None:
    before = hash_folder(data)
    outcome = roofstack("audit", "--data", data, "--output", tmp_path / "out")
    assert outcome.code == 0
    assert f"NO GROUPS: {data} has no tiles.csv or groups.csv" in outcome.out
    assert "Proposed: 3 groups of 12 tiles" in outcome.out
    assert "0 of 3 groups held out, fewer than 10" in outcome.out
    assert hash_folder(data) == before
    shutil.copy(tmp_path / "out/groups.csv", data)
    assert {tile.group for tile in list_tiles(data)} == {"town8", "town9", "town10"}
    again = roofstack("audit", "--data", data)
    assert "no copies and no shared ground are in two groups" in again.out
    assert "written" not in again.out


def test_a_copy_joins_groups_and_is_drawn(roofstack: RoofStack, data: Path, tmp_path: Path) -> None:
    """A quarter of one town, mirrored, in place of a quarter of another, and in the test part."""
    mirrored = read_image(data / "images/town8_0_1.png")[:, ::-1]
    write_raster(data / "images/town9_1_0.png", mirrored)
    write_raster(data / "test/images/new.png", mirrored[::-1])
    (data / "groups.csv").write_text(
        "image_id,group\n" + "".join(f"{name},{name.split('_')[0]}\n" for name in list_files(data / "images"))
    )
    outcome = roofstack("audit", "--data", data, "--output", tmp_path / "out", "--json")
    found = json.loads(outcome.out)
    (pair,) = found["checks"]["copies in training"]["cases"]
    assert (pair["one"], pair["other"], pair["exact"], pair["groups"]) == (
        "town8_0_1", "town9_1_0", True, ["town8", "town9"],
    )  # fmt: skip
    assert found["checks"]["copies in training and test"]["found"] == 1
    assert (found["groups"], found["proposal"]["groups"]) == (3, 2)
    assert (tmp_path / "out/audit.png").read_bytes()[:4] == b"\x89PNG"
    rows = dict(line.split(",") for line in (tmp_path / "out/groups.csv").read_text().splitlines())
    assert rows["town8_0_0"] == rows["town9_0_0"] != rows["town10_0_0"]
    assert "GROUPS SHARE COPIES OR GROUND: joined, 3 groups become 2" in roofstack("audit", "--data", data).out


def test_labels_by_a_run(roofstack: RoofStack, data: Path, tmp_path: Path) -> None:
    """Maps that know the truth, as of another program; then one building is deleted, and a mask is moved."""
    for name, path in list_files(data / "masks").items():
        (tmp_path / "maps").mkdir(exist_ok=True)
        np.save(tmp_path / f"maps/{name}.npy", np.where(read_mask(path), np.uint8(230), np.uint8(10)))
    mask = read_mask(data / "masks/town9_0_0.png")
    write_raster(data / "masks/town9_0_0.png", (mask & False).astype(np.uint8))
    moved = np.roll(read_mask(data / "masks/town10_0_1.png"), 4, axis=1)
    write_raster(data / "masks/town10_0_1.png", moved.astype(np.uint8))
    made = roofstack(
        "maps", "import", "--data", data, "--run", tmp_path / "run", "--part", "valid", "--member", "them",
        "--from", tmp_path / "maps", "--group-by", r"(.+)_\d_\d",
    )  # fmt: skip
    assert made.code == 0
    assert "NO GROUPS" not in made.err
    outcome = roofstack("audit", "--data", data, "--run", tmp_path / "run", "--json")
    checks = json.loads(outcome.out)["checks"]
    suspicious = checks["suspicious labels"]["cases"]
    count = sum(case["kind"] == "missing" for case in suspicious if case["image"] == "town9_0_0")
    assert count > 0
    assert suspicious[0]["image"] == "town9_0_0"
    (offset,) = [case for case in checks["masks off their maps"]["cases"] if case["image"] == "town10_0_1"]
    assert (offset["down"], offset["right"]) == (pytest.approx(0, abs=0.5), pytest.approx(4, abs=0.5))
    assert {path.name for path in (tmp_path / "run/report").iterdir()} == {"audit.json", "audit.png", "groups.csv"}
    words = roofstack(
        "audit", "--data", data, "--run", tmp_path / "run"
    ).out  # of the run's split, not of the usual one
    assert "of 3 groups held out, fewer than 10" in words
    assert "0 of 3 groups" not in words


def test_import_and_train_say_that_there_are_no_groups(
    roofstack: RoofStack, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("members.training.train.fit_members", lambda *arguments: None)
    train = ("train", "lite0_unet", "--data", data, "--encoder-weights", "none", "--run", tmp_path / "run")
    outcome = roofstack(*train)
    assert outcome.code == 0
    first, second = outcome.err.splitlines()
    assert first.startswith(f"warning: NO GROUPS: {data} has no tiles.csv or groups.csv, so each tile is its own group")
    assert "Proposed: 3 groups of 12 tiles (12 touch or continue another, 12 share the start of their name)" in first
    assert second == (
        "warning: 2 of 12 groups held out, fewer than 10: what is tuned on them is mostly noise; --folds 5 holds all "
        "12 out in turn"
    )
    grouped = roofstack(*train, "--group-by", "(town[0-9]+)", "--folds", 3)
    assert grouped.err.splitlines() == [
        "warning: 3 of 3 groups held out, fewer than 10: what is tuned on them is mostly noise; finer groups "
        "(--group-by), or images of more places, are the cure"
    ]
    (tmp_path / "maps").mkdir()
    for name, path in list_files(data / "masks").items():
        np.save(tmp_path / f"maps/{name}.npy", read_mask(path) * np.float32(0.9))
    made = roofstack(
        "maps", "import", "--data", data, "--run", tmp_path / "new", "--part", "valid", "--member", "them", "--from",
        tmp_path / "maps",
    )  # fmt: skip
    assert made.err.startswith("warning: NO GROUPS: ")


# Bad input


def refuse(roofstack: RoofStack, folder: Path, *arguments: object) -> list[str]:
    """Check that a command line ends as bad input must, and changes nothing; return its lines."""
    before = hash_folder(folder)
    outcome = roofstack("audit", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert hash_folder(folder) == before
    return outcome.err.splitlines()


def test_broken_files_are_listed_all_at_once(roofstack: RoofStack, tmp_path: Path) -> None:
    data = write_tiles(tmp_path / "data")
    (data / "masks/tile0.tif").unlink()
    (data / "images/tile1.tif").write_bytes(b"")
    content = (data / "masks/tile2.tif").read_bytes()
    (data / "masks/tile2.tif").write_bytes(content[: len(content) // 2])
    write_raster(data / "masks/tile3.tif", np.full((64, 64), 7, np.uint8))
    lines = refuse(roofstack, tmp_path, "--data", data, "--output", tmp_path / "out")
    assert len(lines) == 5
    assert all(line.startswith("error: ") for line in lines)
    for said in (
        "tile0.tif: image without a mask",
        "tile1.tif: zero bytes",
        "tile2.tif",
        "tile3.tif: values 7; a",
    ):
        assert sum(said in line for line in lines) == 1, said
    assert lines[-1] == f"error: {data}: 4 flaw(s), named above; mend or remove those files, then try again"


@pytest.mark.parametrize("folders", [(), ("images", "masks")])
def test_empty_folders(roofstack: RoofStack, tmp_path: Path, folders: tuple[str, ...]) -> None:
    for folder in folders:
        (tmp_path / "data" / folder).mkdir(parents=True)
    (line,) = refuse(roofstack, tmp_path, "--data", tmp_path / "data")
    assert "images: empty folder" in line or "no folder of training images" in line


def test_all_tiles_empty(roofstack: RoofStack, tmp_path: Path) -> None:
    data = write_tiles(tmp_path / "data", 3)
    for path in (data / "masks").iterdir():
        write_raster(path, np.zeros((64, 64), np.uint8))
    (line,) = refuse(roofstack, tmp_path, "--data", data)
    assert line == f"error: {data}: no building in any of 3 masks; check how they were drawn"


def test_no_run_no_folder_other_groups(roofstack: RoofStack, data: Path, tmp_path: Path) -> None:
    (line,) = refuse(roofstack, tmp_path, "--data", data, "--run", tmp_path / "none")
    assert "none: no run here (no run.json)" in line
    (line,) = refuse(roofstack, tmp_path, "--data", data, "--output", data / "masks/town10_0_0.png/such")
    assert "town10_0_0.png: a file; a folder can't be of that name" in line
    (line,) = refuse(roofstack, tmp_path, "--data", data, "--group-by", "(berlin)")
    assert "finds nothing in town10_0_0; every image needs a group" in line


@pytest.mark.slow
def test_real_tiles_have_no_copies(roofstack: RoofStack, shared_data: Path) -> None:
    checks = json.loads(roofstack("audit", "--data", shared_data / "hot_buildings", "--json").out)["checks"]
    for check in ("copies in training", "copies in training and test", "one ground in two groups", "blank images"):
        assert checks[check]["found"] == 0
    assert checks["neighbours in two groups"]["found"] > 0
