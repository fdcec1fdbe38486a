"""Views are the square's eight symmetries, each with its inverse."""

import numpy as np
import pytest

from ensemble.tta import VIEW_SETS, View

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
every_view = pytest.mark.parametrize("view", VIEW_SETS["d4"], ids=lambda view: view.element)


@every_view
@pytest.mark.parametrize("image", [IMAGE, IMAGE[..., 0], IMAGE[..., 0] / np.float32(7)], ids=["rgb", "grey", "float"])
def test_undo_gives_the_image_back(view: View, image: np.ndarray) -> None:
    back = view.undo(view.apply(image))
    np.testing.assert_array_equal(back, image)
    assert back.dtype == image.dtype
    assert back.flags.c_contiguous


@every_view
def test_apply_is_what_its_name_says(view: View) -> None:
    np.testing.assert_array_equal(view.apply(IMAGE), NAIVE[view.element](IMAGE))


def test_the_sets_hold_1_4_and_8_different_views() -> None:
    shown = {name: {view.apply(IMAGE[..., 0]).tobytes() for view in views} for name, views in VIEW_SETS.items()}
    assert {name: len(views) for name, views in shown.items()} == {"none": 1, "flips": 4, "d4": 8}
    assert shown["none"] < shown["flips"] < shown["d4"]
    assert {view.apply(IMAGE).shape for view in VIEW_SETS["flips"]} == {IMAGE.shape}
