"""The command that measures what each view is worth, and what it costs."""

from pathlib import Path
from typing import Annotated

import typer

from members.common.choices import KeepName
from members.common.console import DATA, JSON, print_result, run_command, track, warn
from members.training.networks.backend import choose_backend


def tta_gain(
    run: Annotated[Path, typer.Option(help="The run whose members are measured, on their validation tiles.")],
    data: Annotated[Path | None, DATA] = None,
    members: Annotated[
        list[str] | None, typer.Option(help="Only these, by commas or by repeating it; default: all.")
    ] = None,
    keep: Annotated[
        KeepName, typer.Option(help="How sure it has to be that a choice is better than a cheaper one.")
    ] = "likely",
    json: Annotated[bool, JSON] = False,
) -> None:
    """Measure what each view and each set of views gains on the validation tiles, and what it costs.

    Proposes the cheapest choice that the best one is not likely, or with --keep proven not proven, to be better than on
    new groups. Writes nothing but the command line to RUN/commands.sh.
    """
    from ensemble.inference.inputs import choose_members
    from ensemble.inference.view_gain import describe_gains, measure_member, tabulate_gains
    from ensemble.mapfolder.samples import list_valid_tiles
    from members.data.run import Run

    choose_backend()
    folder = Run(run)
    record, tiles = folder.read_record(), list_valid_tiles(folder, folder.find_data(data))
    chosen, remarks = choose_members(folder, record, members)
    for remark in remarks:
        warn(remark)
    folder.log_command()
    gains = {member: measure_member(folder, record, member, tiles, track) for member in chosen}
    content = {member: describe_gains(each, keep) for member, each in gains.items()}
    print_result(json, content, *(tabulate_gains(member, each, keep) for member, each in gains.items()))


if __name__ == "__main__":
    run_command(tta_gain)
