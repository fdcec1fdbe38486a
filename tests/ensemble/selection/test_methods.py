"""What a blend is worth: each way against a naive cross-fit, and which of them is kept."""

import numpy as np
import pytest
from test_greedy import GROUPS, build, draw_tiles

from ensemble.selection.blend import blend_maps
from ensemble.selection.methods import SEED, Judgement, find_threshold, judge_blends, parse_weights, take_method
from ensemble.statistics.counts import assign_folds, collect_evidence
from members.common.errors import InputError


def describe(method: str, cross_fitted: float, low: float) -> Judgement:
    return Judgement(method, {"m": 1}, 128, 0.9, cross_fitted, (0.0, 1.0), (0.01, low, 0.02))


def test_cross_fitted_score_of_the_mean() -> None:
    """Each fold is one of the three groups; its threshold is the best on the other two."""
    tiles = draw_tiles(3)
    [mean, single, greedy, own] = judge_blends(build(tiles), bags=3, given=[0, 2, 1])
    folds = assign_folds(GROUPS, 3, SEED)
    for judged, weights in ((mean, [1, 1, 1]), (own, [0, 2, 1])):
        intersection = union = 0
        for fold in range(3):
            chosen_on = [tile for tile, f in zip(tiles, folds, strict=True) if f != fold]
            evidence = collect_evidence(
                [blend_maps(maps, weights) for maps, _ in chosen_on],
                [truth for _, truth in chosen_on],
                [group for group, f in zip(GROUPS, folds, strict=True) if f != fold],
            )
            threshold = find_threshold(evidence.score("pooled_iou"))
            for (maps, truth), f in zip(tiles, folds, strict=True):
                if f == fold:
                    mask = blend_maps(maps, weights) >= threshold
                    intersection += (mask & truth).sum()
                    union += (mask | truth).sum()
        assert judged.cross_fitted == pytest.approx(intersection / union)
        assert list(judged.weights.values()) == weights
    assert [each.method for each in (mean, single, greedy, own)] == ["mean", "single", "greedy", "given"]
    assert sorted(single.weights.values()) == [0, 0, 1]
    assert mean.gain == (0, 0, 0)
    assert greedy.in_sample >= single.in_sample  # bags agree enough here


def test_one_group_has_no_cross_fitted_score() -> None:
    from ensemble.selection.greedy import build_library

    judged = judge_blends(build_library(["a", "b"], draw_tiles(2), ["g"] * 4), bags=2)
    assert all(each.cross_fitted is None and each.interval is None and each.gain is None for each in judged)
    assert take_method(judged, "auto").method == "mean"


def test_another_than_the_mean_has_to_be_surely_better() -> None:
    mean = describe("mean", 0.80, 0.0)
    assert take_method([mean, describe("single", 0.84, -0.001)], "auto") is mean
    better = describe("greedy", 0.83, 0.002)
    assert take_method([mean, describe("single", 0.82, 0.001), better], "auto") is better
    assert take_method([mean, better], "mean") is mean
    assert take_method([mean, describe("given", 0.9, 0.1)], "auto") is mean


def test_threshold_of_equals_is_nearest_the_middle() -> None:
    scores = np.zeros(255)
    scores[[99, 126, 128, 200]] = 1
    assert find_threshold(scores) == 127


def test_weights_as_they_are_typed() -> None:
    assert parse_weights("b=2, a=1", ["a", "b", "c"]) == [1, 2, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=1", r"--weights x=1: no maps of a member 'x'; there are a, b"),
        ("a", r"a=; weights are non-negative integers"),
        ("a=-1", r"a=-1; weights are non-negative integers, as in a=2,b=1"),
        ("a=0.5", r"a=0.5; weights are non-negative integers"),
        ("a=0,b=0", r"they sum to 0; at least one member needs a weight above 0"),
    ],
)
def test_weights_that_are_none(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_weights(text, ["a", "b"])
