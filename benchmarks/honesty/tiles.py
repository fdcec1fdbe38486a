"""The tiles that tunings are simulated on: real maps of small networks, and drawn scenes with maps of a noise model."""

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rasterio

from members.synthetic.scenes import GROUP_SIZE, draw_scene

MEMBERS = ("lite0", "lite1")
SCENES = 320
SIDE = 128  # px of a drawn scene


@dataclass(frozen=True)
class Tiles:
    """Tiles with two members' maps, uint8 (h, w), truths, bool (h, w), and the group of each."""

    groups: tuple[str, ...]
    maps: dict[str, list[np.ndarray]]
    truths: list[np.ndarray]


def read_tiles(data: Path) -> Tiles:
    """Read the training tiles of hot_buildings with the maps of hot_maps."""
    with (data / "hot_buildings/tiles.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "training"]
    names = [f"{row['image_id']}.tif" for row in rows]
    maps = {member: [read_band(data / "hot_maps/valid" / member / name) for name in names] for member in MEMBERS}
    truths = [read_band(data / "hot_buildings/training/masks/img" / name) > 0 for name in names]
    return Tiles(tuple(row["group"] for row in rows), maps, truths)


def read_band(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read(1)


def draw_tiles(scenes: int = SCENES, side: int = SIDE) -> Tiles:
    """Draw scenes, and for each the maps of two members that err as networks do."""
    truths = [draw_scene(seed, side)[1] > 0 for seed in range(scenes)]
    maps = {
        member: [draw_map(truth, seed, skill) for seed, truth in enumerate(truths)]
        for skill, member in zip((1.0, 0.8), MEMBERS, strict=True)
    }
    return Tiles(tuple(f"group {seed // GROUP_SIZE:03d}" for seed in range(scenes)), maps, truths)


def draw_map(truth: np.ndarray, seed: int, skill: float) -> np.ndarray:
    """Draw a map: borders are blurred, doubt is smooth, some buildings are missed and some things taken for one.

    Args:
        truth: bool (h, w).
        seed: of the tile; what is hard about it is hard for both members, the rest is each one's own.
        skill: how far building and ground are apart, 1 as for a fair network.
    """
    shared, own = np.random.default_rng([seed, 0]), np.random.default_rng([seed, round(100 * skill)])
    logit = 7 * skill * (cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 1.6) - 0.5)
    for rng, size in ((shared, 2.0), (own, 1.2)):
        for scale, strength in ((2, 0.5), (7, 0.6)):  # px of ragged borders, and of whole parts
            noise = cv2.GaussianBlur(rng.standard_normal(truth.shape, np.float32), (0, 0), scale)
            logit += size * strength * noise / noise.std()
        for _ in range(rng.poisson(1.0)):  # a shed that is none, or a roof that is not seen
            y, x = rng.integers(0, np.array(truth.shape))
            logit += rng.choice([-3.0, 4.0]) * draw_spot(truth.shape, y, x, rng.uniform(2, 6))
    logit += shared.normal(-0.4, 0.5)  # the light of the day
    return np.rint(255 / (1 + np.exp(-logit))).astype(np.uint8)


def draw_spot(shape: tuple[int, ...], y: int, x: int, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * radius**2)).astype(np.float32)
