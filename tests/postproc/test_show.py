"""The picture of one image: what it holds, and what it refuses."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Outcome, hash_folder, write_raster
from matplotlib.colors import to_rgb
from shapely import box

from ensemble.mapfolder.manifest import Manifest, write_manifest
from members.common.errors import InputError
from members.data.run import Run
from postproc.polygons.buildings import Building
from postproc.show import ERRORS, check_known, describe_scores, draw_panels

RoofStack = Callable[..., Outcome]
SIZE = (40, 60)
IMAGE = np.full((*SIZE, 3), 90, np.uint8)
TRUTH, MASK = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
TRUTH[10:30, 10:40], MASK[10:30, 20:50] = True, True
BLEND = np.where(MASK, 200, 30).astype(np.uint8)
BUILDINGS = [Building(box(20, 10, 50, 30), "traced", 0.8)]


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
    write_manifest(maps, Manifest(member="net", spec={}, tta="none", weights={}, split={}, images=sizes))
    return data, run


def test_panels_with_truth_and_without() -> None:
    def list_titles(truth: np.ndarray | None) -> list[str]:
        axes = draw_panels(IMAGE, truth, BLEND, MASK, BUILDINGS).axes
        return [each.get_title(loc="left") for each in axes if each.get_title(loc="left")]

    assert list_titles(TRUTH) == ["image", "truth", "probability", "mask", "outlines", "errors"]
    assert list_titles(None) == ["image", "probability", "mask", "outlines"]


def test_errors_are_where_they_are() -> None:
    """Of the third layer of colours, one kind a case: columns 20 to 40 are hit, 40 to 50 false, 10 to 20 missed."""
    panel = next(
        a for a in draw_panels(IMAGE, TRUTH, BLEND, MASK, BUILDINGS).axes if a.get_title(loc="left") == "errors"
    )
    kinds = np.asarray(panel.images[1].get_array().filled(np.nan))
    np.testing.assert_array_equal(kinds[20, [5, 15, 30, 45, 55]], [np.nan, 2, 0, 1, np.nan])
    colours = [tuple(panel.images[1].cmap(panel.images[1].norm(kind))[:3]) for kind in range(3)]
    assert colours == [to_rgb(colour) for colour in ERRORS.values()]


def test_outlines_lie_on_the_edges_of_pixels() -> None:
    panel = next(
        a for a in draw_panels(IMAGE, None, BLEND, MASK, BUILDINGS).axes if a.get_title(loc="left") == "outlines"
    )
    vertices = panel.collections[1].get_segments()[0]
    assert (vertices.min(0).tolist(), vertices.max(0).tolist()) == ([19.5, 9.5], [49.5, 29.5])


def test_scores_in_words() -> None:
    assert describe_scores(TRUTH, MASK, BUILDINGS) == "IoU 0.500, of outlines 0.500; 1 building"
    assert describe_scores(None, MASK, []) == "0 buildings; truth unknown"


@pytest.mark.parametrize("part", ["valid", "test"])
@pytest.mark.parametrize("name", ["roof_12", "field_7"])
def test_picture_is_written(roofstack: RoofStack, tmp_path: Path, part: str, name: str) -> None:
    data, run = make_run(tmp_path, part)
    outcome = roofstack("show", name, "--data", data, "--run", run.path, "--part", part)
    assert (outcome.code, outcome.err) == (0, "")
    assert ("IoU" in outcome.out) == (part == "valid")
    picture = cv2.imread(str(run.report_folder / f"{name}.png"))
    assert picture.shape[1] > 1000
    assert len(np.unique(picture.astype(int) @ [1, 256, 256**2])) > 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("roof_21",), "no image roof_21 among 2; the nearest are roof_12, field_7"),
        (("roof_12", "--part", "nowhere"), "run roofstack predict --part nowhere"),
        (("roof_12", "--output", "picture.jpg"), "ending .jpg; give one of .png"),
        (("roof_12", "--output", "none/picture.png"), "none: no such folder"),
    ],
)
def test_bad_input_is_one_line(
    roofstack: RoofStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    data, run = make_run(tmp_path, "valid")
    monkeypatch.chdir(tmp_path)
    before = hash_folder(tmp_path)
    outcome = roofstack("show", *arguments, "--data", data, "--run", run.path)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert message in outcome.err
    assert hash_folder(tmp_path) == before


def test_image_of_another_size_than_its_map(roofstack: RoofStack, tmp_path: Path) -> None:
    data, run = make_run(tmp_path, "test")
    write_raster(data / "test/images/roof_12.png", IMAGE[:35])
    outcome = roofstack("show", "roof_12", "--data", data, "--run", run.path, "--part", "test")
    assert outcome.code == 2
    assert "roof_12.png: 60x35 px, its map 60x40 px; predict it again" in outcome.err


def test_nearest_ids_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the nearest are banepa_2, banepa_1, banepa_3"):
        check_known("banepa_12", ["zanzibar_1", "banepa_1", "banepa_2", "banepa_3"], tmp_path)
