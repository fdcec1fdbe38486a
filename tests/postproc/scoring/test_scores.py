"""Scores of masks in memory, beside those that can be counted by eye."""

import doctest
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapely import box

from ensemble.statistics.metrics import METRICS
from members.common.errors import InputError
from postproc.polygons.buildings import Building
from postproc.polygons.tracing import trace_mask
from postproc.scoring import scores as module
from postproc.scoring.buildings import ImageBuildings, compare_buildings
from postproc.scoring.scores import OF_WALLS, Scores, make_scorer, score_each, score_masks


def draw(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A mask of (top, bottom, left, right)."""
    mask = np.zeros((20, 30), bool)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


TRUTHS = [draw((0, 10, 0, 10)), draw((0, 10, 0, 10), (15, 20, 20, 30)), draw()]
MASKS = [draw((0, 10, 0, 8)), draw((0, 10, 0, 10)), draw()]


def test_scores_by_hand() -> None:
    scores = score_masks(MASKS, TRUTHS, ["a", "b", "b"])
    assert list(scores) == list(METRICS)
    values = {name: score.value for name, score in scores.items()}
    assert values["pooled_iou"] == (80 + 100) / (100 + 150)
    assert values["mean_iou"] == pytest.approx((0.8 + 100 / 150 + 1) / 3)
    assert (values["precision"], values["recall"]) == (1, 180 / 250)
    assert (values["building_f1"], values["building_precision"], values["building_recall"]) == (4 / 5, 1, 2 / 3)
    assert values["hausdorff"] == 1
    assert np.isnan([values[name] for name in OF_WALLS]).all()  # of stairs
    assert (scores.images, scores.groups) == (3, 2)
    assert scores["pooled_iou"].interval == (100 / 150, 80 / 100)  # drawn twice, each group is an end


def test_without_groups_each_image_is_one() -> None:
    scores = score_masks(MASKS, TRUTHS)
    assert scores.groups == 3
    assert score_masks(MASKS[:1], TRUTHS[:1])["pooled_iou"].interval is None


def test_outlines_are_ranked_by_confidence() -> None:
    """The wrong one is the surer one: of two that halves the precision; where it is the less sure one it costs none."""
    house, shed = box(0, 0, 10, 10), box(20, 0, 25, 5)
    for confidence, ap50 in ((0.9, 0.5), (0.1, 1.0)):
        buildings = [Building(shed, "traced", confidence), Building(house, "traced", 0.5)]
        scores = score_masks([draw((0, 10, 0, 10), (0, 5, 20, 25))], TRUTHS[:1], outlines=[buildings])
        assert scores["ap50"].value == pytest.approx(ap50)
        assert scores["building_precision"].value == 0.5


def test_scores_in_words_and_as_json() -> None:
    scores = score_masks(MASKS[:1], TRUTHS[:1])
    lines = str(scores).splitlines()
    assert lines[0] == "1 images of 1 groups"
    assert lines[2].split() == ["IoU,", "all", "pixels", "pooled", "0.8000"]
    assert len(lines) == 2 + len(METRICS) - len(OF_WALLS) + 1
    assert lines[-1].startswith("without C-IoU, N ratio, right angles, right angles of the truth: these take outlines")
    assert repr(scores) == str(scores)
    html = scores._repr_html_()
    assert "<td>IoU, all pixels pooled</td><td>0.8000</td><td></td>" in html
    described = json.loads(json.dumps(score_masks(MASKS[2:] * 2, [TRUTHS[2], TRUTHS[0]]).describe()))
    assert (described["polis"], described["intervals"]["polis"], described["images"]) == (None, None, 2)
    assert described["intervals"]["pooled_iou"] == [0, 1]


def test_scores_are_a_mapping() -> None:
    scores = score_masks(MASKS, TRUTHS)
    assert len(scores) == len(METRICS)
    assert isinstance(scores, Scores)
    with pytest.raises(KeyError):
        scores["no_metric"]


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(arrays(bool, (6, 7)), arrays(bool, (6, 7))), min_size=1, max_size=4), st.randoms())
def test_the_order_of_images_does_not_matter(pairs: list[tuple[np.ndarray, np.ndarray]], random: Any) -> None:
    """But for average precision: of equal confidences those of the first image come first."""
    pairs = [*pairs, (np.ones((6, 7), bool), np.ones((6, 7), bool))]
    shuffled = random.sample(pairs, len(pairs))
    one, other = (score_masks(*zip(*each, strict=True)) for each in (pairs, shuffled))
    values = [{n: s.value for n, s in each.items() if n not in ("ap", "ap50", "ap75")} for each in (one, other)]
    assert values[0] == pytest.approx(values[1], nan_ok=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((MASKS[:2], TRUTHS), r"masks: 2 for 3 truths; give one an image"),
        ((MASKS, TRUTHS, ["a"]), r"groups: 1 for 3 truths"),
        ((MASKS, TRUTHS, None, [[]]), r"outlines: 1 for 3 truths"),
        (([], []), "no building pixel in the truth of 0 images"),
        ((MASKS[2:], TRUTHS[2:]), "no building pixel in the truth of 1 images"),
        (([MASKS[0] * 255], TRUTHS[:1]), r"masks\[0\]: a mask is a bool array \(h, w\), True = building, got int64"),
        ((MASKS[:1], [[[1]]]), r"truths\[0\]: a mask is a bool array .* got list"),
        (([MASKS[0].T], TRUTHS[:1]), r"masks\[0\]: mask of 20x30 px for a truth of 30x20 px"),
    ],
)
def test_bad_input_is_one_line(arguments: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        score_masks(*arguments)


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(module, extraglobs={"np": np}) == doctest.TestResults(failed=0, attempted=2)


def test_an_image_by_itself_scores_as_if_only_it_counted() -> None:
    sides = [[ImageBuildings.from_outlines(trace_mask(mask), mask.shape) for mask in own] for own in (MASKS, TRUTHS)]
    images = [compare_buildings(mask, truth) for mask, truth in zip(*sides, strict=True)]
    together = make_scorer(images)(np.eye(3))
    assert together["n_ratio"].tolist()[:2] == [1, 0.5]
    for number, image in enumerate(images):
        for name, score in score_each(image).items():
            np.testing.assert_equal(score.value, together[name][number])
