"""The command that turns a run's maps into a submission file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ensemble.blend import Blend, read_blend
from ensemble.maps import read_maps
from members.console import run_command, stdout, track
from members.dataset import list_tiles
from members.errors import InputError
from members.files import read_json
from members.run import Run
from postproc.recipe import Recipe
from postproc.submission import check_ids, write_submission


def submit(
    run: Annotated[Path, typer.Option(help="The run whose maps are used.")],
    part: Annotated[str, typer.Option(help="Whose maps: test, valid, or a name that predict --images made.")] = "test",
    data: Annotated[Path | None, typer.Option(help="Check the ids against this data set's test folder.")] = None,
    recipe: Annotated[
        str, typer.Option(help="tuned (RUN/tuned.json), default (threshold 128 alone), or a JSON file.")
    ] = "tuned",
    output: Annotated[Path | None, typer.Option(help="Default: RUN/submission.csv, or submission-PART.csv.")] = None,
) -> None:
    """Write a submission: blend the maps, apply the recipe, encode, and check the file by decoding it.

    The CSV has the columns ImageId, EncodedPixels, Width and Height, one row an image; masks are run-length
    encoded down the columns, 1-based.
    """
    place = Run(run)
    chosen, weights = choose_recipe(place, part, recipe)
    folders = [place.map_folder(part, member) for member, weight in weights.items() if weight]
    _, sizes = read_maps(folders)
    path = output or place.path / ("submission.csv" if part == "test" else f"submission-{part}.csv")
    expected = list(sizes)
    if data is not None and part == "test":
        expected = [tile.image_id for tile in list_tiles(data, "test")]
        check_ids(folders[0], list(sizes), expected)
    place.log_command()
    masks = make_masks(folders[0].parent, sizes, weights, chosen)
    write_submission(path, track(masks, "submission", len(sizes)), expected)
    stdout.print(f"{len(sizes)} images of {describe_blend(weights)}, {describe_recipe(chosen)}")
    stdout.print(f"written, decoded and compared: {path}")


def choose_recipe(run: Run, part: str, recipe: str) -> tuple[Recipe, Blend]:
    """The recipe, and the blend: each member's weight and calibration.

    A tuned.json, or a file of its form, holds both; a recipe alone goes with all members at equal weight.

    Raises:
        InputError: the file is missing or is no recipe, or there are no maps of the part.
    """
    every = Blend({folder.name: 1 for folder in sorted(run.map_folder(part, "").glob("*/"))})
    if not every:
        raise InputError(f"{run.map_folder(part, '')}: no maps of {part}; run roofstack predict --part {part}")
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


def make_masks(
    part: Path, sizes: Mapping[str, tuple[int, int]], weights: Mapping[str, int], recipe: Recipe
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each image's id and mask, bool (h, w), in the order of `sizes`."""
    for image_id, size in sizes.items():
        yield image_id, recipe.apply(read_blend(part, weights, image_id, size))


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
