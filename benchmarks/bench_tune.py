"""The whole tune command on real maps, and its slow parts beside trying one setting after the other: same answers.

    python benchmarks/bench_tune.py --data ../shared/data

imports the maps of hot_maps' two members into a run of its own, tunes it for pooled IoU as `roofstack tune` does,
outlines and plots included, and tells the CPU seconds of its parts. What was compiled is loaded, not compiled: a first
tune on a machine takes longer. On some of the tiles, areas are also searched by component trees at all thresholds of
each setting, and each outline setting is drawn by itself, as `submit` draws it: `areas_speedup` and
`outlines_speedup` are those CPU seconds over tune's on the same tiles. The last line is one JSON object.
"""

import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import typer

import postproc.tune
import postproc.tuning.tuning
from ensemble.mapfolder.foreign import find_target, import_maps
from ensemble.mapfolder.raster import map_path
from ensemble.mapfolder.samples import ArraySamples, RunSamples
from ensemble.selection.blend import Blend
from ensemble.statistics.counts import Counts
from members.common.console import run_command, stdout
from members.common.workers import Threads
from members.data.frames import read_frame
from members.data.run import Run
from postproc.geo.outlining import draw_masks, outline_images
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe
from postproc.search.area_search import choose_areas
from postproc.search.exact import search_areas, search_kernels
from postproc.tuning import fits
from postproc.tuning.fits import BEST, BlendedTiles, Task
from postproc.tuning.steps.outlines import count_mask, count_outlines, list_pipelines
from postproc.tuning.tuning import deal_crossfit

MEMBERS = ("lite0", "lite1")
PARTS = {
    "kernels": (fits, "search_step"),
    "areas": (fits, "choose_areas"),
    "outlines": (postproc.tuning.tuning, "fit_outlines"),
    "applying": (postproc.tuning.tuning, "apply_verdict"),
    "plots": (postproc.tune, "draw_plots"),
}
Result = TypeVar("Result")


@contextlib.contextmanager
def time_parts() -> Iterator[dict[str, float]]:
    """Sum up the CPU seconds of the tune command's parts."""
    seconds = dict.fromkeys(PARTS, 0.0)
    originals = {name: getattr(*place) for name, place in PARTS.items()}

    def watch(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            start = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                seconds[name] += time.process_time() - start

        return watched

    for name, (module, attribute) in PARTS.items():
        setattr(module, attribute, watch(name, originals[name]))
    try:
        yield seconds
    finally:
        for name, (module, attribute) in PARTS.items():
            setattr(module, attribute, originals[name])


def measure(function: Callable[[], Result]) -> tuple[float, Result]:
    """Return the CPU seconds, and the result."""
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def compare_areas(task: Task, blend: Blend) -> tuple[float, float, bool]:
    """Search areas by one component tree a setting, and as tune does: CPU seconds of each, and whether they agree."""
    read = BlendedTiles(task.samples, blend)
    tiles = [read[number] for number in range(len(read))]
    masks = task.crossfit.training_masks
    grid = search_kernels(tiles, task.groups, task.objective)

    def search_each() -> list[tuple[Recipe, float]]:
        found = []
        counted: dict[Recipe, Any] = {}
        for mask in masks:
            tops = [grid.recipes[index] for index in grid.rank(task.objective, mask)[:BEST]]
            for recipe in tops:
                if recipe not in counted:
                    counted[recipe] = search_areas(tiles, task.groups, [recipe], task.objective)
            choices = [counted[recipe].choose(task.objective, mask) for recipe in tops]
            best = min(choices, key=lambda choice: (-choice.score, choice.recipe.complexity))
            found.append((best.recipe, best.score))
        return found

    before, expected = measure(search_each)
    after, (choices, _) = measure(lambda: choose_areas(tiles, task.groups, grid, task.objective, masks, BEST))
    return before, after, expected == [(choice.recipe, choice.score) for choice in choices]


def compare_outlines(task: Task, base: Pipeline) -> tuple[float, float, bool]:
    """Draw each setting as `submit` does, and as tune does: CPU seconds of each, and whether the counts agree."""
    sizes = {frame.image_id: frame.size for frame in task.frames}
    values = {frame.image_id: base.blend.mix(maps) for frame, (maps, _) in zip(task.frames, task.samples, strict=True)}
    truths = {frame.image_id: truth for frame, (_, truth) in zip(task.frames, task.samples, strict=True)}

    def draw_each() -> list[Counts]:
        found = []
        for pipeline in list_pipelines(base):
            cuts = {name: pipeline.cut(own) for name, own in values.items()}
            outlined = outline_images(
                task.frames,
                lambda name, window, cuts=cuts: (cuts[name][window], values[name][window]),
                pipeline.outline_mask,
                workers=Threads(1),
            )
            masks = draw_masks(outlined, sizes)
            found.append(
                Counts.from_tiles(task.groups, (count_mask(mask, truths[name], task.objective) for name, mask in masks))
            )
        return found

    before, expected = measure(draw_each)
    after, counts = measure(lambda: count_outlines(task, base))
    same = all(
        np.array_equal(counts.sums[name][:, number], each.sums[name])
        for number, each in enumerate(expected)
        for name in counts.sums
    )
    return before, after, same


def bench(
    data: Annotated[Path, typer.Option(help="Folder with hot_buildings and hot_maps.")] = Path("../shared/data"),
    region: Annotated[str, typer.Option(help="The tiles that are compared: those whose names begin so.")] = "panauti",
) -> None:
    """Time the whole tune command on real maps, and compare its slow parts on some of them."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "run")
        for member in MEMBERS:
            import_maps(
                find_target(run, data / "hot_buildings", None), "valid", member, data / "hot_maps/valid" / member
            )
        samples = RunSamples(run, data / "hot_buildings")
        frames = [read_frame(map_path(samples.folder / MEMBERS[0], tile.image_id)) for tile in samples.tiles]
        chosen = [number for number, tile in enumerate(samples.tiles) if tile.image_id.startswith(region)]
        part = [samples[number] for number in chosen]
        groups = tuple(samples.groups[number] for number in chosen)
        few = ArraySamples(
            {name: [maps[i] for maps, _ in part] for i, name in enumerate(MEMBERS)},
            [truth for _, truth in part],
            groups,
        )
        task = Task(
            few, groups, "pooled_iou", deal_crossfit(groups, True), frames=tuple(frames[number] for number in chosen)
        )
        blend = Blend.mean(MEMBERS)
        compare_areas(task, blend)  # compiles, or loads what was compiled
        count_outlines(task, Pipeline(blend))
        areas_before, areas_after, same_areas = compare_areas(task, blend)
        outlines_before, outlines_after, same_outlines = compare_outlines(task, Pipeline(blend))
        clock = time.perf_counter()
        with time_parts() as parts:
            cpu, _ = measure(lambda: postproc.tune.tune(run.path, trials=None, storage=None, cross_fit=True))
        clock = time.perf_counter() - clock
        stdout.print(f"{len(part)} tiles of {region}: areas {areas_before:.1f} and {areas_after:.1f} CPU s")
        stdout.print(f"outlines {outlines_before:.1f} and {outlines_after:.1f} CPU s")
    result = {
        "seconds": round(clock, 1),
        "cpu_seconds": round(cpu, 1),
        "same_answers": same_areas and same_outlines,
        "parts": {name: round(seconds, 1) for name, seconds in parts.items()},
        "areas_speedup": round(areas_before / areas_after, 1),
        "outlines_speedup": round(outlines_before / outlines_after, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    run_command(bench)
