"""Studies whose best setting is visible on the map."""

import functools

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from ensemble.statistics.crossfit import CrossFit
from ensemble.statistics.gains import measure_gain
from members.common.errors import InputError
from postproc.pipeline.outlines import OutlineRecipe, outline_buildings
from postproc.pipeline.recipe import Recipe
from postproc.polygons.tracing import trace_mask
from postproc.study import building_study
from postproc.study.building_study import (
    OBJECTIVE,
    RANGES,
    BuildingCounter,
    Setting,
    choose_threshold,
    find_setting,
    make_pruner,
    outline_setting,
    rank_setting,
    read_setting,
)
from postproc.study.studies import MemoryStudies, Studies
from postproc.study.trials import Params, Search, count_trials, list_complete, run_trials

NEUTRAL = read_setting({})
NO_SPLIT = {"split_contrast": 0.0, "split_smoothing": 1.0, "split_area": 64, "split_depth": 0.0}
FIRST = {"threshold": 128, "min_hole": 0, "min_object": 0, **NO_SPLIT}


def draw_pair(valley: int = 140) -> tuple[np.ndarray, np.ndarray]:
    """Two houses, 12 px wide each, between which the map falls only to `valley`; and a spot of 9 px."""
    blend, truth = np.zeros((24, 40), np.uint8), np.zeros((24, 40), bool)
    blend[4:16, 4:28] = 250
    blend[4:16, 15:17] = valley
    blend[19:22, 30:33] = 255
    truth[4:16, 4:15] = truth[4:16, 17:28] = True
    return blend, truth


def make_counter(groups: list[str]) -> BuildingCounter:
    return count([draw_pair() for _ in groups], groups)


def count(tiles: list[tuple[np.ndarray, np.ndarray]], groups: list[str]) -> BuildingCounter:
    """Count in maps with true masks, whose components are the true buildings."""
    return BuildingCounter([(blend, trace_mask(truth)) for blend, truth in tiles], groups)


def draw_noise(tiles: int) -> BuildingCounter:
    """Blocks of 4 x 4 px, of which those above 140 are true, so that settings differ a little."""
    random = np.random.default_rng(1)
    maps = [(random.random((6, 7)).repeat(4, 0).repeat(4, 1) * 255).astype(np.uint8) for _ in range(tiles)]
    return count([(blend, blend >= 140) for blend in maps], [str(number) for number in range(tiles)])


def search(
    studies: Studies,
    counter: BuildingCounter,
    budget: int,
    training_mask: np.ndarray | None = None,
    first: Params = FIRST,
) -> optuna.Study:
    mask = np.ones(len(counter.groups), bool) if training_mask is None else training_mask
    evaluate = functools.partial(counter.evaluate, training_mask=mask)
    return run_trials(studies, Search("splits", RANGES, [first], evaluate, make_pruner()), budget)


def test_findings_of_each_setting() -> None:
    counter = make_counter(["a"])
    for params, found in (
        ({}, (0, 2, 2)),  # both houses in one, and the spot
        ({**NO_SPLIT, "split_contrast": 24.0}, (2, 3, 2)),
        ({"threshold": 144}, (2, 3, 2)),
        ({"threshold": 144, "min_object": 16}, (2, 2, 2)),
    ):
        assert counter.count(read_setting(params), [0]).tolist() == [list(found)], params


def test_a_neck_is_cut() -> None:
    blend = np.zeros((20, 40), np.uint8)
    blend[2:18, 2:18] = blend[2:18, 22:38] = blend[9:11, 18:22] = 200
    assert len(outline_setting(blend, NEUTRAL)) == 1
    assert len(outline_setting(blend, read_setting({"split_depth": 2.0}))) == 2


def test_counts_of_groups_are_of_buildings() -> None:
    counts = make_counter(["b", "a", "b"]).collect(read_setting({"threshold": 144}))
    assert (counts.groups, counts.tiles.tolist()) == (("a", "b"), [1, 2])
    columns = {name: column.tolist() for name, column in counts.sums.items()}
    assert columns == {"matched": [2, 4], "predicted_buildings": [3, 6], "true_buildings": [2, 4]}
    assert counts.score(OBJECTIVE) == 2 * 6 / (9 + 6)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=6))
def test_any_counts_score_as_their_f1(counts: list[tuple[int, int, int]]) -> None:
    """Whatever is found: matches are no more than either side has."""
    counts = [(hits, hits + more, hits + missed) for hits, more, missed in counts]
    counter = count([draw_pair()] * len(counts), ["a"] * len(counts))
    counter.counted[NEUTRAL] = np.array(counts)
    hits, predicted, truth = np.sum(counts, axis=0)
    f1 = 2 * hits / (predicted + truth) if predicted + truth else 1
    assert counter.collect(NEUTRAL).score(OBJECTIVE) == pytest.approx(f1)


def test_each_tile_is_counted_once_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Setting] = []

    def outline(blend: np.ndarray, setting: Setting) -> list[object]:
        calls.append(setting)
        return []

    monkeypatch.setattr(building_study, "outline_setting", outline)
    counter = make_counter(list("abc"))
    counter.count(NEUTRAL, [1])
    for _ in range(2):
        counter.collect(NEUTRAL)
    assert calls == [NEUTRAL] * 3


def test_outlines_are_those_that_submit_writes() -> None:
    blend, _ = draw_pair()
    recipe, outlines = read_setting(
        {"threshold": 100, "split_contrast": 24.0, "split_smoothing": 1.0, "split_area": 64}
    )
    assert (recipe, outlines) == (
        Recipe(threshold=100),
        OutlineRecipe(split_contrast=24.0, split_smoothing=1.0, split_area=64),
    )
    expected = [building.outline for building in outline_buildings(blend >= 100, blend, outlines)]
    assert outline_setting(blend, (recipe, outlines)) == expected
    assert len(expected) == 3


def test_threshold_of_highest_f1_and_of_equals_the_nearest_to_128() -> None:
    counter = make_counter(["a", "b"])
    choice = choose_threshold(counter, np.array([True, False]), range(32, 225, 8))
    assert (choice.recipe.threshold, choice.score) == (144, 4 / 5)
    assert choice.counts.sums["matched"].tolist() == [2, 2]


def test_studies_find_full_marks_and_can_be_cross_fitted() -> None:
    counter = make_counter(list("abcdef"))
    crossfit = CrossFit(6, np.array([[0, 0, 0, 1, 1, 1]]))
    chosen = [find_setting(search(MemoryStudies(), counter, 20, mask)) for mask in crossfit.training_masks]
    counts = [counter.collect(setting) for setting in chosen]
    assert counts[0].score(OBJECTIVE) == 1
    assert chosen[0][0].min_object >= 16
    gain = measure_gain([counter.collect(NEUTRAL)] * 3, counts, OBJECTIVE, crossfit)
    assert (gain.value, gain.interval, gain.chance) == (1, (1, 1), 1)


def test_studies_are_never_below_what_they_begin_with() -> None:
    counter = draw_noise(30)
    alone = search(MemoryStudies(), counter, 1)
    assert [trial.params for trial in alone.trials] == [FIRST]
    assert find_setting(alone) == read_setting(FIRST)
    study = search(MemoryStudies(), counter, 8)
    best = counter.choose(find_setting(study), np.ones(30, bool))
    assert best.score == study.best_value >= alone.best_value


def test_study_that_was_stopped_goes_on_as_it_would_have() -> None:
    """As partial scores of each trial, too, decide which others are ended."""
    counter = draw_noise(30)

    def describe(study: optuna.Study) -> list[object]:
        return [(trial.params, trial.value, trial.state, trial.intermediate_values) for trial in study.trials]

    stopped = MemoryStudies()
    search(stopped, counter, 5)
    assert describe(search(stopped, counter, 9)) == describe(search(MemoryStudies(), counter, 9))


def test_what_is_surely_worse_is_ended_early() -> None:
    """With the best setting first, others cost fewer tiles than there are, and what was ended wins nothing."""
    counter = make_counter([str(number) for number in range(60)])
    best = FIRST | {"threshold": 144, "min_object": 16}
    study = search(MemoryStudies(), counter, 12, first=best)
    ended = study.get_trials(states=(TrialState.PRUNED,))
    assert count_trials(study) == 12
    assert ended
    assert all(len(trial.intermediate_values) < 5 for trial in ended)
    assert all(len(trial.intermediate_values) == 5 for trial in list_complete(study))
    assert sum((counts[:, 0] < 0).sum() for counts in counter.counted.values()) > 0
    assert find_setting(study) == read_setting(best)


def test_of_equals_the_simplest() -> None:
    simple, *others = (
        read_setting(params)
        for params in (
            {},
            {"threshold": 136},
            {"min_object": 4},
            {"split_depth": 2.0},
            {"split_depth": 1.0},
            {"split_contrast": 24.0},
            {"split_contrast": 24.0, "split_depth": 2.0},
        )
    )
    assert sorted([*reversed(others), simple], key=rank_setting) == [simple, *others]


def test_tiles_and_groups_are_equally_many() -> None:
    with pytest.raises(ValueError, match="1 tiles of 2 groups"):
        count([draw_pair()], ["a", "b"])


def test_truth_without_a_building() -> None:
    blend, truth = draw_pair()
    with pytest.raises(InputError, match="the truth of all 2 tiles is empty"):
        count([(blend, truth & False)] * 2, ["a", "b"])
