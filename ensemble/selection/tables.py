"""What `roofstack blend` prints: ways to blend, calibration, and how alike the members err."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from ensemble.selection.calibration import Calibration
from ensemble.selection.methods import Judgement
from members.common.console import stdout

TITLES = {"mean": "mean of all", "single": "best single", "greedy": "greedy", "given": "given"}


def print_judgements(judgements: Sequence[Judgement], chosen: Judgement, tiles: int, groups: int) -> None:
    """Print the ways to blend as a table."""
    table = Table(
        "blend", "weights", "in sample", "cross-fitted", "90% interval", "over the mean", "90% interval", "",
        title=f"pooled IoU at the best threshold, {tiles} validation tiles of {groups} groups",
    )  # fmt: skip
    for each in judgements:
        shown = ", ".join(f"{weight} x {member}" for member, weight in each.weights.items() if weight)
        cross_fitted = "" if each.cross_fitted is None else f"{each.cross_fitted.value:.4f}"
        interval = ""
        if each.cross_fitted and each.cross_fitted.interval:
            interval = "{:.4f} .. {:.4f}".format(*each.cross_fitted.interval)
        gain = ("", "")
        if each.gain and each.gain.interval and each.method != "mean":
            gain = (f"{each.gain.value:+.4f}", "{:+.4f} .. {:+.4f}".format(*each.gain.interval))
        kept = "kept" if each is chosen else ""
        table.add_row(TITLES[each.method], shown, f"{each.in_sample:.4f}", cross_fitted, interval, *gain, kept)
    stdout.print(table)


def print_calibration(calibration: Calibration) -> None:
    """Print what calibration gains, and whether that is kept."""
    each = calibration.judgement
    what = f"{calibration.method} calibration, {TITLES[each.method]}: {each.in_sample:.4f} in sample"
    if each.gain is None or each.gain.interval is None or each.cross_fitted is None:
        stdout.print(f"{what}; refused, as one group of tiles can't be cross-fitted")
        return
    stdout.print(
        f"{what}, {each.cross_fitted.value:.4f} cross-fitted, {each.gain.value:+.4f} over the same without it "
        f"(90% interval {each.gain.interval[0]:+.4f} .. {each.gain.interval[1]:+.4f}): "
        f"{'kept' if calibration.pays else 'refused'}"
    )


def print_correlation(members: Sequence[str], correlation: np.ndarray) -> None:
    """Print the correlation of the members' errors, float (members, members), as a table; nothing for one member."""
    if len(members) < 2:
        return
    table = Table("", *members, title="correlation of errors, map minus truth, pixel by pixel")
    for member, row in zip(members, correlation, strict=True):
        table.add_row(member, *(f"{value:.3f}" for value in row))
    stdout.print(table)
