"""ObjectModel: the probability that an outlined building is a true one, by boosted trees, and the least to keep it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from postproc.objects.features import FEATURES, measure_objects
from postproc.polygons.buildings import Building

LEAF = -1
"""In place of a feature's number, where a tree ends."""


class Tree(BaseModel):
    """A regression tree: its nodes one after the other, the first is the root, children after their parents.

    A building goes left where its feature is at most the threshold; at a leaf the value counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature: tuple[Annotated[int, Field(ge=LEAF, lt=len(FEATURES))], ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]

    @model_validator(mode="after")
    def check_nodes(self) -> "Tree":
        """Refuse what is no tree, on which a building would go round for ever."""
        nodes = len(self.feature)
        if not nodes or {len(part) for part in (self.threshold, self.left, self.right, self.value)} != {nodes}:
            raise ValueError("its lists are of different lengths, or empty")
        for node, feature in enumerate(self.feature):
            children = (self.left[node], self.right[node])
            if feature != LEAF and not all(node < child < nodes for child in children):
                raise ValueError(f"node {node} has the children {children}, which are not after it")
        return self

    def sum_up(self, features: np.ndarray) -> np.ndarray:
        """Return the value of each row of features, float64 (n,)."""
        feature, threshold = np.array(self.feature), np.array(self.threshold)
        left, right = np.array(self.left), np.array(self.right)
        nodes = np.zeros(len(features), int)
        while (inner := np.flatnonzero(feature[nodes] != LEAF)).size:
            at = nodes[inner]
            goes_left = features[inner, feature[at]] <= threshold[at]
            nodes[inner] = np.where(goes_left, left[at], right[at])
        return np.array(self.value)[nodes]


class ObjectModel(BaseModel):
    """How likely an outlined building is a true one.

    Gradient boosting (Friedman 2001, doi:10.1214/aos/1013203451): the log-odds are a base and the sum of trees.

    Attributes:
        features: what it was made for; those of `FEATURES`.
        base: log-odds before the trees.
        trees: shrunk.
        cut: the least probability of a building that is kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...] = FEATURES
    base: float
    trees: tuple[Tree, ...]
    cut: Annotated[float, Field(ge=0, le=1)] = 0.0

    @model_validator(mode="after")
    def check_features(self) -> "ObjectModel":
        """Refuse a model of other features than are measured."""
        if self.features != FEATURES:
            raise ValueError(f"a model of other features than are measured here: {', '.join(self.features)}")
        return self

    def judge(self, features: np.ndarray) -> np.ndarray:
        """Return the probability that each building is true, float64 (n,), of float32 (n, features)."""
        odds = np.full(len(features), self.base)
        for tree in self.trees:
            odds += tree.sum_up(features)
        return 1 / (1 + np.exp(-odds))

    def select(self, buildings: Sequence[Building], values: np.ndarray) -> list[Building]:
        """Return the buildings that are likely enough, with that probability as their confidence.

        Args:
            buildings, values: as for `measure_objects`.
        """
        judged = self.judge(measure_objects(buildings, values)).tolist()
        return [
            replace(building, confidence=probability)
            for building, probability in zip(buildings, judged, strict=True)
            if probability >= self.cut
        ]

    def __str__(self) -> str:
        return f"buildings likely by {self.cut:.2f}"
