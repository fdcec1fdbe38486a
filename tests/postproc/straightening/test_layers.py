"""Rows of a layer get straight walls, and keep what they know."""

import geopandas
import numpy as np
import pytest
import shapely
from shapely import LineString, MultiPolygon, Polygon, box

from members.common.errors import InputError
from postproc.pipeline.outlines import OutlineRecipe
from postproc.straightening.layers import straighten_layer

UTM = "EPSG:32645"
RECIPE = OutlineRecipe()


def fray(house: Polygon, seed: int = 0, by: float = 0.2) -> Polygon:
    """Return the house with a vertex each half metre, each moved a little."""
    points = shapely.get_coordinates(shapely.segmentize(house, 0.5))[:-1]
    return Polygon(points + np.random.default_rng(seed).uniform(-by, by, points.shape))


def turn(house: Polygon, degrees: float) -> Polygon:
    moved: Polygon = shapely.affinity.rotate(house, degrees)
    return moved


def measure_iou(one: Polygon, other: Polygon) -> float:
    return float(one.intersection(other).area / one.union(other).area)


def make_layer(*geometries: shapely.Geometry, **columns: list[object]) -> geopandas.GeoDataFrame:
    moved = [shapely.affinity.translate(geometry, 300_000, 3_000_000) for geometry in geometries]
    return geopandas.GeoDataFrame(columns, geometry=moved, crs=UTM)


def test_a_frayed_house_has_four_walls_again_and_keeps_its_name() -> None:
    house = turn(box(0, 0, 20, 12), 17)
    done = straighten_layer(make_layer(fray(house), name=["school"], status=["checked"]), RECIPE, 0.25)
    (row,) = done.table.itertuples()
    found = shapely.affinity.translate(row.geometry, -300_000, -3_000_000)
    assert (row.name, row.status, row.outline_status) == ("school", "checked", "regularised")
    assert len(found.exterior.coords) == 5
    assert measure_iou(found, house) > 0.95
    assert row.area_m2 == pytest.approx(240, rel=0.03)
    assert done.table.crs == UTM
    assert done.remarks == ()


def test_pixels_that_pass_for_degrees_are_told() -> None:
    """As GeoJSON has them, which cannot say that it has no CRS."""
    table = geopandas.GeoDataFrame(geometry=[box(10, 300, 40, 350)], crs="EPSG:4326")
    with pytest.raises(InputError, match=r"from 10, 300 to 40, 350 lies nowhere in WGS 84; correct its CRS \(Geo"):
        straighten_layer(table, RECIPE, 0.25)


def test_row_houses_stay_apart_and_their_wall_stays_one() -> None:
    row = [box(8 * n, 0, 8 * n + 8, 10) for n in range(3)]
    table = straighten_layer(make_layer(*row, number=[1, 2, 3]), RECIPE, 0.25).table
    found = list(table.geometry)
    assert [
        measure_iou(one, shapely.affinity.translate(house, 300_000, 3_000_000)) > 0.97
        for one, house in zip(found, row, strict=True)
    ] == [True] * 3
    walls = [found[n].intersection(found[n + 1]) for n in range(2)]
    assert [wall.length == pytest.approx(10, abs=0.6) and wall.area == 0 for wall in walls] == [True] * 2


def test_degrees_are_straightened_in_metres() -> None:
    layer = make_layer(fray(box(0, 0, 20, 12)))
    table = straighten_layer(layer.to_crs("EPSG:4326"), RECIPE, 0.25).table
    assert table.crs == "EPSG:4326"
    same = straighten_layer(layer, RECIPE, 0.25).table
    assert measure_iou(table.to_crs(UTM).geometry[0], same.geometry[0]) > 0.98


def test_pixels_without_a_crs_go_down() -> None:
    table = geopandas.GeoDataFrame(geometry=[fray(box(10, 20, 60, 50), by=0.2)])
    found = straighten_layer(table, RECIPE, 1.0).table
    assert measure_iou(found.geometry[0], box(10, 20, 60, 50)) > 0.95
    assert "area_m2" not in found


def test_what_is_no_plain_polygon_is_told() -> None:
    bow = Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    many = MultiPolygon([box(40, 0, 50, 9), box(60, 0, 70, 9)])
    line = LineString([(0, 30), (9, 30)])
    layer = make_layer(bow, many, line, shapely.force_3d(box(80, 0, 92, 9), 5), name=list("bmlz"))
    done = straighten_layer(layer, RECIPE, 0.25)
    assert done.table["name"].tolist() == ["b", "b", "m", "m", "z"]
    assert shapely.is_valid(done.table.geometry.to_numpy()).all()
    assert not done.table.has_z.any()
    assert list(done.remarks) == [
        "1 outlines with heights: these are dropped",
        "1 outlines with rings that cross themselves are mended",
        "1 rows are no polygons: these are dropped",
        "3 rows have 5 polygons: each is a row of its own",
    ]


def test_what_is_thinner_than_a_pixel_stays() -> None:
    sliver = box(0.3, 0.1, 9, 0.11)
    table = straighten_layer(make_layer(sliver), RECIPE, 0.25).table
    assert table.status.tolist() == ["kept"]
    assert measure_iou(table.geometry[0], shapely.affinity.translate(sliver, 300_000, 3_000_000)) > 0.9


def test_a_layer_of_lines_is_refused() -> None:
    with pytest.raises(InputError, match="a layer of LineString; buildings are polygons"):
        straighten_layer(make_layer(LineString([(0, 0), (1, 1)])), RECIPE, 0.25)
