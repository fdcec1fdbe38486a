import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from members.common.errors import InputError
from postproc.pipeline.recipe import FLAT_STEPS, STEPS, Recipe
from postproc.pipeline.steps import Step, draw_kernel

odd_sizes = st.integers(0, 4).map(lambda half: 2 * half + 1)
recipes = st.builds(
    Recipe,
    threshold=st.integers(1, 255),
    order=st.sampled_from(["close-open", "open-close"]),
    kernel=st.sampled_from(["square", "ellipse"]),
    close=odd_sizes,
    open=odd_sizes,
    min_hole=st.integers(0, 9),
    min_object=st.integers(0, 9),
)
maps = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def paint(*rows: str) -> np.ndarray:
    return np.array([[255 if pixel == "#" else 0 for pixel in row] for row in rows], np.uint8)


def drop_small(mask: np.ndarray, area: int) -> np.ndarray:
    """4-connected components by SciPy, one at a time."""
    labels, count = ndimage.label(mask)
    kept = [label for label in range(1, count + 1) if (labels == label).sum() >= area]
    return np.isin(labels, kept)


def apply_by_definition(recipe: Recipe, blend: np.ndarray) -> np.ndarray:
    """SciPy's binary operators, with the outside of the picture ignored by both."""
    mask = blend >= recipe.threshold
    steps = {"close": (ndimage.binary_dilation, ndimage.binary_erosion)}
    steps["open"] = steps["close"][::-1]
    for step in recipe.order.split("-"):
        kernel = draw_kernel(recipe.kernel, getattr(recipe, step))
        for operation in steps[step]:
            mask = operation(mask, kernel, border_value=operation is ndimage.binary_erosion)
    mask = ~drop_small(~mask, recipe.min_hole)
    return drop_small(mask, recipe.min_object)


def test_neutral_recipe_is_the_threshold_128_alone() -> None:
    blend = np.array([[0, 127, 128, 255]], np.uint8)
    assert Recipe().apply(blend).tolist() == [[False, False, True, True]]


def test_closing_bridges_a_gap_and_opening_removes_a_spike() -> None:
    blend = paint(
        "...........",
        "...........",
        "..###.###..",
        "..###.###..",
        "..###.###..",
        "......#....",
        "...........",
        "...........",
    )
    closed = Recipe(close=3).apply(blend)
    assert closed[2:5, 5].all()
    assert closed.sum() == 22  # the bridge's three pixels are new, the spike stays
    opened = Recipe(open=3).apply(blend)
    assert opened.sum() == 18  # the two houses without the spike


def test_the_outside_of_the_picture_is_ignored() -> None:
    blend = paint("#..", "...", "...")
    assert Recipe(close=3).apply(blend)[0].tolist() == [True, False, False]
    assert Recipe(open=3).apply(paint("##.", "##.", "...")).sum() == 4


def test_areas_are_strict_lower_bounds_and_count_at_the_border() -> None:
    blend = paint(
        "##....",
        "##....",
        "...###",
        "...#.#",
        "...###",
    )
    assert Recipe(min_object=4).apply(blend)[0, 0]
    assert not Recipe(min_object=5).apply(blend)[0, 0]
    assert not Recipe(min_hole=1).apply(blend)[3, 4]
    assert Recipe(min_hole=2).apply(blend)[3, 4]


def test_diagonal_neighbours_are_two_objects() -> None:
    assert not Recipe(min_object=2).apply(paint("#.", ".#")).any()


@given(recipes, maps)
def test_apply_agrees_with_the_definition(recipe: Recipe, blend: np.ndarray) -> None:
    assert np.array_equal(recipe.apply(blend), apply_by_definition(recipe, blend))


@given(recipes, maps)
def test_normalising_changes_no_mask_and_is_idempotent(recipe: Recipe, blend: np.ndarray) -> None:
    normal = recipe.normalise()
    assert np.array_equal(recipe.apply(blend), normal.apply(blend))
    assert normal.normalise() == normal
    assert recipe.complexity == normal.complexity


@given(recipes)
def test_json_round_trip(recipe: Recipe) -> None:
    assert Recipe.parse(recipe.model_dump(mode="json"), "here") == recipe


def test_normal_form_of_kernels_that_are_off() -> None:
    assert Recipe(close=1, open=1, kernel="ellipse", order="open-close").normalise() == Recipe()
    one = Recipe(close=3, kernel="ellipse", order="open-close").normalise()
    assert (one.kernel, one.order) == ("ellipse", "close-open")
    assert Recipe(min_hole=1, min_object=1).normalise() == Recipe()


def test_ties_prefer_fewer_steps_then_kernels_then_areas_then_the_threshold() -> None:
    ranked = [
        Recipe(),
        Recipe(threshold=127),
        Recipe(threshold=129),
        Recipe(threshold=1),
        Recipe(min_object=8),
        Recipe(min_hole=16),
        Recipe(close=3, threshold=9),
        Recipe(open=5),
        Recipe(open=3, close=3),
    ]
    keys = [recipe.complexity for recipe in ranked]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_complexity_tells_every_two_distinct_recipes_apart() -> None:
    grid = itertools.product(["close-open", "open-close"], ["square", "ellipse"], [1, 3, 5], [1, 3, 5], [0, 4], [0, 4])
    names = ("order", "kernel", "close", "open", "min_hole", "min_object")
    distinct = {Recipe.model_validate(dict(zip(names, values, strict=True))).normalise() for values in grid}
    assert len({recipe.complexity for recipe in distinct}) == len(distinct)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"treshold": 100}, ["recipe.treshold", "keys are threshold, order"]),
        ({"threshold": 0}, ["recipe.threshold", "got 0", "1"]),
        ({"threshold": 256}, ["recipe.threshold", "got 256", "255"]),
        ({"threshold": 127.5}, ["recipe.threshold", "got 127.5"]),
        ({"close": 4}, ["recipe.close", "got 4", "odd"]),
        ({"open": -1}, ["recipe.open", "got -1"]),
        ({"kernel": "disk"}, ["recipe.kernel", "got 'disk'", "'square' or 'ellipse'"]),
        ({"min_hole": True}, ["recipe.min_hole", "got True"]),
        ([], ["recipe", "got []"]),
    ],
)
def test_unusable_json_is_one_line_that_says_where_and_why(value: object, words: str) -> None:
    with pytest.raises(InputError) as caught:
        Recipe.parse(value, "tuned.json")
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in ["tuned.json", *words])


@pytest.mark.parametrize("blend", [np.zeros((2, 2)), np.zeros((2, 2, 1), np.uint8), np.zeros(4, np.uint8)])
def test_only_uint8_maps_are_accepted(blend: np.ndarray) -> None:
    with pytest.raises(InputError, match="uint8 map"):
        Recipe().apply(blend)


def test_kernels_are_opencvs() -> None:
    assert draw_kernel("square", 3).all()
    assert np.array_equal(draw_kernel("ellipse", 3), cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))


@given(recipes, maps)
def test_grey_operators_commute_with_the_threshold(recipe: Recipe, blend: np.ndarray) -> None:
    assert np.array_equal(recipe.apply_grey(blend) >= recipe.threshold, recipe.apply(blend))


@pytest.mark.parametrize("step", FLAT_STEPS)
def test_each_step_is_off_by_default_and_tries_that_too(step: type[Step]) -> None:
    off = step()
    assert off.active == 0
    assert off.describe() == []
    house = paint("...", ".#.", "...")
    assert np.array_equal(off.apply_grey(house), house)
    assert off in {step(**setting).normalise() for setting in step.list_settings()}


def test_every_parameter_is_of_one_step() -> None:
    names = [name for step in STEPS for name in step.model_fields]
    assert sorted(names) == sorted(Recipe.model_fields)
    assert list(Recipe().model_dump()) == ["threshold", "order", "kernel", "close", "open", "min_hole", "min_object"]


def test_a_recipe_in_words_leaves_out_what_is_off() -> None:
    assert str(Recipe()) == "threshold 128"
    full = Recipe(threshold=90, close=3, open=5, order="open-close", kernel="ellipse", min_hole=4, min_object=16)
    assert str(full) == (
        "threshold 90, open 5x5 ellipse, close 3x3 ellipse, fill holes under 4 px, drop objects under 16 px"
    )
