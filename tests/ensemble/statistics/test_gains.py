"""Gains: reckoned by hand, an interval that covers where a bootstrap does not, and the rule that keeps them."""

import numpy as np
import pytest
from scipy.stats import t as student

from ensemble.statistics.counts import Counts
from ensemble.statistics.crossfit import CrossFit
from ensemble.statistics.estimates import draw_groups
from ensemble.statistics.gains import (
    CROSS_FITTED,
    FEWEST,
    IN_SAMPLE,
    LIKELY,
    UNSEEN,
    Gain,
    bound_gain,
    check_keep,
    compare_fixed,
    find_variance,
    measure_gain,
)
from ensemble.statistics.metrics import IOU_UNIT
from members.common.errors import InputError


def count(ious: np.ndarray) -> Counts:
    """Groups of one tile each of these IoUs; further axes are choices."""
    names = tuple(f"{number:03}" for number in range(len(ious)))
    return Counts(names, np.ones(len(ious), int), {"iou_sum": np.rint(ious * IOU_UNIT).astype(np.int64)})


def make_gain(value: float, low: float, chance: float, groups: int = 20) -> Gain:
    return Gain(value, (low, 2 * value - low), chance, CROSS_FITTED, groups)


def test_variance_of_a_mean_is_that_of_the_textbook() -> None:
    gains = np.array([0.1, 0.3, 0.2, 0.6, 0.0])
    before, after = count(np.full(5, 0.2)), count(0.2 + gains)
    assert find_variance(before, after, "mean_iou") == pytest.approx(gains.var(ddof=1) / 5, rel=1e-6)


def test_gain_of_a_fixed_choice_reckoned_by_hand() -> None:
    gains = np.array([0.1, 0.3, 0.2, 0.6, 0.0, 0.1, 0.15, 0.05])
    crossfit = CrossFit.deal([str(number) for number in range(8)])
    masks = len(crossfit.training_masks)
    gain = measure_gain([count(np.full(8, 0.2))] * masks, [count(0.2 + gains)] * masks, "mean_iou", crossfit)
    std = np.sqrt(gains.var(ddof=1) / 8 * (1 + 1 / 4))  # five folds; the deals agree
    reach = student.ppf(0.95, 7) * std
    assert gain.value == pytest.approx(gains.mean())
    assert gain.interval == pytest.approx((gains.mean() - reach, gains.mean() + reach))
    assert gain.chance == pytest.approx(student.cdf(gains.mean() / std, 7))
    once = crossfit.take(1)
    single = measure_gain([count(np.full(8, 0.2))] * 6, [count(0.2 + gains)] * 6, "mean_iou", once)
    assert single.interval is not None
    assert single.interval[1] - single.value == pytest.approx(reach * np.sqrt(2.25 / 1.25))  # of one deal


def test_a_tile_that_nobody_saw_flip_widens_means_over_tiles() -> None:
    before, after = [count(np.full(10, 0.5))] * 16, [count(np.full(10, 0.51))] * 16
    crossfit = CrossFit.deal([str(number) for number in range(10)])
    sure = measure_gain(before, after, "mean_iou", crossfit)
    assert sure.interval == pytest.approx((0.01, 0.01), abs=1e-6)
    unsure = measure_gain(before, after, "mean_iou", crossfit, pieces=True)
    reach = student.ppf(0.95, 9) * np.sqrt(UNSEEN) / 10
    assert unsure.interval == pytest.approx((0.01 - reach, 0.01 + reach), abs=1e-6)


def test_few_groups_have_no_interval_and_keep_nothing() -> None:
    crossfit = CrossFit.deal([str(number) for number in range(FEWEST - 1)])
    before, after = (count(np.full(FEWEST - 1, iou)) for iou in (0.2, 0.7))
    masks = len(crossfit.training_masks)
    gain = measure_gain([before] * masks, [after] * masks, "mean_iou", crossfit)
    assert gain == Gain(gain.value, None, None, CROSS_FITTED, FEWEST - 1)
    assert gain.value == pytest.approx(0.5)
    assert not gain.is_kept("likely")
    assert gain.judge("proven") == "unknown"
    assert gain.explain("likely") == f"unknown, so not kept: {FEWEST - 1} groups can't tell, {FEWEST} are the least"
    assert gain.describe()["interval"] is None


def test_in_sample_gains_are_kept_if_above_0() -> None:
    nothing_held_out = CrossFit(1, None)
    gain = measure_gain([count(np.array([0.2]))], [count(np.array([0.7]))], "mean_iou", nothing_held_out)
    assert gain == Gain(gain.value, None, None, IN_SAMPLE, 1)
    assert gain.value == pytest.approx(0.5)
    assert gain.is_kept("proven")
    assert not Gain(0.0, None, None, IN_SAMPLE, 1).is_kept("likely")
    assert gain.explain("likely") == "kept: +0.5000 on the very tiles that it was chosen on"


def test_rules() -> None:
    likely = make_gain(0.01, -0.001, LIKELY)
    assert (likely.is_kept("likely"), likely.is_kept("proven")) == (True, False)
    assert likely.explain("likely") == "kept: a chance of 90% to help on new groups reaches 90%"
    assert likely.explain("proven") == "refused: its interval, -0.0010 .. +0.0210, is not all above 0"
    assert make_gain(0.01, 0.001, 0.97).is_kept("proven")
    doubtful = make_gain(0.01, -0.01, 0.89)
    assert doubtful.explain("likely") == "refused: a chance of 89% to help on new groups is below 90%"
    same = Gain(0.0, (0.0, 0.0), 0.0, CROSS_FITTED, 20)
    assert same.explain("likely") == "refused: it changes nothing"
    assert likely.cells == ("+0.0100", "-0.0010 .. +0.0210", "90%")


def test_chance_of_a_gain_that_all_groups_share_is_sure() -> None:
    assert bound_gain(0.1, 0.0, 9) == ((0.1, 0.1), 1.0)
    assert bound_gain(0.0, 0.0, 9) == ((0.0, 0.0), 0.0)


def test_two_fixed_things_compared() -> None:
    gains = np.array([0.1, 0.3, 0.2, 0.6])
    gain = compare_fixed(count(np.full(4, 0.2)), count(0.2 + gains), "mean_iou")
    reach = student.ppf(0.95, 3) * gains.std(ddof=1) / 2
    assert gain.interval == pytest.approx((0.3 - reach, 0.3 + reach))
    assert compare_fixed(count(np.array([0.2])), count(np.array([0.3])), "mean_iou").interval is None


def test_unknown_rule_is_refused() -> None:
    with pytest.raises(InputError, match="keep 'maybe': no rule to keep a gain by; there are likely, proven"):
        check_keep("maybe")


def test_interval_covers_what_a_choice_gains_on_new_groups_where_a_bootstrap_does_not() -> None:
    """Thirty settings that are worth nothing on average: the best of them gains 0 on new groups, whatever it was."""
    rng, groups, draws = np.random.default_rng(0), 20, 200
    crossfit = CrossFit.deal([str(number) for number in range(groups)])
    held = narrow = 0
    for _ in range(draws):
        settings = count(0.5 + rng.normal(0, 0.02, (groups, 30)).clip(-0.5, 0.5))
        neutral = count(np.full(groups, 0.5))
        best = [int(settings.score("mean_iou", mask).argmax()) for mask in crossfit.training_masks]
        chosen = [settings[index] for index in best]
        gain = measure_gain([neutral] * len(chosen), chosen, "mean_iou", crossfit)
        assert gain.interval is not None
        held += gain.interval[0] <= 0 <= gain.interval[1]
        mixed = crossfit.mix(chosen)[0]
        drawn = mixed.score("mean_iou", draw_groups(groups, 200)) - 0.5
        low, high = np.quantile(drawn, [0.05, 0.95])
        narrow += low <= 0 <= high
    assert 0.86 <= held / draws <= 0.99
    assert narrow / draws < held / draws - 0.1
