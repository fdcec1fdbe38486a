"""Outlines are exact: drawn again they are the mask, and touching ones share their walls."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from skimage.measure import label

from members.common.errors import InputError
from postproc.polygons.buildings import rasterize_outlines
from postproc.polygons.tracing import trace_labels, trace_mask

SIZES = array_shapes(min_dims=2, max_dims=2, max_side=12)


@settings(deadline=None)  # the first call compiles
@given(arrays(bool, SIZES))
def test_drawn_outlines_are_the_mask(mask: np.ndarray) -> None:
    outlines = trace_mask(mask)
    assert len(outlines) == label(mask, connectivity=1).max()
    assert shapely.is_valid(outlines).all()
    assert sum(outline.area for outline in outlines) == mask.sum()
    np.testing.assert_array_equal(rasterize_outlines(outlines, mask.shape), mask)


@settings(deadline=None)  # the first call compiles
@given(arrays(np.int64, SIZES, elements=st.integers(0, 3)))
def test_labels_become_a_coverage(labels: np.ndarray) -> None:
    outlines, owners = trace_labels(labels)
    assert shapely.is_valid(outlines).all()
    assert shapely.coverage_is_valid(outlines)
    for number in range(1, 4):
        own = [outline for outline, owner in zip(outlines, owners, strict=True) if owner == number]
        np.testing.assert_array_equal(rasterize_outlines(own, labels.shape), labels == number)


def test_diagonal_contacts_give_separate_buildings() -> None:
    outlines = trace_mask(np.eye(3, dtype=bool))
    assert [outline.bounds for outline in outlines] == [(0, 0, 1, 1), (1, 1, 2, 2), (2, 2, 3, 3)]


def test_a_component_that_closes_at_a_corner_has_a_hole_there() -> None:
    mask = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], bool)
    (outline,) = trace_mask(mask)
    assert outline.is_valid
    assert [shapely.Polygon(hole).area for hole in outline.interiors] == [1]


def test_a_building_in_a_courtyard_in_a_courtyard() -> None:
    mask = np.ones((9, 9), bool)
    mask[1:8, 1:8] = False
    mask[2:7, 2:7] = True
    mask[3:6, 3:6] = False
    mask[4, 4] = True
    assert [(outline.area, len(outline.interiors)) for outline in trace_mask(mask)] == [(32, 1), (16, 1), (1, 0)]


def test_a_full_mask_is_its_frame() -> None:
    (outline,) = trace_mask(np.ones((3, 5), bool))
    assert outline.equals(shapely.box(0, 0, 5, 3))
    assert shapely.get_num_coordinates(outline) == 5


def test_an_empty_mask_has_none() -> None:
    assert trace_mask(np.zeros((3, 5), bool)) == []
    assert trace_mask(np.zeros((0, 5), bool)) == []


def test_three_walls_meet_in_a_vertex() -> None:
    outlines, owners = trace_labels(np.array([[1, 1, 1, 1], [2, 2, 3, 3]]))
    assert owners.tolist() == [1, 2, 3]
    assert (2, 1) in outlines[0].exterior.coords


@pytest.mark.parametrize("mask", [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 1), bool)])
def test_what_is_no_mask_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"traced from a bool mask .* got .*threshold the map first"):
        trace_mask(mask)


def test_a_real_mask_comes_back(shared_data: object) -> None:
    from pathlib import Path

    from members.data.raster import read_mask

    path = sorted((Path(str(shared_data)) / "hot_buildings/training/masks/img").glob("banepa*.tif"))[7]
    mask = read_mask(path).astype(bool)
    np.testing.assert_array_equal(rasterize_outlines(trace_mask(mask), mask.shape), mask)
