"""Graphs: which things belong together, given which pairs do."""

from collections.abc import Sequence

import numpy as np
import scipy


def find_groups(count: int, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """Group the numbers 0 to count - 1 that pairs connect; return the group of each, int (count,)."""
    one, other = np.array(pairs, int).reshape(-1, 2).T
    return scipy.sparse.csgraph.connected_components(
        scipy.sparse.coo_array((np.ones(len(one)), (one, other)), (count, count)), directed=False
    )[1]
