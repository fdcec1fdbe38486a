"""Choosing a blend: what each way to blend, and calibration, is worth, and which blend is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from ensemble.mapfolder.samples import ArraySamples, Samples
from ensemble.selection.blend import Blend, Picks, check_weights
from ensemble.selection.calibration import Calibration, judge_calibration
from ensemble.selection.diversity import correlate_errors
from ensemble.selection.judgement import Judgement, judge_blends, take_method
from ensemble.selection.library import build_library
from ensemble.statistics.gains import check_keep
from ensemble.statistics.metrics import METRICS
from members.common.choices import BlendObjective, CalibrationName, KeepName, Method
from members.common.errors import InputError
from members.common.progress import Progress, silent
from members.common.tables import ResultTable

TITLES = {"mean": "mean of all", "single": "best single", "greedy": "greedy", "given": "given"}


@dataclass(frozen=True, repr=False)
class BlendReport:
    """Which blend is kept, and what each way to blend is worth. As text, and in a notebook, it shows its tables.

    Attributes:
        judgements: of every way to blend.
        chosen: the one of them that is kept.
        calibration: of that one, where it was asked for.
        correlation: of the members' errors, float64 (members, members).
        tiles: how many tiles all this was chosen on.
        groups: how many groups they are of.
        keep: how sure a gain has to be.
        objective: what it was chosen by, and what scores and gains are of.
    """

    judgements: tuple[Judgement, ...]
    chosen: Judgement
    calibration: Calibration | None
    correlation: np.ndarray
    tiles: int
    groups: int
    keep: KeepName = "likely"
    objective: BlendObjective = "pooled_iou"

    @property
    def blend(self) -> Blend:
        """The blend that is kept, calibrated where that pays."""
        if self.calibration and self.calibration.kept:
            return Blend(self.calibration.judgement.weights, self.calibration.tables)
        return Blend(self.chosen.weights)

    def describe(self) -> dict[str, Any]:
        """Return the content of blend.json."""
        content = self.blend.describe()
        content |= {"method": self.chosen.method, "objective": self.objective}
        content |= {"scores": {each.method: each.describe() for each in self.judgements}}
        if self.calibration:
            each = self.calibration
            content |= {"calibration": {"by": each.method, "kept": each.kept, **each.judgement.describe()}}
        rounded = [[None if np.isnan(value) else round(float(value), 4) for value in row] for row in self.correlation]
        return content | {"error_correlation": rounded}

    @property
    def tables(self) -> tuple[ResultTable, ...]:
        """The ways to blend, how alike the members err where there are several, and what else is to be said."""
        tables = [self.tabulate_judgements()]
        if len(self.correlation) > 1:
            tables.append(self.tabulate_correlation())
        notes = [tell_gain(each, self.keep, each is self.chosen) for each in self.judgements if each.method != "mean"]
        notes += [tell_calibration(self.calibration)] if self.calibration else []
        if idle := [member for member, weight in self.blend.weights.items() if not weight]:
            notes.append(f"weight 0, so not needed: {', '.join(idle)}")
        return (*tables[:-1], replace(tables[-1], notes=tuple(notes)))

    def tabulate_judgements(self) -> ResultTable:
        """Return the table of the ways to blend."""
        rows = []
        for each in self.judgements:
            shown = ", ".join(f"{weight} x {member}" for member, weight in each.weights.items() if weight)
            score, gain = ("", ""), ("", "", "")
            if each.cross_fitted and each.cross_fitted.interval:
                score = (f"{each.cross_fitted.value:.4f}", "{:.4f} .. {:.4f}".format(*each.cross_fitted.interval))
            if each.gain and each.method != "mean":
                gain = each.gain.cells
            kept = "kept" if each is self.chosen else ""
            rows.append((TITLES[each.method], shown, f"{each.in_sample:.4f}", *score, *gain, kept))
        return ResultTable(
            f"{METRICS[self.objective].title} at the best threshold, {self.tiles} tiles of {self.groups} groups",
            (
                "blend",
                "weights",
                "in sample",
                "cross-fitted",
                "90% interval",
                "over the mean",
                "90% interval",
                "helps",
                "",
            ),
            tuple(rows),
        )

    def tabulate_correlation(self) -> ResultTable:
        """Return the table of how alike the members err."""
        members = self.blend.members
        rows = zip(members, self.correlation, strict=True)
        return ResultTable(
            "correlation of errors, map minus truth, pixel by pixel",
            ("", *members),
            tuple((member, *(f"{value:.3f}" for value in row)) for member, row in rows),
        )

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.tables))

    __repr__ = __str__  # a notebook stores it beside the HTML

    def _repr_html_(self) -> str:
        return "".join(table._repr_html_() for table in self.tables)


def tell_gain(judgement: Judgement, keep: KeepName, chosen: bool) -> str:
    """Say in a sentence why a way to blend is kept, or not."""
    title = TITLES[judgement.method]
    if judgement.gain is None:
        return f"{title}: one group of tiles can't be cross-fitted"
    if judgement.gain.is_kept(keep) and not chosen:
        return f"{title}: {keep} to help on new groups, but not what is kept"
    return f"{title} {judgement.gain.explain(keep)}"


def tell_calibration(calibration: Calibration) -> str:
    """Say what calibration gains, and whether it is kept."""
    each = calibration.judgement
    what = f"{calibration.method} calibration, {TITLES[each.method]}: {each.in_sample:.4f} in sample"
    if each.gain is None or each.cross_fitted is None:
        return f"{what}; refused, as one group of tiles can't be cross-fitted"
    gain, interval, _ = each.gain.cells
    shown = f" (90% interval {interval})" if interval else ""
    return (
        f"{what}, {each.cross_fitted.value:.4f} cross-fitted, {gain} over the same without it{shown}; "
        f"{each.gain.explain(calibration.keep)}"
    )


def select_blend(
    maps: Mapping[str, Sequence[np.ndarray]] | Samples,
    truths: Sequence[np.ndarray] | None = None,
    groups: Sequence[object] | None = None,
    *,
    method: Method = "auto",
    objective: BlendObjective = "pooled_iou",
    bags: int = 20,
    calibrate: CalibrationName | None = None,
    given: Mapping[str, int] | None = None,
    keep: KeepName = "likely",
    progress: Progress = silent,
) -> BlendReport:
    """Choose how much each member counts, and measure what that is worth on tiles that it was not chosen on.

    Args:
        maps: member -> one map a tile, uint8 (h, w), probability = value / 255, by networks that did not train on
            the tile; or samples, which hold truths and groups too.
        truths: one mask a tile, bool (h, w), True = building.
        groups: one name a tile; tiles of a group resemble one another and are never torn apart. Without it each tile
            is its own group.
        method: what to keep: "mean" of all members, "single", the best one alone, "greedy", members picked one by one,
            or "auto", the mean unless another is better, as sure as `keep` asks.
        objective: "pooled_iou", "mean_iou" or "dice": what is to be high, each blend at its best threshold.
        bags: draws of groups that greedy is averaged over, at least 1.
        calibrate: "isotonic" or "temperature" judges calibrated maps too, and keeps them where that is better.
        given: member -> weight, to keep in place of `method`'s; members that are left out get 0.
        keep: "likely" or "proven": how sure it has to be that another than the mean, or calibration, helps.
        progress: shows how many tiles are read; by default nothing does.

    Returns:
        The report; its `blend` is what is kept.

    Raises:
        InputError: maps, truths and groups do not fit together, no truth has a building, or an option is unknown.

    Example:
        >>> truth = np.array([[True, False, False]])
        >>> maps = {"a": [np.uint8([[250, 10, 10]])] * 2, "b": [np.uint8([[90, 100, 80]])] * 2}
        >>> select_blend(maps, [truth, truth], ["g0", "g1"], method="single").blend.weights
        {'a': 1, 'b': 0}
    """
    check_options(method, objective, bags, calibrate)
    check_keep(keep)
    samples = take_samples(maps, truths, groups)
    weights = None if given is None else complete_weights(given, samples.members)
    library = build_library(samples, progress, objective)
    judgements = judge_blends(library, bags, weights)
    chosen = take_method(judgements, method if weights is None else "given", keep)
    calibration = judge_calibration(library, chosen, calibrate, bags, keep) if calibrate else None
    correlation = correlate_errors(library)
    number = len(set(samples.groups))
    return BlendReport(tuple(judgements), chosen, calibration, correlation, len(samples), number, keep, objective)


def check_options(method: str, objective: str, bags: int, calibrate: str | None) -> None:
    """Raise InputError where an option of `select_blend` is none."""
    if method not in get_args(Method):
        raise InputError(f"method {method!r}: no way to blend; there are {', '.join(get_args(Method))}")
    if objective not in get_args(BlendObjective):
        raise InputError(f"objective {objective!r}: not of blends; there are {', '.join(get_args(BlendObjective))}")
    if calibrate is not None and calibrate not in get_args(CalibrationName):
        raise InputError(f"calibrate {calibrate!r}: no calibration; there are {', '.join(get_args(CalibrationName))}")
    if bags < 1:
        raise InputError(f"bags {bags}: greedy is averaged over at least 1 draw of groups; give 20 or so")


def take_samples(
    maps: Mapping[str, Sequence[np.ndarray]] | Samples,
    truths: Sequence[np.ndarray] | None,
    groups: Sequence[object] | None,
) -> Samples:
    """Return samples as they are, and arrays as samples; without groups each tile is its own.

    Raises:
        InputError: arrays without truths, truths beside samples, or arrays that do not fit together.
    """
    if not isinstance(maps, Mapping):
        if truths is not None or groups is not None:
            raise InputError("truths, groups: samples have their own; give them with a mapping of member to maps alone")
        return maps
    if truths is None:
        raise InputError("truths: none; give one mask a tile, bool (h, w), beside the maps")
    return ArraySamples(maps, truths, range(len(truths)) if groups is None else groups)


def complete_weights(given: Mapping[str, int], members: Sequence[str]) -> Picks:
    """Return given weights in the order of the members; those that are left out get 0.

    Raises:
        InputError: an unknown member, a weight that is no integer or negative, or all are 0.
    """
    for member in given:
        if member not in members:
            raise InputError(f"no maps of a member {member!r}; there are {', '.join(members)}")
    weights = tuple(given.get(member, 0) for member in members)
    if weights and not any(weights):
        raise InputError(f"weights {list(weights)}: they sum to 0; at least one member needs a weight above 0")
    check_weights(weights)
    return weights
