"""How alike members err: an ensemble gains from members that are strong and err differently."""

import numpy as np

from ensemble.selection.library import Library


def correlate_errors(library: Library) -> np.ndarray:
    """Return Pearson's correlation of the members' errors, map minus truth, over all pixels.

    Args:
        library: all members' maps.

    Returns:
        float64 (members, members), -1..1. A member that errs nowhere, or by the same everywhere, has no correlation:
        NaN.
    """
    members = len(library.members)
    sums, products = np.zeros(members), np.zeros((members, members))
    for start, ground, end in library.bounds:
        errors = library.values[:, start:end].astype(np.float64)
        errors[:, : ground - start] -= 255
        # whole numbers: their float64 sums are exact, whatever the order of the tiles
        sums += errors.sum(axis=1)
        products += errors @ errors.T
    means = sums / library.values.shape[1]
    covariance = products / library.values.shape[1] - np.outer(means, means)
    deviations = np.sqrt(np.clip(np.diag(covariance), 0, None))
    scale = np.outer(deviations, deviations)
    return np.divide(covariance, scale, out=np.full_like(covariance, np.nan), where=scale > 0)
