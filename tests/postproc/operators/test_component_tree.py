import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.morphology import area_closing, area_opening, max_tree

from postproc.operators.component_tree import build_tree, count_areas
from postproc.pipeline.recipe import Recipe

AREAS = np.array([0, 1, 2, 3, 5, 9, 40])
few_values = st.sampled_from([0, 1, 7, 8, 200, 255])
pictures = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=few_values)


def count(image: np.ndarray, truth: np.ndarray, areas: np.ndarray = AREAS) -> np.ndarray:
    counts = np.full((len(areas), len(areas), 2, 256), -1, np.int32)
    count_areas(image, truth, areas, areas, counts)
    return counts


def count_by_definition(recipe: Recipe, image: np.ndarray, truth: np.ndarray) -> list[int]:
    """Pixels of the mask in the truth's background and building."""
    mask = recipe.apply(image)
    return [int((mask & ~truth).sum()), int((mask & truth).sum())]


def test_tree_of_a_tower_on_a_terrace_beside_a_shed() -> None:
    image = np.array(
        [
            [1, 1, 1, 1, 1],
            [1, 5, 5, 1, 3],
            [1, 5, 9, 1, 3],
        ],
        np.uint8,
    )
    parents, levels, nodes = build_tree(image)
    assert levels.tolist() == [1, 3, 5, 9]
    assert parents.tolist() == [0, 0, 0, 2]
    assert np.array_equal(levels[nodes], image)


def test_areas_of_the_tower_and_the_shed() -> None:
    image = np.array([[1, 1, 1, 1, 1], [1, 5, 5, 1, 3], [1, 5, 9, 1, 3]], np.uint8)
    counts = count(image, image == 9)
    histogram = counts[0, list(AREAS).index(2)].sum(axis=0)
    assert {value: int(n) for value, n in enumerate(histogram) if n} == {1: 9, 3: 2, 5: 4}  # the tower is one pixel
    histogram = counts[0, list(AREAS).index(3)].sum(axis=0)
    assert {value: int(n) for value, n in enumerate(histogram) if n} == {1: 11, 5: 4}  # and the shed two
    assert counts[0, list(AREAS).index(40), 0, 0] == 14  # all fifteen are fewer than forty
    assert counts[list(AREAS).index(40), 0, 1, 255] == 1  # and so they are as a hole


@settings(deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(3, 9), st.integers(3, 9)), elements=few_values))
def test_tree_has_the_components_of_scikit_images(image: np.ndarray) -> None:
    parents, levels, nodes = build_tree(image)
    assert (levels[parents[1:]] < levels[1:]).all()
    assert (parents[1:] < np.arange(1, len(parents))).all()
    assert np.array_equal(levels[nodes], image)
    above, _ = max_tree(image, connectivity=1)
    flat = image.ravel()
    representatives = (flat[above.ravel()] != flat).sum() + 1
    assert len(parents) == representatives


@settings(deadline=None)
@given(pictures, st.data())
def test_every_area_and_threshold_agrees_with_the_binary_operators(image: np.ndarray, data: st.DataObject) -> None:
    truth = data.draw(arrays(np.bool_, image.shape))
    counts = count(image, truth)
    for hole, hole_area in enumerate(AREAS):
        for number, object_area in enumerate(AREAS):
            for threshold in (1, 7, 8, 201):
                recipe = Recipe(threshold=threshold, min_hole=int(hole_area), min_object=int(object_area))
                found = counts[hole, number, :, threshold:].sum(axis=1).tolist()
                assert found == count_by_definition(recipe, image, truth)


@pytest.mark.parametrize("shape", [(3, 30), (40, 33)])
def test_grey_filters_of_scikit_image_agree_where_no_component_is_the_whole_picture(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    image = np.clip(cv2.GaussianBlur(rng.normal(128, 300, shape), (0, 0), 1), 0, 255).astype(np.uint8)
    truth = rng.random(shape) < 0.5
    areas = np.array([0, 4, 9])
    counts = count(image, truth, areas)
    for hole, hole_area in enumerate(areas):
        for number, object_area in enumerate(areas):
            filtered = area_closing(image, hole_area, connectivity=1) if hole_area else image
            filtered = area_opening(filtered, object_area, connectivity=1) if object_area else filtered
            for kind in range(2):
                expected = np.bincount(filtered[truth == kind], minlength=256)
                assert np.array_equal(counts[hole, number, kind], expected)
