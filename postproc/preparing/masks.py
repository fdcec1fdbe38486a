"""Masks of any kind: grey, RGB, palette, with alpha, or saved as JPEG."""

import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rasterio.enums import ColorInterp

from members.common.errors import InputError
from members.data.frames import Frame
from members.data.raster import open_raster, read_bands
from postproc.preparing.tiling import Draw

NEAR = 48
"""How far JPEG moves values of a mask from 0 and 255."""
STRAY = 0.01
"""Share of values farther from both that a mask may have, along its edges."""


def read_any_mask(path: Path) -> tuple[np.ndarray, str]:
    """Read a mask, and say of what kind it was.

    Returns:
        bool (h, w), True = building; and the kind in words.

    Raises:
        InputError: it has values that are neither background nor building.
    """
    with open_raster(path) as raster:
        palette = raster.colormap(1) if raster.colorinterp[0] == ColorInterp.palette else None
        bands = read_bands(raster)
        if raster.colorinterp[-1] == ColorInterp.alpha and len(bands) > 1:
            bands = bands[:-1]
    if palette is not None:
        lightness = np.zeros(256, np.uint8)
        for index, colour in palette.items():
            lightness[index] = max(colour[:3])
        return lightness[bands[0]] > 127, "palette"
    kind = "grey" if len(bands) == 1 else f"{len(bands)} bands"
    values = bands.max(axis=0)
    if not np.isin(values, (0, 1)).all() and not np.isin(values, (0, 255)).all():
        stray = (values > NEAR) & (values < 255 - NEAR)
        if values.dtype != np.uint8 or values.max() < 255 - NEAR or stray.mean() > STRAY:
            shown = ", ".join(map(str, np.unique(values)[:6]))
            raise InputError(
                f"{path}: values {shown}, ..; a mask has 0 and one other value, or near 0 and 255 as JPEG leaves them"
            )
        return values > 127, f"{kind}, values near 0 and 255"
    return values > 0, kind


def check_mask(path: Path, frame: Frame) -> str:
    """Check that a mask is of its image's size; return of what kind it is.

    Raises:
        InputError: it is not, or is no mask.
    """
    mask, kind = read_any_mask(path)
    if mask.shape != frame.size:
        found, wanted = (f"{size[1]}x{size[0]} px" for size in (mask.shape, frame.size))
        raise InputError(f"{path}: mask of {found} for an image of {wanted}; they must be equal")
    return kind


def draw_from_masks(pictures: Mapping[str, Path]) -> Draw:
    """Return what cuts tiles out of masks; the last mask is kept, as tiles come image by image."""

    @functools.lru_cache(maxsize=1)
    def read(image_id: str) -> np.ndarray:
        return read_any_mask(pictures[image_id])[0]

    return lambda cut: read(cut.source)[cut.window]
