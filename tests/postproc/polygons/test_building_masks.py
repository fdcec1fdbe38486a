"""Outlines drawn as masks: a pixel is building where its centre is inside, and nobody is warned of anything."""

import warnings

import numpy as np
import pytest
import shapely
from rasterio.features import rasterize
from shapely import Polygon, box

from postproc.polygons.buildings import rasterize_outlines


def test_a_pixel_is_building_where_its_centre_is_inside() -> None:
    drawn = rasterize_outlines([box(0.4, 0, 2.6, 1), box(2.6, 1.6, 9, 9), Polygon()], (3, 4))
    assert drawn.astype(int).tolist() == [[1, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert not rasterize_outlines([], (3, 4)).any()


@pytest.mark.parametrize("seed", range(20))
def test_masks_are_rasterios_without_its_warning(seed: int) -> None:
    rng = np.random.default_rng(seed)
    discs = [shapely.Point(rng.uniform(-5, 45, 2)).buffer(rng.uniform(0.3, 12)) for _ in range(4)]
    boxes = [box(x, y, x + 4, y + 2.5) for x, y in rng.integers(-2, 80, (4, 2)) / 2]  # edges run through centres
    expected = rasterize([*discs, *boxes], out_shape=(40, 37), dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = rasterize_outlines([*discs, *boxes], (40, 37))
    np.testing.assert_array_equal(drawn, expected.astype(bool))
