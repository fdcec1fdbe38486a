"""Data sets of every shape come out as the one that all commands read."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import cv2
import geopandas
import numpy as np
import pytest
import rasterio
from conftest import GEOREFERENCE, hash_folder, write_raster
from shapely import box

from members.data.raster import read_image, read_mask
from members.data.tiles import list_tiles
from members.labels.reading import read_labels
from postproc.formats.rle import encode_rle
from postproc.polygons.buildings import rasterize_outlines

SIZE = (64, 96)
HOUSES = [box(4, 4, 30, 40), box(30, 4, 60, 40), box(70, 50, 90, 60)]  # the first two share a wall
MASK = rasterize_outlines(HOUSES, SIZE)


def write_images(folder: Path, names: str = "{}.tif", ids: tuple[str, ...] = ("a", "b"), **georeference: Any) -> Path:
    for number, image_id in enumerate(ids):
        image = np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8)
        write_raster(folder / names.format(image_id), image, **georeference)
    return folder


def save(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture)


def check(data: Path, ids: tuple[str, ...] = ("a", "b")) -> None:
    tiles = list_tiles(data)
    assert [tile.image_id for tile in tiles] == list(ids)
    for tile in tiles:
        assert tile.mask is not None
        np.testing.assert_array_equal(read_mask(tile.mask), MASK)


@pytest.mark.parametrize("kind", ["grey", "rgb", "jpeg", "palette", "alpha", "ones"])
def test_masks_of_any_kind(tmp_path: Path, roofstack: Any, kind: str) -> None:
    write_images(tmp_path / "raw", "{}_img.tif", **GEOREFERENCE)
    grey = MASK * np.uint8(255)
    for image_id in "ab":
        path = tmp_path / f"raw/{image_id}_mask"
        if kind == "palette":
            profile = {"driver": "PNG", "width": SIZE[1], "height": SIZE[0], "count": 1, "dtype": "uint8"}
            with rasterio.open(f"{path}.png", "w", **profile) as raster:
                raster.write(1 - MASK.astype(np.uint8), 1)
                raster.write_colormap(1, {0: (255, 255, 255, 255), 1: (0, 0, 0, 255)})
        elif kind == "jpeg":
            save(Path(f"{path}.jpg"), grey)
        else:
            bands = {"grey": grey, "rgb": np.dstack([grey] * 3), "ones": MASK.astype(np.uint8)}
            save(Path(f"{path}.png"), bands.get(kind, np.dstack([grey] * 3 + [np.full_like(grey, 255)])))
    raw = tmp_path / "raw"
    run = roofstack("prepare", tmp_path / "out", "--images", raw / "*_img.tif", "--masks", raw / "*_mask.*", "--json")
    assert run.code == 0, run.err
    check(tmp_path / "out")
    assert json.loads(run.out)["tiles"] == "2, 0 without a building, 0 without data left out"
    np.testing.assert_array_equal(read_image(tmp_path / "out/images/a.tif"), read_image(raw / "a_img.tif"))
    with rasterio.open(tmp_path / "out/masks/b.tif") as raster:
        assert raster.transform == GEOREFERENCE["transform"]


def write_truth(folder: Path, kind: str) -> Path:
    """Write the houses of images a and b."""
    if kind == "runs":
        rows = [("ImageId", "EncodedPixels"), *((f"{i}.tif", encode_rle(MASK)) for i in "ab")]
    elif kind.startswith("rows"):
        rows = [("img", "rle_mask"), *((f"{i}.jpg", encode_rle(MASK, "rows", 0)) for i in "ab"), ("z.jpg", "")]
    elif kind == "runs of buildings":
        runs = [encode_rle(rasterize_outlines([house], SIZE)) for house in HOUSES]
        rows = [("id", "rle"), *((image_id, own) for image_id in "ab" for own in (*runs, ""))]
    elif kind == "coco":
        images = [{"id": number, "file_name": f"x/{image_id}.tif"} for number, image_id in enumerate("ab", 7)]
        rings = [[coordinate for point in house.exterior.coords for coordinate in point] for house in HOUSES]
        annotations = [{"image_id": number, "segmentation": [ring]} for number in (7, 8) for ring in rings]
        path = folder / "coco.json"
        path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": []}))
        return path
    else:
        ids = [image_id for image_id in "ab" for _ in HOUSES]
        geopandas.GeoDataFrame({"image_id": ids}, geometry=HOUSES * 2).to_file(folder / "labels.geojson")
        return folder / "labels.geojson"
    path = folder / ("train.csv.gz" if kind.endswith("zipped") else "train.csv")
    with gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("runs", 2),
        ("runs of buildings", 3),
        ("coco", 3),
        ("outlines", 3),
        ("rows from 0", 2),
        ("rows, zipped", 2),
    ],
)
def test_truth_that_is_no_mask(tmp_path: Path, roofstack: Any, kind: str, count: int) -> None:
    """Buildings that touch stay apart wherever the truth has them apart."""
    raw, truth = write_images(tmp_path / "raw"), write_truth(tmp_path, kind)
    words = ["--format", "carvana,from0"] if kind.startswith("rows") else []
    run = roofstack("prepare", tmp_path / "out", "--images", raw, "--labels", truth, *words)
    assert run.code == 0, run.err
    check(tmp_path / "out")
    found = read_labels(tmp_path / "out/buildings.geojson", list_tiles(tmp_path / "out"))
    assert [len(own) for own in found.values()] == [count, count]


def test_a_scene_is_cut_into_groups_of_tiles(tmp_path: Path, roofstack: Any) -> None:
    image = np.zeros((32 * 5, 32 * 9, 3), np.uint8)
    scene = write_raster(tmp_path / "scene.tif", image, **GEOREFERENCE)
    transform = GEOREFERENCE["transform"]
    outlines = [box(*(transform @ (x, y + 20)), *(transform @ (x + 30, y))) for x, y in ((20, 4), (140, 100))]
    geopandas.GeoDataFrame(geometry=outlines, crs=GEOREFERENCE["crs"]).to_file(tmp_path / "l.gpkg")
    out = tmp_path / "out"
    run = roofstack("prepare", out, "--images", scene, "--labels", tmp_path / "l.gpkg", "--tile", 32)
    assert run.code == 0, run.err
    tiles = list_tiles(out)
    assert len(tiles) == 5 * 9
    assert {tile.group for tile in tiles} == {f"scene_{row}_{column}" for row in (0, 1) for column in (0, 1, 2)}
    drawn = np.zeros(image.shape[:2], bool)
    for tile in tiles:
        row, column = (32 * int(part) for part in tile.image_id.split("_")[1:])
        assert tile.mask is not None
        drawn[row : row + 32, column : column + 32] = read_mask(tile.mask)
    np.testing.assert_array_equal(drawn, rasterize_outlines([box(20, 4, 50, 24), box(140, 100, 170, 120)], drawn.shape))
    assert sum(map(len, read_labels(out / "buildings.geojson", tiles).values())) == 4  # each lies in two tiles


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("both", "prepare takes one of --masks WHERE and --labels FILE; give either"),
        ("full", "out: not empty; a data set is made in a new folder"),
        ("format", "--format rows: it is of run lengths, --labels FILE.csv; leave it out"),
        ("nowhere", "nowhere: no such file or folder; a pattern has a star for the id, as 'a/*_img.png'"),
        ("no match", "*.png: no raster matches"),
        ("unpaired", "no mask of 1 of 2 images, such as b"),
        ("grey", "values 0, 7, 100, 255, ..; a mask has 0 and one other value"),
        ("size", "a.png: mask of 96x63 px for an image of 96x64 px; they must be equal"),
        ("columns", "no column EncodedPixels among image, mask; add it, by this name or rle, rle_mask, "),
        ("runs", "line 2, image a: "),
        ("coco", "no COCO data set (KeyError: 'images'); export it again"),
        ("elsewhere", "none of its buildings lies in the 2 images; check ids, coordinates and CRS of both"),
        ("tiny", "--tile 40 --overlap 30: tiles have 32 px a side or more, and overlap by half at most"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, roofstack: Any, how: str, message: str) -> None:
    raw, masks = write_images(tmp_path / "raw"), tmp_path / "masks"
    for image_id in "a" if how == "unpaired" else "ab":
        values = MASK * np.uint8(255)
        if how == "grey":
            values[:32, :48] = np.arange(48) % 2 * 93 + 7
        save(masks / f"{image_id}.png", values[: 63 if how == "size" else 64])
    (tmp_path / "columns.csv").write_text("image,mask\na,1 2\n")
    (tmp_path / "runs.csv").write_text("ImageId,EncodedPixels\na,5 99999\n")
    (tmp_path / "coco.json").write_text('{"annotations": []}')
    (tmp_path / "elsewhere.csv").write_text("ImageId,EncodedPixels\nz,1 2\n")
    if how == "full":
        save(tmp_path / "out/mine.png", MASK * np.uint8(255))
    where = {"nowhere": tmp_path / "nowhere", "no match": raw / "*.png"}.get(how, raw)
    truth: list[Any] = ["--masks", masks]
    if how in ("columns", "runs", "elsewhere", "coco", "both"):
        suffix = "json" if how == "coco" else "csv"
        truth = [
            "--labels",
            tmp_path / f"{'runs' if how == 'both' else how}.{suffix}",
            *(truth if how == "both" else ()),
        ]
    options: dict[str, list[Any]] = {"tiny": ["--tile", 40, "--overlap", 30], "format": ["--format", "rows"]}
    more = options.get(how, [])
    before = hash_folder(tmp_path)
    run = roofstack("prepare", tmp_path / "out", "--images", where, *truth, *more)
    assert (run.code, run.out) == (2, "")
    assert len(run.err.splitlines()) == 1
    assert message in run.err
    assert hash_folder(tmp_path) == before


def test_a_data_set_is_whole_or_absent(tmp_path: Path, roofstack: Any) -> None:
    raw = write_images(tmp_path / "raw")
    truth = write_truth(tmp_path, "runs")
    (raw / "b.tif").write_bytes((raw / "b.tif").read_bytes()[:-2000])  # its pixels are read last
    left = tmp_path / ".out.part/images/c.tif"
    save(left, MASK * np.uint8(255))  # by a process that was killed
    run = roofstack("prepare", tmp_path / "out", "--images", raw, "--labels", truth)
    assert (run.code, len(run.err.splitlines())) == (2, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "train.csv"}
    write_images(raw)
    (tmp_path / "out").mkdir()
    assert roofstack("prepare", tmp_path / "out", "--images", raw, "--labels", truth).code == 0
    check(tmp_path / "out")


def test_a_dry_run_tells_and_writes_nothing(tmp_path: Path, roofstack: Any) -> None:
    raw = write_images(tmp_path / "raw")
    truth, before = write_truth(tmp_path, "coco"), hash_folder(tmp_path)
    run = roofstack("prepare", tmp_path / "out", "--images", raw, "--labels", truth, "--tile", 32, "--dry-run")
    assert run.code == 0
    assert [word in run.out for word in ("buildings of COCO", "6", "tiles", "12")] == [True] * 4
    assert hash_folder(tmp_path) == before
