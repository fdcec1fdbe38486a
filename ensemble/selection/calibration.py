"""Calibration: a member's map values, replaced by how often they are right on the tiles that it did not train on.

A calibration is a lookup table of 256 map values that never falls. 0 stays 0, since 0 is also what is stored where an
image has no data; every other value, 255 included, goes where the evidence puts it.

The tables are fitted on counts of building and other pixels by value, so no pixel is looked at twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ensemble.mapfolder.raster import quantise
from ensemble.selection.greedy import Library, Picks, collect_blend, count_values
from ensemble.selection.methods import Judgement, choose_weights, judge_choice
from ensemble.statistics.counts import Counts, index_groups
from ensemble.statistics.crossfit import CrossFit

CalibrationName = Literal["isotonic", "temperature"]

IDENTITY = np.arange(256, dtype=np.uint8)
VALUES = IDENTITY[1:]
PROBABILITIES = np.minimum(VALUES, 254.75) / 255
"""Of the values 1..255; 255 stands for all that is rounded to it, 254.5 / 255 to 1, so that its logit is finite."""


@dataclass(frozen=True)
class Calibration:
    """Every member's calibration, and what the blend of the calibrated maps is worth.

    Attributes:
        method: "isotonic" or "temperature".
        tables: member -> uint8 (256,), fitted on all tiles.
        judgement: of the blend, its weights and threshold chosen on calibrated maps. Tables, weights and threshold
            are chosen anew for each fold on the others; the gain is over the same blend without calibration.
    """

    method: str
    tables: dict[str, np.ndarray]
    judgement: Judgement

    @property
    def pays(self) -> bool:
        """Whether the gain's interval is above 0."""
        return self.judgement.gain is not None and self.judgement.gain.proven


def judge_calibration(library: Library, plain: Judgement, method: CalibrationName, bags: int) -> Calibration:
    """Calibrate the members and judge whether that pays.

    Args:
        library: all members' maps.
        plain: the blend without calibration; the same way to blend is taken with it.
        method: how to calibrate.
        bags: draws of groups that a greedy choice is averaged over, at least 1.
    """
    counts, crossfit = count_members(library), CrossFit.deal(library.groups)
    tables, weights, blends = [], [], []
    for mask in crossfit.training_masks:
        tables.append(np.stack([fit_table(member[mask].sum(axis=0), method) for member in counts]))
        calibrated = calibrate_library(library, tables[-1])

        def count(blend: Picks, calibrated: Library = calibrated) -> Counts:
            return collect_blend(calibrated, blend)

        weights += choose_weights(plain.method, calibrated, [mask], bags, list(plain.weights.values()), count)
        blends.append(count(weights[-1]))
    judgement = judge_choice(plain.method, library.members, weights, blends, crossfit, plain.counts)
    return Calibration(method, dict(zip(library.members, tables[0], strict=True)), judgement)


def count_members(library: Library) -> np.ndarray:
    """Count pixels by map value: int64 (members, groups, 2, 256), building pixels first, groups sorted."""
    names, index = index_groups(library.groups)
    counts = np.zeros((len(library.members), len(names), 2, 256), np.int64)
    nothing = np.zeros(library.values.shape[1], np.uint32)
    for values, member in zip(library.values, counts, strict=True):
        np.add.at(member, index, count_values(nothing, values, IDENTITY, library.bounds))
    return counts


def fit_table(counts: np.ndarray, method: CalibrationName) -> np.ndarray:
    """The lookup table of one member.

    Args:
        counts: int (2, 256), building and other pixels by map value.
        method: how to calibrate.

    Returns:
        uint8 (256,), never falling, 0 at 0. The identity where no pixel above 0, or none but of one kind, was counted.
    """
    buildings, others = counts[:, 1:]
    if not buildings.any() or not others.any():
        return IDENTITY.copy()
    fit = {"isotonic": fit_isotonic, "temperature": fit_temperature}[method]
    return np.concatenate([IDENTITY[:1], quantise(fit(buildings, others))])


def fit_isotonic(buildings: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The share of building pixels as a function of the map's value that never falls.

    Zadrozny and Elkan 2002, Transforming Classifier Scores into Accurate Multiclass Probability Estimates,
    doi:10.1145/775047.775151. Values that were not seen are between their neighbours, of which 0, at 0, is one.

    Args:
        buildings: int (255,), building pixels of the values 1..255; at least one.
        others: int (255,), all other pixels.

    Returns:
        float64 (255,), in 0..1.
    """
    from sklearn.isotonic import IsotonicRegression  # here, as the command line starts faster without

    total = buildings + others
    seen = total > 0
    model = IsotonicRegression(out_of_bounds="clip")
    share, weight = buildings[seen] / total[seen], total[seen]
    model.fit(np.append(0, VALUES[seen]), np.append(0, share), sample_weight=np.append(1, weight))
    return model.predict(VALUES)


def fit_temperature(buildings: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Probabilities whose logits are divided by the temperature that makes the truth most likely.

    Guo et al. 2017, On Calibration of Modern Neural Networks, arXiv:1706.04599. That is logistic regression on the
    logit without an intercept; its coefficient is 1 / temperature.

    Args:
        buildings: int (255,), building pixels of the values 1..255; at least one.
        others: int (255,), all other pixels; at least one.

    Returns:
        float64 (255,), in 0..1. A member whose values fall where buildings are keeps them.
    """
    from sklearn.linear_model import LogisticRegression  # as above

    logits = np.log(PROBABILITIES / (1 - PROBABILITIES))
    model = LogisticRegression(C=np.inf, fit_intercept=False)
    weights = np.concatenate([others, buildings]) / (buildings.sum() + others.sum())
    model.fit(np.tile(logits, 2)[:, None], np.repeat([0, 1], 255), sample_weight=weights)
    coefficient = float(model.coef_[0, 0])
    return 1 / (1 + np.exp(-logits * coefficient)) if coefficient > 0 else PROBABILITIES


def calibrate_library(library: Library, tables: Iterable[np.ndarray]) -> Library:
    """The library of calibrated maps; one table a member."""
    values = np.stack([table[values] for table, values in zip(tables, library.values, strict=True)])
    return replace(library, values=values)
