"""Members that err alike, independently, and in opposite ways."""

import numpy as np

from ensemble.mapfolder.samples import ArraySamples
from ensemble.selection.diversity import correlate_errors
from ensemble.selection.library import build_library


def test_correlation_is_that_of_all_pixels_together() -> None:
    rng = np.random.default_rng(0)
    truths, maps = [], {"a": [], "b": [], "c": []}  # type: ignore[var-annotated]
    for size in ((5, 7), (64, 32), (1, 3)):
        truths.append(rng.random(size) < 0.3)
        first = rng.integers(0, 256, size, np.uint8)
        maps["a"].append(first)
        maps["b"].append(np.clip(first + rng.integers(-60, 60, size), 0, 255).astype(np.uint8))
        maps["c"].append(rng.integers(0, 256, size, np.uint8))
    library = build_library(ArraySamples(maps, truths, ["x", "y", "x"]))
    truth = np.concatenate([truth.ravel() for truth in truths])
    errors = [np.concatenate([values.ravel() for values in own]) / 255.0 - truth for own in maps.values()]
    np.testing.assert_allclose(correlate_errors(library), np.corrcoef(errors), atol=1e-5)


def test_equal_errors_but_for_a_constant_and_none() -> None:
    """`shy` errs by -100 on buildings alone, `bold` by +100 on the ground alone: the same but for 100 everywhere."""
    truth = np.array([[True, False, True, False]])
    shy, bold = np.array([[155, 0, 155, 0]], np.uint8), np.array([[255, 100, 255, 100]], np.uint8)
    right = np.where(truth, 255, 0).astype(np.uint8)
    samples = ArraySamples({"shy": [shy], "bold": [bold], "right": [right]}, [truth], ["g"])
    correlation = correlate_errors(build_library(samples))
    assert correlation[:2, :2].tolist() == [[1, 1], [1, 1]]
    assert np.isnan(correlation[2]).all()
    assert np.isnan(correlation[:, 2]).all()
