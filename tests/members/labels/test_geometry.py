"""Outlines moved to map coordinates and back, and cut off at an image's border."""

import numpy as np
import pytest
from rasterio import Affine
from shapely import MultiPolygon, Polygon, box

from members.labels.geometry import clip_outlines, move_outlines


def test_outlines_move_there_and_back() -> None:
    transform = Affine(0.25, 0.1, 100, 0.05, -0.5, 200)
    there = move_outlines(np.array([box(1, 2, 3, 5)]), transform)
    assert there[0].exterior.coords[0] == pytest.approx(transform * (3, 2))
    assert move_outlines(there, ~transform)[0].equals_exact(box(1, 2, 3, 5), 1e-9)


def test_clipping_cuts_and_splits_and_leaves_out_what_only_touches() -> None:
    comb = Polygon([(4, 0), (9, 0), (9, 5), (4, 5), (4, 4), (8, 4), (8, 1), (4, 1)])  # two teeth reach into the image
    outlines = np.array([comb, box(1, 1, 2, 2), box(6, 0, 7, 1), box(9, 9, 10, 10)])
    clipped, owners = clip_outlines(outlines, (5, 6))
    expected = [box(4, 0, 6, 1), box(4, 4, 6, 5), box(1, 1, 2, 2)]
    assert owners.tolist() == [0, 0, 1]
    assert MultiPolygon(clipped).normalize() == MultiPolygon(expected).normalize()
