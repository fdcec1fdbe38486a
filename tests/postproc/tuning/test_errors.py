"""Kinds of errors, on masks whose wrong pixels can be counted by eye."""

import numpy as np

from postproc.tuning.errors import KINDS, Errors, count_errors, find_lonely


def draw(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((40, 40), bool)
    for top, left, bottom, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


def test_each_kind() -> None:
    truth = draw((2, 2, 22, 22), (30, 30, 35, 34))
    mask = draw((2, 3, 22, 22), (30, 2, 32, 5))  # a column short, one roof missed, one invented
    mask[11, 11] = False  # a hole far from any border
    assert dict(zip(KINDS, count_errors(mask, truth).tolist(), strict=True)) == {
        "missed": 20,
        "invented": 6,
        "border": 20,
        "rest": 1,
    }


def test_objects_that_touch_nothing() -> None:
    objects, others = draw((0, 0, 2, 2), (5, 5, 7, 7)), draw((1, 1, 2, 2))
    assert np.array_equal(find_lonely(objects, others), draw((5, 5, 7, 7)))
    assert not find_lonely(draw(), others).any()


def test_shares() -> None:
    errors = Errors({"missed": 1, "invented": 2, "border": 5, "rest": 2})
    assert errors.find_share("missed", "invented") == 0.3
    assert Errors(dict.fromkeys(KINDS, 0)).find_share("border") == 0
