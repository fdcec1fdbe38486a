"""A pipeline is saved and read whole, and its mask is its outlines' where these are part of it."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.selection.blend import Blend
from members.common.errors import InputError
from postproc.objects.model import ObjectModel, Tree
from postproc.pipeline.outlines import OutlineRecipe
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.steps import KERNEL_SHAPES, ORDERS
from postproc.pipeline.tile_cut import TileCut
from postproc.polygons.buildings import rasterize_outlines

TABLE = np.minimum(np.arange(256) * 2, 255).astype(np.uint8)


def draw_house() -> np.ndarray:
    """A house of 20x20 px with a bay of 2x2 px, which outlines leave out."""
    values = np.zeros((32, 32), np.uint8)
    values[6:26, 6:26] = 200
    values[26:28, 10:12] = 200
    return values


def test_the_mask_is_cut_or_drawn_from_the_outlines() -> None:
    values = draw_house()
    cut, drawn = Pipeline(Blend({"a": 1})), Pipeline(Blend({"a": 1}), outlines=OutlineRecipe())
    assert np.array_equal(cut.mask(values), values > 0)
    assert drawn.mask(values).sum() == 400
    assert np.array_equal(cut.cut(values), drawn.cut(values))
    (building,) = cut.outline(values)
    assert np.array_equal(rasterize_outlines([building.outline], values.shape), drawn.mask(values))


TREE = Tree(feature=(0, -1, -1), threshold=(5.0, 0, 0), left=(1, -1, -1), right=(2, -1, -1), value=(0, -3.0, 3.0))
CUT = TileCut(table=(0.5,) * 256)
LARGE = ObjectModel(base=0.0, trees=(TREE,), cut=0.5)  # 149 px or more


def test_what_is_hardly_a_building_is_left_out() -> None:
    values = draw_house()
    values[0:4, 0:4] = 200
    pipeline = Pipeline(Blend({"a": 1}), outlines=OutlineRecipe(), objects=LARGE)
    (building,) = pipeline.outline(values)
    assert building.confidence == pytest.approx(1 / (1 + np.exp(-3)))
    assert pipeline.mask(values).sum() == 400


@pytest.mark.parametrize("objects", [None, LARGE])
@pytest.mark.parametrize("outlines", [None, OutlineRecipe(tolerance=3.0)])
def test_what_is_saved_is_read(tmp_path: Path, outlines: OutlineRecipe | None, objects: ObjectModel | None) -> None:
    pipeline = Pipeline(Blend({"a": 2, "b": 0}, {"a": TABLE}), Recipe(threshold=90, close=3), outlines, objects, CUT)
    pipeline.save(tmp_path / "tuned.json", scores={"default": 0.5})
    assert Pipeline.load(tmp_path / "tuned.json").describe() == pipeline.describe()
    assert json.loads((tmp_path / "tuned.json").read_text())["scores"] == {"default": 0.5}


def test_a_recipe_alone_goes_with_all_members_alike(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text('{"threshold": 77}')
    loaded = Pipeline.load(tmp_path / "recipe.json", ["a", "b"])
    assert loaded.describe() == Pipeline(Blend({"a": 1, "b": 1}), Recipe(threshold=77)).describe()


def test_words() -> None:
    blend = Blend({"a": 2, "b": 0, "c": 1})
    assert str(Pipeline(blend, Recipe(threshold=90))) == "2 x a, 1 x c, threshold 90"
    assert str(Pipeline(blend, outlines=OutlineRecipe())) == "2 x a, 1 x c, threshold 128, outlines as by default"
    split = OutlineRecipe(tolerance=3.0, split_contrast=24)
    assert Pipeline(blend, outlines=split).describe_masks() == "threshold 128, outlines split_contrast 24, tolerance 3"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a readable JSON file"),
        ('{"recipe": {"threshold": 0}}', r"recipe.threshold: got 0"),
        ('{"recipe": {}, "members": {"a": -1}}', "non-negative integer weights by member"),
        (
            '{"recipe": {}, "outlines": {"tolerance": -1}}',
            r"outlines.tolerance: .* got -1; restore it, or run roofstack tune again",
        ),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "tuned.json").write_text(content)
    with pytest.raises(InputError, match=message):
        Pipeline.load(tmp_path / "tuned.json", ["a"])


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32), smooth=st.integers(1, 4), threshold=st.integers(90, 160),
    order=st.sampled_from(ORDERS), kernel=st.sampled_from(sorted(KERNEL_SHAPES)),
    close=st.sampled_from([1, 3, 7]), opening=st.sampled_from([1, 3, 5]),
    min_hole=st.integers(0, 12), min_object=st.integers(0, 20),
    top=st.integers(0, 40), left=st.integers(0, 50), height=st.integers(1, 30), width=st.integers(1, 30),
)  # fmt: skip
def test_a_window_is_cut_as_the_whole_map_is(
    seed: int, smooth: int, threshold: int, order: Any, kernel: Any, close: int, opening: int, min_hole: int,
    min_object: int, top: int, left: int, height: int, width: int,
) -> None:  # fmt: skip
    values = cv2.blur(np.random.default_rng(seed).integers(0, 256, (60, 70), np.uint8), (smooth, smooth))
    areas = {"min_hole": min_hole, "min_object": min_object}
    recipe = Recipe(threshold=threshold, order=order, kernel=kernel, close=close, open=opening, **areas)
    pipeline, window = Pipeline(Blend({"a": 1}), recipe), (slice(top, top + height), slice(left, left + width))
    mask, blend = pipeline.cut_window(lambda outer: values[outer], values.shape, window)
    assert np.array_equal(mask, pipeline.cut(values)[window])
    assert np.array_equal(blend, values[window])


def test_a_notebook_shows_it_as_a_table() -> None:
    shown = Pipeline(Blend({"a<b": 1}), Recipe(threshold=99))._repr_html_()
    assert "<td>1 x a&lt;b</td>" in shown
    assert "<td>threshold 99</td>" in shown
    assert "as by default" in shown
