"""One map out of several members' maps, and the command that chooses how much each member counts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ensemble.mapfolder.valid import read_members, read_valid
from ensemble.selection.blend import Blend
from ensemble.selection.calibration import Calibration, CalibrationName, judge_calibration
from ensemble.selection.diversity import ErrorMoments
from ensemble.selection.greedy import build_library
from ensemble.selection.methods import Judgement, judge_blends, parse_weights, take_method
from ensemble.selection.tables import print_calibration, print_correlation, print_judgements
from members.common.console import run_command, stdout, track
from members.common.files import write_json
from members.data.run import Run

Method = Literal["auto", "mean", "single", "greedy"]


def blend(
    data: Annotated[Path, typer.Option(help="The data set of the run.")],
    run: Annotated[Path, typer.Option(help="The run; its maps of the part valid are what is chosen on.")],
    method: Annotated[
        Method, typer.Option(help="What to keep; auto is the mean, unless another is surely better.")
    ] = "auto",
    weights: Annotated[
        str | None, typer.Option(help="Keep these instead: member=integer, separated by commas; others 0.")
    ] = None,
    calibrate: Annotated[
        CalibrationName | None,
        typer.Option(help="Calibrate each member's probabilities before blending, if that pays."),
    ] = None,
    bags: Annotated[int, typer.Option(help="Draws of groups that greedy is averaged over.", min=1)] = 20,
) -> None:
    """Choose how much each member counts, and say what that is worth on tiles that it was not chosen on.

    Judges the mean of all members, the best single member, and the greedy blend: members picked one by one,
    with replacement, each the one that raises the IoU most. Writes RUN/blend.json, which tune takes up. Also shows
    how alike the members err: those that err differently are worth averaging.

    With --calibrate what is kept is judged once more, on maps whose values were replaced by how often they are right
    (isotonic), or whose logits were divided by the likeliest number (temperature). That is kept in its turn where
    the interval of its gain is above 0.
    """
    place = Run(run)
    manifests, tiles, sizes = read_valid(place, data)
    members = list(manifests)
    given = None if weights is None else parse_weights(weights, members)
    pairs = track(read_members(place, members, tiles, sizes), "reading maps", len(tiles))
    moments = ErrorMoments(len(members))
    library = build_library(members, moments.watch(pairs), [tile.group for tile in tiles])
    judgements = judge_blends(library, bags, given)
    chosen = take_method(judgements, method if given is None else "given")
    calibration = calibrate and judge_calibration(library, chosen, calibrate, bags)
    place.log_command()
    content = describe_choice(chosen, judgements, calibration)
    write_json(place.blend_file, content | {"error_correlation": moments.describe()})
    print_judgements(judgements, chosen, len(tiles), len(set(library.groups)))
    print_correlation(members, moments.correlate())
    if calibration:
        print_calibration(calibration)
    kept = calibration.judgement if calibration and calibration.pays else chosen
    if idle := [member for member, weight in kept.weights.items() if not weight]:
        stdout.print(f"weight 0, so not needed: {', '.join(idle)}")
    stdout.print(f"written: {place.blend_file}")


def describe_choice(
    chosen: Judgement, judgements: Sequence[Judgement], calibration: Calibration | None
) -> dict[str, Any]:
    """The content of blend.json: the blend, and what each way to blend, and calibration, is worth."""
    blend, judged = Blend(chosen.weights), {}
    if calibration:
        judged = {
            "calibration": {"by": calibration.method, "kept": calibration.pays, **calibration.judgement.describe()}
        }
        blend = Blend(calibration.judgement.weights, calibration.tables) if calibration.pays else blend
    scores = {each.method: each.describe() for each in judgements}
    return {**blend.describe(), "method": chosen.method, "objective": "pooled_iou", "scores": scores, **judged}


if __name__ == "__main__":
    run_command(blend)
