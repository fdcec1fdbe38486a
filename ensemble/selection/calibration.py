"""Calibration: a member's map values, replaced by how often they are right on the tiles that it did not train on.

A calibration is a lookup table of 256 map values that never falls. 0 stays 0, since 0 is also what is stored where an
image has no data; every other value, 255 included, goes where the counts put it.

The tables are fitted on counts of building and other pixels by value, so no pixel is looked at twice.
"""

from dataclasses import dataclass

import numpy as np

from ensemble.mapfolder.raster import quantise
from ensemble.selection.judgement import Judgement, choose_weights, judge_choice
from ensemble.selection.library import IDENTITY, Library
from ensemble.statistics.crossfit import CrossFit
from members.common.choices import CalibrationName, KeepName

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
    keep: KeepName = "likely"

    @property
    def kept(self) -> bool:
        """Whether it pays on new groups, as sure as `keep` asks."""
        return self.judgement.gain is not None and self.judgement.gain.is_kept(self.keep)


def judge_calibration(
    library: Library, plain: Judgement, method: CalibrationName, bags: int, keep: KeepName = "likely"
) -> Calibration:
    """Calibrate the members and judge whether that pays.

    Args:
        library: all members' maps.
        plain: the blend without calibration; the same way to blend is taken with it.
        method: how to calibrate.
        bags: draws of groups that a greedy choice is averaged over, at least 1.
        keep: how sure its gain has to be.
    """
    counts, crossfit = library.count_members(), CrossFit.deal(library.groups)
    given = tuple(plain.weights.values())
    tables, weights, blends = [], [], []
    for mask in crossfit.training_masks:
        tables.append([fit_table(member[mask].sum(axis=0), method) for member in counts])
        calibrated = library.replace_values(tables[-1])
        weights += choose_weights(plain.method, calibrated, [mask], bags, given)
        blends.append(calibrated.count_blend(weights[-1]))
    chosen = dict(zip(library.members, weights[0], strict=True))
    judgement = judge_choice(plain.method, chosen, blends, crossfit, plain.choices, library.objective)
    return Calibration(method, dict(zip(library.members, tables[0], strict=True)), judgement, keep)


def fit_table(counts: np.ndarray, method: CalibrationName) -> np.ndarray:
    """Fit the lookup table of one member.

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
    """Fit the share of building pixels as a function of the map's value that never falls.

    Zadrozny and Elkan 2002, Transforming Classifier Scores into Accurate Multiclass Probability Estimates,
    doi:10.1145/775047.775151. Values that were not seen are between their neighbours, of which 0, at 0, is one.

    Args:
        buildings: int (255,), building pixels of the values 1..255; at least one.
        others: int (255,), all other pixels.

    Returns:
        float64 (255,), in 0..1.
    """
    from sklearn.isotonic import IsotonicRegression  # here, as it takes a second to load

    total = buildings + others
    seen = total > 0
    model = IsotonicRegression(out_of_bounds="clip")
    share, weight = buildings[seen] / total[seen], total[seen]
    model.fit(np.append(0, VALUES[seen]), np.append(0, share), sample_weight=np.append(1, weight))
    return model.predict(VALUES)


def fit_temperature(buildings: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Fit the temperature that makes the truth most likely, and return probabilities whose logits it divides.

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
