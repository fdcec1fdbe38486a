"""One map out of several members' maps, and the command that chooses how much each member counts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from rich.table import Table

from ensemble.greedy import build_library
from ensemble.judge import Judgement, judge_blends, parse_weights, take_method
from ensemble.maps import map_path, read_map
from ensemble.valid import read_members, read_valid
from members.console import run_command, stdout, track
from members.errors import InputError
from members.files import read_json, write_json
from members.run import Run

BLEND = "blend.json"
Method = Literal["auto", "mean", "single", "greedy"]
TITLES = {"mean": "mean of all", "single": "best single", "greedy": "greedy", "given": "given"}


def blend_maps(maps: Sequence[np.ndarray], weights: Sequence[int]) -> np.ndarray:
    """The weighted mean of maps, rounded half to even.

    Args:
        maps: uint8 (h, w) each, probability = value / 255.
        weights: non-negative integers, one a map, not all 0.

    Returns:
        uint8 (h, w): rint(sum(weight * value) / sum(weight)), computed in float64.

    Raises:
        InputError: a weight is negative, or all are 0.
    """
    if sum(weights) == 0 or min(weights) < 0:
        raise InputError(f"weights {list(weights)}; they are non-negative integers and not all 0")
    total = sum(weight * values.astype(np.float64) for weight, values in zip(weights, maps, strict=True))
    return np.rint(total / sum(weights)).astype(np.uint8)


def read_blend(part: Path, weights: Mapping[str, int], image_id: str, size: tuple[int, int]) -> np.ndarray:
    """Blend one image's maps in a part's folder of maps, uint8 (h, w); members of weight 0 are not read."""
    used = {member: weight for member, weight in weights.items() if weight}
    maps = [read_map(map_path(part / member, image_id), size) for member in used]
    return blend_maps(maps, list(used.values()))


def read_weights(run: Run, members: Sequence[str]) -> dict[str, int]:
    """Each member's weight in the run's blend.json; without that file all members count alike.

    Args:
        run: the run.
        members: those that have maps.

    Raises:
        InputError: the file is damaged, or was chosen among other members.
    """
    path = run.path / BLEND
    if not path.is_file():
        return dict.fromkeys(members, 1)
    content = read_json(path)
    weights = content.get("members") if isinstance(content, dict) else None
    if (
        not isinstance(weights, dict)
        or not all(type(weight) is int and weight >= 0 for weight in weights.values())
        or not any(weights.values())
    ):
        raise InputError(f"{path}: no non-negative integer weights by member, not all 0; run roofstack blend again")
    if set(weights) != set(members):
        raise InputError(
            f"{path}: chosen among {', '.join(weights)}, but there are maps of {', '.join(members)}; "
            "run roofstack blend again, or delete it to count all alike"
        )
    return weights


def blend(
    data: Annotated[Path, typer.Option(help="The data set of the run.")],
    run: Annotated[Path, typer.Option(help="The run; its maps of the part valid are what is chosen on.")],
    method: Annotated[
        Method, typer.Option(help="What to keep; auto is the mean, unless another is surely better.")
    ] = "auto",
    weights: Annotated[
        str | None, typer.Option(help="Keep these instead: member=integer, separated by commas; others 0.")
    ] = None,
    bags: Annotated[int, typer.Option(help="Draws of groups that greedy is averaged over.", min=1)] = 20,
) -> None:
    """Choose how much each member counts, and say what that is worth on tiles that it was not chosen on.

    Judges the mean of all members, the best single member, and the greedy blend: members picked one by one,
    with replacement, each the one that raises the IoU most. Writes RUN/blend.json, which tune takes up.
    """
    place = Run(run)
    manifests, tiles, sizes = read_valid(place, data)
    members = list(manifests)
    given = None if weights is None else parse_weights(weights, members)
    pairs = track(read_members(place, members, tiles, sizes), "reading maps", len(tiles))
    library = build_library(members, pairs, [tile.group for tile in tiles])
    judgements = judge_blends(library, bags, given)
    chosen = take_method(judgements, method if given is None else "given")
    place.log_command()
    write_json(place.path / BLEND, describe_choice(chosen, judgements))
    print_judgements(judgements, chosen, len(tiles), len(set(library.groups)))
    stdout.print(f"written: {place.path / BLEND}")


def describe_choice(chosen: Judgement, judgements: Sequence[Judgement]) -> dict[str, object]:
    """The content of blend.json."""
    return {
        "members": chosen.weights,
        "method": chosen.method,
        "objective": "pooled_iou",
        "scores": {each.method: {k: v for k, v in asdict(each).items() if k != "method"} for each in judgements},
    }


def print_judgements(judgements: Sequence[Judgement], chosen: Judgement, tiles: int, groups: int) -> None:
    """Print the ways to blend as a table, and name the members that are not needed."""
    table = Table(
        "blend", "weights", "in sample", "cross-fitted", "90% interval", "over the mean", "90% interval", "",
        title=f"pooled IoU at the best threshold, {tiles} validation tiles of {groups} groups",
    )  # fmt: skip
    for each in judgements:
        shown = ", ".join(f"{weight} x {member}" for member, weight in each.weights.items() if weight)
        cross_fitted = "" if each.cross_fitted is None else f"{each.cross_fitted:.4f}"
        interval = "" if each.interval is None else f"{each.interval[0]:.4f} .. {each.interval[1]:.4f}"
        gain = (
            ("", "")
            if each.gain is None or each.method == "mean"
            else (f"{each.gain[0]:+.4f}", "{1:+.4f} .. {2:+.4f}".format(*each.gain))
        )
        kept = "kept" if each is chosen else ""
        table.add_row(TITLES[each.method], shown, f"{each.in_sample:.4f}", cross_fitted, interval, *gain, kept)
    stdout.print(table)
    if idle := [member for member, weight in chosen.weights.items() if not weight]:
        stdout.print(f"weight 0, so not needed: {', '.join(idle)}")


if __name__ == "__main__":
    run_command(blend)
