"""The command that turns a run's maps into a submission file, and into files for a GIS."""

import functools
from collections.abc import Mapping, Sequence
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
from postproc.formats.exports import Export, Source, plan_exports, write_exports
from postproc.formats.registry import BuildingFormat, MaskFormat
from postproc.formats.submission import check_ids, read_ids
from postproc.geo.footprints import check_areas
from postproc.geo.frames import read_frame
from postproc.pipeline.outlines import OutlineRecipe, outline_buildings
from postproc.pipeline.recipe import Recipe


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
    folders = [place.map_folder(part, member) for member, weight in blend.items() if weight]
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
    frames = {image_id: read_frame(map_path(folders[0], image_id)) for image_id in sizes}
    if min_area_m2 > 0 and vector is None and coco is None:
        raise InputError("--min-area-m2 drops buildings from --vector and --coco; give one of them")
    check_areas(frames.values(), min_area_m2)
    exports = plan_exports({"output": path, "masks": masks, "vector": vector, "coco": coco}, frames)
    place.log_command()
    source = Source(
        frames,
        functools.partial(read_mask, folders[0].parent, sizes, blend, chosen),
        functools.partial(outline_buildings, recipe=kept or OutlineRecipe()),
        from_outlines=kept is not None,
    )
    count = write_exports(exports, source, min_area_m2, track)
    stdout.print(f"{len(sizes)} images of {describe_blend(blend)}, {describe_recipe(chosen)}")
    stdout.print(f"written, decoded and compared: {path}")
    report_exports(exports, kept is not None, count)
    if vector and frames[next(iter(frames))].crs is None:
        stdout.print(f"{vector.name} is in pixels of the image that image_id names: no image is georeferenced")


def report_exports(exports: Sequence[Export], from_outlines: bool, count: int | None) -> None:
    """Say what else was written, and what of."""
    names: dict[type, list[str]] = {MaskFormat: [], BuildingFormat: []}
    for export in exports:
        names[type(export.format)].append(export.path.name)
        if export.format.option != "output":
            stdout.print(f"written and read back: {export.path}")
    if count is not None:
        source = "outlines, as tuned" if from_outlines else "masks, as tuning has not kept outlines"
        pixels, outlines = (", ".join(each) for each in names.values())
        stdout.print(f"{count} buildings; {pixels} from {source}; {outlines} from outlines")


def choose_recipe(run: Run, part: str, recipe: str) -> tuple[Recipe, Blend]:
    """The recipe, and the blend: each member's weight and calibration.

    A tuned.json, or a file of its form, holds both; a recipe alone goes with all members at equal weight.

    Raises:
        InputError: the file is missing or is no recipe, or there are no maps of the part.
    """
    every = Blend(dict.fromkeys(run.list_mapped_members(part), 1))
    if not every:
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
    part: Path, sizes: Mapping[str, tuple[int, int]], blend: Mapping[str, int], recipe: Recipe, image_id: str
) -> tuple[np.ndarray, np.ndarray]:
    """An image's mask, bool (h, w), and the blend that it was cut from, uint8 (h, w)."""
    values = read_blend(part, blend, image_id, sizes[image_id])
    return recipe.apply(values), values


def describe_blend(weights: Mapping[str, int]) -> str:
    """A blend in words, members that weigh nothing left out."""
    return ", ".join(f"{weight} x {member}" for member, weight in weights.items() if weight)


def describe_recipe(recipe: Recipe) -> str:
    """A recipe's steps in words, those that are off left out."""
    morphology = [f"{step} {size}x{size} {recipe.kernel}" for step, size in morphology_steps(recipe) if size > 1]
    areas = [f"fill holes under {recipe.min_hole} px"] * (recipe.min_hole > 0)
    areas += [f"drop objects under {recipe.min_object} px"] * (recipe.min_object > 0)
    return ", ".join([f"threshold {recipe.threshold}", *morphology, *areas])


def morphology_steps(recipe: Recipe) -> list[tuple[str, int]]:
    """Closing and opening with their sizes, in the recipe's order."""
    steps = [("close", recipe.close), ("open", recipe.open)]
    return steps if recipe.order == "close-open" else steps[::-1]


if __name__ == "__main__":
    run_command(submit)
