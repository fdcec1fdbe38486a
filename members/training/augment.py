"""Augmentation policies, seeded by (seed, epoch, tile) so that a resumed run sees what it would have seen."""

from functools import cache

import albumentations as A
import cv2
import numpy as np
from albumentations.augmentations.geometric import functional as geometric

D4 = ("e", "r90", "r180", "r270", "v", "hvt", "h", "t")


@cache
def build_photometric(policy: str) -> A.Compose:
    """The transforms of a policy that leave geometry, and so the mask, alone."""
    light = A.RandomBrightnessContrast(0.25, 0.25, p=0.6)
    season = A.HueSaturationValue(12, 25, 15, p=0.5)
    gamma = A.RandomGamma((75, 135), p=0.3)
    haze = A.Lambda(image=lighten_haze, p=0.15)
    blur = A.OneOf([A.GaussianBlur((3, 5)), A.MotionBlur((3, 5)), A.Downscale((0.5, 0.8))], p=0.2)
    jpeg = A.ImageCompression(quality_range=(45, 95), p=0.3)
    transforms = {"none": [], "d4": [], "d4_photo": [light, season, gamma, haze, blur, jpeg]}
    return A.Compose(transforms[policy])


def lighten_haze(image: np.ndarray, **_: object) -> np.ndarray:
    """Thin white haze: contrast down to 75 %, the dark end lifted."""
    return cv2.addWeighted(image, 0.75, image, 0, 50)


def augment_tile(
    image: np.ndarray, mask: np.ndarray, policy: str, crop: int, seed: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """One training example of a tile.

    Args:
        image: uint8 (h, w, 3).
        mask: bool (h, w).
        policy: "none", "d4" (one of the square's eight symmetries) or "d4_photo" (also light, season, gamma,
            haze, blur, JPEG).
        crop: side in px; a smaller tile is padded by reflection first.
        seed: (seed, epoch, tile's index); equal seeds give equal examples.

    Returns:
        image uint8 (crop, crop, 3), mask bool (crop, crop).
    """
    rng = np.random.default_rng(seed)
    image, mask = pad_tile(image, crop), pad_tile(mask, crop)
    top, left = (int(rng.integers(side - crop + 1)) for side in mask.shape)
    window = np.s_[top : top + crop, left : left + crop]
    image, mask = image[window], mask[window]
    if policy != "none":
        element = D4[rng.integers(len(D4))]
        image, mask = geometric.d4(image, element), geometric.d4(mask, element)
    photometric = build_photometric(policy)
    if photometric.transforms:
        photometric.set_random_seed(int(rng.integers(2**31)))
        image = photometric(image=np.ascontiguousarray(image))["image"]
    return image, mask


def pad_tile(pixels: np.ndarray, side: int, multiple: int = 1) -> np.ndarray:
    """Pad (h, w) or (h, w, c) by reflection, at bottom and right, to at least `side` and to a multiple."""
    pads = [(0, max(side, -(-length // multiple) * multiple) - length) for length in pixels.shape[:2]]
    if not any(after for _, after in pads):
        return pixels
    return np.pad(pixels, pads + [(0, 0)] * (pixels.ndim - 2), mode="symmetric")
