"""The command that turns a run's maps into a submission file, and into files for a GIS."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from pydantic import ValidationError

from ensemble.mapfolder.maps import map_path, read_maps
from ensemble.selection.blend import Blend, read_blend
from members.common.console import run_command, stdout, track
from members.common.errors import InputError
from members.common.files import read_json
from members.data.run import Run
from members.data.tiles import list_tiles
from postproc.formats.exports import Exports, remember
from postproc.formats.submission import check_ids, read_ids, write_submission
from postproc.formats.targets import check_target, guard_target
from postproc.geo.frames import read_frame
from postproc.geo.mosaic import Reader
from postproc.pipeline.outlines import OutlineRecipe, outline_buildings
from postproc.pipeline.recipe import Recipe
from postproc.polygons.buildings import rasterize_outlines


def submit(
    run: Annotated[Path, typer.Option(help="The run whose maps are used.")],
    part: Annotated[str, typer.Option(help="Whose maps: test, valid, or a name that predict --images made.")] = "test",
    data: Annotated[Path | None, typer.Option(help="Check the ids against this data set's test folder.")] = None,
    sample: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Check the ids against this sample submission, and keep its order."),
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="tuned (RUN/tuned.json), default (threshold 128 alone), or a JSON file.")
    ] = "tuned",
    output: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Default: RUN/submission.csv, or submission-PART.csv.")
    ] = None,
    vector: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also the buildings as outlines: .gpkg, .parquet (CRS kept) or .geojson."),
    ] = None,
    coco: Annotated[
        Path | None, typer.Option(metavar="JSON", help="Also COCO instances: RLE, bbox, area and score a building.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also a mask an image, 0 and 255: GeoTIFF, or PNG without CRS.")
    ] = None,
    min_area_m2: Annotated[
        float, typer.Option(help="Leave smaller buildings out of --vector and --coco [m²].", min=0)
    ] = 0.0,
) -> None:
    """Write a submission, and on request buildings for a GIS: blend the maps, apply the recipe, write, and check.

    The CSV has the columns ImageId, EncodedPixels, Width and Height, one row an image; masks are run-length
    encoded down the columns, 1-based. It is always written, and decoded and compared before the command says so.

    Outlines carry image_id, status, confidence and area_m2, a geodesic area. Images that touch on one pixel grid
    are joined before they are outlined, so that a building on their border is one; COCO has each image's part of
    it. Images without georeferencing come out in pixels.

    Where tune kept the outlines, the CSV and the masks are drawn from them too; where not, from the masks.
    """
    place = Run(run)
    chosen, blend = choose_recipe(place, part, recipe)
    kept = choose_outlines(place, recipe)
    folders = [place.map_folder(part, member) for member in blend.used]
    _, sizes = read_maps(folders)
    path = output or place.submission_file(part)
    expected = list(sizes)
    if data is not None and part == "test":
        expected = [tile.image_id for tile in list_tiles(data, "test")]
        check_ids(folders[0], list(sizes), expected)
    if sample is not None:
        expected = read_ids(sample)
        check_ids(folders[0], list(sizes), expected)
        sizes = {image_id: sizes[image_id] for image_id in expected}
    check_target(path, (".csv",))
    frames = {image_id: read_frame(map_path(folders[0], image_id)) for image_id in sizes}
    exports = Exports(vector, coco, masks, min_area_m2)
    exports.check(frames)
    place.log_command()
    read = remember(functools.partial(read_mask, folders[0].parent, sizes, blend, chosen), frames)
    rows = track(make_masks(sizes, read, kept), "submission", len(sizes))
    with guard_target(path):
        write_submission(path, exports.write_masks(rows, frames), expected)
    outline = functools.partial(outline_buildings, recipe=kept or OutlineRecipe())
    count = exports.write_buildings(frames, read, outline)
    stdout.print(f"{len(sizes)} images of {blend}, {describe_recipe(chosen)}")
    stdout.print(f"written, decoded and compared: {path}")
    report_exports(path, exports, kept is not None, count, [frame.crs for frame in frames.values()])


def report_exports(
    path: Path, exports: Exports, from_outlines: bool, count: int | None, systems: list[str | None]
) -> None:
    """Say what else was written, what of, and in which coordinates."""
    pixels = [path, *([exports.masks] if exports.masks else [])]
    outlines = [each for each in (exports.vector, exports.coco) if each]
    for file in (*pixels[1:], *outlines):
        stdout.print(f"written and read back: {file}")
    if count is not None:
        names = [", ".join(str(each.name) for each in group) for group in (pixels, outlines)]
        source = "outlines, as tuned" if from_outlines else "masks, as tuning has not kept outlines"
        stdout.print(f"{count} buildings; {names[0]} from {source}; {names[1]} from outlines")
    if exports.vector and None in systems:
        stdout.print(f"{exports.vector.name} is in pixels of the image that image_id names: no image is georeferenced")


def choose_recipe(run: Run, part: str, recipe: str) -> tuple[Recipe, Blend]:
    """The recipe, and the blend: each member's weight and calibration.

    A tuned.json, or a file of its form, holds both; a recipe alone goes with all members at equal weight.

    Raises:
        InputError: the file is missing or is no recipe, or there are no maps of the part.
    """
    every = Blend.mean(run.list_mapped_members(part))
    if not every.members:
        raise InputError(f"{run.part_folder(part)}: no maps of {part}; run roofstack predict --part {part}")
    if recipe == "default":
        return Recipe(), every
    path = run.tuned_file if recipe == "tuned" else Path(recipe)
    if recipe == "tuned" and not path.is_file():
        raise InputError(f"{path}: not tuned yet; run roofstack tune, or give --recipe default")
    content = read_json(path)
    if not isinstance(content, dict) or "recipe" not in content:
        return Recipe.parse(content, str(path)), every
    blend = Blend.parse(content, path, "run roofstack tune again") if "members" in content else every
    return Recipe.parse(content["recipe"], str(path)), blend


def choose_outlines(run: Run, recipe: str) -> OutlineRecipe | None:
    """How outlines are made, where the file of the recipe says that they pay; else None.

    Raises:
        InputError: the file's outlines are no outline recipe.
    """
    if recipe == "default":
        return None
    path = run.tuned_file if recipe == "tuned" else Path(recipe)
    value = read_json(path).get("outlines")
    try:
        return None if value is None else OutlineRecipe.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, ("outlines", *first["loc"])))
        raise InputError(f"{path}: {key}: {first['msg']}, got {first['input']!r}; run roofstack tune again") from None


def read_mask(
    part: Path, sizes: Mapping[str, tuple[int, int]], blend: Blend, recipe: Recipe, image_id: str
) -> tuple[np.ndarray, np.ndarray]:
    """An image's mask, bool (h, w), and the blend that it was cut from, uint8 (h, w)."""
    values = read_blend(part, blend, image_id, sizes[image_id])
    return recipe.apply(values), values


def make_masks(
    sizes: Mapping[str, tuple[int, int]], read: Reader, outlines: OutlineRecipe | None
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each image's id and mask, bool (h, w), in the order of `sizes`; of outlines where they are given."""
    for image_id in sizes:
        mask, blend = read(image_id)
        if outlines is not None:
            drawn = (building.outline for building in outline_buildings(mask, blend, outlines))
            mask = rasterize_outlines(drawn, mask.shape)
        yield image_id, mask


def describe_recipe(recipe: Recipe) -> str:
    """A recipe's steps in words, those that are off left out."""
    return str(recipe)


if __name__ == "__main__":
    run_command(submit)
