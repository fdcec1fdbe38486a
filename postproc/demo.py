"""The demo: every stage on a small set of tiles, scored on tiles that nothing was trained or tuned on."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ensemble.predict import predict
from members.common.console import print_table, stderr, stdout, track, warn
from members.common.errors import InputError
from members.common.files import read_json, write_json
from members.common.tables import ResultTable
from members.training.networks.backend import choose_backend
from members.training.train import train
from postproc.submit import submit
from postproc.tune import tune

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from members.data.run import Run
    from members.data.tiles import Tile
    from postproc.pipeline.pipeline import Pipeline

MEMBERS = ("lite0_unet", "lite2_unet")
TILES, TEST_SHARE, VALID_SHARE = 108, 0.15, 0.2
EPOCHS, BATCH_SIZE, CROP = 9, 4, 128
PICTURED = 4
ORIGIN = "origin.json"


def demo(
    data: Annotated[
        Path | None, typer.Option(help="Your own tiles and masks; default: scenes drawn by the project.")
    ] = None,
    run: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("runs/demo"),
    tiles: Annotated[int, typer.Option(help="Use at most about this many tiles, in whole groups.", min=12)] = TILES,
    epochs: Annotated[int, typer.Option(help="Epochs of each member.", min=1)] = EPOCHS,
) -> None:
    """Train two members, predict, blend, tune and submit in a few minutes, and show what each stage brings.

    A sixth of the tiles, in whole groups, is set aside first; the table at the end is on those alone. A demo
    that was stopped goes on where it was.
    """
    from members.data.raster import read_mask
    from members.data.run import Run
    from postproc.pipeline.pipeline import Pipeline
    from postproc.scoring.layouts import find_truth

    choose_backend()
    source = data or draw_scenes(run / "scenes", tiles)
    prepare_data(source, run / "data", tiles)
    own = run / "data"
    train(list(MEMBERS), own, run, epochs=epochs, batch_size=BATCH_SIZE, crop=CROP, valid_fraction=VALID_SHARE)
    predict(run, "valid", own)
    predict(run, "test_without_tta", images=own / "test/images/img", tta="none")
    predict(run, "test", own)
    tune(own, run)
    submit(run, "test", own)
    truths = {image_id: read_mask(path) for image_id, path in find_truth(own / "test/masks/img").items()}
    made = Run(run)
    tuned = Pipeline.of_run(made, "test")
    print_table(tabulate_stages(made, truths, tuned))
    from postproc.reporting.figures import save_figure  # only now, as it takes a while to load

    picture = run / "demo.png"
    save_figure(draw_results(made, truths, tuned), picture)
    stdout.print(f"submission: {made.submission_file('test')}\npicture: {picture}")


def draw_scenes(folder: Path, count: int) -> Path:
    """Draw the demo's own data set, unless it is there."""
    from members.synthetic.scenes import write_scenes

    stderr.print(f"drawing {count} aerial scenes with exact masks in {folder}", highlight=False)
    write_scenes(folder, count, progress=track)
    return folder


def prepare_data(source: Path, folder: Path, most: int) -> None:
    """Copy at most `most` tiles, in whole groups, into the competition's layout with a test part set aside.

    Raises:
        InputError: the source is no data set, has too few groups, or the folder holds another demo's data.
    """
    from members.data.raster import check_tiles, read_pair
    from members.data.tiles import list_tiles

    origin = {"source": str(source.resolve()), "most": most}
    if (folder / ORIGIN).is_file():
        if (found := read_json(folder / ORIGIN)) != origin:
            raise InputError(
                f"{folder}: holds {found['most']} tiles at most of {found['source']}; give another --run, or remove it"
            )
        return
    tiles = list_tiles(source)
    for remark in check_tiles(tiles):
        warn(remark)
    areas = [int(read_pair(tile)[1].sum()) for tile in tiles]
    if len(tiles) > most:
        tiles, areas = choose_share(tiles, areas, most / len(tiles))
    test, _ = choose_share(tiles, areas, TEST_SHARE)
    shutil.rmtree(folder, ignore_errors=True)
    for tile in tiles:
        part = "test" if tile in test else "training"
        for kind, path in (("images", tile.image), ("masks", tile.mask)):
            if path is None:
                continue
            target = folder / part / kind / "img" / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    with (folder / "tiles.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image_id", "group"))
        writer.writerows((tile.image_id, tile.group) for tile in tiles)
    write_json(folder / ORIGIN, origin)  # last: a folder that has it is complete


def choose_share(tiles: Sequence[Tile], areas: Sequence[int], share: float) -> tuple[list[Tile], list[int]]:
    """Choose whole groups that make up about a share of the tiles and of the building area."""
    from members.data.split import NEVER_VALID, Split, draw_split

    split = draw_split([tile.group for tile in tiles], areas, Split(valid_fraction=share))
    chosen = [split.fold_of_group[tile.group] != NEVER_VALID for tile in tiles]
    return (
        [tile for tile, taken in zip(tiles, chosen, strict=True) if taken],
        [area for area, taken in zip(areas, chosen, strict=True) if taken],
    )


def score_stage(part: Path, pipeline: Pipeline, truths: Mapping[str, np.ndarray]) -> float:
    """Return the pooled IoU of a pipeline over the tiles set aside.

    Args:
        part: the folder of the members' folders of maps.
        pipeline: from maps to masks.
        truths: image id -> bool (h, w).
    """
    from ensemble.selection.blend import read_blend
    from ensemble.statistics.metrics import METRICS
    from postproc.scoring.pixels import count_mask, pool_masks

    counts = (
        count_mask(truth, pipeline.mask(read_blend(part, pipeline.blend, image_id, truth.shape)))
        for image_id, truth in truths.items()
    )
    return float(METRICS["pooled_iou"].compute(pool_masks(counts)))


def tabulate_stages(run: Run, truths: Mapping[str, np.ndarray], tuned: Pipeline) -> ResultTable:
    """Return the table of what each stage brings."""
    from ensemble.selection.blend import Blend
    from postproc.pipeline.pipeline import Pipeline

    single, averaged = run.part_folder("test_without_tta"), run.part_folder("test")
    blend = Pipeline(Blend.mean(MEMBERS))
    stages = {f"member {name}": (single, Pipeline(Blend({name: 1}))) for name in MEMBERS}
    stages["blend of both"] = single, blend
    stages["blend with TTA (d4)"] = averaged, blend
    stages["blend with TTA, tuned"] = averaged, tuned
    rows = [(name, f"{score_stage(*stage, truths):.4f}") for name, stage in stages.items()]
    return ResultTable(f"{len(truths)} tiles that nothing was trained or tuned on", ("stage", "pooled IoU"), rows)


def draw_results(run: Run, truths: Mapping[str, np.ndarray], tuned: Pipeline) -> Figure:
    """Draw the panels of a few tiles with buildings, at equal distances in the list of ids."""
    import numpy as np

    from ensemble.selection.blend import read_blend
    from members.data.raster import read_image
    from members.data.tiles import list_tiles
    from postproc.reporting.panels import ImageResult, draw_rows

    images = {tile.image_id: tile.image for tile in list_tiles(run.path / "data", "test")}
    built = [image_id for image_id, truth in truths.items() if truth.any()]
    rows = {}
    for index in np.linspace(0, len(built) - 1, min(PICTURED, len(built))).astype(int).tolist():
        image_id, truth = built[index], truths[built[index]]
        values = read_blend(run.part_folder("test"), tuned.blend, image_id, truth.shape)
        result = ImageResult.of_map(read_image(images[image_id]), truth, values, tuned)
        rows[f"{image_id}: {result.describe()}"] = result
    return draw_rows(rows)
