"""Views each have their inverse, merges are what their names say, and networks see padded multiples."""

from collections.abc import Callable

import numpy as np
import pytest

from ensemble.inference.views import MERGES, PHOTOMETRIC, VIEW_SETS, View, bears_view, merge_views, parse_views
from members.common.errors import InputError
from members.training.catalog import find_spec

# An image without any symmetry, not square, so that a swap of axes or a wrong turn shows.
IMAGE = np.arange(3 * 5 * 2, dtype=np.uint8).reshape(3, 5, 2)
# What each view is, in NumPy's words. Quarter turns are anticlockwise.
NAIVE = {
    "e": lambda image: image,
    "h": lambda image: image[:, ::-1],
    "v": lambda image: image[::-1],
    "r180": lambda image: image[::-1, ::-1],
    "r90": lambda image: np.rot90(image, 1),
    "r270": lambda image: np.rot90(image, 3),
    "t": lambda image: image.swapaxes(0, 1),
    "hvt": lambda image: image[::-1, ::-1].swapaxes(0, 1),
}
# The eight symmetries of an image and how to get back, in NumPy's words alone.
SYMMETRIES: list[tuple[Callable, Callable]] = [
    (
        lambda image, turns=turns, flip=flip: np.rot90(image[:, ::-1] if flip else image, turns),
        lambda image, turns=turns, flip=flip: np.rot90(image, -turns)[:, :: -1 if flip else 1],
    )
    for turns in range(4)
    for flip in (False, True)
]
every_view = pytest.mark.parametrize("view", VIEW_SETS["d4"], ids=lambda view: view.name)


class Standin:
    """In a network's place: the red channel / 255 times `slope`, and `tilt` of it lost from left to right."""

    def __init__(self, slope: float = 1.0, tilt: float = 0.0, multiple: int = 32) -> None:
        self.slope, self.tilt, self.multiple = np.float32(slope), tilt, multiple
        self.batches: list[np.ndarray] = []

    def predict_on_batch(self, batch: np.ndarray) -> np.ndarray:
        self.batches.append(batch)
        assert batch.dtype == np.float32
        assert not any(side % self.multiple for side in batch.shape[1:3])
        ramp = 1 - self.tilt * np.linspace(0, 1, batch.shape[2], dtype=np.float32)
        return batch[..., :1] / np.float32(255) * self.slope * ramp[:, None].astype(np.float32)


def merge_standins(
    networks: list[Standin], stack: np.ndarray, views: tuple[View, ...], **options: object
) -> np.ndarray:
    return merge_views([network.predict_on_batch for network in networks], stack, views, **options)  # type: ignore[arg-type]


def draw_stack(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)


# Views


@every_view
@pytest.mark.parametrize("image", [IMAGE, IMAGE[..., 0], IMAGE[..., 0] / np.float32(7)], ids=["rgb", "grey", "float"])
def test_undo_gives_the_image_back(view: View, image: np.ndarray) -> None:
    back = view.undo(view.apply(image), image.shape[:2])
    np.testing.assert_array_equal(back, image)
    assert back.dtype == image.dtype
    assert back.flags.c_contiguous


@every_view
def test_apply_is_what_its_name_says(view: View) -> None:
    np.testing.assert_array_equal(view.apply(IMAGE), NAIVE[view.element](IMAGE))


@pytest.mark.parametrize("view", VIEW_SETS["d4_scale"][8:], ids=lambda view: view.name)
@pytest.mark.parametrize("size", [(32, 96), (33, 95), (41, 50)])
def test_scaled_views_come_back_in_place(view: View, size: tuple[int, int]) -> None:
    """A smooth ramp survives resampling, a wrong turn or a shift would not pass."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = (rows * 2 + columns).astype(np.uint8)
    seen = view.apply(image)
    assert abs(seen.shape[0] * seen.shape[1] / image.size - view.scale**2) < 0.05
    back = view.undo(seen.astype(np.float32), size)
    assert back.shape == size
    inner = np.s_[3:-3, 3:-3]
    assert np.abs(back - image)[inner].max() < 1.5


@pytest.mark.parametrize("view", PHOTOMETRIC, ids=lambda view: view.name)
def test_photometric_views_change_light_alone(view: View) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(4, 64)
    seen = view.apply(ramp)
    naive = np.minimum(255 * (ramp / 255) ** view.gamma * view.bright, 255)
    assert np.abs(seen - naive).max() <= 1
    assert np.abs(seen - naive).max() < np.abs(seen - ramp.astype(float)).max()
    np.testing.assert_array_equal(view.undo(ramp, ramp.shape), ramp)


def test_the_sets_hold_1_4_8_and_24_different_views() -> None:
    sizes = {name: len(set(views)) for name, views in VIEW_SETS.items()}
    assert sizes == {"none": 1, "flips": 4, "d4": 8, "d4_scale": 24}
    shown = {name: {view.apply(IMAGE[..., 0]).tobytes() for view in views} for name, views in VIEW_SETS.items()}
    assert [len(shown[name]) for name in ("none", "flips", "d4")] == [1, 4, 8]
    assert shown["none"] < shown["flips"] < shown["d4"] < shown["d4_scale"]
    assert {view.apply(IMAGE).shape for view in VIEW_SETS["flips"]} == {IMAGE.shape}


def test_names_are_what_is_typed() -> None:
    for views in (*VIEW_SETS.values(), PHOTOMETRIC):
        assert parse_views(",".join(view.name for view in views)) == tuple(views)
    assert parse_views("d4") == VIEW_SETS["d4"]
    assert parse_views("r90-scale0.75-gamma1.25") == (View("r90", 0.75, 1.25),)


@pytest.mark.parametrize("text", ["d5", "", "e,,h", "scale", "scale0", "scale9", "gamma-1", "h-r95"])
def test_views_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match=rf"--tta {text}: no view '.*'; there are the sets none, flips, d4, d4_scale"):
        parse_views(text)


def test_a_view_counts_once() -> None:
    with pytest.raises(InputError, match="--tta e,h,e: a view is named twice"):
        parse_views("e,h,e")


@pytest.mark.parametrize(
    ("augment", "views", "borne"),
    [
        ("none", "none", ["e"]),
        ("d4", "flips", ["e", "h"]),
        ("d4_photo", "d4", ["e", "h", "t", "gamma0.8", "h-bright1.15"]),
        ("strong", "d4", ["e", "h", "t", "gamma0.8", "h-bright1.15", "scale0.75"]),
        ("strong", "none", ["e", "gamma0.8", "scale0.75"]),
    ],
)
def test_members_bear_what_they_were_trained_on(augment: str, views: str, borne: list[str]) -> None:
    spec = find_spec("lite0_unet").model_copy(update={"augment": augment, "views": views})
    every = parse_views("e,h,t,gamma0.8,h-bright1.15,scale0.75")
    assert [view.name for view in every if bears_view(spec, view)] == borne


# Merging


@pytest.mark.parametrize("tta", ["none", "flips", "d4"])
@pytest.mark.parametrize("size", [(32, 64), (33, 47), (64, 31)])
@pytest.mark.parametrize("multiple", [32, 48])
def test_a_network_that_sees_all_views_alike(tta: str, size: tuple[int, int], multiple: int) -> None:
    stack = draw_stack(3, *size)
    probability = merge_standins([Standin(multiple=multiple)], stack, VIEW_SETS[tta], multiple=multiple)
    assert probability.dtype == np.float32
    np.testing.assert_allclose(probability, stack[None, ..., 0] / 255, atol=1e-6)


def test_scales_on_a_smooth_image() -> None:
    rows, columns = np.mgrid[:45, :70]
    stack = np.repeat((rows * 2 + columns).astype(np.uint8)[None, ..., None], 3, axis=3)
    probability = merge_standins([Standin()], stack, VIEW_SETS["d4_scale"])
    assert np.abs(probability[0] - stack[..., 0] / 255)[:, 3:-3, 3:-3].max() < 1.5 / 255


def test_sides_are_padded_by_reflection() -> None:
    network, stack = Standin(), draw_stack(1, 33, 47)
    merge_standins([network], stack, VIEW_SETS["none"])
    expected = np.pad(stack[0], [(0, 31), (0, 17), (0, 0)], mode="symmetric")
    np.testing.assert_array_equal(network.batches[0][0], expected)


def see_naively(networks: list[Standin], stack: np.ndarray) -> np.ndarray:
    """What each network says of each symmetry, (views, n, h, w)."""
    return np.array(
        [
            [undo(network.predict_on_batch(turn(image)[None].astype(np.float32))[0, ..., 0]) for image in stack]
            for turn, undo in SYMMETRIES
            for network in networks
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
def test_merges_against_numpy(merge: str, naive: Callable) -> None:
    stack, networks = draw_stack(2, 32, 64), [Standin(tilt=0.8), Standin(0.5, 0.3)]
    seen = see_naively(networks, stack)
    [merged, spread] = merge_standins(networks, stack, VIEW_SETS["d4"], merge=merge, spread=True)
    np.testing.assert_allclose(merged, naive(seen), atol=1e-6)
    np.testing.assert_allclose(spread, seen.std(axis=0), atol=1e-6)
    assert np.abs(merged - seen[0]).max() > 0.1
    assert set(MERGES) == {"mean", "gmean", "power", "max", "min"}


def test_the_geometric_mean_does_not_underflow() -> None:
    tiny = [lambda batch: np.full((*batch.shape[:3], 1), 1e-30, np.float32)] * 3
    [merged] = merge_views(tiny, draw_stack(1, 32, 32), VIEW_SETS["d4"], merge="gmean")
    np.testing.assert_allclose(merged, 1e-30, rtol=1e-4)
    none = [lambda batch: np.zeros((*batch.shape[:3], 1), np.float32), *tiny]
    assert not merge_views(none, draw_stack(1, 32, 32), VIEW_SETS["d4"], merge="gmean").any()


def test_networks_are_averaged() -> None:
    stack = draw_stack(1, 32, 32)
    probability = merge_standins([Standin(0.2), Standin(0.6)], stack, VIEW_SETS["flips"])
    np.testing.assert_allclose(probability, stack[None, ..., 0] / 255 * 0.4, atol=1e-6)
