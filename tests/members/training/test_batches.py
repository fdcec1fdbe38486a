"""Batches: every tile once an epoch or in the shares asked for, padded, and shared out evenly."""

import keras
import numpy as np
import pytest
from conftest import draw_pairs
from hypothesis import given
from hypothesis import strategies as st

from members.common.errors import InputError
from members.training.batches import TrainingBatches, ValidationBatches, draw_order, mix_up
from members.training.spec import MemberSpec

SPEC = MemberSpec(name="any", backbone="lite0", augment="none", crop=32, batch_size=3)
PAIRS = list(draw_pairs(8, 1).values())


@given(built_up=st.lists(st.booleans(), min_size=1, max_size=40), balance=st.floats(0.01, 1), epoch=st.integers(0, 9))
def test_balance_gives_tiles_with_buildings_their_share(built_up: list[bool], balance: float, epoch: int) -> None:
    order = draw_order(built_up, balance, (42, epoch))
    assert len(order) == len(built_up)
    assert sorted(draw_order(built_up, None, (42, epoch))) == list(range(len(built_up)))
    if 0 < sum(built_up) < len(built_up):
        assert sum(built_up[index] for index in order) == round(balance * len(built_up))
        for kind in (True, False):
            counts = [list(order).count(index) for index, built in enumerate(built_up) if built == kind]
            assert max(counts) - min(counts) <= 1


def test_an_epoch_has_whole_batches_of_crops() -> None:
    batches = TrainingBatches(PAIRS, SPEC, epoch=0)
    assert len(batches) == 2  # of 8 tiles 2 are left out
    seen = [int(index) for step in range(2) for index in batches.list_indices(step)]
    assert len(set(seen)) == 6
    images, masks = batches[0]
    assert images.shape == (3, 32, 32, 3)
    assert masks.shape == (3, 32, 32, 1)
    assert set(np.unique(masks)) == {0, 1}
    assert len(TrainingBatches(PAIRS[:2], SPEC, epoch=0)[0][0]) == 2  # fewer tiles than a batch


def test_gpus_take_equal_shares_or_none() -> None:
    even = SPEC.model_copy(update={"batch_size": 4})
    assert len(TrainingBatches(PAIRS[:3], even, epoch=0, devices=2)[0][0]) == 2
    with pytest.raises(InputError, match=r"batches of 3 from 8 tiles on 2 GPUs: .* --batch-size that is a multiple"):
        TrainingBatches(PAIRS, SPEC, epoch=0, devices=2)


@pytest.mark.parametrize(("devices", "sizes"), [(1, [3, 2, 2]), (2, [3, 3, 2])])
def test_validation_takes_whole_tiles_with_others_of_their_size(devices: int, sizes: list[int]) -> None:
    """Five of 48 px, padded to 64, and two of 40 x 48; on two devices one of the five comes twice."""
    pairs = [*PAIRS[:5], *((image[:40], mask[:40]) for image, mask in PAIRS[5:7])]
    batches: keras.utils.PyDataset = ValidationBatches(pairs, SPEC, devices)
    assert [len(batches[step][0]) for step in range(len(batches))] == sizes
    images, masks = batches[0]
    assert images.shape == (3, 64, 64, 3)
    np.testing.assert_array_equal(images[0, :48, :48], PAIRS[0][0])
    np.testing.assert_array_equal(images[0, 48:, :48], PAIRS[0][0][:31:-1])  # reflected
    np.testing.assert_array_equal(masks[1, :48, :48, 0], PAIRS[1][1])


def test_mixup_mixes_images_and_targets_in_the_same_shares() -> None:
    """Of images that are what their targets say; where one of two teaches nothing, nothing is taught."""
    targets = np.array([0, 1, 0.5, -1], np.float32).reshape(4, 1, 1, 1) * np.ones((4, 2, 2, 1), np.float32)
    images = np.repeat(np.maximum(targets, 0), 3, axis=-1) * 200
    met = set()
    for seed in range(40):
        mixed, taught = mix_up(images, targets, 0.4, np.random.default_rng(seed))
        assert mixed.dtype == taught.dtype == np.float32
        known = taught[:, 0, 0, 0] >= 0
        np.testing.assert_allclose(mixed[known], np.repeat(taught[known], 3, axis=-1) * 200, atol=1e-3)
        assert not known[3]
        met.add(tuple(known))
        assert taught.max() <= 1
    assert len(met) == 4  # the example that teaches nothing is the partner of each of them, or its own


def test_a_member_with_mixup_sees_mixed_examples() -> None:
    plain = TrainingBatches(PAIRS, SPEC, epoch=0)[0][1]
    mixed, again = (TrainingBatches(PAIRS, SPEC.model_copy(update={"mixup": 5.0}), epoch=0)[0][1] for _ in range(2))
    np.testing.assert_array_equal(mixed, again)
    assert set(np.unique(plain)) == {0, 1} < set(np.unique(mixed))
