"""The picture of one image: what it holds, and what it refuses."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Outcome, hash_folder, write_raster

from ensemble.mapfolder.manifest import Manifest, write_manifest
from members.common.errors import InputError
from members.data.run import Run
from members.data.split import Split
from postproc.show import check_known

RoofStack = Callable[..., Outcome]
SIZE = (40, 60)
IMAGE = np.full((*SIZE, 3), 90, np.uint8)
TRUTH, MASK = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
TRUTH[10:30, 10:40], MASK[10:30, 20:50] = True, True
BLEND = np.where(MASK, 200, 30).astype(np.uint8)
SCORES = {
    "roof_12": ("IoU 0.500, of outlines 0.500", "1 building"),
    "field_7": ("IoU 1.000, of outlines 1.000", "0 buildings"),
}


def make_run(folder: Path, part: str) -> tuple[Path, Run]:
    """A data set of an image with a mask, or a test image without, and a run with its map."""
    data, run, base = folder / "data", Run(folder / "run"), "" if part == "valid" else "test/"
    write_raster(data / f"{base}images" / "roof_12.png", IMAGE)
    write_raster(data / f"{base}images" / "field_7.png", IMAGE)
    if part == "valid":
        write_raster(data / "masks" / "roof_12.png", TRUTH * np.uint8(255))
        write_raster(data / "masks" / "field_7.png", TRUTH * np.uint8(0))
    maps = run.map_folder(part, "net")
    sizes = {"roof_12": SIZE, "field_7": SIZE}
    write_raster(maps / "roof_12.tif", BLEND)
    write_raster(maps / "field_7.tif", BLEND * np.uint8(0))
    write_manifest(maps, Manifest(member="net", spec={}, tta="none", weights={}, split=Split(), images=sizes))
    return data, run


@pytest.mark.parametrize("part", ["valid", "test"])
@pytest.mark.parametrize("name", ["roof_12", "field_7"])
def test_picture_is_written(roofstack: RoofStack, tmp_path: Path, part: str, name: str) -> None:
    data, run = make_run(tmp_path, part)
    outcome = roofstack("show", name, "--data", data, "--run", run.path, "--part", part)
    assert (outcome.code, outcome.err) == (0, "")
    scores, count = SCORES[name]
    words = f"{scores}; {count}" if part == "valid" else f"{count}; truth unknown"
    assert outcome.out.splitlines()[0] == f"{name}: {words}"
    picture = cv2.imread(str(run.report_folder / f"{name}.png"))
    assert picture is not None
    assert picture.shape[1] == (3 if part == "valid" else 2) * 4 * 150  # panels are 4 inches wide at least


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("roof_21",), "no image roof_21 among 2; the nearest are roof_12, field_7"),
        (("roof_12", "--part", "nowhere"), "run roofstack predict --part nowhere"),
        (("roof_12", "--part", "town"), "--part town: the data set has no images of it; give them: --images"),
        (("roof_12", "--images", "data/images"), "--images data/images: the data set has the images of valid; leave"),
        (("roof_12", "--output", "picture.jpg"), "ending .jpg; give one of .png"),
        (("roof_12", "--output", "data/images/roof_12.png/picture.png"), "roof_12.png: a file; a folder can't be"),
    ],
)
def test_bad_input_is_one_line(
    roofstack: RoofStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    data, run = make_run(tmp_path, "valid")
    shutil.copytree(run.part_folder("valid"), run.part_folder("town"))
    monkeypatch.chdir(tmp_path)
    before = hash_folder(tmp_path)
    outcome = roofstack("show", *arguments, "--data", data, "--run", run.path)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert message in outcome.err
    assert hash_folder(tmp_path) == before


def test_a_test_part_with_masks_is_scored(roofstack: RoofStack, tmp_path: Path) -> None:
    data, run = make_run(tmp_path, "test")
    write_raster(data / "test/masks/roof_12.png", TRUTH * np.uint8(255))
    outcome = roofstack("show", "roof_12", "--data", data, "--run", run.path, "--part", "test")
    assert outcome.out.splitlines()[0] == "roof_12: IoU 0.500, of outlines 0.500; 1 building"
    outcome = roofstack("show", "field_7", "--data", data, "--run", run.path, "--part", "test")
    assert outcome.out.splitlines()[0] == "field_7: 0 buildings; truth unknown"


def test_a_scene_of_another_part_is_given_and_its_mask_may_be(roofstack: RoofStack, tmp_path: Path) -> None:
    data, run = make_run(tmp_path, "valid")
    run.part_folder("valid").rename(run.part_folder("town"))
    place = ("show", "roof_12", "--run", run.path, "--part", "town", "--images")
    for images in (data / "images/roof_12.png", data / "images"):
        outcome = roofstack(*place, images)
        assert (outcome.code, outcome.out.splitlines()[0]) == (0, "roof_12: 1 building; truth unknown")
    outcome = roofstack(*place, data / "images", "--masks", data / "masks/roof_12.png")
    assert outcome.out.splitlines()[0] == "roof_12: IoU 0.500, of outlines 0.500; 1 building"


def test_image_of_another_size_than_its_map(roofstack: RoofStack, tmp_path: Path) -> None:
    data, run = make_run(tmp_path, "test")
    write_raster(data / "test/images/roof_12.png", IMAGE[:35])
    outcome = roofstack("show", "roof_12", "--data", data, "--run", run.path, "--part", "test")
    assert outcome.code == 2
    assert "roof_12.png: 60x35 px, its map 60x40 px; predict it again" in outcome.err


def test_nearest_ids_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the nearest are banepa_2, banepa_1, banepa_3"):
        check_known("banepa_12", ["zanzibar_1", "banepa_1", "banepa_2", "banepa_3"], tmp_path)
