"""One pass writes masks and buildings, and all files tell the same."""

import functools
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from rasterio import Affine
from scipy import ndimage
from shapely import STRtree, affinity, box

from members.common.errors import InputError
from members.data.frames import Frame
from members.data.raster import read_mask
from members.labels.reading import read_outlines
from postproc.formats.exports import Source, draw_window, plan_exports, write_exports
from postproc.formats.submission import read_submission
from postproc.geo.blocks import list_windows
from postproc.pipeline.outlines import OutlineRecipe, outline_buildings
from postproc.polygons.buildings import Building, rasterize_outlines

GRID = Affine(0.5, 0, 350_000, 0, -0.5, 3_050_000)
SIDE = 64
CORNERS = {"d": (64, 64), "a": (0, 0), "c": (64, 0), "b": (0, 64)}
"""Four tiles that make a square, in no order."""


def draw_town() -> np.ndarray:
    """A map of houses turned by 25 degrees, their walls ragged; several reach over the tiles' borders."""
    houses = [box(10 + 30 * i, 12 + 28 * j, 32 + 30 * i, 28 + 28 * j) for i in range(4) for j in range(4)]
    mask = rasterize_outlines([affinity.rotate(house, 25) for house in houses], (2 * SIDE, 2 * SIDE))
    noise = ndimage.gaussian_filter(np.random.default_rng(4).standard_normal(mask.shape), 1.5)
    blend = np.clip(ndimage.gaussian_filter(mask * 1.0, 1.5) + 0.5 * noise, 0, 1)
    town: np.ndarray = np.rint(255 * blend).astype(np.uint8)
    return town


TOWN = draw_town()
FRAMES = {
    name: Frame(name, (SIDE, SIDE), "EPSG:32645", GRID * Affine.translation(column, row))
    for name, (row, column) in CORNERS.items()
}


def read_tile(image_id: str) -> tuple[np.ndarray, np.ndarray]:
    row, column = CORNERS[image_id]
    blend = TOWN[row : row + SIDE, column : column + SIDE]
    return blend >= 128, blend


def read_window(image_id: str, window: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
    mask, blend = read_tile(image_id)
    return mask[window], blend[window]


def make_source(from_outlines: bool) -> Source:
    outline = functools.partial(outline_buildings, recipe=OutlineRecipe(tolerance=4.0))
    return Source(FRAMES, read_window, outline, from_outlines)


def export(folder: Path, source: Source, **names: str) -> tuple[dict[str, Path], int | None]:
    paths = {option: folder / name for option, name in names.items()}
    return paths, write_exports(plan_exports(dict(paths), source.frames), source).buildings


def test_the_csv_is_the_vector_file_drawn_on_each_tile(tmp_path: Path) -> None:
    """Also along the tiles' borders, where a tile outlined alone would have had other walls."""
    files, count = export(tmp_path, make_source(True), output="s.csv", vector="b.gpkg", masks="masks", coco="b.json")
    rows = dict(read_submission(files["output"]))
    assert list(rows) == list(FRAMES)
    outlines = read_outlines(files["vector"], FRAMES)
    alone_differ = False
    for image_id, mask in rows.items():
        np.testing.assert_array_equal(mask, rasterize_outlines(outlines[image_id], (SIDE, SIDE)))
        np.testing.assert_array_equal(mask, read_mask(files["masks"] / f"{image_id}.tif"))
        alone = outline_buildings(*read_tile(image_id), OutlineRecipe(tolerance=4.0))
        alone_differ |= not np.array_equal(mask, rasterize_outlines([each.outline for each in alone], (SIDE, SIDE)))
    assert alone_differ
    instances = json.loads(files["coco"].read_text())
    numbers = {image["id"]: image["file_name"] for image in instances["images"]}
    drawn = {image_id: np.zeros((SIDE, SIDE), bool) for image_id in FRAMES}
    for each in instances["annotations"]:
        drawn[numbers[each["image_id"]]] |= coco_mask.decode(each["segmentation"]).astype(bool)
    for image_id, mask in rows.items():
        np.testing.assert_array_equal(drawn[image_id], mask)
    assert count == len(outline_town()) > 10


def outline_town() -> list[Building]:
    return outline_buildings(TOWN >= 128, TOWN, OutlineRecipe(tolerance=4.0))


def test_masks_are_those_read_where_outlines_were_not_kept(tmp_path: Path) -> None:
    files, count = export(tmp_path, make_source(False), output="s.csv", vector="b.gpkg")
    for image_id, mask in read_submission(files["output"]):
        np.testing.assert_array_equal(mask, read_tile(image_id)[0])
    assert count == len(outline_town())


@pytest.mark.parametrize(("from_outlines", "passes"), [(True, 1), (False, 0)])
def test_nothing_is_outlined_for_masks_alone_and_nothing_twice(
    tmp_path: Path, from_outlines: bool, passes: int
) -> None:
    seen = []

    def outline(mask: np.ndarray, blend: np.ndarray) -> list[Building]:
        seen.append(mask.shape)
        return outline_buildings(mask, blend, OutlineRecipe())

    _, count = export(tmp_path, Source(FRAMES, read_window, outline, from_outlines), output="s.csv", masks="masks")
    assert seen == [TOWN.shape] * passes
    assert count is None


def test_what_coco_leaves_out_is_said(tmp_path: Path) -> None:
    """A sliver between the centres of two columns has no pixel."""
    outlines = [box(10.6, 10, 11.4, 40), box(20, 10, 40, 40)]
    found = Source(
        FRAMES, read_window, lambda mask, blend: [Building(outline, "traced", 1.0) for outline in outlines], False
    )
    written = write_exports(plan_exports({"vector": tmp_path / "b.gpkg", "coco": tmp_path / "b.json"}, FRAMES), found)
    told = f"{tmp_path / 'b.json'}: 1 of 2 outlines cover no pixel's centre, so they are none of its annotations"
    assert (written.buildings, written.remarks) == (2, (told,))
    assert len(json.loads((tmp_path / "b.json").read_text())["annotations"]) == 1


def test_progress_is_shown_mosaics_and_images(tmp_path: Path) -> None:
    seen = []

    def watch(items: Iterable[object], description: str, total: int) -> Iterable[object]:
        seen.append((description, total))
        return items

    exports = plan_exports({"output": tmp_path / "s.csv", "vector": None}, FRAMES)
    write_exports(exports, make_source(True), progress=watch)  # type: ignore[arg-type]
    assert seen == [("outlines", 1), ("submission", 4)]


def test_files_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    bare = FRAMES | {"bare": Frame("bare", (SIDE, SIDE), None, Affine.identity())}
    for paths, message in (
        ({"output": tmp_path / "s.gpkg"}, "ending .gpkg; give one of .csv"),
        ({"vector": tmp_path / "b.kml"}, "ending .kml; give one of .gpkg, .geojson, .parquet"),
        ({"vector": tmp_path / "b.gpkg"}, "image bare has no georeferencing"),
        ({"masks": tmp_path / "file/masks"}, "file: a file; a folder can't be of that name"),
    ):
        with pytest.raises(InputError, match=message):
            plan_exports(dict(paths), bare)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_windows_are_drawn_as_the_whole_mask_is() -> None:
    """Also of houses that reach over several windows, and of walls that run through the centres of pixels."""
    outlines = [building.outline for building in outline_town()]
    outlines.append(affinity.rotate(box(20.5, 20.5, 100.5, 90.5), 30))
    whole = rasterize_outlines(outlines, TOWN.shape)
    tree = STRtree(outlines)
    for rows, columns in list_windows(TOWN.shape, 48):
        np.testing.assert_array_equal(draw_window(tree, (rows, columns)), whole[rows, columns])
