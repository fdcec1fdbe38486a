"""Where images lie on earth."""

from pathlib import Path

import numpy as np
import pytest
from conftest import GEOREFERENCE, write_raster
from rasterio import Affine

from members.common.errors import InputError
from members.data.frames import Frame, read_frame

PIXELS = np.zeros((40, 50), np.uint8)


def test_georeferenced_image(tmp_path: Path) -> None:
    frame = read_frame(write_raster(tmp_path / "roof.tif", PIXELS, **GEOREFERENCE))
    assert (frame.image_id, frame.size, frame.transform) == ("roof", (40, 50), GEOREFERENCE["transform"])
    assert "Pseudo-Mercator" in str(frame.crs)


@pytest.mark.parametrize(
    ("name", "profile"), [("roof.png", {}), ("roof.jpg", {}), ("roof.tif", {}), ("roof.tif", {"crs": "EPSG:3857"})]
)
def test_without_georeferencing_pixels_are_the_coordinates(tmp_path: Path, name: str, profile: dict[str, str]) -> None:
    assert read_frame(write_raster(tmp_path / name, PIXELS, **profile)) == Frame(
        "roof", (40, 50), None, Affine.identity(), name
    )


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_frame(tmp_path / "none.tif")
