"""The table and the picture of what each stage brings."""

from pathlib import Path

import numpy as np
import pytest
from conftest import write_raster

from ensemble.selection.blend import Blend
from members.data.run import Run
from members.data.tiles import list_tiles
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe
from postproc.polygons.tracing import trace_mask
from postproc.reporting.stages import Truth, draw_results, tabulate_stages

MEMBERS = ("lite0_unet", "lite2_unet")
STUDENT = "lite0_unet_student"
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

    Of the true 20 columns the members find 8 and 16, and with TTA 12 and 18, a student 15; in
    between a map of 200 blends to 100.
    """
    made, found = Run(tmp_path / "run"), {"test_without_tta": (8, 16), "test": (12, 18)}
    for image_id in ("built", "empty"):
        write_raster(made.path / f"data/test/images/img/{image_id}.tif", np.zeros((*SIZE, 3), np.uint8))
        for part, columns in found.items():
            for member, count in zip(MEMBERS, columns, strict=True):
                values = draw_map(count if image_id == "built" else 0)
                write_raster(made.map_folder(part, member) / f"{image_id}.tif", values)
        values = draw_map(15 if image_id == "built" else 0)
        write_raster(made.map_folder("test", STUDENT) / f"{image_id}.tif", values)
    return made


def tell_truth(*groups: str) -> Truth:
    masks = {"built": TRUTH, "empty": EMPTY}
    return Truth(masks, {image_id: trace_mask(mask) for image_id, mask in masks.items()}, groups)


def test_table_shows_what_each_stage_brings(run: Run) -> None:
    """The blend is compared with the better member, each later stage with the one before."""
    tuned = Pipeline(Blend(dict.fromkeys(MEMBERS, 1)), Recipe(threshold=100))
    table = tabulate_stages(run, "test_without_tta", "test", tell_truth("town", "town"), tuned, STUDENT)
    assert table.title == "2 tiles of 1 groups that nothing was trained or tuned on"
    gain = "gain [90 % interval]"
    assert list(table.header) == ["stage", "pooled IoU", gain, "building F1", gain]
    assert [tuple(row) for row in table.rows] == [
        ("member lite0_unet", "0.4000", "", "0.0000", ""),
        ("member lite2_unet", "0.8000", "", "1.0000", ""),
        ("blend of both", "0.4000", "-0.4000", "0.0000", "-1.0000"),  # 100 stays below the neutral threshold
        ("blend with TTA (d4)", "0.6000", "+0.2000", "1.0000", "+1.0000"),
        ("blend with TTA, tuned", "0.9000", "+0.3000", "1.0000", "+0.0000"),
        ("student alone, with TTA", "0.7500", "+0.1500", "1.0000", "+0.0000"),  # over the blend with TTA
    ]


def test_intervals_are_over_groups(run: Run) -> None:
    """Of two groups, one of them right throughout, a gain may be anything: Student's t has one degree of freedom."""
    tuned = Pipeline(Blend(dict.fromkeys(MEMBERS, 1)), Recipe(threshold=100))
    table = tabulate_stages(run, "test_without_tta", "test", tell_truth("town", "field"), tuned, STUDENT)
    assert table.rows[-2][1:3] == ("0.9000", "+0.3000 [-0.6471, +1.0000]")


def test_picture_is_of_tiles_with_buildings(run: Run) -> None:
    tuned = Pipeline(Blend(dict.fromkeys(MEMBERS, 1)), Recipe(threshold=100))
    images = {tile.image_id: tile.image for tile in list_tiles(run.path / "data", "test")}
    figure = draw_results(run, "test", images, {"empty": EMPTY, "built": TRUTH}, tuned)
    assert [row.get_suptitle() for row in figure.subfigs] == ["built: IoU 0.900, of outlines 0.900; 1 building"]
    mask = next(axes for axes in figure.axes if axes.get_title(loc="left") == "mask").images[0].get_array()
    np.testing.assert_array_equal(mask, draw_map(18, 1))
