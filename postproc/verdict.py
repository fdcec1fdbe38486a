"""The verdict: which steps of a recipe earn their place on tiles that they were not chosen on.

A step is kept only where the cross-validated score improves, as nnU-Net does it (Isensee et al. 2021,
doi:10.1038/s41592-020-01008-z); here the gain's bootstrap interval over groups has to be above nought.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ensemble.evidence import Evidence, Objective, assign_folds, compare_evidence, draw_groups, find_interval
from members.errors import InputError
from postproc.recipe import NEUTRAL_THRESHOLD, Recipe
from postproc.search import Choice, Grid, cross_fit

FOLDS, DRAWS, LEVEL, SEED = 5, 2000, 0.90, 42


@dataclass(frozen=True)
class Step:
    """One nested step, compared with the last kept one.

    Attributes:
        name: "threshold", "morphology", ...
        recipe: chosen on all tiles.
        in_sample: its score on the tiles that it was chosen on.
        cross_fitted: the score where each fold's recipe is chosen on the other folds; None without folds.
        gain: of the cross-fitted score over the last kept step's, or of the in-sample score without folds.
        interval: the gain's 90 % bootstrap interval over groups; None without folds.
        kept: whether the interval's lower end is above 0; without folds, whether the gain is.
    """

    name: str
    recipe: Recipe
    in_sample: float
    cross_fitted: float | None
    gain: float
    interval: tuple[float, float] | None
    kept: bool


@dataclass(frozen=True)
class Verdict:
    """The recipe of the kept steps, its scores, and the steps with their gains.

    Attributes:
        recipe: what is written and applied.
        default: score of the neutral recipe.
        in_sample: score of `recipe` on the tiles that it was chosen on.
        cross_fitted: honest score of having chosen it; None without folds.
        interval: the cross-fitted score's 90 % bootstrap interval over groups; None without folds.
        steps: in their order.
    """

    recipe: Recipe
    default: float
    in_sample: float
    cross_fitted: float | None
    interval: tuple[float, float] | None
    steps: tuple[Step, ...]


def judge_steps(grids: Mapping[str, Grid], objective: Objective, fit_across: bool = True) -> Verdict:
    """Choose nested steps and keep those that pay.

    Args:
        grids: step -> what it chooses from, simple to complex, all of the same groups; the first recipe of the
            first grid is the neutral one.
        objective: what is maximised.
        fit_across: whether groups are dealt to folds and every step is chosen on the other folds; False judges
            by the in-sample score, which overstates.

    Raises:
        InputError: a single group, so that nothing can be held out.
    """
    first = next(iter(grids.values()))
    groups = first.evidence.groups
    neutral = first.evidence[0, NEUTRAL_THRESHOLD - 1]
    kept = Choice(Recipe(), float(neutral.score(objective)), neutral)
    if not fit_across:
        return judge_in_sample(grids, objective, kept)
    if len(groups) < 2:
        raise InputError(
            f"all validation tiles are of one group ({groups[0]}), so no score can be cross-fitted; train with more "
            "groups or --folds, or give --no-cross-fit for in-sample scores alone"
        )
    folds = assign_folds(groups, min(FOLDS, len(groups)), SEED)
    draws = draw_groups(len(groups), DRAWS, SEED)
    default, honest, steps = kept.score, neutral, []
    for name, grid in grids.items():
        choice = grid.choose(objective)
        _, fitted = cross_fit(grid, folds, objective)
        gain, low, high = compare_evidence(honest, fitted, objective, draws, LEVEL)
        score = float(fitted.score(objective))
        steps.append(Step(name, choice.recipe, choice.score, score, gain, (low, high), low > 0))
        if low > 0:
            kept, honest = choice, fitted
    return Verdict(
        kept.recipe, default, kept.score, float(honest.score(objective)), bound_score(honest, objective), tuple(steps)
    )


def judge_in_sample(grids: Mapping[str, Grid], objective: Objective, kept: Choice) -> Verdict:
    """Keep every step whose in-sample score is higher; nothing honest is claimed."""
    default, steps = kept.score, []
    for name, grid in grids.items():
        choice = grid.choose(objective)
        gain = choice.score - kept.score
        steps.append(Step(name, choice.recipe, choice.score, None, gain, None, gain > 0))
        kept = choice if gain > 0 else kept
    return Verdict(kept.recipe, default, kept.score, None, None, tuple(steps))


def bound_score(evidence: Evidence, objective: Objective) -> tuple[float, float]:
    """The 90 % bootstrap interval, over groups, of a score whose choices are made."""
    draws = draw_groups(len(evidence.groups), DRAWS, SEED)
    low, high = find_interval(evidence.score(objective, draws), LEVEL)
    return float(low), float(high)
