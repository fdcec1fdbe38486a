"""Polygons are drawn as GDAL draws them, ties included."""

import warnings

import numpy as np
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize
from shapely import Point, Polygon, box

from postproc.polygons.drawing import draw_polygons

SIZE = (9, 13)
halves = st.integers(-8, 34).map(lambda number: number / 2)


def draw(polygons: list[Polygon]) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    draw_polygons(polygons, mask)
    return mask


def draw_with_gdal(polygons: list[Polygon]) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rasters without georeferencing
        return rasterize(polygons, out_shape=SIZE, dtype=np.uint8).astype(bool)


def test_a_courtyard_stays_open_and_what_is_drawn_stays() -> None:
    mask = np.zeros((4, 6), bool)
    mask[3, 5] = True
    draw_polygons([box(0, 0, 4, 4).difference(box(1, 1, 3, 3))], mask)
    assert mask.astype(int).tolist() == [
        [1, 1, 1, 1, 0, 0],
        [1, 0, 0, 1, 0, 0],
        [1, 0, 0, 1, 0, 0],
        [1, 1, 1, 1, 0, 1],
    ]


def test_a_courtyards_wall_through_the_centres_of_pixels() -> None:
    """Two courtyards: what is above their upper wall is drawn with it, and what is below their lower wall too."""
    house = box(0, 0, 8, 4).difference(box(1, 1.5, 3, 2.5)).difference(Polygon([(5, 0.5), (7, 0.5), (5, 2.5)]))
    drawn = draw([house])
    assert drawn[:4, :8].astype(int).tolist() == [
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 0, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1],
    ]
    assert np.array_equal(drawn, draw_with_gdal([house]))
    assert np.array_equal(drawn, draw([house.reverse()]))


def test_nothing_is_drawn_of_nothing() -> None:
    assert not draw([]).any()
    assert not draw([Polygon()]).any()


@settings(deadline=None, max_examples=150)
@example([(0, 0), (0, 6), (1.5, 5.5), (0.5, 5.5), (2, 6)])
@given(st.lists(st.tuples(halves, halves), min_size=3, max_size=8))
def test_valid_polygons_through_the_pixels_centres_agree_with_gdal(points: list[tuple[float, float]]) -> None:
    parts = shapely.get_parts(shapely.make_valid(Polygon(points)))
    polygons = [part for part in parts if part.geom_type == "Polygon"]
    assert np.array_equal(draw(polygons), draw_with_gdal(polygons) if polygons else np.zeros(SIZE, bool))


@settings(deadline=None, max_examples=100)
@given(st.floats(-3, 15), st.floats(-3, 12), st.floats(0.1, 9), st.floats(0, 1))
def test_rings_of_any_coordinates_agree_with_gdal(x: float, y: float, radius: float, share: float) -> None:
    ring = Point(x, y).buffer(radius).difference(Point(x, y).buffer(radius * share))
    polygons = [part for part in shapely.get_parts(ring) if not part.is_empty]
    if polygons:
        assert np.array_equal(draw(polygons), draw_with_gdal(polygons))
