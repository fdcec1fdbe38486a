"""What contact members add to buildings told apart: a run tuned for the F1 of buildings, with their bands and without.

    python benchmarks/bench_contact.py --run runs/x --trials 40

The run has out-of-fold maps of a contact member, and its data set the outlines of the buildings. Both tunings have the
same maps of probability, tiles, groups, trials and seed; the second one does not see borders and contacts. `f1` are
scores on groups that the choice was not made on, `splits` the gain of the last step with its 90 % interval,
`cpu_seconds` those of the tuning. The last line is one JSON object.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from ensemble.mapfolder.raster import map_path
from ensemble.mapfolder.samples import RunSamples
from members.common.console import run_command, stdout, track
from members.common.errors import InputError
from members.data.frames import read_frame
from members.data.run import Run
from postproc.tuning.tuning import Tuning, tune_pipeline


class PlainSamples(RunSamples):
    """A run's samples whose maps tell nothing of borders and contacts."""

    def read_gaps(self, number: int) -> Sequence[np.ndarray | None]:
        return [None] * len(self.members)


def describe(tuning: Tuning, seconds: float) -> dict[str, Any]:
    """Return the scores of a tuning."""
    steps = {step.name: step for step in tuning.verdict.steps}
    splits = steps["splits"]
    return {
        "neutral": round(tuning.verdict.neutral, 4),
        "f1": {name: round(float(step.cross_fitted or 0), 4) for name, step in steps.items()},
        "splits": [round(splits.gain.value, 4), *(round(end, 4) for end in splits.gain.interval or ())],
        "pipeline": str(tuning.pipeline),
        "cpu_seconds": round(seconds, 1),
    }


def bench(
    run: Annotated[Path, typer.Option(help="A run with maps of the part valid by a contact member.")],
    trials: Annotated[int, typer.Option(help="Of each study.", min=1)] = 40,
) -> None:
    """Tune with the bands and without; the last line is one JSON object."""
    target = Run(run)
    data = target.find_data()
    results = {}
    for name, kind in (("contacts", RunSamples), ("map alone", PlainSamples)):
        samples = kind(target, data)
        if samples.labels is None or (name == "contacts" and not any(gap is not None for gap in samples.read_gaps(0))):
            raise InputError(f"{run}: no outlines of buildings in {data}, or no maps by a contact member; train one")
        frames = [read_frame(map_path(samples.folder / samples.members[0], tile.image_id)) for tile in samples.tiles]
        began = time.process_time()
        tuning = tune_pipeline(samples, objective="building_f1", trials=trials, progress=track, frames=frames)
        results[name] = describe(tuning, time.process_time() - began)
    table = Table("samples", "neutral", "F1 by step, cross-fitted", "gain of splits, 90 %", "CPU s")
    for name, each in results.items():
        f1 = ", ".join(f"{step} {value:.4f}" for step, value in each["f1"].items())
        table.add_row(name, f"{each['neutral']:.4f}", f1, str(each["splits"]), str(each["cpu_seconds"]))
    stdout.print(table)
    print(json.dumps(results))


if __name__ == "__main__":
    run_command(bench)
