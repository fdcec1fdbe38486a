"""Probability maps of images in memory, without a run."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from ensemble.inference.merging import MERGES, choose_views, merge_views
from ensemble.inference.networks import Network
from ensemble.inference.scenes import WINDOW, ArrayScene, StackPredictor, count_batch, predict_scene
from ensemble.inference.views import parse_views
from ensemble.mapfolder.raster import quantise
from members.common.errors import InputError
from members.common.progress import Progress, silent


def predict_maps(
    network: Network,
    images: Sequence[np.ndarray],
    views: str = "d4",
    merge: str = "mean",
    progress: Progress = silent,
) -> list[np.ndarray]:
    """Predict probability maps of images, with test-time augmentation.

    The maps are those that `roofstack predict` writes for the same images. Images above 512 px a side are seen in
    overlapping windows of that size; smaller ones are padded by reflection to what the network takes.

    Args:
        network: as `load_network` gives it.
        images: uint8 RGB (h, w, 3) each; sizes may differ.
        views: what is merged: `none`, `flips`, `d4`, `d4_scale`, or a list such as `e,h,scale0.75,gamma0.8`. Views that
            the network was not trained to support are left out.
        merge: how views are merged: `mean`, `gmean` (geometric), `power` (root of the mean square), `max` or `min`.
        progress: shows how far the work is; by default nothing does.

    Returns:
        One map an image, uint8 (h, w), probability = value / 255, in the order of the images; of a contact member
        uint8 (h, w, 3): building, border, contact.

    Raises:
        InputError: an image is of another type or shape, a view or merge is unknown, or the network was trained to
            support none of the views.

    Example:
        >>> from members.training.catalog import find_spec
        >>> network = Network(find_spec("lite0_unet"), lambda batch: batch[..., :1] / 255)  # sees buildings in red
        >>> image = np.zeros((3, 5, 3), np.uint8)
        >>> image[1:, 2:4, 0] = 200
        >>> predict_maps(network, [image])
        [array([[  0,   0,   0,   0,   0],
               [  0,   0, 200, 200,   0],
               [  0,   0, 200, 200,   0]], dtype=uint8)]
    """
    chosen = choose_views(network.spec, parse_views(views))
    if merge not in MERGES:
        raise InputError(f"merge {merge!r}: no way to merge views; there are {', '.join(MERGES)}")
    for number, image in enumerate(images):
        check_image(f"images[{number}]", image)
    see = partial(merge_views, [network], views=chosen, merge=merge)
    bands = len(network.spec.bands)
    predictor = StackPredictor(see, bands, network.spec.size_multiple)
    maps: list[np.ndarray] = [np.zeros((bands, *image.shape[:2]), np.uint8) for image in images]
    batches = batch_images(images)
    for batch in progress(batches, "predicting", len(batches)):
        first = images[batch[0]]
        if max(first.shape) > WINDOW:
            for block, values in predict_scene(ArrayScene(first), predictor):
                maps[batch[0]][:, *block] = quantise(values)
        else:
            stack = see(np.stack([images[number] for number in batch]))
            for number, values in zip(batch, stack.swapaxes(0, 1), strict=True):
                maps[number] = quantise(values)
    return [values[0] if bands == 1 else np.moveaxis(values, 0, -1) for values in maps]


def check_image(name: str, image: np.ndarray) -> None:
    """Refuse what is no image.

    Raises:
        InputError: it is not uint8 (h, w, 3) with a pixel.
    """
    rule = "an image is a uint8 array (h, w, 3), RGB"
    if not isinstance(image, np.ndarray):
        raise InputError(f"{name}: {type(image).__name__}; {rule}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise InputError(f"{name}: {image.dtype} {image.shape}; {rule}")


def batch_images(images: Sequence[np.ndarray]) -> list[list[int]]:
    """List which images are predicted together: small ones of one size in batches, large ones alone."""
    same: dict[tuple[int, ...], list[int]] = {}
    batches = []
    for number, image in enumerate(images):
        if max(image.shape) > WINDOW:
            batches.append([number])
        else:
            same.setdefault(image.shape, []).append(number)
    for size, numbers in same.items():
        count = count_batch(size)
        batches += [numbers[start : start + count] for start in range(0, len(numbers), count)]
    return batches
