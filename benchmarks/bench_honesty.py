"""Whether intervals hold what they promise, and which rule to keep a step by is worth most, on simulated tunings.

A plasmode simulation (Franklin et al. 2014, doi:10.1016/j.csda.2013.10.018): counts of settings on each of 336 real
tiles (hot_maps: the mean of two small networks' out-of-fold maps) and of 320 drawn scenes (maps by a noise model) are
made once. Then some tiles, or whole groups, are drawn; a step is chosen and judged on them by the tool's own code; and
what the written choice gains over the neutral one on all other tiles is what the interval should have held. Beside it
stands the percentile bootstrap of one deal of folds, as the tool had it before. Settings are a part of those that tune
tries (see honesty/tables.py); buildings are pieces of the mask, not outlines.

    python benchmarks/bench_honesty.py --data ../shared/data --draws 200 --plot docs/honesty.svg
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from honesty.picture import draw_coverage
from honesty.simulation import Cell, Outcome, compare_rules, describe_cell, nest, simulate
from honesty.steps import Fit, count_shares, fit_calibration, fit_greedy, fit_table_step, join_groups
from honesty.tables import Table, build_tables
from honesty.tiles import Tiles, draw_tiles, read_tiles

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
    "morphology": ("pooled_iou", "mean_iou", "dice"),
    "areas": ("pooled_iou", "mean_iou", "dice"),
    "outlines": ("pooled_iou", "mean_iou"),
    "buildings": ("building_f1",),
}
NEAR = (0.25, 0.5, 1.0)  # standard errors, of the rule that takes the simplest of what is near the best
SIMPLER_STEPS = ("threshold", "morphology", "areas")


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


def bench(
    data: Annotated[Path, typer.Option(help="Folder with hot_buildings and hot_maps.")] = Path("../shared/data"),
    draws: Annotated[int, typer.Option(min=10, help="Simulated tunings a cell.")] = 200,
    plot: Annotated[Path | None, typer.Option(help="Where the picture of the coverage goes.")] = None,
    drawn: Annotated[bool, typer.Option(help="Whether drawn scenes are simulated too.")] = True,
    table: Annotated[Path | None, typer.Option(help="Where the table goes, in Markdown.")] = None,
) -> None:
    """Simulate tunings; the last line is one JSON object."""
    start = time.process_time()
    rows: dict[Cell, dict[str, float | None]] = {}
    all_outcomes: dict[tuple[str, float], list[Outcome]] = {}
    for source in ("hot_maps", "drawn")[: 1 + drawn]:
        tiles = read_tiles(data) if source == "hot_maps" else draw_tiles()
        tables = build_tables(tiles)
        stdout.print(f"{source}: counted, {time.process_time() - start:.0f} CPU s")
        for unit in ("tiles", "groups"):
            groups = tiles.groups if unit == "groups" else None
            names = [f"{number:04d}" for number in range(len(set(tiles.groups)) if groups else len(tiles.truths))]
            for near in (0.0, *NEAR):
                fits = [*list_fits(tables, groups, near), *(list_blends(tiles, groups) if not near else ())]
                for step, objective, fit in fits:
                    if near and (step not in SIMPLER_STEPS or objective == "dice"):
                        continue
                    for units in UNITS[source, unit]:
                        if near and units not in (20, 80):
                            continue
                        few = draws if step not in ("greedy", "calibration") else draws // 4
                        cell = Cell(source, unit, objective, step, units, len(names) - units)
                        outcomes = simulate(fit, cell, few, names)
                        if units in (20, 80) and step in SIMPLER_STEPS and objective != "dice":
                            all_outcomes.setdefault((source, near), []).extend(outcomes)
                        if not near:
                            all_outcomes.setdefault((source, -1.0), []).extend(outcomes)
                            rows[cell] = describe_cell(cell, outcomes)
                            print_row(cell, rows[cell])
    result = {name: nest(rows, name) for name in ("coverage", "coverage_plain", "percentile_coverage", "width")}
    result |= {"realised": {}, "simplest": {}}
    for (source, near), outcomes in all_outcomes.items():
        rules = {rule: round_all(found) for rule, found in compare_rules(outcomes).items()}
        if near < 0:
            result["realised"][source] = rules
        else:
            wanted = ("always", "chance 85%")
            result["simplest"].setdefault(source, {})[f"{near:g} se"] = {name: rules[name] for name in wanted}
    for source, rules in result["realised"].items():
        cells = [(rule, *(f"{value:.4f}" for value in found.values())) for rule, found in rules.items()]
        stdout.print(str(ResultTable(f"{source}: rules to keep a step", ("rule", "realised", "kept", "lose"), cells)))
    if plot:
        draw_coverage(rows, plot)
    if table:
        table.write_text(write_table(rows))
    stdout.print(f"{time.process_time() - start:.0f} CPU s")
    print(json.dumps(result))


def round_all(found: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in found.items()}


def print_row(cell: Cell, row: dict[str, float | None]) -> None:
    words = " ".join(f"{name} {'-' if value is None else f'{value:.4f}'}" for name, value in row.items())
    stdout.print(f"{cell.source} {cell.unit} {cell.objective} {cell.step} {cell.units}: {words}", soft_wrap=True)


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
