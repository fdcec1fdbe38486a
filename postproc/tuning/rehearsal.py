"""What a tuning would do and how long it would take, by the tuning of a few tiles; nothing is written."""

import time
from typing import Any

import numpy as np

from ensemble.mapfolder.samples import ArraySamples, Samples
from members.common.errors import InputError
from postproc.tuning.tuning import tune_pipeline

FEW, MORE = 8, 24
"""Tiles that are tuned: the difference of the two is what each further tile takes, the rest what all of them share."""


def estimate_tuning(samples: Samples, **options: Any) -> float | None:
    """Estimate the seconds that `tune_pipeline` takes, from tiles that are evenly spread; None where these say nothing.

    Args:
        samples: all tiles.
        options: as for `tune_pipeline`.
    """
    try:
        _, few, more = (
            _time_tuning(samples, count, **options) for count in (FEW, FEW, MORE)
        )  # the first loads and compiles
    except InputError:  # such as none of them having a building
        return None
    each = max(more - few, 0.0) / (MORE - FEW)
    return more + each * max(len(samples) - MORE, 0)


def _time_tuning(samples: Samples, count: int, **options: Any) -> float:
    numbers = np.unique(np.linspace(0, len(samples) - 1, count).round().astype(int)).tolist()
    tiles = [samples[number] for number in numbers]
    maps = {member: [own[index] for own, _ in tiles] for index, member in enumerate(samples.members)}
    own = ArraySamples(maps, [truth for _, truth in tiles], [samples.groups[number] for number in numbers])
    began = time.perf_counter()
    tune_pipeline(own, **options)
    return time.perf_counter() - began
