"""Touching buildings are cut at necks and along the map's valleys."""

import numpy as np
import pytest
import skimage

from postproc.polygons.splitting import split_by_distance, split_by_map

DUMBBELL = np.zeros((21, 43), bool)
DUMBBELL[1:20, 1:20] = DUMBBELL[1:20, 23:42] = DUMBBELL[8:13, 20:23] = True


def test_a_neck_is_cut() -> None:
    labels = split_by_distance(DUMBBELL.astype(int), 3.0)
    assert labels.max() == 2
    np.testing.assert_array_equal(labels > 0, DUMBBELL)
    assert labels[10, 5] != labels[10, 37]


def test_a_wide_neck_is_none() -> None:
    assert split_by_distance(DUMBBELL.astype(int), 9.0).max() == 1


def test_cores_of_the_map_become_buildings() -> None:
    mask = np.ones((5, 9), bool)
    blend = np.tile(np.array([200, 250, 250, 180, 140, 180, 250, 250, 200], np.uint8), (5, 1))
    labels = split_by_map(mask, blend, 240)
    assert labels.max() == 2
    assert (labels[:, :4] == labels[0, 0]).all()
    assert (labels[:, 5:] == labels[0, 8]).all()


def test_a_component_without_a_core_stays_one() -> None:
    mask = np.array([[1, 1, 0, 1, 1]], bool)
    labels = split_by_map(mask, np.full((1, 5), 150, np.uint8), 240)
    assert labels.tolist() == [[1, 1, 0, 2, 2]]


def test_of_an_empty_mask_nothing_is_cut() -> None:
    empty = np.zeros((4, 4), bool)
    assert not split_by_map(empty, np.zeros((4, 4), np.uint8), 128).any()
    assert not split_by_distance(empty.astype(int), 1.0).any()


@pytest.mark.parametrize("seed", range(8))
def test_cuts_are_those_of_scikit_image_over_the_whole_mask(seed: int) -> None:
    """Whether a component has no core, one, or several, as one has at least."""
    noise = np.random.default_rng(seed).normal(size=(60, 80))
    smooth = skimage.filters.gaussian(noise, 2.0)
    blend = np.clip(128 + 90 * smooth / smooth.std(), 0, 255).astype(np.uint8)
    mask = blend >= 128
    cores = skimage.measure.label(blend >= 220, connectivity=1)
    grown = skimage.segmentation.watershed(255 - blend.astype(int), cores, mask=mask)
    components = skimage.measure.label(mask, connectivity=1)
    grown[mask & (grown == 0)] = components[mask & (grown == 0)] + cores.max()
    np.testing.assert_array_equal(
        split_by_map(mask, blend, 220), skimage.measure.label(grown, background=0, connectivity=1)
    )
    within = [len(np.unique(cores[(components == n) & (cores > 0)])) for n in range(1, components.max() + 1)]
    assert max(within) > 1
