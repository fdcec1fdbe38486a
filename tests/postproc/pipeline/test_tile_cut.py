"""The own threshold of each image: that of highest expected IoU, whether the map is whole or read in strips."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ensemble.selection.blend import Blend
from postproc.pipeline import pipeline as module
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.tile_cut import TileCut

CALIBRATED = TileCut(table=tuple((np.arange(256) / 255).tolist()))


@settings(max_examples=60)
@given(st.lists(st.integers(0, 255), min_size=1, max_size=40), st.integers(0, 2**32))
def test_no_threshold_promises_more(values: list[int], seed: int) -> None:
    table = np.sort(np.random.default_rng(seed).random(256))
    chosen = TileCut(table=tuple(table.tolist())).choose(np.bincount(values, minlength=256))

    def expect(threshold: int) -> float:
        inside = sum(table[value] for value in values if value >= threshold)
        return inside / (sum(value >= threshold for value in values) + sum(table[values]) - inside)

    assert 1 <= chosen <= 255
    assert expect(chosen) == pytest.approx(max(expect(threshold) for threshold in range(1, 256)))


def test_where_the_recipe_finds_nothing_nothing_is_found() -> None:
    pipeline = Pipeline(Blend({"a": 1}), Recipe(threshold=110, min_object=3), tile_cut=CALIBRATED)
    values = np.zeros((4, 6), np.uint8)
    values[1, 1:4] = 100
    assert not pipeline.cut(values).any()
    values[1, 1] = 120
    assert not pipeline.cut(values).any()  # too small an object
    values[1, 1:4] = 120
    values[2, 1:4] = 100
    assert pipeline.cut(values).sum() == 6


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 90), st.integers(0, 40), st.sampled_from([1, 3]))
def test_a_large_map_is_cut_as_a_small_one(seed: int, strip: int, area: int, close: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.minimum(rng.integers(0, 256, (12, 9)) * rng.integers(0, 2, (12, 9)), 140).astype(np.uint8)
    recipe = Recipe(threshold=130, close=close, min_object=area)
    pipeline = Pipeline(Blend({"a": 1}), recipe, tile_cut=CALIBRATED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STRIP", strip)
        settled = pipeline.settle_windows(lambda window: values[window], values.shape)
    assert settled == pipeline.settle(values)
    np.testing.assert_array_equal(settled.cut(values), pipeline.cut(values))
