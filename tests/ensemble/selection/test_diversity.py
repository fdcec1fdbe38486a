"""Members that err alike, independently, and in opposite ways."""

import numpy as np

from ensemble.selection.diversity import ErrorMoments


def test_correlation_is_that_of_all_pixels_together() -> None:
    rng = np.random.default_rng(0)
    pairs = []
    for size in ((5, 7), (64, 32), (1, 3)):
        first, truth = rng.integers(0, 256, size), rng.random(size) < 0.3
        maps = [first, np.clip(first + rng.integers(-60, 60, size), 0, 255), rng.integers(0, 256, size)]
        pairs.append(([values.astype(np.uint8) for values in maps], truth))
    moments = ErrorMoments(3)
    passed = list(moments.watch(pairs))
    assert all(
        one is other for pair, seen in zip(pairs, passed, strict=True) for one, other in zip(pair, seen, strict=True)
    )
    errors = np.concatenate([np.stack(maps).reshape(3, -1) / 255.0 - truth.ravel() for maps, truth in pairs], axis=1)
    np.testing.assert_allclose(moments.correlate(), np.corrcoef(errors), atol=1e-5)


def test_equal_errors_but_for_a_constant_and_none() -> None:
    truth = np.array([[True, False, True, False]])
    shy, bold = np.array([[155, 0, 155, 0]], np.uint8), np.array([[255, 100, 255, 100]], np.uint8)
    right = np.where(truth, 255, 0).astype(np.uint8)
    moments = ErrorMoments(3)
    list(moments.watch([([shy, bold, right], truth)]))
    # shy errs by -100 on buildings alone, bold by +100 on the ground alone: the same but for 100 everywhere
    correlation = moments.correlate()
    assert correlation[:2, :2].tolist() == [[1, 1], [1, 1]]
    assert np.isnan(correlation[2]).all()
    assert moments.describe() == [[1, 1, None], [1, 1, None], [None, None, None]]
