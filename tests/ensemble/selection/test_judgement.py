"""What a blend is worth: each way against a naive cross-fit, and which of them is kept."""

import pytest
from conftest import TILE_GROUPS, draw_samples

from ensemble.selection.blend import blend_maps
from ensemble.selection.judgement import Judgement, judge_blends, take_method
from ensemble.selection.library import build_library
from ensemble.statistics.counts import count_maps
from ensemble.statistics.crossfit import SEED, assign_folds
from ensemble.statistics.estimates import Estimate
from ensemble.statistics.gains import CROSS_FITTED, Gain
from ensemble.statistics.metrics import best_threshold


def make_judgement(method: str, value: float, low: float, chance: float) -> Judgement:
    gain = Gain(value, (low, 0.02), chance, CROSS_FITTED, 20)
    return Judgement(method, {"m": 1}, 128, 0.9, Estimate(0.8 + value, (0.0, 1.0)), gain)


def test_cross_fitted_score_of_the_mean() -> None:
    """Each fold is one of the three groups; its threshold is the best on the other two."""
    tiles = list(draw_samples(3))
    [mean, single, greedy, own] = judge_blends(build_library(draw_samples(3)), bags=3, given=(0, 2, 1))
    folds = assign_folds(TILE_GROUPS, 3, SEED)
    for judged, weights in ((mean, [1, 1, 1]), (own, [0, 2, 1])):
        intersection = union = 0
        for fold in range(3):
            chosen_on = [tile for tile, f in zip(tiles, folds, strict=True) if f != fold]
            counts = count_maps(
                [blend_maps(maps, weights) for maps, _ in chosen_on],
                [truth for _, truth in chosen_on],
                [group for group, f in zip(TILE_GROUPS, folds, strict=True) if f != fold],
            )
            threshold = best_threshold(counts.score("pooled_iou"))
            for (maps, truth), f in zip(tiles, folds, strict=True):
                if f == fold:
                    mask = blend_maps(maps, weights) >= threshold
                    intersection += (mask & truth).sum()
                    union += (mask | truth).sum()
        assert judged.cross_fitted is not None
        assert judged.cross_fitted.value == pytest.approx(intersection / union)
        assert list(judged.weights.values()) == weights
    assert [each.method for each in (mean, single, greedy, own)] == ["mean", "single", "greedy", "given"]
    assert sorted(single.weights.values()) == [0, 0, 1]
    assert mean.gain == Gain(0, None, None, CROSS_FITTED, 3)
    assert greedy.in_sample >= single.in_sample  # bags agree enough here


def test_one_group_has_no_cross_fitted_score() -> None:
    judged = judge_blends(build_library(draw_samples(2, groups=["g"] * 4)), bags=2)
    assert all(each.cross_fitted is None and each.gain is None for each in judged)
    assert judged[0].describe()["interval"] is None
    assert take_method(judged, "auto").method == "mean"


def test_another_than_the_mean_has_to_be_likely_or_proven_better() -> None:
    mean = make_judgement("mean", 0.0, 0.0, 0.0)
    assert take_method([mean, make_judgement("single", 0.04, -0.03, 0.84)], "auto") is mean
    likely, better = make_judgement("single", 0.02, -0.001, 0.9), make_judgement("greedy", 0.01, 0.002, 0.97)
    assert take_method([mean, likely, better], "auto") is likely
    assert take_method([mean, likely, better], "auto", "proven") is better
    assert take_method([mean, better], "mean") is mean
    assert take_method([mean, make_judgement("given", 0.1, 0.1, 1.0)], "auto") is mean
