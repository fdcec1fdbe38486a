"""Merges are what their names say, and networks see images padded to what they take."""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
from conftest import SYMMETRIES, Standin, draw_stack

from ensemble.inference.merging import MERGES, choose_views, merge_views, see_views
from ensemble.inference.networks import Network
from ensemble.inference.views import VIEW_SETS, View, parse_views
from members.common.choices import MergeName
from members.common.errors import InputError
from members.training.catalog import find_spec


def merge(standins: list[Standin], stack: np.ndarray, views: tuple[View, ...]) -> np.ndarray:
    [probability] = merge_views([each.network for each in standins], stack, views)
    return probability


@pytest.mark.parametrize("tta", ["none", "flips", "d4"])
@pytest.mark.parametrize("size", [(32, 64), (33, 47), (64, 31)])
@pytest.mark.parametrize("member", ["lite0_unet", "resnet34_pspnet"])  # multiples of 32 and 48 px
def test_a_network_that_sees_all_views_alike(tta: str, size: tuple[int, int], member: str) -> None:
    stack = draw_stack(3, *size)
    probability = merge([Standin(member=member)], stack, VIEW_SETS[tta])
    assert probability.dtype == np.float32
    np.testing.assert_allclose(probability, stack[..., 0] / 255, atol=1e-6)


def test_scales_on_a_smooth_image() -> None:
    rows, columns = np.mgrid[:45, :70]
    stack = np.repeat((rows * 2 + columns).astype(np.uint8)[None, ..., None], 3, axis=3)
    probability = merge([Standin()], stack, VIEW_SETS["d4_scale"])
    assert np.abs(probability - stack[..., 0] / 255)[:, 3:-3, 3:-3].max() < 1.5 / 255


def test_sides_are_padded_by_reflection() -> None:
    network, stack = Standin(), draw_stack(1, 33, 47)
    merge([network], stack, VIEW_SETS["none"])
    expected = np.pad(stack[0], [(0, 31), (0, 17), (0, 0)], mode="symmetric")
    np.testing.assert_array_equal(network.batches[0][0], expected)


def see_naively(standins: list[Standin], stack: np.ndarray) -> np.ndarray:
    """What each network says of each symmetry, (views, n, h, w)."""
    return np.array(
        [
            [undo(each.predict(turn(image)[None].astype(np.float32))[0, ..., 0]) for image in stack]
            for turn, undo in SYMMETRIES
            for each in standins
        ],
        np.float64,
    )


@pytest.mark.parametrize(
    ("merge", "naive"),
    [
        ("mean", lambda seen: seen.mean(axis=0)),
        ("gmean", lambda seen: seen.prod(axis=0) ** (1 / len(seen))),
        ("power", lambda seen: np.sqrt((seen**2).mean(axis=0))),
        ("max", lambda seen: seen.max(axis=0)),
        ("min", lambda seen: seen.min(axis=0)),
    ],
)
def test_merges_against_numpy(merge: str, naive: Callable[[np.ndarray], np.ndarray]) -> None:
    stack, standins = draw_stack(2, 32, 64), [Standin(tilt=0.8), Standin(0.5, 0.3)]
    seen = see_naively(standins, stack)
    [merged, std] = merge_views([each.network for each in standins], stack, VIEW_SETS["d4"], merge, std=True)
    np.testing.assert_allclose(merged, naive(seen), atol=1e-6)
    np.testing.assert_allclose(std, seen.std(axis=0), atol=1e-6)
    assert np.abs(merged - seen[0]).max() > 0.1
    assert set(MERGES) == set(get_args(MergeName)) == {"mean", "gmean", "power", "max", "min"}


def test_the_geometric_mean_does_not_underflow() -> None:
    def always(probability: float) -> Network:
        return Network(find_spec("lite0_unet"), lambda batch: np.full((*batch.shape[:3], 1), probability, np.float32))

    tiny = [always(1e-30)] * 3
    [merged] = merge_views(tiny, draw_stack(1, 32, 32), VIEW_SETS["d4"], "gmean")
    np.testing.assert_allclose(merged, 1e-30, rtol=1e-4)
    assert not merge_views([always(0), *tiny], draw_stack(1, 32, 32), VIEW_SETS["d4"], "gmean").any()


def test_networks_are_averaged() -> None:
    stack = draw_stack(1, 32, 32)
    probability = merge([Standin(0.2), Standin(0.6)], stack, VIEW_SETS["flips"])
    np.testing.assert_allclose(probability, stack[..., 0] / 255 * 0.4, atol=1e-6)


def test_a_member_that_supports_none_of_the_views() -> None:
    with pytest.raises(InputError, match=r"lite0_unet: not trained to support any of the views scale0.75, scale2;"):
        choose_views(find_spec("lite0_unet"), parse_views("scale0.75,scale2"))


def test_views_of_one_shape_are_shown_together_as_far_as_a_batch_holds_them() -> None:
    for stack, shapes in [
        (draw_stack(1, 64, 64), [(8, 64, 64)]),
        (draw_stack(3, 64, 64), [(6, 64, 64)] + [(2 * 3, 64, 64)] * 3),
        (draw_stack(8, 64, 64), [(8, 64, 64)] * 8),
        (draw_stack(1, 32, 64), [(4, 32, 64), (4, 64, 32)]),
        (draw_stack(1, 512, 512), [(2, 512, 512)] * 4),
    ]:
        standin = Standin(tilt=0.8)
        seen = list(see_views([standin.network], stack, VIEW_SETS["d4"]))
        assert [batch.shape[:3] for batch in standin.batches] == shapes
        alone = [next(see_views([standin.network], stack, [view])) for view in VIEW_SETS["d4"]]
        np.testing.assert_array_equal(seen, alone)
