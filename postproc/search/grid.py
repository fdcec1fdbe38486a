"""Grids: recipes with their counts at every threshold, and the choice among them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ensemble.statistics.counts import Counts
from ensemble.statistics.metrics import best_threshold
from members.common.choices import Objective
from postproc.objects.model import ObjectModel
from postproc.pipeline.outlines import OutlineRecipe
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.tile_cut import TileCut


@dataclass(frozen=True)
class Choice:
    """A recipe, its score where it was chosen, its counts per group without further choices, and how it is outlined.

    Attributes:
        recipe: from a map to its mask.
        score: where it was chosen.
        counts: of all groups.
        outlines: how outlines are drawn; None where they are not part of it.
        objects: which of them are left out; None: none.
        tile_cut: how each image's own threshold is chosen; None: the recipe's is that of all.
    """

    recipe: Recipe
    score: float
    counts: Counts
    outlines: OutlineRecipe | None = None
    objects: ObjectModel | None = None
    tile_cut: TileCut | None = None


@dataclass(frozen=True)
class Grid:
    """Recipes, and the counts of each of them at every threshold.

    Attributes:
        recipes: in their normal form, from simple to complex, their thresholds left at the default.
        counts: their choices are (recipes, 255).
    """

    recipes: tuple[Recipe, ...]
    counts: Counts

    def take(self, indices: Sequence[int]) -> "Grid":
        """Return the grid of some of the recipes; `take([0])` of a whole grid leaves the threshold alone."""
        return Grid(tuple(self.recipes[index] for index in indices), self.counts[np.asarray(indices)])

    def choose(self, objective: Objective, weights: np.ndarray | None = None) -> Choice:
        """Return the best recipe with its threshold; of equals the least complex.

        Args:
            objective: what is maximised.
            weights: (groups,), how often each group counts; without it each counts once.
        """
        scores = self.counts.score(objective, weights)
        best = scores.max()
        # of a recipe's equal thresholds only its own best can win
        equals = np.flatnonzero(scores.max(axis=-1) == best).tolist()
        ties = [(index, best_threshold(scores[index])) for index in equals]
        cuts = [self.recipes[index].model_copy(update={"threshold": threshold}) for index, threshold in ties]
        first = min(range(len(cuts)), key=lambda number: cuts[number].complexity)
        index, threshold = ties[first]
        return Choice(cuts[first], float(best), self.counts[index, threshold - 1])

    def rank(self, objective: Objective, weights: np.ndarray | None = None) -> list[int]:
        """Return the indices of the recipes, best first, each at its own best threshold."""
        best = self.counts.score(objective, weights).max(axis=-1)
        return np.argsort(-best, kind="stable").tolist()
