"""Object models: what is measured, that trees judge as scikit-learn's do, and what is no model."""

import json
from pathlib import Path

import numpy as np
import pytest
from shapely import Polygon, box
from sklearn.ensemble import GradientBoostingClassifier

from members.common.errors import InputError
from postproc.objects.features import FEATURES, measure_objects
from postproc.objects.fitting import SETTINGS, ObjectTable, boost, choose_cut, fit_model
from postproc.objects.model import ObjectModel
from postproc.pipeline.pipeline import Pipeline
from postproc.polygons.buildings import Building


def measure(outline: Polygon, values: np.ndarray) -> dict[str, float]:
    (row,) = measure_objects([Building(outline, "regularised", 1.0)], values)
    return dict(zip(FEATURES, row.tolist(), strict=True))


def test_a_house_is_measured() -> None:
    values = np.zeros((20, 30, 2), np.uint8)
    values[..., 0] = 51
    values[..., 1] = 102
    values[5:10, 5:15, 0] = 255
    values[6, 6, 0] = 0
    found = measure(box(5, 5, 15, 10), values)
    assert found == pytest.approx(
        {
            "area": np.log(50),
            "perimeter": 30 / (4 * np.sqrt(50)),
            "elongation": 2,
            "rectangularity": 1,
            "convexity": 1,
            "vertices": np.log(4),
            "regularity": 2,
            "probability": 0.98,
            "std": 0.14,
            "border_probability": 1,
            "ring_probability": 0.2,
            "ring_relief": 0.4,
            "at_border": 0,
        },
        abs=1e-6,
    )
    assert measure(box(0, 5, 15, 10), values)["at_border"] == 1
    assert measure(box(14, 5, 30, 10), values)["at_border"] == 1
    ell = Polygon([(0, 0), (10, 0), (10, 5), (5, 5), (5, 10), (0, 10)])
    assert measure(ell, values)["rectangularity"] == pytest.approx(0.75)
    assert measure(ell, values)["convexity"] == pytest.approx(75 / 87.5)


@pytest.mark.parametrize("outline", [box(3.1, 3.1, 3.2, 3.2), box(0, 0, 20, 20), box(-3, -3, 5, 5)])
def test_any_outline_can_be_measured(outline: Polygon) -> None:
    assert np.isfinite(list(measure(outline, np.full((20, 20), 9, np.uint8)).values())).all()
    assert measure_objects([], np.zeros((4, 4), np.uint8)).shape == (0, len(FEATURES))


def draw_table(count: int = 400, tiles: int = 40) -> ObjectTable:
    """Buildings that are true where two of their features together say so, by and large."""
    rng = np.random.default_rng(3)
    features = rng.normal(size=(count, len(FEATURES))).astype(np.float32)
    found = features[:, 0] + features[:, 7] + rng.normal(0, 0.3, count) > 0
    return ObjectTable(features, found, rng.integers(0, tiles, count), np.full(tiles, 6))


def test_trees_judge_as_where_they_come_from() -> None:
    table = draw_table()
    theirs = GradientBoostingClassifier(**SETTINGS).fit(table.features, table.found)
    ours = boost(table.features, table.found).judge(table.features)
    np.testing.assert_allclose(ours, theirs.predict_proba(table.features)[:, 1], rtol=1e-9)


def test_what_may_not_be_looked_at_changes_nothing() -> None:
    table, groups, training = draw_table(), np.arange(40) % 10, np.arange(10) < 8
    held = ~training[groups[table.tile]]
    other = ObjectTable(table.features.copy(), table.found ^ held, table.tile, table.truths.copy())
    other.features[held] = 0
    other.truths[~training[groups]] = 99
    model = fit_model(table, groups, training)
    assert model is not None
    assert model == fit_model(other, groups, training)
    assert 0 < model.cut < 0.65
    right = (model.judge(table.features[held]) >= 0.5) == table.found[held]
    assert right.mean() > 0.85


def test_too_few_to_fit() -> None:
    table, groups = draw_table(), np.arange(40) % 10
    assert fit_model(table, groups, np.arange(10) < 0) is None
    alike = ObjectTable(table.features, np.ones(400, bool), table.tile, table.truths)
    assert fit_model(alike, groups, np.ones(10, bool)) is None


def test_the_cut_is_that_of_highest_f1() -> None:
    rng = np.random.default_rng(0)
    judged, found = rng.random(200), rng.random(200) < 0.4
    cut = choose_cut(judged, found, 90)

    def f1(least: float) -> float:
        kept = judged >= least
        return 2 * np.sum(kept & found) / (kept.sum() + 90)

    assert f1(cut) == max(f1(round(0.05 * step, 2)) for step in range(13))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": ["area", "colour"]}, "a model of other features than are measured here: area, colour"),
        ({"cut": 2}, "less than or equal to 1, got 2"),
        ({"trees": [{"feature": [0], "threshold": [1], "left": [0], "right": [0], "value": [1]}]}, "not after it"),
        ({"trees": [{"feature": [99], "threshold": [1], "left": [0], "right": [0], "value": [1]}]}, "less than 13"),
        ({"trees": [{"feature": [], "threshold": [], "left": [], "right": [], "value": []}]}, "or empty"),
    ],
)
def test_what_is_no_model(tmp_path: Path, change: dict[str, object], message: str) -> None:
    content = ObjectModel(base=0.5, trees=()).model_dump() | change
    path = tmp_path / "tuned.json"
    path.write_text(json.dumps({"recipe": {}, "objects": content}))
    with pytest.raises(InputError, match=message) as refused:
        Pipeline.load(path, ["a"])
    assert "\n" not in str(refused.value)
    assert "restore it, or run roofstack tune again" in str(refused.value)
