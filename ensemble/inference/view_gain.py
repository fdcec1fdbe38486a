"""What each view and each set of views gains on tiles that the networks did not see, and what it costs."""

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.inference.merging import see_views
from ensemble.inference.networks import Network, load_network
from ensemble.inference.views import SINGLE_VIEWS, VIEW_SETS, View
from ensemble.mapfolder.raster import quantise
from ensemble.statistics.counts import Counts, count_thresholds
from ensemble.statistics.crossfit import CrossFit
from ensemble.statistics.gains import Gain, measure_gain
from ensemble.statistics.metrics import best_threshold
from members.common.choices import KeepName
from members.common.progress import Progress, silent
from members.common.tables import ResultTable
from members.data.raster import read_pair
from members.data.run import Run, RunRecord
from members.data.tiles import Tile
from members.training.spec import MemberSpec, read_spec

Choices = Mapping[str, tuple[View, ...]]
"""What is given as --tta -> the views that it stands for."""


@dataclass(frozen=True)
class ViewGain:
    """What a choice of views gains over the image as it is, and what it costs.

    Attributes:
        tta: what to give as --tta.
        views: how many.
        seconds: of a tile, reading and writing left out.
        iou: pooled, at the best threshold.
        gain: over the image as it is, each fold of the groups cut at the threshold that is best on the others.
        choices: counts of all groups at the threshold that was chosen for each training mask.
    """

    tta: str
    views: int
    seconds: float
    iou: float
    gain: Gain
    choices: tuple[Counts, ...]


def measure_member(
    run: Run, record: RunRecord, member: str, tiles: Sequence[Tile], progress: Progress = silent
) -> list[ViewGain]:
    """Measure one member, each fold's network on the tiles that it did not see."""
    choices = list_choices(read_spec(run.fold(member, 0).spec_file))
    folds = range(record.split.folds)
    dealt = [(fold, tile) for fold in folds for tile in tiles if record.split.validates(tile.group, fold)]

    def load() -> Iterator[tuple[Network, Tile]]:
        for fold, own in itertools.groupby(dealt, key=lambda pair: pair[0]):
            network = load_network(run.fold(member, fold).path)
            for _, tile in own:
                yield network, tile

    return measure_choices(choices, progress(load(), member, len(dealt)), [tile.group for _, tile in dealt])


def list_choices(spec: MemberSpec) -> Choices:
    """List what is measured: the image as it is, with each single view beside it, and the sets, as far as supported."""
    choices = {"none": VIEW_SETS["none"]} | {f"e,{view.name}": (View(), view) for view in SINGLE_VIEWS} | VIEW_SETS
    return {name: views for name, views in choices.items() if all(view.is_supported(spec) for view in views)}


def measure_choices(choices: Choices, tiles: Iterable[tuple[Network, Tile]], groups: Sequence[str]) -> list[ViewGain]:
    """Look at every tile once in each view, and count what each choice of views makes of it.

    Args:
        choices: name -> views; the first is what the others are compared with.
        tiles: each with the network to show it to.
        groups: the group of each tile.
    """
    seconds = dict.fromkeys((view for views in choices.values() for view in views), 0.0)
    columns = []
    for network, tile in tiles:
        image, truth = read_pair(tile)
        seen = {}
        for view in seconds:
            began = time.perf_counter()
            [bands] = next(see_views([network], image[None], [view]))
            seen[view] = bands[0, 0]
            seconds[view] += time.perf_counter() - began
        columns.append(count_choices(choices, seen, truth))
    counts = Counts.from_tiles(groups, columns)
    crossfit = CrossFit.deal(groups)
    best = [choose_thresholds(counts[number], crossfit) for number in range(len(choices))]
    return [
        ViewGain(
            tta=name,
            views=len(views),
            seconds=sum(seconds[view] for view in views) / len(groups),
            iou=float(each[0].score("pooled_iou")),
            gain=measure_gain(best[0], each, "pooled_iou", crossfit),
            choices=each,
        )
        for (name, views), each in zip(choices.items(), best, strict=True)
    ]


def count_choices(choices: Choices, seen: Mapping[View, np.ndarray], truth: np.ndarray) -> dict[str, np.ndarray]:
    """Count the maps that each choice makes of one tile, at every threshold: column -> int64 (choices, 255).

    Args:
        choices: name -> views.
        seen: view -> probability, float32 (h, w).
        truth: bool (h, w).
    """
    means = [np.asarray(sum(seen[view] for view in views) / len(views)) for views in choices.values()]
    counted = [count_thresholds(quantise(mean), truth) for mean in means]
    return {name: np.stack([each[name] for each in counted]) for name in counted[0]}


def choose_thresholds(counts: Counts, crossfit: CrossFit) -> tuple[Counts, ...]:
    """Return the counts at the threshold of the highest pooled IoU on each training mask."""
    masks = crossfit.training_masks
    return tuple(counts[best_threshold(counts.score("pooled_iou", mask)) - 1] for mask in masks)


def propose_choice(gains: Sequence[ViewGain], keep: KeepName = "likely") -> ViewGain:
    """Return the cheapest choice that the best one is not likely, or proven, to be better than."""
    best = max(gains, key=lambda each: each.gain.value)
    crossfit = CrossFit.deal(best.choices[0].groups)
    near = [each for each in gains if not is_better(best, each, crossfit, keep)]
    return min(near, key=lambda each: each.seconds)


def is_better(one: ViewGain, other: ViewGain, crossfit: CrossFit, keep: KeepName) -> bool:
    """Tell whether one choice is better than another, as sure as `keep` asks."""
    return one is not other and measure_gain(other.choices, one.choices, "pooled_iou", crossfit).is_kept(keep)


def tabulate_gains(member: str, gains: Sequence[ViewGain], keep: KeepName = "likely") -> ResultTable:
    """Return the table of one member, with the proposal below it."""
    tiles, groups = gains[0].choices[0].tiles.sum(), gains[0].gain.groups
    rows = []
    for each in gains:
        cost = f"{each.seconds * 1000:.0f}"
        rows.append((each.tta, str(each.views), cost, f"{each.iou:.4f}", *each.gain.cells))
    proposed = propose_choice(gains, keep)
    return ResultTable(
        f"{member}: pooled IoU at the best threshold, {tiles} validation tiles of {groups} groups",
        ("--tta", "views", "ms a tile", "IoU", "gain", "90% interval", "helps"),
        rows,
        [
            f"helps: chance that it does on new groups; the cheapest that none is {keep} to be better than: --tta "
            f"{proposed.tta}"
        ],
    )


def describe_gains(gains: Sequence[ViewGain], keep: KeepName = "likely") -> dict[str, Any]:
    """Return what the table of one member says, for JSON."""
    choices = [
        {"tta": each.tta, "views": each.views, "seconds": each.seconds, "iou": each.iou}
        | {"gain": each.gain.value, "interval": each.gain.interval, "chance": each.gain.chance}
        for each in gains
    ]
    return {"choices": choices, "proposed": propose_choice(gains, keep).tta}
