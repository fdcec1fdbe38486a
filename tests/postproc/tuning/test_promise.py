"""The threshold that keeps a promise, on maps whose answer is visible."""

import numpy as np
import pytest

from ensemble.mapfolder.samples import ArraySamples
from ensemble.selection.blend import Blend
from members.common.errors import InputError
from postproc.pipeline.recipe import Recipe
from postproc.tuning.promise import Goal, count_losses, make_promise


def draw_places(count: int, seed: int = 0) -> ArraySamples:
    """Draw a tile a place: ten of a hundred pixels are building, whose values lie above 100, the others' below 150."""
    rng = np.random.default_rng(seed)
    maps, truths = [], []
    for _ in range(count):
        truth = np.zeros((10, 10), bool)
        truth[0] = True
        values = np.where(truth, rng.integers(101, 256, truth.shape), rng.integers(0, 150, truth.shape))
        maps.append(values.astype(np.uint8))
        truths.append(truth)
    return ArraySamples({"m": maps}, truths, [f"place {number}" for number in range(count)])


def test_losses_are_shares_of_each_group() -> None:
    truth = np.array([[True, True, False, False]])
    values = np.array([[200, 100, 150, 0]], np.uint8)
    samples = ArraySamples({"m": [values, values, values]}, [truth, truth, ~truth & False], ["a", "a", "b"])
    recall, precision = (count_losses(samples, Blend({"m": 1}), name) for name in ("recall", "precision"))
    assert recall[[0, 99, 100, 199, 200]].tolist() == [[0, 0], [0, 0], [0.5, 0], [0.5, 0], [1, 0]]
    assert precision[[99, 149, 150, 200]].tolist() == [
        [pytest.approx(1 / 3), 1], [0.5, 1], [0, 1], [0, 0],
    ]  # fmt: skip


def test_a_promised_recall_is_the_highest_threshold_that_keeps_it() -> None:
    samples = draw_places(40)
    promise = make_promise(samples, Goal("recall", 0.9))
    threshold = promise.pipeline.recipe.threshold
    losses = count_losses(samples, Blend({"m": 1}), "recall").mean(axis=1)
    bound = losses * 40 / 41 + 1 / 41
    assert bound[threshold - 1] <= 0.1 < bound[threshold]
    assert promise.pipeline.recipe == Recipe(threshold=threshold)
    assert promise.mean == pytest.approx(1 - losses[threshold - 1])
    assert f"<td>threshold</td><td>{threshold}</td>" in promise._repr_html_()
    surer = make_promise(samples, Goal("recall", 0.9, 0.9)).pipeline.recipe.threshold
    assert 101 <= surer < threshold


def test_a_promised_precision_is_the_lowest_threshold_that_keeps_it() -> None:
    samples = draw_places(40)
    promise = make_promise(samples, Goal("precision", 0.8))
    threshold = promise.pipeline.recipe.threshold
    losses = np.maximum.accumulate(count_losses(samples, Blend({"m": 1}), "precision")[::-1])[::-1].mean(axis=1)
    bound = losses * 40 / 41 + 1 / 41
    assert bound[threshold - 1] <= 0.2 < bound[threshold - 2]
    assert "at least 80% of what is found in a place is building" in str(promise)


@pytest.mark.parametrize("confidence", [None, 0.9])
def test_it_is_kept_on_new_places(confidence: float | None) -> None:
    everywhere = count_losses(draw_places(600, seed=99), Blend({"m": 1}), "recall").mean(axis=1)
    lost = [
        everywhere[make_promise(draw_places(30, seed), Goal("recall", 0.9, confidence)).pipeline.recipe.threshold - 1]
        for seed in range(60)
    ]
    assert np.mean(lost) <= 0.1
    if confidence is not None:
        assert np.mean(np.array(lost) > 0.1) <= 0.1


@pytest.mark.parametrize(
    ("text", "confidence", "message"),
    [
        ("recall", None, "promise recall: it is written recall=0.9"),
        ("iou=0.9", None, "promise iou: what can be promised is recall or precision"),
        ("recall=1", None, "promise recall 1: a share is more than 0 and less than 1"),
        ("recall=nan", None, "promise recall nan: a share"),
        ("recall=0.9", 2.0, "confidence 2: a share is"),
    ],
)
def test_what_cannot_be_a_goal(text: str, confidence: float | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Goal.parse(text, confidence)


def test_promises_that_cannot_be_given() -> None:
    few = draw_places(8)
    with pytest.raises(InputError, match=r"promise recall=0.9: takes 9 groups or more, here are 8; promise less"):
        make_promise(few, Goal("recall", 0.9))
    with pytest.raises(InputError, match=r"with a confidence of 0\.9: takes 22 groups or more, here are 8"):
        make_promise(few, Goal("recall", 0.9, 0.9))
    blind = ArraySamples({"m": [np.zeros((2, 2), np.uint8)] * 30}, [np.ones((2, 2), bool)] * 30, range(30))
    with pytest.raises(InputError, match=r"no threshold keeps it; at 1, the safest, recall is 0\.000 on average"):
        make_promise(blind, Goal("recall", 0.9))
    one = draw_places(1)
    copies = ArraySamples({"m": one.maps["m"] * 30}, one.truths * 30, range(30))
    with pytest.raises(InputError, match=r"groups 0 and 1: equal at every threshold, so copies; a promise takes"):
        make_promise(copies, Goal("recall", 0.9))
    empty = ArraySamples({"m": [np.zeros((2, 2), np.uint8)] * 30}, [np.zeros((2, 2), bool)] * 30, range(30))
    with pytest.raises(InputError, match="no building pixel in the truth of 30 tiles; nothing can be promised"):
        make_promise(empty, Goal("recall", 0.9))
