"""Touching buildings are cut at necks and along the valleys of a relief."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from postproc.polygons.splitting import REACH, split_by_distance, split_by_relief

DUMBBELL = np.zeros((21, 43), bool)
DUMBBELL[1:20, 1:20] = DUMBBELL[1:20, 23:42] = DUMBBELL[8:13, 20:23] = True


def test_a_neck_is_cut() -> None:
    labels = split_by_distance(DUMBBELL.astype(int), 3.0)
    assert labels.max() == 2
    np.testing.assert_array_equal(labels > 0, DUMBBELL)
    assert labels[10, 5] != labels[10, 37]


def test_a_wide_neck_is_none() -> None:
    assert split_by_distance(DUMBBELL.astype(int), 9.0).max() == 1


def test_a_valley_of_the_relief_is_a_wall() -> None:
    mask = np.ones((5, 9), bool)
    relief = np.tile(np.array([200, 250, 250, 180, 140, 180, 250, 250, 200], np.uint8), (5, 1))
    labels = split_by_relief(mask, relief, 100, smoothing=0, least=0)
    assert labels.tolist() == [[1] * 5 + [2] * 4] * 5
    assert split_by_relief(mask, relief, 111, smoothing=0, least=0).max() == 1
    assert split_by_relief(mask, relief, 100, smoothing=0, least=21).max() == 1
    assert split_by_relief(mask, relief, 100, smoothing=2, least=0).max() == 1  # the valley is narrow


def test_components_stay_what_they_are() -> None:
    mask = np.array([[1, 1, 0, 1, 1]], bool)
    labels = split_by_relief(mask, np.full((1, 5), 150, np.uint8), 24)
    assert labels.tolist() == [[1, 1, 0, 2, 2]]


def test_of_an_empty_mask_nothing_is_cut() -> None:
    empty = np.zeros((4, 4), bool)
    assert not split_by_relief(empty, np.zeros((4, 4), np.uint8), 24).any()
    assert not split_by_distance(empty.astype(np.int32), 1.0).any()


@pytest.mark.parametrize("seed", range(4))
def test_pixels_farther_than_the_reach_change_nothing(seed: int) -> None:
    """A window with the reach around an object cuts it as the whole picture does."""
    noise = np.random.default_rng(seed).normal(size=(120, 140))
    relief = np.clip(128 + 400 * gaussian_filter(noise, 2.0), 0, 255).astype(np.uint8)
    mask = np.zeros(relief.shape, bool)
    mask[50:80, 40:90] = True
    window = np.s_[50 - REACH : 80 + REACH, 40 - REACH : 90 + REACH]
    whole = split_by_relief(mask, relief, 2, least=0)
    np.testing.assert_array_equal(split_by_relief(mask[window], relief[window], 2, least=0), whole[window])
    assert whole.max() > 1
