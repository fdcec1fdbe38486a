"""Augmentation policies, seeded by (seed, epoch, tile) so that a resumed run sees what it would have seen."""

import os
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from members.data.raster import Pair
from members.training.targets import take_mask

SYMMETRIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "e": lambda image: image,
    "h": lambda image: image[:, ::-1],
    "v": lambda image: image[::-1],
    "r180": lambda image: image[::-1, ::-1],
    "r90": lambda image: np.rot90(image, 1),  # anticlockwise
    "r270": lambda image: np.rot90(image, 3),
    "t": lambda image: image.swapaxes(0, 1),
    "hvt": lambda image: image[::-1, ::-1].swapaxes(0, 1),
}
"""The eight symmetries of the square, of (h, w) or (h, w, c), named as albumentations names them."""
DRAWN = ("e", "r90", "r180", "r270", "v", "hvt", "h", "t")
"""The symmetries in the order that a draw picks from."""
PASTE_SHARE = 0.4
"""Share of the examples of `strong` that get buildings of another tile."""
CUT_SHARE = 0.5
"""Share of the examples of `d4_cutmix` that get a rectangle of another tile."""


_own = threading.local()


def take_transforms(policy: str) -> Any:
    """Return this thread's transforms of a policy: no other thread may seed them before they are called."""
    if policy not in vars(_own):
        setattr(_own, policy, build_transforms(policy))
    return getattr(_own, policy)


def import_albumentations() -> ModuleType:
    """Import albumentations, which asks a registry for updates unless an environment variable says no."""
    before = os.environ.get("NO_ALBUMENTATIONS_UPDATE")
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    try:
        import albumentations
    finally:
        if before is None:
            os.environ.pop("NO_ALBUMENTATIONS_UPDATE", None)
        else:
            os.environ["NO_ALBUMENTATIONS_UPDATE"] = before
    return albumentations


def build_transforms(policy: str) -> Any:
    """Compose what albumentations does of a policy: not crops, their scale, the square's symmetries, copy-paste."""
    A = import_albumentations()
    light = A.RandomBrightnessContrast(0.25, 0.25, p=0.6)
    season = A.HueSaturationValue(12, 25, 15, p=0.5)
    gamma = A.RandomGamma((75, 135), p=0.3)
    haze = A.Lambda(image=lighten_haze, p=0.15)
    blur = A.OneOf([A.GaussianBlur((3, 5)), A.MotionBlur((3, 5)), A.Downscale((0.5, 0.8))], p=0.2)
    jpeg = A.ImageCompression(quality_range=(45, 95), p=0.3)
    photo = [light, season, gamma, haze, blur, jpeg]
    elastic = A.ElasticTransform(30, 6, border_mode=cv2.BORDER_REFLECT_101, approximate=True, p=0.2)
    # the mask stays as it is under the holes: what a tree or a cloud hides is a building still
    cut_out = A.CoarseDropout((1, 4), (0.06, 0.15), (0.06, 0.15), fill="random_uniform", p=0.3)
    strong = [elastic, *photo, cut_out]
    transforms = {"none": [], "d4": [], "d4_photo": photo, "d4_cutmix": photo, "strong": strong}
    return A.Compose(transforms[policy])


def lighten_haze(image: np.ndarray, **_: object) -> np.ndarray:
    """Lay thin white haze over an image: contrast down to 75 %, the dark end lifted."""
    return cv2.addWeighted(image, 0.75, image, 0, 50)


def augment_tile(
    pairs: Sequence[Pair], index: int, policy: str, crop: int, seed: tuple[int, int], scale: float = 1.0
) -> Pair:
    """Make one training example of a tile.

    Args:
        pairs: all training tiles, images uint8 (h, w, 3) with masks bool (h, w), or targets uint8 (h, w) of bits.
        index: which of them.
        policy: "none"; "d4": one of the square's eight symmetries; "d4_photo": also light, season, gamma, haze,
            blur and JPEG; "d4_cutmix": that, and a rectangle of another tile; "strong": that, without the rectangle,
            and elastic deformation, cut-out and buildings of another tile.
        crop: side in px; a smaller tile is padded by reflection first.
        seed: (seed, epoch); equal seeds give equal examples.
        scale: crops show the ground at up to so many times its size in the tile, or as much smaller.

    Returns:
        image uint8 (crop, crop, 3), mask or target (crop, crop).
    """
    rng = np.random.default_rng((*seed, index))
    image, mask = crop_tile(*pairs[index], policy, crop, rng, scale)
    mix, share = MIXES.get(policy, (None, 0.0))
    if mix and rng.random() < share:
        donor = crop_tile(*pairs[int(rng.integers(len(pairs)))], policy, crop, rng, scale)
        image, mask = mix(image, mask, *donor, rng)
    transforms = take_transforms(policy)
    if transforms.transforms:
        transforms.set_random_seed(int(rng.integers(2**31)))
        changed = transforms(image=np.ascontiguousarray(image), mask=mask.astype(np.uint8))
        image, mask = changed["image"], changed["mask"].astype(mask.dtype)
    return image, mask


def crop_tile(
    image: np.ndarray, mask: np.ndarray, policy: str, crop: int, rng: np.random.Generator, scale: float = 1.0
) -> Pair:
    """Cut a random crop of random scale out of a tile, in a random symmetry of the square unless policy is "none"."""
    side = round(crop * scale ** rng.uniform(-1, 1)) if scale > 1 else crop
    image, mask = pad_tile(image, side), pad_tile(mask, side)
    top, left = (int(rng.integers(length - side + 1)) for length in mask.shape)
    window = np.s_[top : top + side, left : left + side]
    image, mask = image[window], mask[window]
    if side != crop:
        smooth = cv2.INTER_AREA if side > crop else cv2.INTER_LINEAR
        image = cv2.resize(image, (crop, crop), interpolation=smooth)
        mask = cv2.resize(mask.astype(np.uint8), (crop, crop), interpolation=cv2.INTER_NEAREST).astype(mask.dtype)
    if policy == "none":
        return image, mask
    turn = SYMMETRIES[DRAWN[rng.integers(len(DRAWN))]]
    return turn(image), turn(mask)


def paste_buildings(
    image: np.ndarray, mask: np.ndarray, donor: np.ndarray, donor_mask: np.ndarray, rng: np.random.Generator
) -> Pair:
    """Copy each building of the donor, with probability 1/2, over the image (Ghiasi et al. 2021).

    "Simple Copy-Paste is a Strong Data Augmentation Method", https://arxiv.org/abs/2012.07177; without their
    blurred edges, which they found to make no difference.

    Args:
        image, donor: uint8 (h, w, 3).
        mask, donor_mask: bool (h, w).
        rng: draws which buildings (8-connected components of the donor's mask).

    Returns:
        A new image and mask.
    """
    count, labels = cv2.connectedComponents(take_mask(donor_mask).astype(np.uint8))
    chosen = rng.random(count) < 0.5
    chosen[0] = False  # label 0 is the ground
    pasted = chosen[labels]
    return np.where(pasted[..., None], donor, image), np.where(pasted, donor_mask, mask)


def cut_rectangle(
    image: np.ndarray, mask: np.ndarray, donor: np.ndarray, donor_mask: np.ndarray, rng: np.random.Generator
) -> Pair:
    """Set a rectangle of the donor, image and mask, into an image (CutMix, Yun et al. 2019).

    https://arxiv.org/abs/1905.04899. Its area is uniform in 0..1 of the image's, before what lies outside is cut off.
    Targets are of pixels, so none becomes soft.

    Args:
        image, donor: uint8 (h, w, 3).
        mask, donor_mask: bool (h, w).
        rng: draws the rectangle.

    Returns:
        A new image and mask.
    """
    image, mask, side = image.copy(), mask.copy(), np.sqrt(rng.random()) / 2
    spans = [(int(rng.integers(length)), round(side * length)) for length in mask.shape]
    window = tuple(slice(max(middle - reach, 0), middle + reach) for middle, reach in spans)
    image[window], mask[window] = donor[window], donor_mask[window]
    return image, mask


MIXES = {"d4_cutmix": (cut_rectangle, CUT_SHARE), "strong": (paste_buildings, PASTE_SHARE)}
"""What a policy does to an image with another tile, and to which share of its examples."""


def pad_tile(pixels: np.ndarray, side: int, multiple: int = 1) -> np.ndarray:
    """Pad (h, w) or (h, w, c) by reflection, at bottom and right, to at least `side` and to a multiple."""
    pads = [(0, max(side, -(-length // multiple) * multiple) - length) for length in pixels.shape[:2]]
    if not any(after for _, after in pads):
        return pixels
    return np.pad(pixels, pads + [(0, 0)] * (pixels.ndim - 2), mode="symmetric")
