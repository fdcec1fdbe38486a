"""The command that chooses how much each member counts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from members.common.choices import BlendObjective, CalibrationName, KeepName, Method
from members.common.console import DATA, JSON, print_result, run_command, track
from members.common.errors import InputError
from members.common.files import check_folder, write_json


def blend(
    run: Annotated[Path, typer.Option(help="The run; its maps of the part valid are what is chosen on.")],
    data: Annotated[Path | None, DATA] = None,
    method: Annotated[Method, typer.Option(help="What to keep; auto is the mean, unless another is better.")] = "auto",
    objective: Annotated[
        BlendObjective,
        typer.Option(help="What is to be high: IoU or Dice of all pixels, or mean IoU of tiles; tune has the same."),
    ] = "pooled_iou",
    weights: Annotated[
        str | None, typer.Option(help="Keep these instead: member=integer, separated by commas; others 0.")
    ] = None,
    calibrate: Annotated[
        CalibrationName | None,
        typer.Option(help="Calibrate each member's probabilities before blending, if that pays."),
    ] = None,
    bags: Annotated[int, typer.Option(help="Draws of groups that greedy is averaged over.", min=1)] = 20,
    keep: Annotated[
        KeepName,
        typer.Option(help="How sure it has to be that another than the mean, or calibration, helps on new groups."),
    ] = "likely",
    json: Annotated[bool, JSON] = False,
) -> None:
    """Choose how much each member counts, and say what that is worth on tiles that it was not chosen on.

    Judges the mean of all members, the best single member, and the greedy blend: members picked one by one,
    with replacement, each the one that raises the score most. Writes RUN/blend.json, which tune takes up. Also shows
    how alike the members err: those that err differently are worth averaging.

    With --calibrate what is kept is judged once more, on maps whose values were replaced by how often they are right
    (isotonic), or whose logits were divided by the likeliest number (temperature). That is kept in its turn where
    it pays.

    Another than the mean, or calibration, is kept where its gain is likely to be one on new groups, a chance of 90 % or
    more, or with --keep proven where the whole 90 % interval is above 0. Of too few groups nobody can tell: the mean
    stays.
    """
    from ensemble.mapfolder.manifest import trace_maps
    from ensemble.mapfolder.samples import RunSamples
    from ensemble.selection.report import select_blend
    from members.data.run import Run

    folder = Run(run)
    folder.read_record()
    check_folder(folder.path)
    samples = RunSamples(folder, folder.find_data(data))
    given = None if weights is None else parse_weights(weights, samples.members)
    report = select_blend(
        samples,
        method=method,
        objective=objective,
        bags=bags,
        calibrate=calibrate,
        given=given,
        keep=keep,
        progress=track,
    )
    folder.log_command()
    content = report.describe() | {"maps": trace_maps(samples.manifests)}
    write_json(folder.blend_file, content)
    print_result(json, content, *report.tables, f"written: {folder.blend_file}; next: roofstack tune --run {run}")


def parse_weights(text: str, members: Sequence[str]) -> dict[str, int]:
    """Read weights written as `member=weight,member=weight`; members that are left out get 0.

    Raises:
        InputError: an unknown member, a weight that is no integer or negative, or all are 0.
    """
    from ensemble.selection.report import complete_weights

    given = {}
    try:
        for part in text.split(","):
            member, _, weight = part.strip().partition("=")
            if not weight.isascii() or not weight.isdigit():
                raise InputError(f"{member}={weight}; weights are non-negative integers, as in a=2,b=1")
            given[member] = int(weight)
        return dict(zip(members, complete_weights(given, members), strict=True))
    except InputError as error:
        raise InputError(f"--weights {text}: {error}") from None


if __name__ == "__main__":
    run_command(blend)
