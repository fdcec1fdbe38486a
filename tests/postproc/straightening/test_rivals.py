"""The other library: in metres on the ground, from the same masks, and told how to get where it is missing."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from conftest import GEOREFERENCE, hash_folder, write_raster
from shapely import box

from members.data.frames import Frame
from members.data.mosaic import join_frames
from postproc.scoring.shapes import measure_iou
from postproc.straightening import rivals
from postproc.straightening.rivals import measure_pixel, square_outlines


def test_a_pixel_of_web_mercator_is_smaller_on_the_ground() -> None:
    (mosaic,) = join_frames([Frame("a", (100, 80), "EPSG:3857", GEOREFERENCE["transform"])])
    latitude = np.arctan(np.sinh(3_200_000 / 6_378_137))
    assert measure_pixel(mosaic) == pytest.approx(np.cos(latitude) * np.sqrt(0.25 * 0.5), rel=0.01)


def test_outlines_come_back_in_pixels_and_in_order() -> None:
    pytest.importorskip("buildingregulariser")
    ragged = [shapely.union_all([box(0, 0, 40, 30), box(40, 3, 41, 6)]), box(100, 100, 160, 150)]
    found = square_outlines(np.array(ragged, object), pixel=0.5)
    assert (measure_iou(found, np.array(ragged, object)) > 0.9).all()
    assert len(square_outlines(np.zeros(0, object), 0.5)) == 0


def test_both_stand_side_by_side(tmp_path: Path, roofstack: Any) -> None:
    pytest.importorskip("buildingregulariser")
    mask = np.zeros((96, 96), np.uint8)
    mask[10:50, 10:70], mask[60:90, 20:60] = 1, 1
    path = write_raster(tmp_path / "m.tif", mask, **GEOREFERENCE)
    run = roofstack("outline", path, tmp_path / "o.gpkg", "--truth", path.parent, "--against", rivals.LIBRARY)
    assert (run.code, run.err) == (0, "")
    (row,) = [line for line in run.out.splitlines() if "IoU, all pixels pooled" in line]
    assert [float(cell) > 0.8 for cell in row.split("│")[2:6]] == [True] * 4


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("absent", "--against buildingregulariser: not installed; pip install buildingregulariser"),
        ("bare", "its lengths are in metres, and m has no georeferencing"),
        ("truth", "scores are against a truth; give --truth PATH"),
    ],
)
def test_what_it_needs_is_said_first(
    tmp_path: Path, roofstack: Any, monkeypatch: pytest.MonkeyPatch, how: str, message: str
) -> None:
    known = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> Any:
        if name != rivals.LIBRARY:
            return known(name, package)
        return None if how == "absent" else name

    monkeypatch.setattr("importlib.util.find_spec", find_spec)
    path = write_raster(tmp_path / "m.tif", np.eye(40, dtype=np.uint8), **({} if how == "bare" else GEOREFERENCE))
    before = hash_folder(tmp_path)
    truth = [] if how == "truth" else ["--truth", tmp_path]
    run = roofstack("outline", path, tmp_path / "o.gpkg", "--against", rivals.LIBRARY, *truth)
    assert (run.code, run.out) == (2, "")
    assert message in run.err
    assert len(run.err.splitlines()) == 1
    assert hash_folder(tmp_path) == before
