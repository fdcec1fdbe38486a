"""Standard deviations of sets are joined as if all values were one set."""

import numpy as np

from ensemble.inference.std import join_std


def test_by_hand() -> None:
    """0, 2 and 6, 6: means 1 and 6, deviations 1 and 0; all four are 3.5 on average."""
    joined = join_std(np.array([1.0, 6.0]).reshape(2, 1, 1), np.array([1.0, 0.0]).reshape(2, 1, 1))
    np.testing.assert_allclose(joined, [[np.sqrt((3.5**2 + 1.5**2 + 2 * 2.5**2) / 4)]])


def test_against_numpy() -> None:
    values = np.random.default_rng(0).random((3, 8, 4, 5))
    np.testing.assert_allclose(join_std(values.mean(axis=1), values.std(axis=1)), values.std(axis=(0, 1)))
