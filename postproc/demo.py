"""The demo: every stage on a small set of tiles, scored on tiles that nothing was trained or tuned on."""

import csv
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from ensemble.predict import predict
from ensemble.selection.blend import Blend, read_blend
from members.common.console import stderr, stdout, warn
from members.common.errors import InputError
from members.common.files import read_json, write_json
from members.data.raster import check_tiles, read_image, read_mask, read_pair
from members.data.run import Run
from members.data.split import NEVER_VALID, Split, draw_split
from members.data.tiles import Tile, list_tiles
from members.synthetic.scenes import write_scenes
from members.training.networks.backend import choose_backend
from members.training.train import train
from postproc.pipeline.outlines import OutlineRecipe
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe
from postproc.reporting.report import draw_sheet
from postproc.scoring.inputs import find_truth
from postproc.scoring.pixels import count_overlap, pool_overlaps
from postproc.submit import choose_outlines, choose_recipe, submit
from postproc.tune import tune

MEMBERS = ("lite0_unet", "lite2_unet")
TILES, TEST_SHARE, VALID_SHARE = 108, 0.15, 0.2
EPOCHS, BATCH_SIZE, CROP = 9, 4, 128
PICTURED = 4
ORIGIN = "origin.json"
CleanUp = tuple[Recipe, OutlineRecipe | None]


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
    choose_backend()
    place = Run(run)
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
    tuned = choose_recipe(place, "test", "tuned")[0], choose_outlines(place, "tuned")
    stdout.print(tabulate_stages(place, truths, tuned))
    picture = run / "demo.png"
    draw_sheet(picture_tiles(place, truths, tuned), picture)
    stdout.print(f"submission: {place.submission_file('test')}\npicture: {picture}")


def draw_scenes(folder: Path, count: int) -> Path:
    """Draw the demo's own data set, unless it is there."""
    stderr.print(f"drawing {count} aerial scenes with exact masks in {folder}", highlight=False)
    write_scenes(folder, count)
    return folder


def prepare_data(source: Path, folder: Path, most: int) -> None:
    """Copy at most `most` tiles, in whole groups, into the competition's layout with a test part set aside.

    Raises:
        InputError: the source is no data set, has too few groups, or the folder holds another demo's data.
    """
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
    """Whole groups that make up about a share of the tiles and of the building area."""
    split = draw_split([tile.group for tile in tiles], areas, Split(valid_fraction=share))
    chosen = [split.fold_of_group[tile.group] != NEVER_VALID for tile in tiles]
    return (
        [tile for tile, taken in zip(tiles, chosen, strict=True) if taken],
        [area for area, taken in zip(areas, chosen, strict=True) if taken],
    )


def score_stage(part: Path, blend: Blend, clean_up: CleanUp, truths: Mapping[str, np.ndarray]) -> float:
    """Pooled IoU of a blend and its clean-up over the tiles set aside."""
    overlaps = (
        count_overlap(truth, Pipeline(blend, *clean_up).mask(read_blend(part, blend, image_id, truth.shape)))
        for image_id, truth in truths.items()
    )
    return float(pool_overlaps(overlaps).iou)


def tabulate_stages(run: Run, truths: Mapping[str, np.ndarray], tuned: CleanUp) -> Table:
    """The table of what each stage brings."""
    single, averaged = run.part_folder("test_without_tta"), run.part_folder("test")
    blend = Blend.mean(MEMBERS)
    neutral: CleanUp = Recipe(), None
    stages = {f"member {name}": (single, Blend({name: 1}), neutral) for name in MEMBERS}
    stages["blend of both"] = (single, blend, neutral)
    stages["blend with TTA (d4)"] = (averaged, blend, neutral)
    stages["blend with TTA, tuned"] = (averaged, blend, tuned)
    table = Table("stage", "pooled IoU", title=f"{len(truths)} tiles that nothing was trained or tuned on")
    for name, stage in stages.items():
        table.add_row(name, f"{score_stage(*stage, truths):.4f}")
    return table


def picture_tiles(
    run: Run, truths: Mapping[str, np.ndarray], clean_up: CleanUp
) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Panels of a few tiles with buildings, evenly spread over the ids."""
    built = [image_id for image_id, truth in truths.items() if truth.any()]
    shown = [built[i] for i in np.linspace(0, len(built) - 1, min(PICTURED, len(built))).astype(int)]
    panels = []
    images = {tile.image_id: tile.image for tile in list_tiles(run.path / "data", "test")}
    for image_id in shown:
        truth = truths[image_id]
        values = read_blend(run.part_folder("test"), Blend.mean(MEMBERS), image_id, truth.shape)
        mask = Pipeline(Blend.mean(MEMBERS), *clean_up).mask(values)
        caption = f"{image_id}   IoU {count_overlap(truth, mask).iou:.3f}"
        panels.append((caption, read_image(images[image_id]), truth, values, mask))
    return panels
