"""Fit an object model to buildings of which it is known whether they are true, and choose the cut on held-out ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from postproc.objects.model import LEAF, ObjectModel, Tree

SETTINGS = {
    "n_estimators": 80,
    "learning_rate": 0.06,
    "max_depth": 3,
    "min_samples_leaf": 20,
    "subsample": 0.7,
    "random_state": 42,
}
FOLDS = 5
CUTS = np.arange(0, 0.65, 0.05)
LEAST = 40
"""Buildings, and true and false ones among them a tenth of that, without which no model is fitted."""


@dataclass(frozen=True)
class ObjectTable:
    """All buildings that were outlined on some tiles.

    Attributes:
        features: float32 (n, features), as `measure_objects` gives them.
        found: bool (n,), whether each is a true building.
        tile: int (n,), the tile that each is on.
        truths: int (tiles,), how many true buildings each tile has.
    """

    features: np.ndarray
    found: np.ndarray
    tile: np.ndarray
    truths: np.ndarray

    def count(self, kept: np.ndarray) -> np.ndarray:
        """Return of each tile the matched, predicted and true buildings, int64 (tiles, 3); `kept` is bool (n,)."""
        tiles = len(self.truths)
        matched = np.bincount(self.tile[kept & self.found], minlength=tiles)
        return np.column_stack([matched, np.bincount(self.tile[kept], minlength=tiles), self.truths])


def fit_model(table: ObjectTable, groups: np.ndarray, training: np.ndarray) -> ObjectModel | None:
    """Fit a model to the buildings of some groups.

    The cut is the one of highest F1 where each building is judged by a model that has not seen its group.

    Args:
        table: the buildings.
        groups: int (tiles,), the group of each tile.
        training: bool (groups,), those that may be looked at.

    Returns:
        The model; None where there are too few buildings, or too few true or false ones, to fit one.
    """
    group = groups[table.tile]
    chosen = training[group]
    if not has_enough(table.found[chosen]):
        return None
    fold_of = np.full(len(training), -1)
    names = np.flatnonzero(training)
    fold_of[np.random.default_rng(0).permutation(names)] = np.arange(len(names)) % FOLDS
    judged = np.zeros(len(table.found))
    for fold in range(FOLDS):
        rest, held = chosen & (fold_of[group] != fold), chosen & (fold_of[group] == fold)
        model = boost(table.features[rest], table.found[rest]) if has_enough(table.found[rest]) else None
        judged[held] = 1.0 if model is None else model.judge(table.features[held])
    model = boost(table.features[chosen], table.found[chosen])
    return model.model_copy(
        update={"cut": choose_cut(judged[chosen], table.found[chosen], count_truths(table, groups, training))}
    )


def has_enough(found: np.ndarray) -> bool:
    """Tell whether there are enough buildings, true and false ones, to fit a model to."""
    true = int(found.sum())
    return len(found) >= LEAST and min(true, len(found) - true) >= LEAST // 10


def count_truths(table: ObjectTable, groups: np.ndarray, training: np.ndarray) -> int:
    """Count the true buildings of the groups that may be looked at."""
    return int(table.truths[training[groups]].sum())


def choose_cut(judged: np.ndarray, found: np.ndarray, truths: int) -> float:
    """Return the cut of highest F1 = 2 matched / (kept + true); of equals the lowest.

    Example:
        >>> choose_cut(np.array([0.9, 0.8, 0.07]), np.array([True, True, False]), 2)
        0.1
    """
    scores = [2 * (found & (judged >= cut)).sum() / max((judged >= cut).sum() + truths, 1) for cut in CUTS]
    return round(float(CUTS[int(np.argmax(scores))]), 2)


def boost(features: np.ndarray, found: np.ndarray) -> ObjectModel:
    """Fit boosted trees to features, float32 (n, features), and whether each building is true, bool (n,)."""
    from sklearn.ensemble import GradientBoostingClassifier  # here, as it takes a second to load

    fitted = GradientBoostingClassifier(**SETTINGS).fit(features, found)
    share = found.mean()
    trees = [take_tree(each.tree_, fitted.learning_rate) for each in fitted.estimators_[:, 0]]
    return ObjectModel(base=float(np.log(share / (1 - share))), trees=tuple(trees))


def take_tree(tree: Any, rate: float) -> Tree:
    """Take over a tree of scikit-learn's, its values shrunk by a rate."""
    left, right = tree.children_left.tolist(), tree.children_right.tolist()
    leaves = [child < 0 for child in left]
    feature = [LEAF if leaf else number for leaf, number in zip(leaves, tree.feature.tolist(), strict=True)]
    threshold = [0.0 if leaf else value for leaf, value in zip(leaves, tree.threshold.tolist(), strict=True)]
    values = (rate * tree.value[:, 0, 0]).tolist()
    return Tree(
        feature=tuple(feature), threshold=tuple(threshold), left=tuple(left), right=tuple(right), value=tuple(values)
    )
