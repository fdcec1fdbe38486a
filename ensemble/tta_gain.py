"""The command that measures what each view is worth, and what it costs."""

from pathlib import Path
from typing import Annotated

import typer

from members.common.console import print_table, run_command, track, warn
from members.training.networks.backend import choose_backend


def tta_gain(
    data: Annotated[Path, typer.Option(help="The data set of the run.")],
    run: Annotated[Path, typer.Option(help="The run whose members are measured, on their validation tiles.")],
    members: Annotated[
        list[str] | None, typer.Option(help="Only these, by commas or by repeating it; default: all.")
    ] = None,
) -> None:
    """Measure what each view and each set of views gains on the validation tiles, and what it costs.

    Proposes the cheapest choice that is within the noise of the best: the 90 % bootstrap interval, over groups, of
    the best one's gain over it reaches down to 0. Writes nothing but the command line to RUN/commands.sh.
    """
    from ensemble.inference.inputs import choose_members
    from ensemble.inference.view_gain import measure_member, tabulate_gains
    from ensemble.mapfolder.samples import list_valid_tiles
    from members.data.run import Run

    choose_backend()
    folder = Run(run)
    record, tiles = folder.read_record(), list_valid_tiles(folder, data)
    chosen, remarks = choose_members(folder, record, members)
    for remark in remarks:
        warn(remark)
    folder.log_command()
    for member in chosen:
        print_table(tabulate_gains(member, measure_member(folder, record, member, tiles, track)))


if __name__ == "__main__":
    run_command(tta_gain)
