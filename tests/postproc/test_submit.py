"""Which recipe and which weights a submission is made with, and the files that are written beside it."""

import gzip
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from conftest import ROOT, Outcome, hash_folder, write_raster
from pycocotools.coco import COCO
from rasterio import Affine

from ensemble.mapfolder.manifest import Manifest, trace_maps, write_manifest
from ensemble.selection.blend import Blend
from members.common.errors import InputError
from members.data.cog import is_cog
from members.data.raster import read_mask
from members.data.run import Run
from postproc.formats.submission import read_submission
from postproc.pipeline.outlines import OutlineRecipe, outline_buildings
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe
from postproc.polygons.buildings import rasterize_outlines
from postproc.submit import read_note

RoofStack = Callable[..., Outcome]
SIZE = (40, 50)
GRID = Affine(0.5, 0, 350_000, 0, -0.5, 3_050_000)
TRANSFORMS = {"left": GRID, "right": GRID * Affine.translation(50, 0)}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run with (empty) map folders of two members."""
    for member in ("first", "second"):
        (tmp_path / "maps/test" / member).mkdir(parents=True)
    return Run(tmp_path)


def test_default_is_the_neutral_recipe_on_all_members_alike(run: Run) -> None:
    assert Pipeline.of_run(run, "test", "default") == Pipeline(Blend({"first": 1, "second": 1}))


def test_tuned_takes_recipe_and_weights_from_tuned_json(run: Run) -> None:
    run.tuned_file.write_text(json.dumps({"recipe": {"threshold": 99, "close": 3}, "members": {"first": 2}}))
    assert Pipeline.of_run(run, "test") == Pipeline(Blend({"first": 2}), Recipe(threshold=99, close=3))


def test_file_may_hold_a_recipe_alone(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"threshold": 77}')
    assert Pipeline.of_run(run, "test", str(path)) == Pipeline(Blend({"first": 1, "second": 1}), Recipe(threshold=77))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"recipe": {"threshold": 0}}', "threshold"),
        ('{"recipe": {}, "members": {"first": -1}}', "non-negative integer weights"),
        ('{"recipe": {}, "members": {"first": 0}}', "not all 0"),
        ('{"recipe": {}, "members": []}', "non-negative integer weights"),
        ("{", "not a readable JSON file"),
        ('{"treshold": 3}', "treshold"),
    ],
)
def test_bad_recipe_file_is_one_line(run: Run, tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as error:
        Pipeline.of_run(run, "test", str(path))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_tuned_json_goes_with_the_weights_and_views_that_it_was_chosen_on(run: Run) -> None:
    """Trained on, predicted with other views, or with maps of valid made anew: each is said, and names the cure."""

    def write(part: str, **changes: Any) -> Manifest:
        fields = {"weights": {"0": "f0"}, "spec": {"backbone": "lite0"}, "tta": "d4", "split": {}, "images": {}}
        manifest = Manifest.model_validate({"member": "first", **fields, **changes})
        write_manifest(run.map_folder(part, "first"), manifest)
        return manifest

    recipe = {"recipe": {"threshold": 99}, "members": {"first": 1, "second": 0}}
    trace = trace_maps({"first": write("valid", images={"a": (32, 32)})})
    run.tuned_file.write_text(json.dumps(recipe | {"maps": trace}))
    write("test", images={"x": (64, 64)})
    assert Pipeline.of_run(run, "test").recipe == Recipe(threshold=99)
    for part, change, what in (
        ("test", {"weights": {"0": "f1"}}, "weights"),
        ("test", {"tta": "none"}, "views"),
        ("valid", {"images": {"b": (32, 32)}}, "images"),
    ):
        kept = write("test"), write("valid", images={"a": (32, 32)})
        write(part, **change)
        with pytest.raises(InputError, match=rf"tuned.json: chosen on maps of first of other {what} than .*/{part}/"):
            Pipeline.of_run(run, "test")
        assert Pipeline.of_run(run, "test", str(run.tuned_file)).recipe == Recipe(threshold=99)  # the cure
        for each, folder in zip(kept, ("test", "valid"), strict=True):
            write_manifest(run.map_folder(folder, "first"), each)


def test_missing_tuned_json_and_missing_maps_name_the_cure(run: Run) -> None:
    with pytest.raises(InputError, match="run roofstack tune, or give --recipe default"):
        Pipeline.of_run(run, "test")
    with pytest.raises(InputError, match="run roofstack predict --part elsewhere"):
        Pipeline.of_run(run, "elsewhere", "default")


def test_words_leave_out_what_is_off() -> None:
    assert str(Recipe()) == "threshold 128"
    full = Recipe(threshold=90, order="open-close", kernel="ellipse", close=5, open=3, min_hole=16, min_object=40)
    assert str(full) == (
        "threshold 90, open 3x3 ellipse, close 5x5 ellipse, fill holes under 16 px, drop objects under 40 px"
    )


TOWN = np.full((40, 100), 20, np.uint8)
"""Both tiles side by side: a house of 16 x 20 px that they share, and a shed of 10 x 10 px in the left one."""
TOWN[10:30, 42:58], TOWN[5:15, 4:14] = 204, 230


def draw_map(name: str) -> np.ndarray:
    return TOWN[:, :50] if name == "left" else TOWN[:, 50:]


def make_run(folder: Path, bare: bool = False, recipe: dict[str, Any] | None = None) -> Run:
    """A run with one member's maps of two tiles side by side, with or without georeferencing."""
    run = Run(folder / "run")
    maps = run.map_folder("test", "net")
    for name, transform in TRANSFORMS.items():
        write_raster(
            maps / f"{name}.tif", draw_map(name), **({} if bare else {"crs": "EPSG:32645", "transform": transform})
        )
    spec = {
        "member": "net",
        "spec": {},
        "tta": "none",
        "weights": {},
        "split": {},
        "images": dict.fromkeys(TRANSFORMS, SIZE),
        "files": {"left": "left.jpg"},
    }
    write_manifest(maps, Manifest.model_validate(spec))
    run.tuned_file.write_text(json.dumps(recipe or {"recipe": {}, "members": {"net": 1}}))
    return run


def refuse(roofstack: RoofStack, folder: Path, message: str, *arguments: object) -> None:
    """Check that a command line ends as bad input must, leaving `folder` as it was."""
    before = hash_folder(folder)
    outcome = roofstack(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert re.fullmatch(f"error: .*{message}.*\n", outcome.err), outcome.err
    assert hash_folder(folder) == before


@pytest.mark.parametrize("suffix", [".gpkg", ".parquet", ".geojson"])
def test_house_on_the_border_is_one_building(roofstack: RoofStack, tmp_path: Path, suffix: str) -> None:
    run, new = make_run(tmp_path), tmp_path / "made/when"
    vector, coco, masks = new / f"b{suffix}", new / "b.json", new / "written"
    outcome = roofstack("submit", "--run", run.path, "--vector", vector, "--coco", coco, "--masks", masks)
    assert (outcome.code, outcome.err) == (0, "")
    assert "2 buildings; submission.csv, written from masks, as tuning has not kept outlines; " in outcome.out
    assert f"{vector.name}, b.json from outlines" in outcome.out
    table = geopandas.read_parquet(vector) if suffix == ".parquet" else pyogrio.read_dataframe(vector)
    assert sorted(table.area_m2) == pytest.approx([100 / 4, 320 / 4], rel=0.01)
    house = table[table.area_m2 > 50].iloc[0]
    assert house.confidence == pytest.approx(0.8)
    assert house.image_id in TRANSFORMS
    expected = {name: draw_map(name) >= 128 for name in TRANSFORMS}
    for name, mask in read_submission(run.submission_file("test")):
        np.testing.assert_array_equal(mask, expected[name])
        np.testing.assert_array_equal(read_mask(masks / f"{name}.tif"), mask)
        with rasterio.open(masks / f"{name}.tif") as raster:
            assert (raster.crs.to_epsg(), raster.transform) == (32645, TRANSFORMS[name])
    loaded = COCO(coco)
    names = {image["id"]: image["file_name"] for image in loaded.dataset["images"]}
    found = sorted((names[each["image_id"]], each["area"]) for each in loaded.dataset["annotations"])
    assert found == [("left.jpg", 100), ("left.jpg", 160), ("right.tif", 160)]


def test_a_blend_that_was_chosen_later_is_told(roofstack: RoofStack, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for weights, told in (({"net": 1}, False), ({"net": 1, "other": 2}, True)):
        run.blend_file.write_text(json.dumps({"members": weights}))
        os.utime(run.tuned_file, (0, 0))
        outcome = roofstack("submit", "--run", run.path)
        assert outcome.code == 0
        assert ("blend.json was chosen after tuned.json, and is another blend" in outcome.err) == told
    os.utime(run.blend_file, (0, 0))
    assert roofstack("submit", "--run", run.path).err == ""


def test_a_layer_of_a_geopackage(roofstack: RoofStack, tmp_path: Path) -> None:
    run, vector = make_run(tmp_path), tmp_path / "town.gpkg"
    theirs = geopandas.GeoDataFrame({"name": ["a"]}, geometry=[shapely.box(0, 0, 1, 1)], crs="EPSG:32645")
    theirs.to_file(vector, layer="buildings")
    arguments = ("submit", "--run", run.path, "--no-csv", "--vector", vector)
    refuse(roofstack, tmp_path, "town.gpkg: its layer buildings has no column status, .* give another name", *arguments)
    outcome = roofstack(*arguments, "--layer", "ours")
    assert outcome.code == 0, outcome.err
    assert [len(pyogrio.read_dataframe(vector, layer=layer)) for layer in ("buildings", "ours")] == [1, 2]


@pytest.mark.parametrize("outlines", [None, OutlineRecipe(tolerance=3.0).model_dump()])
def test_a_cluster_writes_the_same_files(
    roofstack: RoofStack, tmp_path: Path, scheduler: str, outlines: dict[str, Any] | None
) -> None:
    recipe = {"recipe": {"close": 3, "min_object": 20}, "outlines": outlines, "members": {"net": 1}}
    tables, files = [], []
    for name, more in (("alone", ()), ("shared", ("--scheduler", scheduler))):
        folder = tmp_path / name
        run = make_run(folder, recipe=recipe)
        options = ("--vector", folder / "b.gpkg", "--coco", folder / "b.json", "--masks", folder / "masks")
        outcome = roofstack("submit", "--run", run.path, *options, *more)
        assert outcome.code == 0, outcome.err
        tables.append(pyogrio.read_dataframe(folder / "b.gpkg"))
        paths = [run.submission_file("test"), folder / "b.json", *sorted((folder / "masks").iterdir())]
        files.append([path.read_bytes() for path in paths])
    assert files[0] == files[1]
    assert tables[0].equals(tables[1])


def test_small_buildings_are_left_out_on_request(roofstack: RoofStack, tmp_path: Path) -> None:
    run, coco = make_run(tmp_path), tmp_path / "b.json"
    outcome = roofstack("submit", "--run", run.path, "--coco", coco, "--min-area-m2", 50)
    assert outcome.code == 0, outcome.err
    areas = [annotation["area"] for annotation in json.loads(coco.read_text())["annotations"]]
    assert areas == [160, 160]  # 40 m² each, but of a house of 80
    assert sum(mask.sum() for _, mask in read_submission(run.submission_file("test"))) == 420


@pytest.mark.parametrize("suffix", [".gpkg", ".parquet", ".geojson"])
def test_without_georeferencing_outlines_are_in_pixels(roofstack: RoofStack, tmp_path: Path, suffix: str) -> None:
    run, vector = make_run(tmp_path, bare=True), tmp_path / f"b{suffix}"
    outcome = roofstack("submit", "--run", run.path, "--vector", vector, "--masks", tmp_path / "masks")
    assert outcome.code == 0, outcome.err
    assert f"{vector.name} is in pixels of the image that image_id names" in outcome.out
    assert ("EPSG:4326" in outcome.out) == (suffix == ".geojson")
    table = geopandas.read_parquet(vector) if suffix == ".parquet" else pyogrio.read_dataframe(vector)
    assert sorted(zip(table.image_id, table.geometry.bounds.minx, strict=True)) == [
        ("left", 4),
        ("left", 42),
        ("right", 0),
    ]
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["left.png", "right.png"]
    refuse(
        roofstack, tmp_path, "image left has no georeferencing, so no square metres",
        "submit", "--run", run.path, "--vector", vector, "--min-area-m2", 3,
    )  # fmt: skip


@pytest.mark.parametrize("bare", [False, True])
def test_masks_as_cloud_optimized_geotiffs(roofstack: RoofStack, tmp_path: Path, bare: bool) -> None:
    run, masks = make_run(tmp_path, bare), tmp_path / "masks"
    outcome = roofstack("submit", "--run", run.path, "--no-csv", "--masks", masks, "--cog")
    assert (outcome.code, outcome.err) == (0, "")
    assert sorted(path.name for path in masks.iterdir()) == ["left.tif", "right.tif"]
    for name in TRANSFORMS:
        assert is_cog(masks / f"{name}.tif")
        np.testing.assert_array_equal(read_mask(masks / f"{name}.tif"), draw_map(name) >= 128)


def test_outlines_that_tuning_kept_make_the_csv(roofstack: RoofStack, tmp_path: Path) -> None:
    kept = {"recipe": {}, "members": {"net": 1}, "outlines": {"tolerance": 9.0}}
    run = make_run(tmp_path, recipe=kept)
    outcome = roofstack("submit", "--run", run.path, "--vector", tmp_path / "b.gpkg")
    assert "submission.csv from outlines, as tuned; b.gpkg from outlines" in outcome.out, outcome
    buildings = outline_buildings(TOWN >= 128, TOWN, OutlineRecipe(tolerance=9.0))
    drawn = rasterize_outlines([each.outline for each in buildings], TOWN.shape)
    masks = dict(read_submission(run.submission_file("test")))
    np.testing.assert_array_equal(np.hstack([masks["left"], masks["right"]]), drawn)


def test_outlines_come_from_the_recipes_file(tmp_path: Path) -> None:
    run = make_run(tmp_path, recipe={"recipe": {}, "outlines": {"tolerance": 2.5}})
    assert Pipeline.of_run(run, "test").outlines == OutlineRecipe(tolerance=2.5)
    assert Pipeline.of_run(run, "test", "default").outlines is None
    for outlines in ({"outlines": None}, {}):
        run.tuned_file.write_text(json.dumps({"recipe": {}} | outlines))
        assert Pipeline.of_run(run, "test").outlines is None
    run.tuned_file.write_text(json.dumps({"recipe": {}, "outlines": {"tolerance": -1.0}}))
    with pytest.raises(InputError, match=r"outlines.tolerance: .*got -1.0; restore it, or run roofstack tune again"):
        Pipeline.of_run(run, "test")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--vector", "b.kml"), "ending .kml; give one of .gpkg, .geojson, .parquet"),
        (("--coco", "b.txt"), "ending .txt; give one of .json"),
        (("--output", "b.gpkg"), "ending .gpkg; give one of .csv"),
        (("--masks", "run/tuned.json/masks"), "run/tuned.json: a file; a folder can't be of that name"),
        (("--masks", "run/tuned.json"), "run/tuned.json: a file; a folder can't be of that name"),
        (("--vector", "run/tuned.json/b.gpkg"), "run/tuned.json: a file; a folder can't be of that name"),
        (("--min-area-m2", "3"), "give one of them"),
        (("--cog",), "--cog is how masks are written; give --masks DIR"),
        (("--no-csv",), "--no-csv leaves the CSV out: give --vector"),
        (("--no-csv", "--output", "s.csv", "--vector", "b.gpkg"), "--no-csv leaves .* and no --output"),
    ],
)
def test_bad_targets_are_refused_before_anything_is_written(
    roofstack: RoofStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    run = make_run(tmp_path)
    monkeypatch.chdir(tmp_path)
    refuse(roofstack, tmp_path, message, "submit", "--run", run.path, *arguments)


def test_full_disk_keeps_the_former_files(
    roofstack: RoofStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, masks = make_run(tmp_path), tmp_path / "masks"
    arguments = ("submit", "--run", run.path, "--vector", tmp_path / "b.gpkg", "--masks", masks)
    assert roofstack(*arguments).code == 0
    before = hash_folder(tmp_path)

    def fill(*_: Any, **__: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("rasterio.io.DatasetWriter.write", fill, raising=False)
    monkeypatch.setattr("pyogrio.write_arrow", fill)
    outcome = roofstack(*arguments)
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    assert "cannot be written (No space left on device)" in outcome.err
    after = hash_folder(tmp_path)
    log = str(run.commands_file.relative_to(tmp_path))
    assert {name: value for name, value in after.items() if name != log} == {
        name: value for name, value in before.items() if name != log
    }


def test_a_csv_alone_needs_no_library_of_vector_files(tmp_path: Path) -> None:
    """Also where it is drawn from outlines."""
    run = make_run(tmp_path, recipe={"recipe": {}, "members": {"net": 1}, "outlines": {}})
    hidden = ["geopandas", "pandas", "pyarrow", "pycocotools", "pyogrio", "pyproj"]
    program = f"""
import sys
sys.modules |= dict.fromkeys({hidden})
from pathlib import Path
from postproc.submit import submit
submit(Path({str(run.path)!r}), masks=Path({str(tmp_path / "masks")!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [name for name, _ in read_submission(run.submission_file("test"))] == ["left", "right"]


def test_the_csv_is_left_out_on_request(roofstack: RoofStack, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    outcome = roofstack("submit", "--run", run.path, "--no-csv", "--vector", tmp_path / "b.gpkg")
    assert outcome.code == 0
    assert "no CSV is written: --no-csv" in outcome.out
    assert "2 buildings; b.gpkg from outlines" in outcome.out
    assert len(geopandas.read_file(tmp_path / "b.gpkg")) == 2
    assert not run.submission_file("test").exists()


SUBMIT_IN_A_GIB = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))
import roofstack
roofstack.main()
"""


@pytest.mark.parametrize("height", [4100, pytest.param(46_500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("outlines", [None, {}])
def test_an_image_of_any_size(
    roofstack: RoofStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, height: int, outlines: dict[str, Any] | None
) -> None:
    """Larger than a CSV holds: blended, cut, outlined and drawn by blocks of 4,096 px; a house is on their border."""
    width, run = height if height > 5000 else 70, Run(tmp_path / "run")
    maps = run.map_folder("test", "net")
    maps.mkdir(parents=True)
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 1, "dtype": "uint8", "sparse_ok": True}
    profile |= {"tiled": True, "blockxsize": 4096, "blockysize": 4096, "compress": "deflate"}
    house, row = np.full((34, 64), 255, np.uint8), 4096 * (height // 4096) - 32
    with rasterio.open(maps / "town.tif", "w", crs="EPSG:32645", transform=GRID, **profile) as raster:
        raster.write(house, 1, window=rasterio.windows.Window(3, row, 64, 34))
    spec = {"member": "net", "spec": {}, "tta": "none", "weights": {}, "split": {}, "images": {"town": (height, width)}}
    write_manifest(maps, Manifest.model_validate(spec))
    run.tuned_file.write_text(json.dumps({"recipe": {}, "members": {"net": 1}, "outlines": outlines}))
    vector, masks = tmp_path / "b.gpkg", tmp_path / "masks"
    submit = ["submit", "--run", run.path, "--vector", vector]
    monkeypatch.setattr("postproc.formats.submission.MAX_PIXELS", min(2**31 - 1, height * width - 1))
    refuse(roofstack, tmp_path, "submission holds images of up to .* or leave the CSV out: --no-csv", *submit)
    submit += ["--no-csv", "--masks", masks]
    if height > 5000:
        command = [sys.executable, "-c", SUBMIT_IN_A_GIB, *map(str, submit)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    else:
        assert roofstack(*submit).code == 0
    (outline,) = geopandas.read_file(vector).to_crs("EPSG:32645").geometry
    assert outline.area == pytest.approx(34 * 64 / 4)
    with rasterio.open(masks / "town.tif") as raster:
        assert raster.block_shapes == [(512, 512)]
        around = raster.read(1, window=rasterio.windows.Window(2, row - 1, 66, 36))
    np.testing.assert_array_equal(around, np.pad(house, 1))


def test_sample_submission_gives_ids_and_order(roofstack: RoofStack, tmp_path: Path) -> None:
    run, sample = make_run(tmp_path), tmp_path / "sample.csv"
    sample.write_text("ImageId,EncodedPixels,Width,Height\nright,1 1,1,1\nleft,1 1,1,1\n")
    outcome = roofstack("submit", "--run", run.path, "--sample", sample)
    assert (outcome.code, outcome.err) == (0, "")
    assert [name for name, _ in read_submission(run.submission_file("test"))] == ["right", "left"]
    for text, message in (
        ("ImageId,EncodedPixels\nright,\n", r"sample.csv: no row for 1 of 2 images .left.; give the sample of these"),
        ("ImageId\nright\nleft\n", "no column EncodedPixels among ImageId; add it"),
        ("Name,EncodedPixels\nright,\nleft,\n", "no column ImageId among Name, EncodedPixels"),
        ("ImageId,EncodedPixels\nright,\nleft,\nleft,\n", "2 rows of image left; where a row is a building give"),
    ):
        sample.write_text(text)
        refuse(roofstack, tmp_path, message, "submit", "--run", run.path, "--sample", sample)


def test_a_sample_tells_the_format_and_fills_what_has_no_map(roofstack: RoofStack, tmp_path: Path) -> None:
    run, sample, path = make_run(tmp_path), tmp_path / "sample.csv", tmp_path / "s.csv.gz"
    sample.write_text("rle,img,note\nnone,middle.png,m\nnone,right.png,r\nnone,left.png,l\n")
    outcome = roofstack("submit", "--run", run.path, "--sample", sample, "--format", "rows,from0", "--output", path)
    assert outcome.code == 0, outcome.err
    assert "1 of 3 images of" in outcome.err
    assert "have no map: their rows are those of the sample" in outcome.err
    header, *rows = gzip.decompress(path.read_bytes()).decode().splitlines()
    assert header == "rle,img,note"
    assert [row.split(",", 1)[1] for row in rows] == ["middle.png,m", "right.png,r", "left.png,l"]
    assert rows[0].startswith("none,")
    assert rows[1] == " ".join(f"{50 * y} 8" for y in range(10, 30)) + ",right.png,r"
    for name in TRANSFORMS:
        write_raster(tmp_path / f"truth/{name}.tif", (draw_map(name) >= 128).astype(np.uint8))
    path.write_bytes(gzip.compress("\n".join([header, *rows[1:]]).encode()))  # nobody knows what is in the middle
    truth = ("--truth", tmp_path / "truth", "--submission", path)
    scored = roofstack("score", *truth, "--format", "rows,from0", "--json")
    assert scored.code == 0, scored.err
    assert json.loads(scored.out)["pooled_iou"] == 1
    wrong = roofstack("score", *truth, "--format", "from0", "--json")  # along the columns
    assert json.loads(wrong.out)["pooled_iou"] < 0.5


@pytest.mark.parametrize("outlines", [None, {"tolerance": 9.0}])
def test_a_row_a_building(roofstack: RoofStack, tmp_path: Path, outlines: dict[str, float] | None) -> None:
    tuned = {"recipe": {}, "members": {"net": 1}, "outlines": outlines}
    run, path = make_run(tmp_path, recipe=tuned), tmp_path / "s.csv"
    outcome = roofstack("submit", "--run", run.path, "--format", "airbus", "--output", path)
    assert (outcome.code, outcome.err) == (0, "")
    rows = [line.split(",") for line in path.read_text().splitlines()]
    assert [row[0] for row in rows] == ["ImageId", "left.jpg", "left.jpg", "right.jpg"]
    for name in TRANSFORMS:
        write_raster(tmp_path / f"truth/{name}.tif", (draw_map(name) >= 128).astype(np.uint8))
    scored = roofstack("score", "--truth", tmp_path / "truth", "--submission", path, "--format", "airbus", "--json")
    assert scored.code == 0, scored.err
    assert json.loads(scored.out)["building_f1"] == 1
    again = roofstack("score", "--truth", tmp_path / "truth", "--submission", path)
    assert "image left.jpg was on line 2; an image has one row, so remove one, or give --format buildings" in again.err


def test_a_format_that_is_none_names_the_nearest(roofstack: RoofStack, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    message = r"format 'airbuss': no 'airbuss'; did you mean airbus\? give one of kaggle, .* empty=TEXT.*"
    refuse(roofstack, tmp_path, message, "submit", "--run", run.path, "--format", "airbuss")


def test_what_tune_has_told_stands_in_the_files(tmp_path: Path, roofstack: RoofStack) -> None:
    words = "lie within 2 px (1 m) of ours"
    tuned = {"recipe": {}, "members": {"net": 1}}
    run = make_run(tmp_path, recipe=tuned | {"margin": {"pixels": 2.0, "words": words}})
    paths = {suffix: tmp_path / f"b.{suffix}" for suffix in ("gpkg", "geojson", "parquet", "fgb")}
    for path in paths.values():
        outcome = roofstack(
            "submit", "--run", run.path, "--vector", path, "--coco", tmp_path / "c.json", "--masks", tmp_path / "masks"
        )
        assert outcome.code == 0, outcome.err
        assert words in outcome.out
    with rasterio.open(tmp_path / "masks/left.tif") as raster:
        assert raster.tags()["TIFFTAG_IMAGEDESCRIPTION"] == words
    assert json.loads((tmp_path / "c.json").read_text())["info"] == {"description": words}
    assert json.loads(paths["geojson"].read_text())["description"] == words
    assert geopandas.read_parquet(paths["parquet"]).attrs == {"description": words}
    with sqlite3.connect(paths["gpkg"]) as file:
        told = file.execute("select description from gpkg_contents where table_name = 'buildings'")
        assert told.fetchall() == [(words,)]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"margin": None}, ""),
        ({"margin": {"pixels": None, "words": "no margin"}}, ""),
        ({"promise": {"words": "90% is found"}}, "90% is found"),
    ],
)
def test_no_margin_is_no_note_and_a_promise_is_one(tmp_path: Path, told: dict[str, Any], words: str) -> None:
    path = tmp_path / "tuned.json"
    path.write_text(json.dumps({"recipe": {}} | told))
    assert read_note(path) == words
