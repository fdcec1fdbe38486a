"""Promises about new groups: a loss that stays below a level on average, or with a confidence.

The groups at hand and the new ones have to be drawn alike; nothing else is assumed. A loss is between 0 and 1, one a
group and choice; choices stand in a sequence that was fixed before the data were seen, from the safest to the boldest.
"""

import math

import numpy as np


def count_needed(alpha: float, confidence: float | None) -> int:
    """Return how many groups a promise takes at the least, where none of them loses anything.

    >>> count_needed(0.1, None), count_needed(0.1, 0.9)
    (9, 22)
    """
    if confidence is None:
        return math.ceil(round(1 / alpha - 1, 9))
    return math.ceil(round(math.log(1 - confidence) / math.log(1 - alpha), 9))


def control_on_average(losses: np.ndarray, alpha: float) -> int | None:
    """Find the boldest choice whose expected loss on a new group is at most alpha.

    Conformal risk control (Angelopoulos et al. 2024, arXiv:2208.02814): of n groups the mean loss times n / (n + 1),
    plus 1 / (n + 1), is at most alpha. The expectation is over the groups at hand as well as the new one. A loss that
    falls on the way counts as the highest so far, which can only make the promise safer.

    Args:
        losses: float (choices, groups), 0 to 1.
        alpha: the level, more than 0 and less than 1.

    Returns:
        The number of the choice, or None where not even the first one will do.

    >>> control_on_average(np.array([[0.0] * 19, [0.04] * 19, [0.06] * 19]), 0.1)
    1
    """
    groups = losses.shape[1]
    risks = np.maximum.accumulate(losses, axis=0).mean(axis=1) * groups / (groups + 1) + 1 / (groups + 1)
    return _last_below(risks, alpha)


def control_with_confidence(losses: np.ndarray, alpha: float, confidence: float) -> int | None:
    """Find the boldest choice that is known, with a confidence, to lose at most alpha on average over new groups.

    Learn then Test (Angelopoulos et al. 2021, arXiv:2110.01052): one choice after the other is tested by the p-value of
    Hoeffding and Bentkus; the first that fails ends it, so that no correction for many tests is needed.

    Args:
        losses: as for `control_on_average`.
        alpha: likewise.
        confidence: more than 0 and less than 1.

    Returns:
        As `control_on_average`.
    """
    return _last_below(np.array([find_p_value(own, alpha) for own in losses]), 1 - confidence)


def _last_below(values: np.ndarray, level: float) -> int | None:
    """Return the number of the last value before the first one that is above a level; None where the first one is."""
    above = np.flatnonzero(values > level + 1e-12)
    last = int(above[0]) - 1 if len(above) else len(values) - 1
    return None if last < 0 else last


def find_p_value(losses: np.ndarray, alpha: float) -> float:
    """Return the p-value of losses, float (groups,), for the hypothesis that their expectation is more than alpha.

    The lesser of Hoeffding's and Bentkus's bounds (Bates et al. 2021, doi:10.1145/3478535).

    >>> round(find_p_value(np.zeros(22), 0.1), 3)
    0.098
    """
    groups, mean = len(losses), float(losses.mean())
    if mean >= alpha:
        return 1.0
    divergence = (1 - mean) * math.log((1 - mean) / (1 - alpha))
    if mean > 0:
        divergence += mean * math.log(mean / alpha)
    from scipy.stats import binom  # only now: it loads half of SciPy

    bentkus = math.e * float(binom.cdf(math.ceil(round(groups * mean, 9)), groups, alpha))
    return min(math.exp(-groups * divergence), bentkus)
