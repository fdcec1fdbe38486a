"""Whether intervals hold what they promise, and which rule to keep a step by is worth most, on simulated tunings.

A plasmode simulation (Franklin et al. 2014, doi:10.1016/j.csda.2013.10.018): counts of settings on each of 336 real
tiles (hot_maps: the mean of two small networks' out-of-fold maps) and of 320 drawn scenes (maps by a noise model) are
made once. Then some tiles, or whole groups, are drawn; a step is chosen and judged on them by the tool's own code; and
what the written choice gains over the neutral one on all other tiles is what the interval should have held. Beside it
stands the percentile bootstrap of one deal of folds, as the tool had it before. Settings are a part of those that tune
tries (see honesty/tables.py); buildings are pieces of the mask, not outlines.

    python benchmarks/bench_honesty.py --data ../shared/data --draws 200 --plot docs/honesty.png
"""

import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1]))

from honesty.picture import draw_coverage
from honesty.simulation import Cell, Outcome, compare_rules, describe_cell, nest, simulate
from honesty.steps import Fit, count_shares, fit_calibration, fit_greedy, fit_table_step, join_groups
from honesty.tables import Table, keep_tables
from honesty.tiles import Tiles, draw_tiles, read_tiles

from ensemble.statistics.gains import LIKELY
from members.common.console import run_command, stdout
from members.common.tables import ResultTable

UNITS = {
    ("hot_maps", "tiles"): (10, 20, 40, 80, 160),
    ("hot_maps", "groups"): (6, 10, 15, 20),
    ("drawn", "tiles"): (20, 80),
    ("drawn", "groups"): (10, 30),
}
OBJECTIVES = {
    "threshold": ("pooled_iou", "mean_iou", "dice"),
    "morphology": ("pooled_iou", "mean_iou"),
    "areas": ("pooled_iou", "mean_iou"),
    "outlines": ("pooled_iou", "mean_iou"),
    "buildings": ("building_f1",),
}
NEAR = (0.25, 0.5, 1.0)  # standard errors, of the rule that takes the simplest of what is near the best
COMPARED = (20, 80)  # tiles, where that rule and the plain maximum are compared
SIMPLIFIED = {(step, name) for step in ("threshold", "morphology", "areas") for name in ("pooled_iou", "mean_iou")}
SOURCES = ("hot_maps", "drawn")
Simulated = tuple[Cell, float, list[Outcome]]
"""A cell, within how many standard errors of the best the simplest was taken, and what came of it."""


def list_fits(
    tables: dict[str, Table], groups: Sequence[str] | None, near: float = 0.0
) -> Iterator[tuple[str, str, Fit]]:
    """Yield every step with its objective, on tiles or on groups."""
    for step, objectives in OBJECTIVES.items():
        table = tables[step]
        if groups is not None:
            table = replace(table, counts=join_groups(table.counts, groups))
        for objective in objectives:
            yield step, objective, fit_table_step(table, objective, near)


def list_blends(tiles: Tiles, groups: Sequence[str] | None) -> Iterator[tuple[str, str, Fit]]:
    """Yield greedy selection and calibration."""
    shares = count_shares(tiles)
    yield "greedy", "pooled_iou", fit_greedy(shares if groups is None else join_groups(shares, groups))
    yield "calibration", "pooled_iou", fit_calibration(tiles, groups)


def load_source(source: str, data: Path, counts: Path | None) -> tuple[Tiles, dict[str, Table]]:
    """Read or draw the tiles, and count all settings on them."""
    tiles = read_tiles(data) if source == "hot_maps" else draw_tiles()
    return tiles, keep_tables(tiles, counts and counts / f"{source}.npz")


def simulate_part(
    source: str, unit: str, near: float, tiles: Tiles, tables: dict[str, Table], draws: int
) -> list[Simulated]:
    """Simulate the cells of one source and unit."""
    groups = tiles.groups if unit == "groups" else None
    names = [f"{number:04d}" for number in range(len(set(tiles.groups)) if groups else len(tiles.truths))]
    simulated = []
    with threadpool_limits(1):
        blends = list_blends(tiles, groups) if not near else ()
        for step, objective, fit in (*list_fits(tables, groups, near), *blends):
            if near and (step, objective) not in SIMPLIFIED:
                continue
            number = draws // 4 if step in ("greedy", "calibration") else draws  # those take longer
            for units in UNITS[source, unit] if not near else COMPARED:
                cell = Cell(source, unit, objective, step, units, len(names) - units)
                simulated.append((cell, near, simulate(fit, cell, number, names)))
                print_row(*simulated[-1])
    return simulated


def bench(
    data: Annotated[Path, typer.Option(help="Folder with hot_buildings and hot_maps.")] = Path("../shared/data"),
    draws: Annotated[int, typer.Option(min=8, help="Simulated tunings a cell.")] = 200,
    plot: Annotated[Path | None, typer.Option(help="Where the picture of the coverage goes.")] = None,
    table: Annotated[Path | None, typer.Option(help="Where the table goes, in Markdown.")] = None,
    counts: Annotated[Path | None, typer.Option(help="Folder where counts are kept for the next time.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes, of one thread each.")] = 1,
) -> None:
    """Simulate tunings; the last line is one JSON object."""
    parts = [(source, unit, near) for source, unit in UNITS for near in (0.0, *(NEAR if unit == "tiles" else ()))]
    with ProcessPoolExecutor(workers) as pool:
        loading = {source: pool.submit(load_source, source, data, counts) for source in SOURCES}
        tasks = [pool.submit(simulate_part, *part, *loading[part[0]].result(), draws) for part in parts]
        simulated = [found for task in tasks for found in task.result()]
    rows = {cell: describe_cell(cell, outcomes) for cell, near, outcomes in simulated if not near}
    result: dict[str, dict] = {
        name: nest(rows, name) for name in ("coverage", "coverage_plain", "percentile_coverage", "width")
    }
    result |= {"realised": {}, "simplest": {}}
    for source in SOURCES:
        own = [each for each in simulated if each[0].source == source]
        rules = compare_rules([one for _, near, outcomes in own if not near for one in outcomes])
        result["realised"][source] = rules
        cells = [(rule, *(f"{value:.4f}" for value in found.values())) for rule, found in rules.items()]
        stdout.print(str(ResultTable(f"{source}: rules to keep a step", ("rule", "realised", "kept", "lose"), cells)))
        for near in (0.0, *NEAR):
            chosen = [outcomes for cell, width, outcomes in own if width == near and is_compared(cell)]
            rules = compare_rules([one for outcomes in chosen for one in outcomes])
            wanted = {name: rules[name] for name in ("always", f"chance {LIKELY:.0%}")}
            result["simplest"].setdefault(source, {})[f"{near:g} standard errors"] = wanted
            stdout.print(f"{source}: the simplest within {near:g} standard errors: {wanted}", soft_wrap=True)
    if plot:
        draw_coverage(rows, plot)
    if table:
        table.write_text(write_table(rows))
    print(json.dumps(result))


def is_compared(cell: Cell) -> bool:
    """Tell whether the plain maximum and simpler settings are both simulated there."""
    return cell.unit == "tiles" and cell.units in COMPARED and (cell.step, cell.objective) in SIMPLIFIED


def print_row(cell: Cell, near: float, outcomes: Sequence[Outcome]) -> None:
    row = describe_cell(cell, outcomes)
    words = " ".join(f"{name} {'-' if value is None else f'{value:.4f}'}" for name, value in row.items())
    rule = f" near {near:g}" if near else ""
    stdout.print(f"{cell.source} {cell.unit} {cell.objective} {cell.step} {cell.units}{rule}: {words}", soft_wrap=True)


def write_table(rows: dict[Cell, dict[str, float | None]]) -> str:
    """Return the table of the documentation: coverage of the interval, and of the one before, by number of units."""
    lines = []
    for source, unit in UNITS:
        own = {cell: row for cell, row in rows.items() if (cell.source, cell.unit) == (source, unit)}
        sizes = UNITS[source, unit]
        lines += [f"| {source}, {unit} | " + " | ".join(f"n = {size}" for size in sizes) + " |"]
        lines += ["| --- |" + " --- |" * len(sizes)]
        for step, objective in dict.fromkeys((cell.step, cell.objective) for cell in own):
            found = {cell.units: row for cell, row in own.items() if (cell.step, cell.objective) == (step, objective)}
            cells = [f"{found[n]['coverage']:.2f} ({found[n]['percentile_coverage']:.2f})" for n in sizes]
            lines.append(f"| {step}, {objective} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    run_command(bench)
