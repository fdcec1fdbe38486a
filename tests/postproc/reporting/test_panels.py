"""Panels of an image: what each of them shows, read off the figure."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from shapely import Polygon, box

from ensemble.selection.blend import Blend
from postproc.pipeline.pipeline import Pipeline
from postproc.polygons.buildings import Building
from postproc.reporting.panels import ERRORS, ImageResult, draw_panels, draw_rows

SIZE = (40, 60)
IMAGE = np.full((*SIZE, 3), 90, np.uint8)
TRUTH, MASK = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
TRUTH[10:30, 10:40], MASK[10:30, 20:50] = True, True
VALUES = np.where(MASK, 200, 30).astype(np.uint8)
BUILDINGS = [Building(box(20, 10, 50, 30), "traced", 0.8)]
KNOWN, UNKNOWN = (ImageResult(IMAGE, truth, VALUES, MASK, BUILDINGS) for truth in (TRUTH, None))
SIX = ["image", "truth", "probability", "mask", "outlines", "errors"]


def list_titles(figure: Figure) -> list[str]:
    return [each.get_title(loc="left") for each in figure.axes if each.get_title(loc="left")]


def find_panel(result: ImageResult, title: str) -> Axes:
    return next(axes for axes in draw_panels(result).axes if axes.get_title(loc="left") == title)


def read_pixels(axes: Axes, layer: int = 0) -> np.ndarray:
    return np.ma.filled(np.ma.asarray(axes.images[layer].get_array(), float), np.nan)


def test_panels_with_truth_and_without() -> None:
    assert list_titles(draw_panels(KNOWN)) == SIX
    assert list_titles(draw_panels(UNKNOWN)) == ["image", "probability", "mask", "outlines"]
    assert draw_panels(KNOWN, "a title").get_suptitle() == "a title"


def test_each_panel_shows_its_pixels() -> None:
    for title, pixels in {"image": IMAGE, "truth": TRUTH, "mask": MASK, "outlines": IMAGE}.items():
        np.testing.assert_array_equal(read_pixels(find_panel(KNOWN, title)), pixels, title)
    np.testing.assert_allclose(read_pixels(find_panel(KNOWN, "probability")), VALUES / 255)


def test_errors_are_where_they_are() -> None:
    """Of the second layer of colours, one kind a case: columns 20 to 40 are hit, 40 to 50 false, 10 to 20 missed."""
    panel = find_panel(KNOWN, "errors")
    np.testing.assert_array_equal(read_pixels(panel, 1)[20, [5, 15, 30, 45, 55]], [np.nan, 2, 0, 1, np.nan])
    layer = panel.images[1]
    drawn = layer.to_rgba(np.arange(3))[:, :3]
    np.testing.assert_array_equal(drawn, [to_rgb(colour) for colour in ERRORS.values()])
    legend = panel.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == list(ERRORS)


def test_outlines_lie_on_the_edges_of_pixels() -> None:
    courtyard = Polygon(box(20, 10, 50, 30).exterior, [box(30, 15, 40, 20).exterior])
    result = ImageResult(IMAGE, None, VALUES, MASK, [Building(courtyard, "traced", 0.8)])
    outer, inner = (np.array(line.vertices) for line in find_panel(result, "outlines").collections[1].get_paths())
    assert (outer.min(0).tolist(), outer.max(0).tolist()) == ([19.5, 9.5], [49.5, 29.5])
    assert (inner.min(0).tolist(), inner.max(0).tolist()) == ([29.5, 14.5], [39.5, 19.5])


def test_rows_have_a_title_and_their_panels_each() -> None:
    figure = draw_rows({"one": KNOWN, "other": UNKNOWN})
    assert [row.get_suptitle() for row in figure.subfigs] == ["one", "other"]
    assert list_titles(figure) == [*SIX, "image", "probability", "mask", "outlines"]
    masks = [axes for axes in figure.axes if axes.get_title(loc="left") == "mask"]
    assert all(np.array_equal(read_pixels(axes), MASK) for axes in masks)


def test_a_map_becomes_mask_and_outlines_by_the_pipeline() -> None:
    result = ImageResult.of_map(IMAGE, TRUTH, VALUES, Pipeline(Blend({"net": 1})))
    np.testing.assert_array_equal(result.mask, MASK)
    assert [building.outline.bounds for building in result.buildings] == [(20, 10, 50, 30)]


def test_scores_in_words() -> None:
    assert KNOWN.describe() == "IoU 0.500, of outlines 0.500; 1 building"
    assert ImageResult(IMAGE, None, VALUES, MASK, []).describe() == "0 buildings; truth unknown"
