"""Which of Optuna's samplers suits the study of buildings, where the exact grid ends: TPE as it is used, GP, or chance.

TPE draws the parameters together, as it does by default; `tpe_each` draws each by itself.

    python benchmarks/bench_samplers.py --data ../shared/data --budget 30 --tiles 8 --seeds 10

Each sampler tries as many settings of threshold, areas and splits, on the same tiles of hot_maps and from the same
first setting, for each seed; a setting is evaluated once, whoever asks. `mean` is the mean over the seeds of the best
F1 of buildings after the whole budget, `after` that after some of the trials, `gain` what it has over TPE with its
standard error, `wins` and `losses` in how many seeds it ends above and below TPE, `cpu_seconds` what the sampler
itself computes in a study. GPSampler needs PyTorch (`pip install torch`), and is left out without it. AutoSampler is
no part of Optuna: it is fetched from OptunaHub over the network when it is called, and so is not among them. The last
line is one JSON object.
"""

import importlib.util
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import optuna
import typer
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, RandomSampler

sys.path.insert(0, str(Path(__file__).parent))

from bench_scale import MEMBERS, NoisyTiles

from ensemble.selection.blend import Blend
from members.common.console import run_command, stdout, track
from postproc.polygons.tracing import trace_mask
from postproc.study.building_study import RANGES, BuildingCounter, choose_threshold, read_setting
from postproc.study.sampler import NumberedSampler
from postproc.tuning.steps.buildings import THRESHOLDS, list_params

SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": NumberedSampler,
    "tpe_each": lambda seed: NumberedSampler(seed, multivariate=False),
    "gp": lambda seed: GPSampler(seed=seed, deterministic_objective=True),
    "random": lambda seed: RandomSampler(seed=seed),
}
SHARES = (0.2, 0.5, 1.0)


class Scores:
    """F1 of settings on all tiles, each computed once; and how long that took, CPU seconds."""

    def __init__(self, counter: BuildingCounter) -> None:
        self.counter, self.seconds = counter, 0.0
        self.known: dict[tuple[tuple[str, Any], ...], float] = {}

    def __call__(self, params: dict[str, Any]) -> float:
        key = tuple(sorted(params.items()))
        if key not in self.known:
            start = time.process_time()
            tiles = range(len(self.counter.tiles))
            self.known[key] = self.counter.score(read_setting(params), tiles)
            self.seconds += time.process_time() - start
        return self.known[key]


def run_study(sampler: BaseSampler, scores: Scores, first: dict[str, Any], budget: int) -> tuple[np.ndarray, float]:
    """Return the best score after each trial, float (budget,), and what the sampler itself took, CPU seconds."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial(first)
    start, before = time.process_time(), scores.seconds
    for _ in range(budget):
        trial = study.ask(dict(RANGES))
        study.tell(trial, scores(trial.params))
    took = time.process_time() - start - (scores.seconds - before)
    values = [float(trial.value or 0) for trial in study.trials]
    return np.maximum.accumulate(values), took


def bench(
    data: Annotated[Path, typer.Option(help="Folder with hot_buildings and hot_maps.")] = Path("../shared/data"),
    budget: Annotated[int, typer.Option(help="Trials of each study.")] = 30,
    tiles: Annotated[int, typer.Option(help="How many tiles, evenly out of all.")] = 8,
    seeds: Annotated[int, typer.Option(help="Studies of each sampler.")] = 10,
) -> None:
    """Compare samplers."""
    warnings.simplefilter("ignore", ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    samples, blend = NoisyTiles(336, 256, data), Blend.mean(MEMBERS)
    chosen = np.linspace(0, len(samples.base) - 1, tiles).astype(int).tolist()
    maps = [(blend.mix(samples.base[number][0]), trace_mask(samples.base[number][1])) for number in chosen]
    groups = [samples.groups[number] for number in chosen]
    counter = BuildingCounter(maps, groups)
    scores = Scores(counter)
    start = choose_threshold(counter, np.ones(len(counter.groups), bool), THRESHOLDS)
    first = list_params(start, RANGES)
    names = [name for name in SAMPLERS if name != "gp" or importlib.util.find_spec("torch")]
    curves: dict[str, list[np.ndarray]] = {name: [] for name in names}
    took: dict[str, list[float]] = {name: [] for name in names}
    for seed in track(range(seeds), "seeds", seeds):
        for name in names:
            curve, seconds = run_study(SAMPLERS[name](seed), scores, first, budget)
            curves[name].append(curve)
            took[name].append(seconds)
        stdout.print(f"seed {seed}: " + ", ".join(f"{name} {curves[name][-1][-1]:.4f}" for name in names))
    result: dict[str, Any] = {
        "tiles": len(maps), "budget": budget, "seeds": seeds, "first": round(start.score, 4),
        "best_known": round(max(scores.known.values()), 4), "settings": len(scores.known),
    }  # fmt: skip
    rival = np.array([curve[-1] for curve in curves["tpe"]])
    for name in names:
        ends = np.array([curve[-1] for curve in curves[name]])
        gains = ends - rival
        result[name] = {
            "mean": round(float(ends.mean()), 4),
            "after": {
                round(share * budget): round(float(np.mean([c[round(share * budget) - 1] for c in curves[name]])), 4)
                for share in SHARES
            },
            "gain": [round(float(gains.mean()), 4), round(float(gains.std(ddof=1) / np.sqrt(seeds)), 4)],
            "wins": int((gains > 0).sum()),
            "losses": int((gains < 0).sum()),
            "cpu_seconds": round(float(np.mean(took[name])), 1),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    run_command(bench)
