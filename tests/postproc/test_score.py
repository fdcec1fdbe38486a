"""The command that scores masks and outlines: what it prints, writes and refuses."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import geopandas
import numpy as np
import pytest
import rasterio
from conftest import GEOREFERENCE, Outcome, hash_folder, write_raster
from shapely import MultiPolygon, Polygon, box

from members.data.raster import read_mask
from postproc.formats.coco import make_coco, save_coco
from postproc.formats.submission import write_submission
from postproc.polygons.buildings import Building
from postproc.scoring.layouts import find_truth
from postproc.scoring.scores import OF_WALLS

Call = Callable[..., Outcome]
CORNER: rasterio.Affine = GEOREFERENCE["transform"]
SIZE = (40, 48)
TILES = {
    "a": ([box(2, 2, 12, 12), box(20, 10, 30, 30)], [box(2, 2, 12, 12), box(22, 10, 32, 30)]),
    "b": ([box(5, 5, 25, 20)], [box(5, 5, 25, 15), box(40, 30, 44, 34)]),
    "c": ([], []),
    "d": ([box(10, 10, 20, 20)], []),
}
REGIONS = {"a": ("g1", "east"), "b": ("g1", "east"), "c": ("g2", "west"), "d": ("g3", "west")}


def draw_boxes(outlines: list[Polygon]) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    for outline in outlines:
        left, top, right, bottom = map(int, outline.bounds)
        mask[top:bottom, left:right] = True
    return mask


def find_transform(number: int) -> rasterio.Affine:
    """Tiles lie side by side."""
    return CORNER @ rasterio.Affine.translation(number * SIZE[1], 0)


def move(outline: Polygon, number: int) -> Polygon:
    return Polygon([find_transform(number) @ point for point in outline.exterior.coords])


def write_vector(path: Path, kind: int, crs: str | None = "EPSG:4326") -> Path:
    """The true (0) or the predicted (1) outlines on the map, or in pixels without a CRS."""
    rows = [(image_id, number, outline) for number, image_id in enumerate(TILES) for outline in TILES[image_id][kind]]
    outlines = [outline if crs is None else move(outline, number) for _, number, outline in rows]
    table = geopandas.GeoDataFrame(
        {"image_id": [row[0] for row in rows]}, geometry=outlines, crs=crs and GEOREFERENCE["crs"]
    )
    (table.to_crs(crs) if crs else table).to_file(path)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set, with s.csv and p.gpkg that say the same about it, and the truth once more as t.geojson."""
    root = tmp_path / "data"
    for number, (image_id, (truth, _)) in enumerate(TILES.items()):
        georeference = {"crs": GEOREFERENCE["crs"], "transform": find_transform(number)}
        write_raster(root / f"training/images/img/{image_id}.tif", np.zeros((*SIZE, 3), np.uint8), **georeference)
        write_raster(root / f"training/masks/img/{image_id}.tif", draw_boxes(truth) * np.uint8(255), **georeference)
    rows = [f"{image_id},{group},{region}\n" for image_id, (group, region) in REGIONS.items()]
    (root / "tiles.csv").write_text("image_id,group,region\n" + "".join(rows))
    write_submission(tmp_path / "s.csv", {image_id: draw_boxes(p) for image_id, (_, p) in TILES.items()})
    write_vector(tmp_path / "p.gpkg", 1)
    write_vector(tmp_path / "t.geojson", 0)
    return root


def check_scores(scores: dict[str, Any], traced: bool) -> None:
    """By hand: 100 + 160 + 200 px are found of 100 + 200 + 300 + 100; all of the prediction's 516 is there but 56."""
    assert scores["pooled_iou"] == 460 / (700 + 516 - 460)
    assert scores["mean_iou"] == pytest.approx((260 / 340 + 200 / 316 + 1 + 0) / 4)
    assert (scores["dice"], scores["precision"], scores["recall"]) == (2 * 460 / 1216, 460 / 516, 460 / 700)
    assert scores["building_f1"] == 6 / 8
    assert scores["building_precision"] == scores["building_recall"] == 3 / 4
    assert scores["ap50"] == pytest.approx(76 / 101)
    assert scores["hausdorff"] == pytest.approx((0 + 2 + 5) / 3)
    assert scores["polis"] == pytest.approx((0 + 1 + 5 / 4) / 3)
    c_iou = pytest.approx((260 / 340 + 200 / 316 * (1 - 4 / 12) + 1 + 0) / 4)
    of_walls = [scores[name] for name in OF_WALLS]
    assert of_walls == ([None] * 4 if traced else [c_iou, 1, 1, 1])
    assert (scores["images"], scores["groups"]) == (4, 3)


@pytest.mark.parametrize("truth", ["data", "data/training/masks/img", "t.geojson"])
@pytest.mark.parametrize("predicted", [("--submission", "s.csv"), ("--vector", "p.gpkg")])
def test_masks_and_outlines_score_alike(
    data: Path, tmp_path: Path, roofstack: Call, truth: str, predicted: tuple[str, str]
) -> None:
    arguments = ["--truth", tmp_path / truth, predicted[0], tmp_path / predicted[1], "--images", data, "--json"]
    run = roofstack("score", *arguments)
    assert run.code == 0, run.err
    check_scores(json.loads(run.out), traced=(truth, predicted[1]) != ("t.geojson", "p.gpkg"))


def write_coco(path: Path) -> Path:
    images = [{"id": number, "file_name": f"{name}.tif"} for number, name in enumerate(TILES)]
    annotations = [
        {"image_id": number, "category_id": 1, "segmentation": [np.ravel(outline.exterior.coords).tolist()]}
        for number, (truth, _) in enumerate(TILES.values())
        for outline in truth
    ]
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


@pytest.mark.parametrize("truth", ["t.csv", "t.json", "ours.json"])
def test_run_lengths_and_coco_are_truths_too(data: Path, tmp_path: Path, roofstack: Call, truth: str) -> None:
    write_submission(tmp_path / "t.csv", {image_id: draw_boxes(t) for image_id, (t, _) in TILES.items()})
    write_coco(tmp_path / "t.json")
    buildings = {name: [Building(outline, "traced", 1.0) for outline in own] for name, (own, _) in TILES.items()}
    save_coco(tmp_path / "ours.json", make_coco(dict.fromkeys(TILES, SIZE), buildings, {"a": "a.tif"}))
    arguments = ["--truth", tmp_path / truth, "--vector", tmp_path / "p.gpkg", "--images", data]
    run = roofstack("score", *arguments, "--json")
    assert run.code == 0, run.err
    check_scores(json.loads(run.out), traced=truth != "t.json")
    assert "does not tell where the images are, nor their sizes" in roofstack("score", *arguments[:-2]).err


def test_one_mask_is_a_truth(data: Path, tmp_path: Path, roofstack: Call) -> None:
    write_submission(tmp_path / "a.csv", {"a": draw_boxes(TILES["a"][1])})
    mask = data / "training/masks/img/a.tif"
    run = roofstack("score", "--truth", mask, "--submission", tmp_path / "a.csv", "--json")
    assert run.code == 0, run.err
    assert json.loads(run.out)["pooled_iou"] == 260 / 340


def test_scores_of_walls_are_shown_where_walls_were_drawn(data: Path, tmp_path: Path, roofstack: Call) -> None:
    drawn = roofstack("score", "--truth", tmp_path / "t.geojson", "--vector", tmp_path / "p.gpkg", "--images", data).out
    assert "N ratio (vertices to true ones)" in drawn
    assert "these take outlines that were drawn" not in drawn
    for truth, *predicted in (("t.geojson", "--submission", "s.csv"), ("data", "--vector", "p.gpkg")):
        arguments = ("--truth", tmp_path / truth, predicted[0], tmp_path / predicted[1], "--images", data)
        traced = roofstack("score", *arguments, "--by", "region").out
        assert "N ratio (vertices to true ones)" not in traced
        assert "c_iou" not in traced
        assert "without C-IoU, N ratio, right angles, right angles of the truth: these take outlines" in traced


@pytest.mark.parametrize("predicted", [("--submission", "s.csv"), ("--vector", "p.gpkg")])
def test_a_cluster_scores_to_the_same_bit(
    data: Path, tmp_path: Path, roofstack: Call, scheduler: str, predicted: tuple[str, str]
) -> None:
    arguments = ["--truth", data, predicted[0], tmp_path / predicted[1], "--json"]
    alone, shared = roofstack("score", *arguments), roofstack("score", *arguments, "--scheduler", scheduler)
    assert shared.code == 0, shared.err
    assert shared.out == alone.out


def test_every_form_of_output(data: Path, tmp_path: Path, roofstack: Call) -> None:
    arguments = ["--truth", data, "--submission", tmp_path / "s.csv", "--by", "region"]
    scores = json.loads(roofstack("score", *arguments, "--json", "--output", tmp_path / "o.csv").out)
    check_scores(scores, traced=True)
    assert scores["by"]["region"].keys() == {"east", "west"}
    east, west = scores["by"]["region"]["east"], scores["by"]["region"]["west"]
    assert (east["pooled_iou"], east["building_f1"], east["images"], east["groups"]) == (460 / 656, 6 / 7, 2, 1)
    assert (west["pooled_iou"], west["mean_iou"], west["polis"]) == (0, 1 / 2, None)
    assert east["intervals"]["pooled_iou"] is None
    assert west["intervals"]["mean_iou"] == [0, 1]
    low, high = scores["intervals"]["building_f1"]
    assert 0 <= low < 6 / 8 < high <= 1

    with (tmp_path / "o.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["level"], row["name"]) for row in rows] == [
        ("all", "all"), ("region", "east"), ("region", "west"), *(("image", image_id) for image_id in "abcd"),
    ]  # fmt: skip
    assert [row["pooled_iou"] for row in rows[3:]] == ["0.764706", "0.632911", "1.000000", "0.000000"]
    assert float(rows[0]["building_f1_low"]) == pytest.approx(low, abs=1e-6)
    assert (rows[3]["building_f1_low"], rows[5]["polis"]) == ("", "")
    assert {row[name] for row in rows for name in OF_WALLS} == {""}

    table = roofstack("score", *arguments).out
    for words in ("4 images of 3 groups", "0.6085", "0.7500", "east", "west", f"{low:.3f}..{high:.3f}"):
        assert words in table


def test_one_image_and_outlines_in_pixels(tmp_path: Path, roofstack: Call) -> None:
    image = write_raster(tmp_path / "b.png", np.zeros((*SIZE, 3), np.uint8))
    truth, ours = (write_vector(tmp_path / f"{kind}.gpkg", kind, None) for kind in (0, 1))
    scores = json.loads(roofstack("score", "--truth", truth, "--vector", ours, "--images", image, "--json").out)
    assert (scores["pooled_iou"], scores["building_f1"], scores["images"]) == (200 / 316, 2 / 3, 1)
    assert scores["intervals"]["pooled_iou"] is None


def test_confidences_rank_buildings(tmp_path: Path, roofstack: Call) -> None:
    """The wrong one stands first: of equals that halves the precision at every recall."""
    image, truth = write_raster(tmp_path / "a.png", np.zeros((*SIZE, 3), np.uint8)), tmp_path / "t.gpkg"
    right, wrong = box(1, 1, 9, 9), box(20, 1, 28, 9)
    geopandas.GeoDataFrame({"image_id": ["a"]}, geometry=[right]).to_file(truth)
    for columns, ap50 in (({}, 0.5), ({"confidence": [0.2, 0.9]}, 1.0), ({"confidence": [0.9, 0.2]}, 0.5)):
        ours = tmp_path / "p.gpkg"
        geopandas.GeoDataFrame({"image_id": ["a"] * 2, **columns}, geometry=[wrong, right]).to_file(ours)
        scores = json.loads(roofstack("score", "--truth", truth, "--vector", ours, "--images", image, "--json").out)
        assert scores["ap50"] == pytest.approx(ap50), columns


def test_truth_with_invalid_rings_in_another_crs(data: Path, tmp_path: Path, roofstack: Call) -> None:
    """A house drawn as a bow tie, one drawn twice over by a spike, and two in one multipolygon."""
    bow = Polygon([(2, 2), (12, 12), (12, 2), (2, 12)])
    spike = Polygon([(20, 10), (30, 10), (30, 30), (30, 36), (30, 30), (20, 30)])
    rest = MultiPolygon([move(box(5, 5, 25, 20), 1), move(box(10, 10, 20, 20), 3)])
    table = geopandas.GeoDataFrame(geometry=[move(bow, 0), move(spike, 0), rest], crs=GEOREFERENCE["crs"])
    table.to_crs("EPSG:32645").to_file(tmp_path / "t.shp")
    run = roofstack(
        "score", "--truth", tmp_path / "t.shp", "--submission", tmp_path / "s.csv", "--images", data, "--json"
    )
    scores = json.loads(run.out)
    assert scores["building_recall"] == 2 / 5  # the bow tie is two triangles, of half a house together
    assert scores["pooled_iou"] == pytest.approx((50 + 160 + 200) / (650 + 516 - 410), abs=0.02)


def test_submission_of_some_images_with_vector_truth(data: Path, tmp_path: Path, roofstack: Call) -> None:
    write_submission(tmp_path / "one.csv", {"a": draw_boxes(TILES["a"][1])})
    arguments = ["--submission", tmp_path / "one.csv", "--images", data, "--json"]
    run = roofstack("score", "--truth", tmp_path / "t.geojson", *arguments)
    assert "has 1 of the 4 images" in run.err
    assert json.loads(run.out)["pooled_iou"] == 260 / 340
    run = roofstack("score", "--truth", data, *arguments)
    assert (run.code, "of 4 expected image ids 3 missing (b, c, d)" in run.err) == (2, True)


def spoil(data: Path, tmp_path: Path, how: str) -> list[Any]:
    """Arguments that cannot be used."""
    csv_file, vector = ["--submission", tmp_path / "s.csv"], ["--vector", tmp_path / "p.gpkg"]
    truth, masks = ["--truth", data], data / "training/masks/img"
    if how == "neither":
        return truth
    if how == "both":
        return [*truth, *csv_file, *vector]
    if how == "surplus":
        (masks / "d.tif").unlink()
    if how == "size":
        write_submission(tmp_path / "s.csv", {i: draw_boxes(p).T for i, (_, p) in TILES.items()})
    if how == "empty":
        for image_id in "abd":
            write_raster(masks / f"{image_id}.tif", np.zeros(SIZE, np.uint8))
    if how == "column":
        return [*truth, *csv_file, "--by", "country"]
    if how == "table":
        (data / "tiles.csv").unlink()
        return [*truth, *csv_file, "--by", "region"]
    if how == "no images":
        return ["--truth", tmp_path / "t.geojson", *csv_file]
    if how == "no truth":
        return ["--truth", tmp_path / "nowhere", *csv_file]
    if how == "few images":
        return [*truth, *vector, "--images", data / "training/images/img/a.tif"]
    if how == "elsewhere":
        geopandas.GeoDataFrame(geometry=[box(0, 0, 1, 1)], crs="EPSG:4326").to_file(tmp_path / "t.geojson")
        return ["--truth", tmp_path / "t.geojson", *csv_file, "--images", data]
    if how == "no CRS":
        geopandas.GeoDataFrame(geometry=[box(0, 0, 1, 1)]).to_file(tmp_path / "t.gpkg")
        return ["--truth", tmp_path / "t.gpkg", *csv_file, "--images", data]
    if how == "no vector":
        return [*truth, "--vector", tmp_path / "nowhere.gpkg"]
    return [*truth, *csv_file]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("neither", "score takes one of --submission FILE and --vector FILE"),
        ("both", "score takes one of --submission FILE and --vector FILE"),
        ("surplus", "s.csv: of 3 expected image ids 1 surplus (d)"),
        ("size", "s.csv, line 2, image a: mask of 40x48 px for a truth of 48x40 px"),
        ("empty", "no building pixel in the truth of 4 images"),
        ("column", "no column country among image_id, group, region"),
        ("table", "--by region: no tiles.csv or groups.csv"),
        (
            "no images",
            "t.geojson: a vector file does not tell where the images are, nor their sizes; give them as --images",
        ),
        ("no truth", "nowhere: no such folder"),
        ("few images", "b.tif: mask without an image; --images has to hold b too"),
        ("elsewhere", "none of its buildings lies in the 4 images"),
        ("no CRS", "t.gpkg: it or the images have no CRS"),
        ("no vector", "nowhere.gpkg: no such file"),
    ],
)
def test_bad_input_is_one_line(data: Path, tmp_path: Path, roofstack: Call, how: str, message: str) -> None:
    arguments = spoil(data, tmp_path, how)
    before = hash_folder(tmp_path)
    run = roofstack("score", *arguments, "--output", tmp_path / "o.csv")
    assert (run.code, run.out) == (2, "")
    assert len(run.err.splitlines()) == 1
    assert message in run.err
    assert hash_folder(tmp_path) == before


def test_real_masks_score_full_marks_and_a_dilation_does_not(
    shared_data: Path, tmp_path: Path, roofstack: Call
) -> None:
    some = dict(list(find_truth(shared_data / "hot_buildings").items())[::24])
    (tmp_path / "masks").mkdir()
    for image_id, path in some.items():
        (tmp_path / "masks" / f"{image_id}.tif").symlink_to(path)
    masks = {image_id: read_mask(path) for image_id, path in some.items()}
    write_submission(tmp_path / "exact.csv", masks)
    exact = json.loads(
        roofstack("score", "--truth", tmp_path / "masks", "--submission", tmp_path / "exact.csv", "--json").out
    )
    others = ("images", "groups", "intervals", *OF_WALLS)
    best = {name: 0 if name in ("polis", "hausdorff") else 1 for name in exact if name not in others}
    assert {name: exact[name] for name in best} == pytest.approx(best)

    grown = {k: cv2.dilate(m.astype(np.uint8), np.ones((5, 5), np.uint8)) for k, m in masks.items()}
    write_submission(tmp_path / "grown.csv", grown)
    scores = json.loads(
        roofstack("score", "--truth", tmp_path / "masks", "--submission", tmp_path / "grown.csv", "--json").out
    )
    true, predicted = (np.concatenate([m.ravel() for m in kind.values()]).astype(bool) for kind in (masks, grown))
    assert scores["pooled_iou"] == np.sum(true & predicted) / np.sum(true | predicted)
    assert scores["recall"] == 1
    assert scores["precision"] == np.sum(true) / np.sum(predicted) < 1
    assert scores["building_f1"] < 1


def test_real_outlines_and_the_masks_drawn_from_them(shared_data: Path, tmp_path: Path, roofstack: Call) -> None:
    outlines = shared_data / "hot_scene/buildings.geojson"
    found = find_truth(shared_data / "hot_buildings").items()
    some = dict([(image_id, path) for image_id, path in found if image_id.startswith("banepa")][:120:20])
    (tmp_path / "images").mkdir()
    for path in some.values():
        (tmp_path / "images" / path.name).symlink_to(path)
    write_submission(tmp_path / "s.csv", {image_id: read_mask(path) for image_id, path in some.items()})
    arguments = ["--truth", outlines, "--images", tmp_path / "images", "--json"]
    drawn = json.loads(roofstack("score", *arguments, "--submission", tmp_path / "s.csv").out)
    assert drawn["pooled_iou"] > 0.99
    assert drawn["building_f1"] < 0.9  # houses that touch are one in a mask
    same = json.loads(roofstack("score", *arguments, "--vector", outlines).out)
    assert same["building_f1"] == same["pooled_iou"] == 1
    assert same["polis"] == pytest.approx(0, abs=1e-6)
