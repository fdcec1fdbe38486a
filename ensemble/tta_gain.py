"""The command that measures what each view is worth, and what it costs."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from ensemble.inference.inputs import choose_members
from ensemble.inference.merging import see_views
from ensemble.inference.networks import Network, load_network
from ensemble.inference.scenes import BATCH
from ensemble.inference.views import SINGLE_VIEWS, VIEW_SETS, View
from ensemble.mapfolder.raster import quantise
from ensemble.mapfolder.samples import list_valid_tiles
from ensemble.statistics.counts import Counts, count_thresholds
from ensemble.statistics.estimates import Gain, measure_gain
from ensemble.statistics.metrics import best_threshold
from members.common.console import run_command, stdout, track, warn
from members.data.raster import read_pair
from members.data.run import Run, RunRecord
from members.data.tiles import Tile
from members.training.networks.backend import choose_backend
from members.training.spec import MemberSpec, read_spec

Choices = dict[str, tuple[View, ...]]


@dataclass(frozen=True)
class Choice:
    """What a choice of views gains over the image as it is, and what it costs.

    Attributes:
        tta: what to give as --tta.
        views: how many.
        seconds: of a tile, reading and writing left out.
        iou: pooled, at the best threshold.
        gain: over the image as it is.
        counts: at that threshold.
    """

    tta: str
    views: int
    seconds: float
    iou: float
    gain: Gain
    counts: Counts


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
    choose_backend()
    place = Run(run)
    record, tiles = place.read_record(), list_valid_tiles(place, data)
    chosen, remarks = choose_members(place, record, members)
    for remark in remarks:
        warn(remark)
    place.log_command()
    for member in chosen:
        gains = measure_member(place, record, member, tiles)
        stdout.print(tabulate_gains(member, gains, len(tiles)))
        stdout.print(f"the cheapest within the noise of the best: --tta {propose_choice(gains).tta}")


def measure_member(run: Run, record: RunRecord, member: str, tiles: Sequence[Tile]) -> list[Choice]:
    """Measure one member, each fold on the tiles that it did not see."""
    spec = read_spec(run.fold(member, 0).spec_file)
    choices = list_choices(spec)

    def read_batches() -> Iterator[tuple[Network, list[Tile]]]:
        for fold in range(record.split.folds):
            network = load_network(run.fold(member, fold).path)
            own = [tile for tile in tiles if record.split.validates(tile.group, fold)]
            for start in range(0, len(own), BATCH):
                yield network, own[start : start + BATCH]

    total = sum(-(-sum(record.split.validates(t.group, k) for t in tiles) // BATCH) for k in range(record.split.folds))
    return measure_choices(choices, track(read_batches(), member, total), tiles)


def list_choices(spec: MemberSpec) -> Choices:
    """List what is measured: the image as it is, with each single view beside it, and the sets, as far as supported."""
    choices = {"none": VIEW_SETS["none"]} | {f"e,{view.name}": (View(), view) for view in SINGLE_VIEWS} | VIEW_SETS
    return {name: views for name, views in choices.items() if all(view.is_supported(spec) for view in views)}


def measure_choices(
    choices: Choices, batches: Iterable[tuple[Network, list[Tile]]], tiles: Sequence[Tile]
) -> list[Choice]:
    """Look at every tile once in each view, and count what each choice of views makes of it.

    Args:
        choices: name -> views; the first is what the others are compared with.
        batches: networks with the tiles to show to them.
        tiles: all of them.
    """
    seconds = dict.fromkeys((view for views in choices.values() for view in views), 0.0)
    groups: list[str] = []

    def count() -> Iterator[dict[str, np.ndarray]]:
        for network, batch in batches:
            for tile in batch:
                groups.append(tile.group)
                image, truth = read_pair(tile)
                seen = {}
                for view in seconds:
                    began = time.perf_counter()
                    seen[view] = see_views([network], image[None], view)[0][0]
                    seconds[view] += time.perf_counter() - began
                maps = [quantise(sum(seen[view] for view in views) / len(views)) for views in choices.values()]
                columns = [count_thresholds(values, truth) for values in maps]
                yield {name: np.stack([each[name] for each in columns]) for name in columns[0]}

    counted = list(count())
    counts = Counts.from_tiles(groups, counted)
    best = [counts[number] for number in range(len(choices))]
    best = [each[best_threshold(each.score("pooled_iou")) - 1] for each in best]
    return [
        Choice(
            tta=name,
            views=len(views),
            seconds=sum(seconds[view] for view in views) / len(tiles),
            iou=float(each.score("pooled_iou")),
            gain=measure_gain(best[0], each, "pooled_iou"),
            counts=each,
        )
        for (name, views), each in zip(choices.items(), best, strict=True)
    ]


def propose_choice(gains: Sequence[Choice]) -> Choice:
    """The cheapest choice that the best one is not surely better than."""
    best = max(gains, key=lambda each: each.iou)
    near = [each for each in gains if not measure_gain(each.counts, best.counts, "pooled_iou").proven]
    return min(near, key=lambda each: each.seconds)


def tabulate_gains(member: str, gains: Sequence[Choice], tiles: int) -> Table:
    """The table of one member."""
    groups = len(gains[0].counts.groups)
    table = Table(
        "--tta", "views", "ms a tile", "IoU", "gain", "90% interval",
        title=f"{member}: pooled IoU at the best threshold, {tiles} validation tiles of {groups} groups",
    )  # fmt: skip
    for each in gains:
        low, high = each.gain.interval or (0.0, 0.0)
        cost = f"{each.seconds * 1000:.0f}"
        table.add_row(
            each.tta, str(each.views), cost, f"{each.iou:.4f}", f"{each.gain.value:+.4f}", f"{low:+.4f} .. {high:+.4f}"
        )
    return table


if __name__ == "__main__":
    run_command(tta_gain)
