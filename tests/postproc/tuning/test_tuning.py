"""Tuning on arrays: what is kept, and how it is told."""

import json

import numpy as np

from postproc.tuning.tuning import Tuning, tune_pipeline

GROUPS = [f"street {number // 2}" for number in range(12)]


def tune() -> Tuning:
    """Tune on houses of 12 x 9 px whose network is too modest: a building is 100 everywhere, the ground 20."""
    truths = []
    for number in range(12):
        truth = np.zeros((32, 32), bool)
        truth[4 + number : 16 + number, 10:19] = True
        truths.append(truth)
    maps = [np.where(truth, np.uint8(100), np.uint8(20)) for truth in truths]
    return tune_pipeline({"modest": maps}, truths, GROUPS, trials=1)


def test_a_threshold_that_pays_is_kept_and_told() -> None:
    tuning = tune()
    assert str(tuning.pipeline) == "1 x modest, threshold 100"  # of all that are right the one nearest 128
    assert [step.kept for step in tuning.verdict.steps] == [True, False, False, False]
    assert tuning.cross_fitted is not None
    assert (tuning.cross_fitted.value, tuning.cross_fitted.interval) == (1, (1, 1))
    described = json.loads(json.dumps(tuning.describe()))
    assert described["scores"]["default"] == 0
    assert described["scores"]["tuned_cross_fitted"] == 1
    title, header, threshold, *_, last = str(tuning).splitlines()
    assert title == "pooled IoU on 12 validation tiles of 6 groups; neutral: 0.0000"
    assert header.split()[:2] == ["step", "in"]
    assert threshold.split()[:4] == ["threshold", "1.0000", "1.0000", "+1.0000"]
    assert last == "kept: 1 x modest, threshold 100"
    assert "<td>threshold</td><td>1.0000</td>" in tuning._repr_html_()
    assert repr(tuning) == str(tuning)  # which is what a notebook stores beside the HTML
