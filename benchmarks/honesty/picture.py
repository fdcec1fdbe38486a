"""The picture of what intervals cover."""

from collections.abc import Mapping
from pathlib import Path

from honesty.simulation import Cell
from postproc.reporting.figures import BLUE, GREY, ORANGE, save_figure, start_figure


def draw_coverage(rows: Mapping[Cell, Mapping[str, float | None]], path: Path) -> None:
    """Draw coverage over the number of units: a dot a cell, beside it the percentile bootstrap."""
    figure, axes = start_figure("how often the 90 % interval of a step's gain holds the gain on new tiles", (8.0, 4.6))
    shown = (
        ("percentile_coverage", GREY, "percentile bootstrap of one cross-fit"),
        ("coverage", BLUE, "this project's"),
    )
    for name, colour, label in shown:
        for unit, marker, shift in (("tiles", "o", 0.97), ("groups", "D", 1.03)):
            own = [(cell, row[name]) for cell, row in rows.items() if cell.unit == unit and row[name] is not None]
            places = [cell.units * shift for cell, _ in own]
            axes.plot(places, [value for _, value in own], marker, color=colour, alpha=0.6, label=f"{label}, {unit}")
    axes.axhline(0.9, color=ORANGE, linewidth=1.2, label="what 90 % means")
    axes.set_xscale("log")
    sizes = sorted({cell.units for cell in rows})
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set_ylim(0, 1.02)
    axes.set(xlabel="tiles or groups that were tuned on", ylabel="coverage")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="lower right")
    save_figure(figure, path)
