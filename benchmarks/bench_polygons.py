"""Outlines of buildings: ours, the library buildingregulariser, and plain Douglas-Peucker, beside drawn outlines.

    python benchmarks/bench_polygons.py

needs the real data in ../shared/data or $ROOFSTACK_DATA, and `pip install buildingregulariser`. Two masks of
hot_scene, 2048 x 4096 pixels, are outlined: its truth mask with blurred corners and ragged edges, and the maps of
hot_maps' lite0 over the same tiles, cut at 128; specks and pinholes below 64 pixels are removed from both. All
methods start from the same traced outlines, one a component, on one core. `buildings_per_second` counts the CPU
seconds from the traced outlines on, in the best of several passes; `from_mask_per_second` has the rest in it too.

The library's defaults are lengths in metres, so it gets the outlines in metres, at the 0.14 of a pixel on the
ground (the tiles have 0.13 to 0.15). It and Douglas-Peucker are run at each setting of a short list, and those
with the highest C-IoU on a mask are named in `best`; `verdict` compares ours with these.

`iou` is of the drawn masks over the scene. The rest is the mean over the components that cover a drawn outline with
an IoU of 0.5 or more before anything is done to them: so each method is judged on the same buildings, and one
that it loses counts as an IoU of 0. Vertices on a straight wall are not counted.

`regions_truth` and `regions_maps` have what each method reaches on each region of hot_buildings, on roughened truth and
on lite0's maps, at the setting that had the highest C-IoU on all other regions; ours has its tolerance to choose there.
The last line is one JSON object.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from polygon_regions import Region, hold_out, read_regions
from scipy.ndimage import gaussian_filter

from members.common.console import run_command, stdout
from postproc.pipeline.outlines import OutlineRecipe, outline_buildings, reshape_outlines
from postproc.pipeline.recipe import Recipe
from postproc.polygons.buildings import rasterize_outlines
from postproc.polygons.tracing import trace_mask
from postproc.scoring.shapes import (
    count_vertices,
    measure_c_iou,
    measure_iou,
    measure_polis,
    measure_right_angles,
)
from postproc.straightening.rivals import square_outlines

PASSES = 2
METRES = 0.14  # a pixel's side on the ground
CLEAN = Recipe(min_hole=64, min_object=64)
OURS = OutlineRecipe()
BLUR = 3.0  # px: about what rounds a network's corners
RAGGED = {2: 0.08, 6: 0.12}  # noise by its scale, px: perimeters grow as lite0's do
TILE = 256

Method = Callable[[np.ndarray], np.ndarray]


def read_scene(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the truth mask, bool (4096, 2048), and the outlines that it was drawn from, Polygon (n,), px."""
    with rasterio.open(data / "hot_scene/mask.tif") as source:
        mask, inverse, crs = source.read(1) > 0, ~source.transform, source.crs
    outlines = gpd.read_file(data / "hot_scene/buildings.geojson").to_crs(crs).geometry.to_numpy()
    return mask, shapely.transform(outlines, lambda vertices: np.column_stack(inverse * vertices.T))


def roughen(mask: np.ndarray) -> np.ndarray:
    """Blur a mask and make it ragged, as a network's map: uint8 (height, width)."""
    rng = np.random.default_rng(0)
    picture = gaussian_filter(mask.astype(np.float32), BLUR)
    for scale, strength in RAGGED.items():
        noise = gaussian_filter(rng.standard_normal(mask.shape).astype(np.float32), scale)
        picture += strength * noise / noise.std()
    return np.rint(255 * picture.clip(0, 1)).astype(np.uint8)


def join_maps(data: Path, size: tuple[int, int]) -> np.ndarray:
    """Join the maps of lite0 over the scene, uint8 (height, width)."""
    with rasterio.open(data / "hot_scene/mask.tif") as source:
        inverse = ~source.transform
    joined = np.zeros(size, np.uint8)
    for path in sorted((data / "hot_maps/valid/lite0").glob("banepa_*.tif")):
        with rasterio.open(path) as source:
            x, y = (round(value) for value in inverse @ (source.transform.c, source.transform.f))
            joined[y : y + TILE, x : x + TILE] = source.read(1)
    return joined


def square_with_library(**options: float) -> Method:
    """Return the library as a method."""
    return partial(square_outlines, pixel=METRES, **options)


def reshape_by(outlines: np.ndarray, tolerance: float) -> np.ndarray:
    """Reshape outlines by ours with another tolerance, px."""
    return reshape_outlines(outlines, OURS.model_copy(update={"tolerance": tolerance}))[0]


METHODS: dict[str, Method] = {
    "ours": lambda outlines: reshape_outlines(outlines, OURS)[0],
    **{f"ours_{tolerance:g}px": partial(reshape_by, tolerance=tolerance) for tolerance in (3.0, 4.0, 5.0, 8.0)},
    "buildingregulariser_defaults": square_with_library(),
    "buildingregulariser_0.6m": square_with_library(simplify_tolerance=0.6),
    "buildingregulariser_0.6m_2m": square_with_library(simplify_tolerance=0.6, parallel_threshold=2.0),
    "buildingregulariser_0.8m_2m": square_with_library(simplify_tolerance=0.8, parallel_threshold=2.0),
    "buildingregulariser_1m": square_with_library(simplify_tolerance=1.0),
    **{
        f"douglas_peucker_{tolerance}px": partial(shapely.simplify, tolerance=tolerance)
        for tolerance in (2, 3, 4, 6, 8)
    },
}
RIVALS = "buildingregulariser", "douglas_peucker"


def pair_outlines(outlines: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the outlines and of what was drawn for the same building."""
    one, other = shapely.STRtree(drawn).query(outlines, predicate="intersects")
    same = measure_iou(outlines[one], drawn[other]) >= 0.5
    return one[same], other[same]


def measure_overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    """Return the IoU of two masks."""
    return np.count_nonzero(mask & truth) / np.count_nonzero(mask | truth)


def score_outlines(
    outlines: np.ndarray, drawn: np.ndarray, pairs: tuple[np.ndarray, np.ndarray], truth: np.ndarray
) -> dict[str, float]:
    """Score one method's outlines."""
    mask = rasterize_outlines(outlines, truth.shape)
    ours, theirs = outlines[pairs[0]], drawn[pairs[1]]
    there = ~shapely.is_empty(ours)
    counts, drawn_counts = (count_vertices(shapely.simplify(polygons, 0)) for polygons in (ours, theirs))
    iou = np.zeros(len(ours))
    iou[there] = measure_iou(ours[there], theirs[there])
    return {
        "iou": measure_overlap(mask, truth),
        "building_iou": iou.mean(),
        "c_iou": measure_c_iou(iou, counts, drawn_counts).mean(),
        "polis": measure_polis(ours[there], theirs[there]).mean(),
        "n_ratio": float(counts.sum() / drawn_counts.sum()),
        "right_angles": np.average(measure_right_angles(ours[there]), weights=counts[there]),
    }


def time_best(function: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds of the best of PASSES, and what it returned."""
    seconds = []
    for _ in range(PASSES):
        begin = time.process_time()
        value = function()
        seconds.append(time.process_time() - begin)
    return min(seconds), value


def choose_rivals(scores: dict[str, dict[str, float]]) -> dict[str, str]:
    """Choose the setting of each rival with the highest C-IoU."""
    return {
        rival: max((name for name in scores if name.startswith(rival)), key=lambda name: scores[name]["c_iou"])
        for rival in RIVALS
    }


def score_regions(regions: Mapping[str, Region], of_maps: bool) -> dict[str, dict[str, dict[str, float]]]:
    """Score every setting in every region: on lite0's maps, or on roughened truth."""
    scores: dict[str, dict[str, dict[str, float]]] = {method: {} for method in METHODS}
    for name, region in regions.items():
        mask = CLEAN.apply(region.map if of_maps else roughen(region.truth))
        traced = np.array(trace_mask(mask), object)
        pairs = pair_outlines(traced, region.drawn)
        for method, outline in METHODS.items():
            outlines = outline(traced)
            drawn = rasterize_outlines(outlines, mask.shape)
            scores[method][name] = {
                "intersection": int(np.count_nonzero(drawn & region.truth)),
                "union": int(np.count_nonzero(drawn | region.truth)),
                "buildings": len(pairs[0]),
                "c_iou": len(pairs[0]) * score_outlines(outlines, region.drawn, pairs, region.truth)["c_iou"],
            }
    return scores


def compare(scores: dict[str, dict[str, float]], rival: str) -> dict[str, Any]:
    """Compare ours with one rival: what is better, by how much, and how many times faster."""
    ours, theirs = scores["ours"], scores[rival]
    return {
        "iou_gain": round(ours["iou"] - theirs["iou"], 4),
        "c_iou_gain": round(ours["c_iou"] - theirs["c_iou"], 4),
        "n_ratio_closer": abs(ours["n_ratio"] - 1) < abs(theirs["n_ratio"] - 1),
        "speedup": round(ours["buildings_per_second"] / theirs["buildings_per_second"], 2),
    }


def bench() -> None:
    """Measure outlines and the time that they take."""
    data = Path(os.environ.get("ROOFSTACK_DATA", Path(__file__).parents[2] / "shared/data"))
    truth, drawn = read_scene(data)
    warm = np.pad(np.ones((40, 40), bool), 4)
    outline_buildings(warm, np.uint8(255) * warm, OURS)  # compiles, or loads what was compiled
    figures: dict[str, Any] = {}
    for name, blend in {"hot_scene": roughen(truth), "hot_maps": join_maps(data, truth.shape)}.items():
        mask = CLEAN.apply(blend)
        traced = np.array(trace_mask(mask), object)
        pairs = pair_outlines(traced, drawn)
        stdout.print(f"{name}: {len(traced)} components, {len(pairs[0])} of them a drawn building")
        scores: dict[str, Any] = {}
        for method, outline in METHODS.items():
            seconds, outlines = time_best(lambda outline=outline, traced=traced: outline(traced))  # type: ignore[misc]
            score: dict[str, Any] = score_outlines(outlines, drawn, pairs, truth)
            score["buildings_per_second"] = len(traced) / seconds
            stdout.print(f"{method:30s}" + "".join(f" {key} {value:.3f}" for key, value in score.items()))
            scores[method] = {key: round(float(value), 4) for key, value in score.items()}
        seconds, _ = time_best(lambda mask=mask, blend=blend: outline_buildings(mask, blend, OURS))  # type: ignore[misc]
        scores["ours"]["from_mask_per_second"] = round(len(traced) / seconds, 1)
        best = choose_rivals(scores)
        verdict = {rival: compare(scores, rival) for rival in [*best.values(), "buildingregulariser_defaults"]}
        figures[name] = {**scores, "best": best, "verdict": verdict}
    regions = read_regions(data)
    for name, of_maps in (("truth", False), ("maps", True)):
        held_out = hold_out(score_regions(regions, of_maps), ("ours", *RIVALS))
        for family, score in held_out.items():
            told = "".join(f" {key} {value:.3f}" for key, value in score.items())
            stdout.print(f"regions, {name}: {family:20s}{told}")
        figures[f"regions_{name}"] = held_out
    print(json.dumps(figures))


if __name__ == "__main__":
    run_command(bench)
