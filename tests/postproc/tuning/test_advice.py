"""What to do next, from what was seen."""

import numpy as np

from ensemble.selection.blend import Blend
from ensemble.statistics.counts import count_maps
from ensemble.statistics.gains import CROSS_FITTED, Gain
from postproc.pipeline.recipe import Recipe
from postproc.search.grid import Choice
from postproc.tuning.advice import advise_on_errors, advise_on_groups, advise_on_maps, advise_on_objective, find_share
from postproc.tuning.errors import Errors
from postproc.tuning.fits import Fit
from postproc.tuning.losses import Losses
from postproc.tuning.verdict import StepVerdict, Verdict


def draw_calibrated(shift: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Each value 1..255 in a column of 1,000 pixels, of which value/255 are building; shifted maps say it too low."""
    values = np.repeat(np.arange(1, 256)[None], 1000, axis=0)
    truth = (np.arange(1000)[:, None] + 0.5) / 1000 < np.arange(1, 256)[None] / 255
    return np.clip(values - shift, 0, 255).astype(np.uint8), truth


def make_verdict(chance: float | None) -> Verdict:
    blend, truth = draw_calibrated()
    counts = count_maps([blend], [truth], ["a"])[127]
    fit = Fit((Choice(Recipe(), 0.5, counts),), (Blend({"net": 1}),))
    interval = None if chance is None else (-0.01, 0.03)
    return Verdict(0.5, (StepVerdict("threshold", fit, fit, 0.5, Gain(0.01, interval, chance, CROSS_FITTED, 9)),), fit)


def test_too_few_groups() -> None:
    [told] = advise_on_groups(4, make_verdict(None))
    assert told.startswith("4 groups can't tell which step helps; train with --folds 5")
    [told] = advise_on_groups(9, make_verdict(0.7))
    assert told.startswith("9 groups leave wide intervals")
    assert advise_on_groups(9, make_verdict(0.9)) == []  # what helps is kept
    assert advise_on_groups(40, make_verdict(0.7)) == []


def test_a_dead_end_names_the_objective_that_has_other_steps() -> None:
    [told] = advise_on_objective("pooled_iou", make_verdict(0.2))
    assert "roofstack tune --objective building_f1 has others" in told
    assert advise_on_objective("pooled_iou", make_verdict(0.95)) == []
    assert advise_on_objective("building_f1", make_verdict(0.2)) == []


def test_calibrated_maps_are_cut_at_the_theoretical_best() -> None:
    blend, truth = draw_calibrated()
    counts = count_maps([blend], [truth], ["a"])
    [told] = advise_on_maps(counts)
    assert told.startswith("maps are calibrated where they are cut")
    assert abs(find_share(counts, 128) - 0.5) < 0.01
    [told] = advise_on_maps(count_maps([draw_calibrated(60)[0]], [truth], ["a"]))
    assert "try roofstack blend --calibrate isotonic" in told


def tell_errors(**pixels: int) -> str:
    blend, truth = draw_calibrated()
    counts = count_maps([blend], [truth], ["a"])[127]
    errors = Errors({"missed": 0, "invented": 0, "border": 0, "rest": 0} | pixels)
    [told] = advise_on_errors(Losses(counts, counts, None, 1, {}, errors))
    return told


def test_errors_at_borders_or_whole_buildings() -> None:
    assert "finer maps help" in tell_errors(border=60, rest=40)
    assert "no clean-up mends that" in tell_errors(missed=30, invented=20, border=50)
    assert tell_errors(border=30, rest=60, missed=10).endswith("10% buildings missed whole, 0% invented ones")
