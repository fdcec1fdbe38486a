"""Studies whose best setting is visible on the map."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import IntDistribution

from ensemble.evidence import compare_evidence, draw_groups, mix_folds
from postproc import building_study
from postproc.building_scores import Findings
from postproc.building_study import BuildingCounter, add_findings, fit_buildings, list_building_ranges, split_buildings
from postproc.polygons import OutlineRecipe
from postproc.recipe import Recipe
from postproc.tracing import trace_mask

BASE = Recipe(threshold=128)
OFF = OutlineRecipe()


def draw_pair(valley: int = 140) -> tuple[np.ndarray, np.ndarray]:
    """Two houses, 12 px wide each, between which the map falls only to `valley`; and a spot of 9 px."""
    blend, truth = np.zeros((24, 40), np.uint8), np.zeros((24, 40), bool)
    blend[4:16, 4:28] = 250
    blend[4:16, 15:17] = valley
    blend[19:22, 30:33] = 255
    truth[4:16, 4:15] = truth[4:16, 17:28] = True
    return blend, truth


def make_counter(groups: list[str]) -> BuildingCounter:
    pairs = [draw_pair() for _ in groups]
    return BuildingCounter([blend for blend, _ in pairs], [trace_mask(truth) for _, truth in pairs], groups)


def test_findings_of_each_setting() -> None:
    counter = make_counter(["a"])
    assert counter.count(BASE, OFF, 0) == Findings(0, 2, 2)  # both houses in one, and the spot
    assert counter.count(BASE, OutlineRecipe(split_level=200), 0) == Findings(2, 3, 2)
    assert counter.count(Recipe(threshold=144), OFF, 0) == Findings(2, 3, 2)
    assert counter.count(Recipe(threshold=144, min_object=16), OFF, 0) == Findings(2, 2, 2)


def test_a_neck_is_cut() -> None:
    blend = np.zeros((20, 40), np.uint8)
    blend[2:18, 2:18] = blend[2:18, 22:38] = blend[9:11, 18:22] = 200
    assert len(split_buildings(blend, BASE, OFF)) == 1
    assert len(split_buildings(blend, BASE, OutlineRecipe(split_depth=2.0))) == 2


def test_evidence_is_of_buildings_and_its_dice_is_their_f1() -> None:
    evidence = make_counter(["b", "a", "b"]).collect(Recipe(threshold=144), OFF)
    assert (evidence.groups, evidence.tiles.tolist()) == (("a", "b"), [1, 2])
    assert (evidence.intersection.tolist(), evidence.union.tolist()) == ([2, 4], [3, 6])
    assert evidence.score("dice") == add_findings([Findings(2, 3, 2)] * 3).f1


def test_each_tile_is_counted_once_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Recipe] = []

    def split(blend: np.ndarray, recipe: Recipe, outlines: OutlineRecipe) -> list[object]:
        calls.append(recipe)
        return []

    monkeypatch.setattr(building_study, "split_buildings", split)
    counter = make_counter(list("abc"))
    for _ in range(2):
        counter.collect(BASE, OFF)
    assert calls == [BASE] * 3


def test_studies_find_full_marks_and_can_be_cross_fitted() -> None:
    groups = list("abcdef")
    counter = make_counter(groups)
    folds = np.array([0, 0, 0, 1, 1, 1])
    keeps = [np.ones(6, bool), folds != 0, folds != 1]
    whole, *others = fit_buildings(counter, BASE, keeps, trials=40)
    assert (whole.score, whole.evidence.score("dice")) == (1, 1)
    assert whole.recipe.min_object >= 16
    before, after = counter.collect(BASE, OFF), mix_folds([choice.evidence for choice in others], folds)
    assert compare_evidence(before, after, "dice", draw_groups(6)) == (1, 1, 1)


def test_studies_are_never_below_what_they_begin_with_and_end_alike() -> None:
    random = np.random.default_rng(1)
    maps = [(random.random((6, 7)).repeat(4, 0).repeat(4, 1) * 255).astype(np.uint8) for _ in range(30)]
    truths = [trace_mask(blend >= 140) for blend in maps]
    counter = BuildingCounter(maps, truths, [str(number) for number in range(30)])
    keep = np.ones(30, bool)
    (first,) = fit_buildings(counter, BASE, [keep], trials=15)
    (again,) = fit_buildings(counter, BASE, [keep], trials=15)
    (alone,) = fit_buildings(counter, BASE, [keep], trials=1)
    assert (first.recipe, first.outlines, first.score) == (again.recipe, again.outlines, again.score)
    assert (alone.recipe, alone.outlines) == (BASE, OFF)
    assert first.score == first.evidence.score("dice") >= alone.score


def test_what_is_surely_worse_is_ended_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the best setting first, most others cost fewer tiles than there are."""
    calls: list[int] = []
    count = BuildingCounter.count

    def spy(self: BuildingCounter, recipe: Recipe, outlines: OutlineRecipe, tile: int) -> Findings:
        calls.append(tile)
        return count(self, recipe, outlines, tile)

    monkeypatch.setattr(BuildingCounter, "count", spy)
    tiles, trials = 120, 12
    counter = make_counter([str(number) for number in range(tiles)])
    fit_buildings(counter, Recipe(threshold=144, min_object=16), [np.ones(tiles, bool)], trials)
    assert len(calls) < 0.9 * tiles * (trials + 1)


@given(st.integers(1, 255))
def test_the_given_threshold_is_among_those_tried(threshold: int) -> None:
    tried = list_building_ranges(Recipe(threshold=threshold))["threshold"]
    assert isinstance(tried, IntDistribution)
    assert 1 <= tried.low <= threshold <= tried.high <= 255
    assert (threshold - tried.low) % tried.step == 0


def test_tiles_and_groups_are_equally_many() -> None:
    with pytest.raises(ValueError, match="1 tiles of 2 groups"):
        BuildingCounter([draw_pair()[0]], [[]], ["a", "b"])
