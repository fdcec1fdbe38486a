"""Areas of holes and objects counted from runs, against scikit-image's filters on each mask."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from postproc.operators.areas import add_areas, count_areas, sum_lines
from postproc.pipeline.recipe import Recipe

AREAS = np.array([0, 2, 5, 9])
MOST = 4
pictures = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, MOST))


def count_by_definition(picture: np.ndarray, truth: np.ndarray, recipe: Recipe) -> list[int]:
    """Pixels of the mask in the truth's background and building."""
    mask = recipe.apply(picture)
    return [int((mask & ~truth).sum()), int((mask & truth).sum())]


def test_a_pin_hole_joins_what_it_touches() -> None:
    picture = np.array([[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [1, 1, 0, 0, 1]], np.uint8)
    counts = count_areas(picture, sum_lines(picture > 0), np.array([0, 2]), np.array([0, 2, 7]), 1)
    assert counts[0, 0].tolist() == [[0, 7], [0, 5], [0, 0]]  # two single pixels are dropped, and then all
    assert counts[0, 1].tolist() == [[1, 7], [1, 6], [1, 6]]  # filled, the hole makes seven of five and one


@settings(deadline=None, max_examples=60)
@given(pictures, st.data())
def test_every_pair_at_every_threshold_agrees_with_the_binary_operators(
    picture: np.ndarray, data: st.DataObject
) -> None:
    truth = data.draw(arrays(np.bool_, picture.shape))
    counts = count_areas(picture, sum_lines(truth), AREAS, AREAS, MOST)
    for threshold in range(1, MOST + 1):
        for hole, hole_area in enumerate(AREAS):
            for least, object_area in enumerate(AREAS):
                recipe = Recipe(threshold=threshold, min_hole=int(hole_area), min_object=int(object_area))
                found = counts[threshold - 1, hole, least].tolist()
                assert found == count_by_definition(picture, truth, recipe)


def test_large_noisy_pictures_agree_too() -> None:
    rng = np.random.default_rng(1)
    areas = np.array([0, 4, 16, 64, 200])
    for size, values in (((40, 60), 12), ((64, 33), 40)):
        picture = np.clip(rng.normal(values / 2, values / 5, size), 0, values).astype(np.uint8)
        truth = rng.random(size) < 0.4
        counts = count_areas(picture, sum_lines(truth), areas, areas, values)
        for threshold in range(1, values + 1, 3):
            for hole in range(len(areas)):
                for least in range(len(areas)):
                    recipe = Recipe(threshold=threshold, min_hole=int(areas[hole]), min_object=int(areas[least]))
                    found = counts[threshold - 1, hole, least].tolist()
                    assert found == count_by_definition(picture, truth, recipe)


def test_entries_between_two_thresholds_take_the_best_of_both() -> None:
    picture = np.array([[10, 20, 30, 30]], np.uint8)
    truth = np.array([[False, True, True, False]])
    ranks = np.searchsorted([10, 30], np.arange(256), side="right").astype(np.uint8)
    sums = np.zeros((3, 3, 1, 1), np.int64)
    add_areas(picture, sum_lines(truth), np.array([0]), ranks, np.array([[0, 0], [1, 1], [0, 1]]), 60, sums)
    assert sums[0, :, 0, 0].tolist() == [2, 1, 2]
    assert sums[1, :, 0, 0].tolist() == [4, 3, 3]
    assert sums[2, :, 0, 0].tolist() == [30, 20, 40]


def test_all_thresholds_may_be_counted_at_once() -> None:
    picture = np.array([[0, 100, 255]], np.uint8)
    ranks = np.arange(256, dtype=np.uint8)
    entries = np.array([[t, t] for t in range(255)])
    sums = np.zeros((3, 255, 1, 1), np.int64)
    add_areas(picture, sum_lines(picture > 0), np.array([0]), ranks, entries, 1, sums)
    assert sums[0, :, 0, 0].tolist() == [2] * 100 + [1] * 155
