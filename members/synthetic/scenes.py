"""Drawn aerial scenes with exact masks: data for a newcomer who has none.

Towns, suburbs and farmland at 0.3 m per pixel, photographed through blur, haze, noise and JPEG. Nothing is
downloaded; the same seed draws the same scene.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
import rasterio.features
from numpy.typing import NDArray

from members.common.errors import InputError
from members.common.files import write_whole
from members.common.progress import Progress, silent
from members.synthetic.layouts import lay_scene
from members.synthetic.painting import FINE, MARGIN, PIXEL, Canvas, as_planes
from members.synthetic.styles import KINDS, Neighbourhood, draw_neighbourhood

AIRLIGHT = (0.78, 0.80, 0.83)  # the colour of haze
GROUP_SIZE = 4  # tiles of one neighbourhood
SCENE_SEEDS = 1_000_000  # scene seeds set aside for each data set: the most scenes that one can hold


@dataclass(frozen=True)
class Camera:
    """One flight: the light it found and what its lens, sensor and file format did to it."""

    exposure: float
    balance: tuple[float, float, float]  # gain of each channel
    shade: float  # brightness of what lies in shadow, of 1 in the sun
    haze: float  # share of the picture that is haze, 0..1
    blur: float  # deviation of the lens's blur, pixels
    noise: float  # deviation of the sensor's noise, of 1
    quality: int  # of the JPEG, 1..100


def draw_camera(rng: np.random.Generator) -> Camera:
    """Draw what one flight found and brought."""
    red, blue = rng.normal(1, 0.035, 2)
    return Camera(
        exposure=rng.uniform(0.85, 1.2),
        balance=(red, 1.0, blue),
        shade=rng.uniform(0.52, 0.68),
        haze=rng.uniform(0, 0.18),
        blur=rng.uniform(0.4, 0.9),
        noise=rng.uniform(0.008, 0.025),
        quality=int(rng.integers(72, 95)),
    )


def photograph(canvas: Canvas, camera: Camera, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Photograph the canvas without its margin: RGB, uint8, shape (size, size, 3)."""
    sunlit = np.where(canvas.cast_shadows(), 0, canvas.light)
    shade = camera.shade * as_planes((0.94, 0.99, 1.10))  # the sky that lights a shadow is blue
    scene = cv2.merge(list(crop(canvas.colour * (shade + (1 - shade) * np.float32(sunlit)))))
    scene = cv2.GaussianBlur(scene, (0, 0), camera.blur * FINE)
    size = scene.shape[0] // FINE
    scene = cv2.resize(scene, (size, size), interpolation=cv2.INTER_AREA)
    scene = scene * np.array(camera.balance, np.float32) * np.float32(camera.exposure)
    scene += np.float32(camera.haze) * (np.array(AIRLIGHT, np.float32) - scene)
    scene += np.float32(camera.noise) * rng.standard_normal(scene.shape, np.float32)
    raw = np.rint(np.clip(scene, 0, 1) * 255).astype(np.uint8)
    _, jpeg = cv2.imencode(".jpg", raw[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, camera.quality])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)[..., ::-1].copy()


def crop(canvas: NDArray) -> NDArray:
    """Cut the margin off arrays of the canvas, (..., side, side)."""
    return canvas[..., FINE * MARGIN : -FINE * MARGIN, FINE * MARGIN : -FINE * MARGIN]


def shrink_buildings(fine: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Turn the canvas's buildings into pixels: the last one painted where at least half of a pixel is building."""
    side = fine.shape[0] // FINE
    samples = fine.reshape(side, FINE, side, FINE)
    covered = (samples > 0).mean(axis=(1, 3)) >= 0.5
    return np.where(covered, samples.max(axis=(1, 3)), 0).astype(np.uint16)


def draw_group(group: int) -> tuple[Neighbourhood, Camera]:
    """Draw what the tiles of a group share. Each three groups in a row are one town, one suburb, one countryside."""
    order = np.random.default_rng([group // len(KINDS), 2]).permutation(len(KINDS))
    rng = np.random.default_rng([group, 1])
    return draw_neighbourhood(KINDS[order[group % len(KINDS)]], rng), draw_camera(rng)


def draw_scene(seed: int, size: int = 256) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw one scene as `draw_buildings` does: its picture, and the mask of its buildings, uint8, 255 = building."""
    image, buildings = draw_buildings(seed, size)
    return image, as_mask(buildings)


def as_mask(buildings: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Return the mask, uint8 (h, w), 255 = building, of numbered buildings."""
    return np.where(buildings > 0, 255, 0).astype(np.uint8)


def draw_buildings(seed: int, size: int = 256) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Draw one scene of 0.3 m per pixel and its buildings.

    Every building is there with its whole outline, as an annotator draws it: parts of a roof under the crown
    of a tree count as building, courts inside a building don't, nor do containers and tarpaulins.
    Its border follows the roof exactly: a pixel counts if at least half of it is roof.

    Args:
        seed: 0 or more; the same seed and the same library versions give the same scene. Seeds 4k to 4k + 3
            are tiles of one neighbourhood: they share sun, season, haze, streets' direction and roofs.
        size: side in pixels, 32 or more.

    Returns:
        The picture, uint8 RGB, shape (size, size, 3); the buildings, uint16 (size, size), each of a number above 0.

    Raises:
        InputError: `seed` or `size` is too small.
    """
    if seed < 0 or size < 32:
        raise InputError(f"a scene: seed {seed}, size {size}; seed must be 0 or more, size 32 or more; raise it")
    style, camera = draw_group(seed // GROUP_SIZE)
    rng = np.random.default_rng([seed, 0])
    canvas = Canvas(size, style.sun, rng)
    lay_scene(canvas, style, rng)
    return photograph(canvas, camera, rng), shrink_buildings(crop(canvas.building))


def write_scenes(folder: Path, count: int, seed: int = 42, size: int = 256, progress: Progress = silent) -> None:
    """Write a data set of `count` drawn scenes: images/<id>.tif, masks/<id>.tif, buildings.geojson and groups.csv.

    Images are uint8 RGB, masks uint8 with 255 = building, both TIFF of `size` x `size` pixels. groups.csv has the
    columns image_id, group (four tiles in a row share a neighbourhood) and kind (town, suburb, rural).
    buildings.geojson has the outlines of the buildings in pixels of the image that the property image_id names: those
    that touch are one component of the mask, and apart here. groups.csv is written last, so a folder that has it is
    complete. Files of an earlier call are replaced.

    Args:
        folder: of the data set.
        count: of the scenes.
        seed: another one draws other scenes.
        size: side in pixels, 32 or more.
        progress: what the scenes are drawn behind.

    Raises:
        InputError: `count` is not in 1..1,000,000, `seed` is negative, `size` too small, or `folder` holds other tiles.
    """
    if not 1 <= count <= SCENE_SEEDS or seed < 0:
        raise InputError(f"{folder}: {count} scenes, seed {seed}; there can be 1 to {SCENE_SEEDS}, seed 0 or more")
    names = {f"scene_{number:04d}.tif" for number in range(count)}
    for path in sorted([*folder.glob("images/[!.]*"), *folder.glob("masks/[!.]*")]):
        if path.name not in names:
            raise InputError(f"{path}: not one of the {count} scenes to draw; scenes need a folder of their own")
    (folder / "groups.csv").unlink(missing_ok=True)
    rows, features = [], []
    for number in progress(range(count), "draw", count):
        scene_seed = seed * SCENE_SEEDS + number
        image, buildings = draw_buildings(scene_seed, size)
        image_id = f"scene_{number:04d}"
        write_tiff(folder / "images" / f"{image_id}.tif", image.transpose(2, 0, 1))
        write_tiff(folder / "masks" / f"{image_id}.tif", as_mask(buildings)[None])
        features += trace_buildings(buildings, image_id)
        kind = draw_group(scene_seed // GROUP_SIZE)[0].kind
        rows.append((image_id, f"neighbourhood_{number // GROUP_SIZE:03d}", kind))
    with write_whole(folder / "buildings.geojson") as temporary:
        temporary.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    with (
        write_whole(folder / "groups.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        csv.writer(file, lineterminator="\n").writerows([("image_id", "group", "kind"), *rows])


def trace_buildings(buildings: NDArray[np.uint16], image_id: str) -> list[dict[str, Any]]:
    """Trace numbered buildings, uint16 (h, w), along their pixels: a GeoJSON feature each, or each of its parts."""
    return [
        {"type": "Feature", "properties": {"image_id": image_id}, "geometry": outline}
        for outline, _ in rasterio.features.shapes(buildings, buildings > 0)
    ]


def write_tiff(path: Path, bands: NDArray[np.uint8]) -> None:
    """Write bands, shape (bands, height, width), on a plane of metres: readers warn of pixels without a size."""
    count, height, width = bands.shape
    transform = rasterio.Affine.scale(PIXEL, -PIXEL)
    with write_whole(path) as temporary, rasterio.open(
        temporary, "w", driver="GTiff", width=width, height=height, count=count, dtype="uint8",
        transform=transform, compress="deflate",
    ) as target:  # fmt: skip
        target.write(bands)
