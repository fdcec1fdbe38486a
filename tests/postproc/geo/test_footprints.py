"""Buildings on the map: where they lie, and their square metres on the ground."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import Affine
from shapely import Polygon, box

from members.common.errors import InputError
from members.data.frames import Frame
from members.data.mosaic import join_frames
from postproc.geo.footprints import WGS84, drop_small, make_footprints, measure_areas, transform_outlines
from postproc.geo.outlining import OutlinedMosaic, cut_buildings
from postproc.polygons.buildings import Building

UTM = "EPSG:32645"
GRID = Affine(0.5, 0, 500_000, 0, -0.5, 3_050_000)
"""Pixels of half a metre on the zone's central meridian, where UTM's metres are 1 / 0.9996 true ones."""


def outline(*outlines: Polygon, frame: Frame | None = None) -> OutlinedMosaic:
    (mosaic,) = join_frames([frame or Frame("roof", (40, 60), UTM, GRID)])
    buildings = [Building(each, "traced", 0.5) for each in outlines]
    return OutlinedMosaic(mosaic, buildings, cut_buildings(mosaic, buildings))


def test_a_square_of_twenty_pixels_is_a_square_of_ten_metres() -> None:
    (footprint,) = make_footprints(outline(box(4, 6, 24, 26)), UTM)
    assert footprint.outline.equals(box(500_002, 3_049_987, 500_012, 3_049_997))
    assert footprint.outline.exterior.is_ccw
    assert footprint.area_m2 == pytest.approx(100 / 0.9996**2, rel=1e-6)
    assert (footprint.image_id, footprint.status, footprint.confidence) == ("roof", "traced", 0.5)


def test_in_degrees_it_has_the_same_area() -> None:
    square = box(4, 6, 24, 26)
    (metres,), (degrees,) = make_footprints(outline(square), UTM), make_footprints(outline(square), WGS84)
    assert degrees.area_m2 == metres.area_m2
    assert degrees.outline.centroid.coords[0] == pytest.approx((87.00007, 27.5738), abs=1e-4)


def test_without_georeferencing_pixels_stay_and_have_no_area() -> None:
    bare = Frame("bare", (40, 60), None, Affine.identity())
    (footprint,) = make_footprints(outline(box(4, 6, 24, 26), frame=bare), None)
    assert footprint.outline.equals(box(4, 6, 24, 26))
    assert footprint.area_m2 is None
    with pytest.raises(InputError, match="min_area_m2 5: image bare has no georeferencing, so no square metres"):
        drop_small(outline(box(4, 6, 24, 26), frame=bare), 5.0)


def test_small_buildings_are_left_out_with_their_pieces() -> None:
    """10 x 10 m and 2 x 5 m."""
    both = outline(box(4, 6, 24, 26), box(30, 0, 34, 10))
    assert drop_small(both, 0.0) == both
    for least, kept in ((9.9, 2), (11.0, 1), (101.0, 0)):
        large = drop_small(both, least)
        assert (len(large.buildings), len(large.pieces)) == (kept, kept)


def measure_naively(outline: Polygon) -> float:
    """The shoelace formula in an equal-area projection around the outline's first vertex."""
    x, y = outline.exterior.coords[0]
    local = f"+proj=laea +lat_0={y} +lon_0={x} +datum=WGS84"
    return float(transform_outlines(np.array([outline]), WGS84, local)[0].area)


@settings(max_examples=50, deadline=None)
@given(st.floats(-179, 179), st.floats(-80, 80), st.floats(1e-5, 1e-3), st.booleans())
def test_areas_are_those_of_the_ground_in_any_crs(x: float, y: float, side: float, turned: bool) -> None:
    square = Polygon(
        [(x, y), (x + side, y), (x + side, y + side), (x, y + side)],
        [[(x + side / 4, y + side / 4), (x + side / 2, y + side / 4), (x + side / 4, y + side / 2)]],
    )
    square = square.reverse() if turned else square
    expected = pytest.approx(measure_naively(square), rel=1e-3)
    assert measure_areas(np.array([square]), WGS84)[0] == expected
    mercator = transform_outlines(np.array([square]), WGS84, "EPSG:3857")
    assert measure_areas(mercator, "EPSG:3857")[0] == expected


def test_web_mercators_metres_are_not_taken_for_metres() -> None:
    square = transform_outlines(np.array([box(24.9, 60.0, 24.901, 60.001)]), WGS84, "EPSG:3857")
    assert square[0].area / measure_areas(square, "EPSG:3857")[0] == pytest.approx(
        4, rel=0.01
    )  # 1 / cos² of 60 degrees


def test_crs_of_no_planet_has_no_areas() -> None:
    local = 'LOCAL_CS["drawing",UNIT["metre",1]]'
    with pytest.raises(InputError, match="drawing: not on earth"):
        measure_areas(np.array([box(0, 0, 1, 1)]), local)
    with pytest.raises(InputError, match="out of its range"):
        transform_outlines(np.array([box(0, 0, 1e12, 1)]), UTM, WGS84)
