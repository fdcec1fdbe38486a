"""Promises about new groups: against naive formulas and MAPIE, and kept in simulated draws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapie.risk_control.fwer_control import control_fwer
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value, find_best_predict_param, get_r_hat_plus

from ensemble.statistics.risk import control_on_average, control_with_confidence, count_needed, find_p_value

alphas = st.sampled_from([0.05, 0.1, 0.3])


def tail(groups: int, most: int, share: float) -> float:
    """Return the chance of at most so many successes, term by term."""
    return sum(math.comb(groups, k) * share**k * (1 - share) ** (groups - k) for k in range(most + 1))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), alphas)
def test_the_p_value_is_the_lesser_of_two_bounds(losses: list[float], alpha: float) -> None:
    mean = sum(losses) / len(losses)
    p = find_p_value(np.array(losses), alpha)
    if mean >= alpha:
        assert p == 1
        return
    hoeffding = math.exp(-2 * len(losses) * (alpha - mean) ** 2)  # the plain form, which is never less
    assert p <= hoeffding + 1e-9
    assert p <= math.e * tail(len(losses), math.ceil(round(len(losses) * mean, 9)), alpha) + 1e-9


@given(st.integers(2, 40), st.integers(9, 60), st.integers(0, 2**32 - 1), alphas)
def test_mapie_chooses_the_same(choices: int, groups: int, seed: int, alpha: float) -> None:
    """Of losses that rise along the choices, as recall's do along the thresholds."""
    rng = np.random.default_rng(seed)
    losses = np.sort(rng.random((choices, groups)) ** 4, axis=0) * rng.uniform(0.2, 1)
    numbers = np.arange(choices)
    chosen = control_on_average(losses, alpha)
    _, risks = get_r_hat_plus(losses.T, numbers, "crc", None, None, None)
    if chosen is None:
        assert risks[0] > alpha
    else:
        assert find_best_predict_param(numbers, risks, np.array([alpha]))[0] == chosen
    p_values = compute_hoeffding_bentkus_p_value(losses.mean(axis=1), groups, alpha)[:, 0]
    assert [find_p_value(own, alpha) for own in losses] == pytest.approx(np.minimum(p_values, 1))
    tested = control_fwer(p_values, 0.1, "fixed_sequence")
    assert control_with_confidence(losses, alpha, 0.9) == (int(tested[-1]) if len(tested) else None)


@given(st.integers(1, 12), st.integers(1, 30), st.integers(0, 2**32 - 1), alphas)
def test_the_boldest_choice_that_all_before_allow(choices: int, groups: int, seed: int, alpha: float) -> None:
    losses = np.random.default_rng(seed).random((choices, groups)) * 0.3
    expected = None
    for number in range(choices):
        worst = [max(losses[: number + 1, group]) for group in range(groups)]
        if groups / (groups + 1) * sum(worst) / groups + 1 / (groups + 1) > alpha:
            break
        expected = number
    assert control_on_average(losses, alpha) == expected


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("confidence", [None, 0.8, 0.9])
def test_fewer_groups_never_do_and_as_many_do_without_a_loss(alpha: float, confidence: float | None) -> None:
    def control(groups: int) -> int | None:
        losses = np.zeros((3, groups))
        if confidence is None:
            return control_on_average(losses, alpha)
        return control_with_confidence(losses, alpha, confidence)

    needed = count_needed(alpha, confidence)
    assert control(needed) == 2
    assert control(needed - 1) is None


def test_promises_are_kept_in_simulated_draws() -> None:
    """What is chosen loses at most alpha, as often as promised; of most groups nothing is lost, of some a lot."""
    rng = np.random.default_rng(0)
    means = np.linspace(0.01, 0.4, 40)
    realised: dict[str, list[float]] = {"average": [], "confidence": []}
    for _ in range(400):
        quantiles = rng.random(30)
        losses = np.array([np.where(quantiles < mean, 0.2 + 0.8 * rng.random(30), 0) for mean in means])
        true = 0.6 * means
        for name, chosen in (
            ("average", control_on_average(losses, 0.1)),
            ("confidence", control_with_confidence(losses, 0.1, 0.9)),
        ):
            realised[name].append(0.0 if chosen is None else true[chosen])
    assert np.mean(realised["average"]) <= 0.1
    assert np.mean(np.array(realised["confidence"]) > 0.1) <= 0.1
    assert np.mean(realised["average"]) > 0.05  # and not for nothing
