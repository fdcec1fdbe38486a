"""How alike members err: an ensemble gains from members that are strong and err differently."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np


class ErrorMoments:
    """Sums of all members' errors, map minus truth, and of their products, over the pixels that pass by.

    Args:
        members: how many there are.
    """

    def __init__(self, members: int) -> None:
        self.pixels = 0
        self.sums = np.zeros(members)
        self.products = np.zeros((members, members))

    def watch(self, pairs: Iterable[tuple[Sequence[np.ndarray], np.ndarray]]) -> Iterator[tuple]:
        """Yield the pairs as they come, adding them up.

        Args:
            pairs: each tile's maps, uint8 (h, w) a member, with its truth, bool (h, w).
        """
        for maps, truth in pairs:
            # whole numbers: their float64 sums are exact, whatever the tiles' order
            errors = np.stack([values.ravel() for values in maps]).astype(np.float64) - 255 * truth.ravel()
            self.pixels += truth.size
            self.sums += errors.sum(axis=1)
            self.products += errors @ errors.T
            yield maps, truth

    def correlate(self) -> np.ndarray:
        """Return Pearson's correlation of the members' errors, float (members, members), -1..1.

        A member that errs nowhere, or by the same everywhere, has no correlation: nan.
        """
        means = self.sums / max(self.pixels, 1)
        covariance = self.products / max(self.pixels, 1) - np.outer(means, means)
        deviations = np.sqrt(np.clip(np.diag(covariance), 0, None))
        scale = np.outer(deviations, deviations)
        return np.divide(covariance, scale, out=np.full_like(covariance, np.nan), where=scale > 0)

    def describe(self) -> list[list[float | None]]:
        """The correlations as they are written to JSON, which knows no nan."""
        return [[None if np.isnan(value) else round(float(value), 4) for value in row] for row in self.correlate()]
