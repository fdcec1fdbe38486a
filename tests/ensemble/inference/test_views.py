"""Every view of the table has its way back, is what its name says, and is supported by those trained on the like."""

import math
import subprocess
import sys
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from conftest import ROOT

from ensemble.inference.views import (
    FAMILIES,
    SINGLE_VIEWS,
    VIEW_SETS,
    Brightness,
    Gamma,
    Light,
    Scale,
    Symmetry,
    View,
    name_views,
    parse_views,
)
from members.common.errors import InputError
from members.training.augment import SYMMETRIES
from members.training.catalog import find_spec

COMBINED = View.of(Symmetry("r90"), Scale(0.75), Brightness(1.15), Gamma(0.8))
EVERY_VIEW = list(dict.fromkeys([*SINGLE_VIEWS, *(view for views in VIEW_SETS.values() for view in views), COMBINED]))
every_view = pytest.mark.parametrize("view", EVERY_VIEW, ids=lambda view: view.name)

# An image without any symmetry, not square, so that a swap of axes or a wrong turn shows.
IMAGE = np.arange(3 * 5 * 2, dtype=np.uint8).reshape(3, 5, 2)
# What each symmetry is, in NumPy's words. Quarter turns are anticlockwise.
NAIVE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "e": lambda image: image,
    "h": lambda image: image[:, ::-1],
    "v": lambda image: image[::-1],
    "r180": lambda image: image[::-1, ::-1],
    "r90": lambda image: np.rot90(image, 1),
    "r270": lambda image: np.rot90(image, 3),
    "t": lambda image: image.swapaxes(0, 1),
    "hvt": lambda image: image[::-1, ::-1].swapaxes(0, 1),
}


# The way back


@every_view
@pytest.mark.parametrize("size", [(45, 70), (33, 95), (64, 50)])
def test_what_is_seen_comes_back_in_place(view: View, size: tuple[int, int]) -> None:
    """A network that finds bright roofs finds them where they are, to the pixel unless the view resamples them."""
    roofs = np.zeros(size, bool)
    roofs[5:17, 8:40] = roofs[15:30, 8:14] = roofs[25:32, 30:45] = True  # no symmetry maps them onto themselves
    bright, dark = np.array([250, 240, 230], np.uint8), np.array([10, 20, 30], np.uint8)
    seen = view.apply(np.where(roofs[..., None], bright, dark))
    probability = (seen[..., 0] > 127).astype(np.float32)
    back = view.undo(probability, size)
    assert back.shape == size
    assert back.dtype == np.float32
    assert back.flags.c_contiguous
    found = back > 0.5
    if seen.shape[0] * seen.shape[1] == roofs.size:
        np.testing.assert_array_equal(found, roofs)
    else:
        near = cv2.dilate(roofs.astype(np.uint8), np.ones((3, 3))) > cv2.erode(roofs.astype(np.uint8), np.ones((3, 3)))
        np.testing.assert_array_equal(found | near, roofs | near)


@pytest.mark.parametrize("view", [each for each in VIEW_SETS["d4_scale"] if "scale" in each.name], ids=lambda v: v.name)
@pytest.mark.parametrize("size", [(32, 96), (33, 95), (41, 50)])
def test_scaled_views_shift_by_less_than_half_a_pixel(view: View, size: tuple[int, int]) -> None:
    """A smooth ramp survives resampling; it rises by 2 a row and 1 a column."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = (rows * 2 + columns).astype(np.uint8)
    back = view.undo(view.apply(image).astype(np.float32), size)
    assert np.abs(back - image)[3:-3, 3:-3].max() < 1.5


@every_view
@pytest.mark.parametrize("image", [IMAGE, IMAGE[..., 0]], ids=["bands", "grey"])
def test_views_that_keep_every_pixel_give_the_image_back(view: View, image: np.ndarray) -> None:
    if any(isinstance(each, (Scale, Light)) for each in view.transforms):
        assert view.apply(image).dtype == np.uint8
        return
    seen = view.apply(image)
    assert seen.flags.c_contiguous
    back = view.undo(seen, (3, 5))
    np.testing.assert_array_equal(back, image)
    assert back.dtype == np.uint8
    assert back.flags.c_contiguous


# What views are


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_symmetries_are_what_their_names_say(symmetry: str) -> None:
    np.testing.assert_array_equal(View.of(Symmetry(symmetry)).apply(IMAGE), NAIVE[symmetry](IMAGE))


@pytest.mark.parametrize("view", SINGLE_VIEWS, ids=lambda view: view.name)
def test_single_views_are_what_members_are_trained_under(view: View) -> None:
    """The same pixels as by the library that augments the training tiles."""
    from albumentations.augmentations.geometric import functional as geometric
    from albumentations.augmentations.pixel import functional as pixel

    image = np.random.default_rng(0).integers(0, 256, (32, 95, 3), np.uint8)
    [transform] = view.transforms
    setting = transform.setting
    if isinstance(transform, Symmetry):
        expected = geometric.d4(image, setting)
    elif isinstance(transform, Scale):
        size = round(32 * setting), round(95 * setting)
        expected = geometric.resize(image, size, cv2.INTER_AREA if setting < 1 else cv2.INTER_LINEAR)
    elif isinstance(transform, Gamma):
        expected = pixel.gamma_transform(image, setting)
    else:
        expected = pixel.adjust_brightness_torchvision(image, setting)
    np.testing.assert_array_equal(view.apply(image), expected)


@pytest.mark.parametrize("scale", [0.25, 0.75, 1.25, 4.0])
def test_scales_multiply_both_sides(scale: float) -> None:
    assert Scale(scale).apply(np.zeros((40, 60, 3), np.uint8)).shape == (round(40 * scale), round(60 * scale), 3)
    assert Scale(scale).apply(np.zeros((1, 2, 3), np.uint8)).shape[0] == max(1, round(scale))


@pytest.mark.parametrize("light", [Gamma(0.8), Gamma(1.25), Brightness(0.85), Brightness(1.15)], ids=lambda e: e.name)
def test_light_changes_values_alone(light: Light) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(4, 64)
    gamma, bright = (light.setting, 1) if isinstance(light, Gamma) else (1, light.setting)
    naive = np.minimum(255 * (ramp / 255) ** gamma * bright, 255)
    seen = light.apply(ramp)
    assert np.abs(seen - naive).max() <= 1
    assert np.abs(seen - naive).max() < np.abs(seen - ramp.astype(float)).max()
    np.testing.assert_array_equal(light.undo(ramp, ramp.shape), ramp)


def test_sets() -> None:
    assert [len(VIEW_SETS[name]) for name in ("none", "flips", "d4", "d4_scale")] == [1, 4, 8, 24]
    shown = {name: set(views) for name, views in VIEW_SETS.items()}
    assert shown["none"] < shown["flips"] < shown["d4"] < shown["d4_scale"]
    assert {view.apply(IMAGE).shape for view in VIEW_SETS["flips"]} == {IMAGE.shape}
    assert {type(view.transforms[0]) for view in SINGLE_VIEWS} == set(FAMILIES)


# Names


@every_view
def test_a_name_is_what_is_typed(view: View) -> None:
    assert parse_views(view.name) == (view,)


def test_names() -> None:
    assert COMBINED.name == "r90-scale0.75-bright1.15-gamma0.8"
    assert parse_views("gamma0.8-scale0.75-bright1.15-r90") == (COMBINED,)
    assert parse_views("e-scale1, e-gamma1.5") == (View(), View.of(Gamma(1.5)))
    for name, views in VIEW_SETS.items():
        assert parse_views(name) == views
        assert parse_views(",".join(view.name for view in views)) == views
        assert name_views(views) == name
    assert name_views(parse_views("h,r90-gamma0.80")) == "h,r90-gamma0.8"


@pytest.mark.parametrize(
    "text", ["d5", "", "e,,h", "scale", "scale0", "scale9", "gamma-1", "h-r95", "h-v", "gamma2-gamma2"]
)
def test_names_of_no_view(text: str) -> None:
    with pytest.raises(InputError, match=r"no view '.*'; there are the sets none, flips, d4, d4_scale, or a list"):
        parse_views(text)


@pytest.mark.parametrize("text", ["e,h,e", "scale0.75,scale0.750", "e,scale1"])
def test_a_view_counts_once(text: str) -> None:
    with pytest.raises(InputError, match="a view is named twice; each counts once"):
        parse_views(text)


# Who supports them


@pytest.mark.parametrize(
    ("augment", "scale", "views", "supported"),
    [
        ("d4_cutmix", 1, "d4", ["e", "h", "t", "gamma0.8", "h-bright1.15"]),
        ("none", 1, "none", ["e"]),
        ("d4", 1, "flips", ["e", "h"]),
        ("d4_photo", 1, "d4", ["e", "h", "t", "gamma0.8", "h-bright1.15"]),
        ("strong", 1.33, "d4", ["e", "h", "t", "gamma0.8", "h-bright1.15", "scale0.75"]),
        ("strong", 1.33, "none", ["e", "gamma0.8", "scale0.75"]),
    ],
)
def test_members_support_what_they_were_trained_on(
    augment: str, scale: float, views: str, supported: list[str]
) -> None:
    spec = find_spec("lite0_unet").model_copy(update={"augment": augment, "scale": scale, "views": views})
    every = parse_views("e,h,t,gamma0.8,h-bright1.15,scale0.75")
    assert [view.name for view in every if view.is_supported(spec)] == supported


def test_views_take_no_training_library() -> None:
    program = "import sys, ensemble.predict; print({'albumentations', 'keras', 'skimage'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("set()\n", "")


def test_every_setting_that_is_tried_is_one_of_its_family() -> None:
    for family in FAMILIES:
        for setting in family.TRIED:
            assert family.parse(family(setting).name) == family(setting)
            assert setting != family.NEUTRAL
            assert not isinstance(setting, float) or not math.isclose(setting, family.NEUTRAL)
