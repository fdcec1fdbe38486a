"""Blend weights that are searched: counted as the blend they stand for, and those found that help."""

from collections.abc import Mapping

import numpy as np
import pytest

from ensemble.mapfolder.samples import ArraySamples
from ensemble.selection.blend import Blend
from ensemble.statistics.counts import THRESHOLDS, Counts, count_maps
from ensemble.statistics.crossfit import CrossFit
from postproc.pipeline.recipe import Recipe
from postproc.search.grid import Grid
from postproc.study.studies import MemoryStudies
from postproc.study.weights import Stack, make_first, make_ranges
from postproc.tuning.fits import Task
from postproc.tuning.steps.weights import find_blends, read_stack

GROUPS = tuple(f"group {number // 2}" for number in range(8))
ALL = np.ones(4, bool)


def draw_samples() -> ArraySamples:
    """A fair member, and one that knows nothing: half of each is worse than the first alone."""
    rng = np.random.default_rng(11)
    truths = [np.zeros((32, 32), bool) for _ in GROUPS]
    for truth in truths:
        top, left = rng.integers(0, 16, 2)
        truth[top : top + 12, left : left + 14] = True
    fair = [np.clip(np.where(t, 165, 90) + rng.normal(0, 20, t.shape), 0, 255).astype(np.uint8) for t in truths]
    noise = [rng.integers(0, 256, truth.shape).astype(np.uint8) for truth in truths]
    return ArraySamples({"fair": fair, "noise": noise}, truths, GROUPS)


def make_task(samples: ArraySamples) -> Task:
    return Task(samples, GROUPS, "pooled_iou", CrossFit(4, np.array([[0, 0, 1, 1]])))


@pytest.mark.parametrize("weights", [(1, 0), (1, 1), (3, 2), (0, 7)])
@pytest.mark.parametrize("tables", [{}, {"noise": np.arange(256).astype(np.uint8) // 2}])
def test_counts_are_those_of_the_blended_maps(weights: tuple[int, int], tables: Mapping[str, np.ndarray]) -> None:
    samples = draw_samples()
    blend = Blend(dict(zip(samples.members, weights, strict=True)), tables)
    blended = [blend.mix(maps) for maps, _ in samples]
    expected = count_maps(blended, samples.truths, GROUPS)
    counts = read_stack(make_task(samples), blend).collect(weights, Recipe())
    for column in ("intersection", "union", "iou_sum"):
        assert counts.sums[column][:, 0].tolist() == expected.sums[column].tolist()


def test_member_of_pure_noise_gets_weight_0() -> None:
    grid = Grid((Recipe(),), Counts(("a",) * 4, ALL, {"intersection": np.ones((4, 1, THRESHOLDS), int),
                                                      "union": np.ones((4, 1, THRESHOLDS), int)}))  # fmt: skip
    studies = MemoryStudies()
    given = Blend({"fair": 1, "noise": 1})
    blends, name = find_blends(make_task(draw_samples()), given, grid, lambda: studies, 20)
    assert blends == [Blend({"fair": 1, "noise": 0})] * 3  # on all groups, and without each fold
    assert name == "pooled_iou-weights"
    first = studies.open(name, make_ranges(given.weights)).trials[0]
    assert first.params == {
        "order": "close-open", "kernel": "square", "close": 1, "open": 1, "weight fair": 1, "weight noise": 1
    }  # fmt: skip


def test_no_weight_at_all_means_nothing() -> None:
    stack = Stack([(np.stack(maps), truth) for maps, truth in draw_samples()], GROUPS, "pooled_iou")
    params = make_first({"fair": 1, "noise": 1}, Recipe())[0]
    assert list(stack.evaluate(params | {"weight fair": 0, "weight noise": 0}, ("fair", "noise"), ALL)) == []
    (evaluation,) = stack.evaluate(params, ("fair", "noise"), ALL)
    assert evaluation.value == stack.choose((1, 1), Recipe(), ALL).score


def test_study_begins_with_the_given_blend_and_ranges_hold_its_weights() -> None:
    best = Recipe(threshold=99, close=5)
    settings = make_first({"a": 30, "b": 20}, best)
    assert [(each["close"], each["open"]) for each in settings] == [(1, 1), (3, 3), (5, 1)]
    assert {(each["weight a"], each["weight b"]) for each in settings} == {(3, 2)}
    assert make_ranges({"a": 13, "b": 2})["weight b"].high == 13  # type: ignore[attr-defined]
    assert make_ranges({"a": 1, "b": 1})["weight b"].high == 10  # type: ignore[attr-defined]
    assert len(make_first({"a": 1, "b": 1}, Recipe(threshold=90))) == 2  # the best is the neutral one
