"""Walls become straight and right-angled, and what would stray from its source stays as it was."""

from collections.abc import Sequence

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from shapely import Point, Polygon, affinity, box

from postproc.polygons.buildings import rasterize_outlines
from postproc.polygons.gate import Gate
from postproc.polygons.regularisation import Forms
from postproc.polygons.simplification import simplify_outlines
from postproc.polygons.tracing import trace_labels, trace_mask
from postproc.scoring.shapes import count_vertices, measure_hausdorff, measure_iou, measure_right_angles

SIZE = (120, 120)
ELL = Polygon([(25, 25), (95, 25), (95, 60), (60, 60), (60, 95), (25, 95)])
COURTYARD = Polygon(box(20, 25, 100, 95).exterior, [box(45, 45, 75, 75).exterior])


def regularise(
    outlines: Sequence[Polygon] | np.ndarray, tolerance: float, least: float, most: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Regularise all of some outlines."""
    sources = np.asarray(outlines, object)
    return Forms(sources, Gate(least, most)).regularise(np.arange(len(sources)), tolerance)


def roughen(mask: np.ndarray, seed: int) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(mask.shape), 2)
    rough: np.ndarray = gaussian_filter(mask.astype(float), 2) + 0.1 * noise / noise.std() > 0.5
    return rough


@pytest.mark.parametrize("angle", [0, 17, 38])
@pytest.mark.parametrize("shape", [box(30, 40, 90, 80), ELL, COURTYARD])
def test_ragged_buildings_get_their_walls_back(shape: Polygon, angle: int) -> None:
    drawn = affinity.rotate(shape, angle, origin=(60, 60))
    traced = max(trace_mask(roughen(rasterize_outlines([drawn], SIZE), angle)), key=lambda outline: outline.area)
    straight, squared, which = regularise([traced], 4.0, 0.8, 12.0)
    assert which.tolist() == [2]
    assert count_vertices(squared) == count_vertices([drawn])
    assert measure_right_angles(squared, 0.1) == 1
    assert measure_iou(squared, [drawn]) > measure_iou([traced], [drawn])
    assert measure_iou(straight, [drawn]) > measure_iou([traced], [drawn])


def test_circles_are_not_squared() -> None:
    (traced,) = trace_mask(rasterize_outlines([Point(60, 60).buffer(30)], SIZE))
    _, _, which = regularise([traced], 4.0, 0.0, 100.0)
    assert which.tolist() == [1]


def test_a_strict_gate_lets_nothing_through() -> None:
    (traced,) = trace_mask(rasterize_outlines([affinity.rotate(ELL, 20)], SIZE))
    for gate in ((1.0, 12.0), (0.8, 0.0)):
        _, _, which = regularise([traced], 4.0, *gate)
        assert which.tolist() == [0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 8.0), st.floats(0.3, 0.95), st.floats(1.0, 20.0))
def test_whatever_passes_is_valid_and_close(seed: int, tolerance: float, least: float, most: float) -> None:
    rng = np.random.default_rng(seed)
    mask = gaussian_filter(rng.standard_normal((40, 40)), rng.uniform(0, 4)) > 0
    traced = np.array(trace_mask(mask), object)
    straight, squared, which = regularise(traced, tolerance, least, most)
    for forms, passed in ((straight, which >= 1), (squared, which == 2)):
        assert shapely.is_valid(forms).all()
        assert not shapely.is_empty(forms).any()
        sources = np.array([Polygon(outline.exterior) for outline in traced[passed]], object)
        filled = np.array([Polygon(outline.exterior) for outline in forms[passed]], object)
        assert (measure_hausdorff(filled, sources) <= most + 1e-9).all()


def test_of_nothing_comes_nothing() -> None:
    assert all(len(made) == 0 for made in regularise([], 4.0, 0.8, 12.0))


@given(seed=st.integers(0, 2**32 - 1), tolerance=st.sampled_from([0.0, 1.0, 3.0, 6.0]))
@settings(max_examples=30)
def test_clusters_are_simplified_as_all_are_together(seed: int, tolerance: float) -> None:
    """Whichever of them are asked for, and one after the other: labels touch in clusters, with gaps between these."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(1, 5, (6, 6)).repeat(4, axis=0).repeat(4, axis=1) * roughen(np.ones((24, 24), bool), seed)
    labels[:, 8:10] = labels[14:15] = 0
    sources = np.array(trace_labels(labels)[0], object)
    forms = Forms(sources, Gate(0.85, 16))
    for share in (0.5, 0.7, 1.0):
        which = np.flatnonzero(rng.random(len(sources)) < share)
        expected = simplify_outlines(sources[which], tolerance)
        assert shapely.equals_identical(forms.simplify(which, tolerance), expected).all()
