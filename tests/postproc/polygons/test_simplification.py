"""Simplified outlines keep their shared walls."""

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from postproc.polygons.simplification import simplify_outlines
from postproc.polygons.tracing import trace_labels
from postproc.scoring.shapes import count_vertices


def test_a_small_bump_goes_and_a_corner_stays() -> None:
    mask = np.zeros((22, 22), bool)
    mask[1:20, 1:20] = True
    mask[20, 9] = True
    simplified = simplify_outlines(trace_labels(mask)[0], 2.0)
    assert count_vertices(simplified).tolist() == [4]


def test_a_ragged_shared_wall_is_the_same_on_both_sides() -> None:
    labels = np.ones((30, 30), int)
    labels[:, 15:] = 2
    labels[5, 15] = labels[11, 15:17] = 1
    simplified = simplify_outlines(trace_labels(labels)[0], 3.0)
    assert shapely.coverage_is_valid(simplified)
    assert simplified[0].union(simplified[1]).area == 900
    assert count_vertices(simplified).tolist() == [4, 4]


@settings(max_examples=50, deadline=None)
@given(arrays(np.int64, (10, 10), elements=st.integers(0, 3)), st.floats(0, 8))
def test_a_coverage_stays_one(labels: np.ndarray, tolerance: float) -> None:
    outlines, _ = trace_labels(labels)
    simplified = simplify_outlines(outlines, tolerance)
    assert len(simplified) == len(outlines)
    assert (shapely.get_type_id(simplified) == shapely.GeometryType.POLYGON).all()
    assert shapely.is_valid(simplified).all()
    assert shapely.coverage_is_valid(simplified)


def test_of_nothing_comes_nothing() -> None:
    assert len(simplify_outlines([], 2.0)) == 0
