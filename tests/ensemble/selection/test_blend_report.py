"""Choosing a blend of arrays: what is kept, how it is shown, and what is refused."""

import json
from typing import Any

import numpy as np
import pytest
from conftest import TILE_GROUPS, draw_samples

from ensemble.selection.blend import Blend
from ensemble.selection.report import BlendReport, select_blend
from ensemble.statistics.metrics import METRICS
from members.common.choices import BlendObjective
from members.common.errors import InputError

SAMPLES = draw_samples(3)


def select(**changes: Any) -> BlendReport:
    given: dict[str, Any] = {"maps": SAMPLES.maps, "truths": SAMPLES.truths, "groups": TILE_GROUPS, "bags": 2}
    return select_blend(**given | changes)


def test_arrays_and_samples_give_the_same() -> None:
    report = select()
    assert select_blend(SAMPLES, bags=2).describe() == report.describe()
    assert [each.method for each in report.judgements] == ["mean", "single", "greedy"]
    assert report.chosen in report.judgements
    assert report.calibration is None
    assert report.correlation.shape == (3, 3)
    assert (report.tiles, report.groups) == (4, 3)
    assert json.loads(json.dumps(report.describe()))["members"] == report.blend.weights


def test_without_groups_each_tile_is_its_own() -> None:
    assert select(groups=None).groups == 4


@pytest.mark.parametrize("method", ["mean", "single", "greedy"])
def test_the_method_that_is_asked_for_is_kept(method: str) -> None:
    report = select(method=method)
    assert report.chosen.method == method
    assert report.blend == Blend(report.chosen.weights)


def test_what_is_best_depends_on_the_objective() -> None:
    """`town` finds the one large building whole, `farms` the small ones of three other tiles."""
    truths = [np.zeros((16, 16), bool) for _ in range(4)]
    truths[0][:, :8] = True
    for truth in truths[1:]:
        truth[4:6, 4:6] = True
    town = [np.uint8(200) * truths[0], *(np.zeros((16, 16), np.uint8) for _ in range(3))]
    farms = [np.zeros((16, 16), np.uint8), *(np.uint8(200) * truth for truth in truths[1:])]
    maps = {"town": town, "farms": farms}
    best: dict[BlendObjective, tuple[str, float]] = {
        "pooled_iou": ("town", 128 / 140),
        "dice": ("town", 256 / 268),
        "mean_iou": ("farms", 3 / 4),
    }
    for objective, (member, score) in best.items():
        report = select_blend(maps, truths, method="single", objective=objective, bags=1)
        assert report.blend.weights[member] == 1
        assert report.chosen.in_sample == pytest.approx(score)
        assert report.describe()["objective"] == objective
        assert f"{METRICS[objective].title} at the best threshold" in str(report)


def test_given_weights_are_kept() -> None:
    report = select(given={"m2": 3, "m0": 1})
    assert report.blend == Blend({"m0": 1, "m1": 0, "m2": 3})
    assert report.describe()["method"] == "given"
    assert "weight 0, so not needed: m1" in str(report)


def test_calibration_is_judged_and_kept_where_it_pays() -> None:
    """`loud` is often wrong and always sure, `shy` is right and says so softly: calibrated, the mean trusts `shy`."""
    rng = np.random.default_rng(0)
    truths = [rng.random((32, 32)) < 0.5 for _ in range(6)]
    loud = [(255 * (truth ^ (rng.random(truth.shape) < 0.3))).astype(np.uint8) for truth in truths]
    shy = [
        np.clip(128 + 20 * (truth - 0.5) + rng.normal(0, 4, truth.shape), 1, 254).astype(np.uint8) for truth in truths
    ]
    maps = {"loud": loud, "shy": shy}
    report = select_blend(maps, truths, method="mean", bags=1, calibrate="isotonic")
    assert report.calibration is not None
    assert report.calibration.kept
    assert report.blend == Blend({"loud": 1, "shy": 1}, report.calibration.tables)
    assert 170 < report.blend.tables["loud"][255] < 190  # right in 70 % of the cases
    assert "isotonic calibration, mean of all: " in str(report)
    assert str(report).endswith("; kept: a chance of 100% to help on new groups reaches 90%")
    assert report.describe()["calibration"]["kept"] is True
    assert report.describe()["tables"]["loud"] == report.calibration.tables["loud"].tolist()
    single = select_blend(maps, truths, method="single", bags=1, calibrate="isotonic")
    assert str(single).splitlines()[-2].endswith("refused: it changes nothing")  # in order, values stay
    assert single.blend.tables == {}


def test_one_group_is_scored_in_sample_alone() -> None:
    report = select(groups=["g"] * 4, calibrate="temperature")
    assert report.blend == Blend.mean(["m0", "m1", "m2"])
    assert "refused, as one group of tiles can't be cross-fitted" in str(report)


def test_tables_as_text_and_in_a_notebook() -> None:
    report = select(method="mean")
    assert report.tables[0].title == "pooled IoU at the best threshold, 4 tiles of 3 groups"
    lines = str(report).splitlines()
    assert lines[2].startswith("mean of all  1 x m0, 1 x m1, 1 x m2")
    assert lines[2].endswith("kept")
    assert lines[7].split() == ["m0", "m1", "m2"]
    assert lines[8].split()[:2] == ["m0", "1.000"]
    shown = report._repr_html_()
    assert shown.count("<table>") == 2
    assert "<td>mean of all</td>" in shown
    assert repr(report) == str(report)


def test_one_member_correlates_with_nobody() -> None:
    report = select(maps={"m0": SAMPLES.maps["m0"]})
    assert report.blend == Blend({"m0": 1})
    assert len(report.tables) == 1


def test_errors_that_do_not_vary_are_null_in_json() -> None:
    truth = np.array([[True, False]])
    maps = {"right": [np.array([[255, 0]], np.uint8)] * 2, "wrong": [np.array([[200, 0]], np.uint8)] * 2}
    described = select_blend(maps, [truth] * 2, bags=1).describe()
    assert described["error_correlation"] == [[None, None], [None, 1.0]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"truths": None}, r"truths: none; give one mask a tile, bool \(h, w\), beside the maps"),
        ({"maps": SAMPLES}, "truths, groups: samples have their own"),
        ({"groups": ["a"]}, "groups: 1 for 4 truths"),
        ({"objective": "building_f1"}, "objective 'building_f1': not of blends; there are pooled_iou, mean_iou, dice"),
        ({"method": "best"}, "method 'best': no way to blend; there are auto, mean, single, greedy"),
        ({"calibrate": "platt"}, "calibrate 'platt': no calibration; there are isotonic, temperature"),
        ({"bags": 0}, "bags 0: greedy is averaged over at least 1 draw"),
        ({"given": {"m9": 1}}, "no maps of a member 'm9'; there are m0, m1, m2"),
        ({"given": {"m0": 0}}, r"weights \[0, 0, 0\]: they sum to 0; at least one member needs"),
        ({"given": {"m0": -1}}, r"weights \[-1, 0, 0\]; they are integers from 0 to 10000"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        select(**changes)
