"""The command that chooses threshold and morphology, and says how much of the gain is real."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from ensemble.blend import read_blend, read_weights
from ensemble.evidence import Objective
from ensemble.maps import Manifest
from ensemble.valid import read_valid
from members.console import run_command, stdout, track
from members.dataset import Tile, read_mask
from members.errors import InputError
from members.files import write_json
from members.run import Run
from postproc.search import Grid, search_kernels
from postproc.study import open_study, record_grid
from postproc.submit import describe_recipe
from postproc.verdict import LEVEL, Verdict, judge_steps

OBJECTIVE: Objective = "pooled_iou"


def tune(
    data: Annotated[Path, typer.Option(help="The data set of the run.")],
    run: Annotated[Path, typer.Option(help="The run; its maps of the part valid are what is tuned on.")],
    trials: Annotated[
        int | None,
        typer.Option(help="Try only the N simplest of the 225 kernel settings; default: all.", min=1, metavar="N"),
    ] = None,
    cross_fit: Annotated[
        bool, typer.Option("--cross-fit/--no-cross-fit", help="Score every choice on groups it was not made on.")
    ] = True,
) -> None:
    """Tune threshold, closing and opening jointly and exactly, and keep only the steps that pay.

    Each trial of the Optuna study is one setting of order, kernel shape, closing and opening; its best
    threshold is found exactly, among all 255. A step is kept where the lower end of the 90 % bootstrap
    interval of its cross-fitted gain is above 0. Writes RUN/tuned.json and RUN/study.journal.
    """
    place = Run(run)
    manifests, tiles, sizes = read_valid(place, data)
    weights = read_weights(place, list(manifests))
    place.log_command()
    pairs = read_tiles(place.map_folder("valid", ""), weights, tiles, sizes)
    grid = search_kernels(track(pairs, "exact search", len(tiles)), [tile.group for tile in tiles])
    grid = grid.take(range(len(grid.recipes))[:trials])
    study = open_study(place.study_file, f"{OBJECTIVE}-{fingerprint_maps(manifests)}")
    record_grid(study, grid, OBJECTIVE)
    verdict = judge_steps({"threshold": grid.take([0]), "morphology": grid}, OBJECTIVE, cross_fit)
    write_json(place.tuned_file, describe_verdict(verdict, weights, study.study_name))
    print_verdict(verdict, grid, len(tiles))
    stdout.print(f"study of {len(study.trials)} trials: {place.study_file}")
    stdout.print(f"written: {place.tuned_file}, {describe_recipe(verdict.recipe)}")


def read_tiles(
    part: Path, weights: Mapping[str, int], tiles: Sequence[Tile], sizes: Mapping[str, tuple[int, int]]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield each tile's blended map, uint8 (h, w), and truth, bool (h, w)."""
    for tile in tiles:
        if tile.mask is None:
            raise InputError(f"{tile.image}: image without a mask; only tiles with masks can be tuned on")
        yield read_blend(part, weights, tile.image_id, sizes[tile.image_id]), read_mask(tile.mask)


def fingerprint_maps(manifests: Mapping[str, Manifest]) -> str:
    """Eight hexadecimal digits of what the maps were made with: weights, views, images and split."""
    content = json.dumps({name: manifest.model_dump() for name, manifest in sorted(manifests.items())}, sort_keys=True)
    return hashlib.blake2b(content.encode(), digest_size=4).hexdigest()


def describe_verdict(verdict: Verdict, weights: Mapping[str, int], study: str) -> dict[str, object]:
    """The content of tuned.json."""
    steps = [dataclasses.asdict(step) | {"recipe": step.recipe.model_dump()} for step in verdict.steps]
    return {
        "recipe": verdict.recipe.model_dump(),
        "members": dict(weights),
        "scores": {
            "default": verdict.default,
            "tuned_in_sample": verdict.in_sample,
            "tuned_cross_fitted": verdict.cross_fitted,
            "tuned_cross_fitted_interval": verdict.interval,
        },
        "steps": steps,
        "objective": OBJECTIVE,
        "study": study,
    }


def print_verdict(verdict: Verdict, grid: Grid, tiles: int) -> None:
    """Print the nested steps as a table."""
    groups = len(grid.evidence.groups)
    table = Table(
        "step", "recipe", "in sample", "cross-fitted", "gain", f"{LEVEL:.0%} interval", "verdict",
        title=f"pooled IoU on {tiles} validation tiles of {groups} groups; neutral recipe: {verdict.default:.4f}",
    )  # fmt: skip
    for step in verdict.steps:
        interval = "" if step.interval is None else f"{step.interval[0]:+.4f} .. {step.interval[1]:+.4f}"
        table.add_row(
            step.name, describe_recipe(step.recipe), f"{step.in_sample:.4f}",
            "" if step.cross_fitted is None else f"{step.cross_fitted:.4f}",
            f"{step.gain:+.4f}", interval, "kept" if step.kept else "refused",
        )  # fmt: skip
    stdout.print(table)
    if verdict.cross_fitted is None:
        stdout.print("without cross-fitting these are in-sample scores, higher than what new tiles will show")


if __name__ == "__main__":
    run_command(tune)
