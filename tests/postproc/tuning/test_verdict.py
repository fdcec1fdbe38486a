"""Steps that pay are kept, steps that do not are refused."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest

from ensemble.mapfolder.samples import ArraySamples
from ensemble.selection.blend import Blend
from ensemble.statistics.counts import index_groups
from ensemble.statistics.crossfit import CrossFit
from members.common.errors import InputError
from postproc.pipeline.recipe import Recipe
from postproc.study.studies import MemoryStudies
from postproc.tuning.fits import Fit, Task, fit_blends, fit_flat_steps, take_neutral
from postproc.tuning.steps.weights import find_blends
from postproc.tuning.tuning import deal_crossfit
from postproc.tuning.verdict import Verdict, judge_steps

Tile = tuple[np.ndarray, np.ndarray]
GROUPS = [f"group {i // 3}" for i in range(36)]
ALONE = Blend({"one": 1})
KERNELS = 60  # of the 225 settings, the simplest


def draw_truth(rng: np.random.Generator) -> np.ndarray:
    truth = np.zeros((64, 64), np.uint8)
    for _ in range(4):
        top, left = rng.integers(0, 44, 2)
        height, width = rng.integers(8, 20, 2)
        truth[top : top + height, left : left + width] = 1
    return truth > 0


def make_task(tiles: Sequence[Tile], groups: Sequence[str] = GROUPS, cross_fit: bool = True) -> Task:
    maps, truths = zip(*tiles, strict=True)
    crossfit = deal_crossfit(groups, cross_fit)
    return Task(ArraySamples({"one": maps}, truths, groups), tuple(groups), "pooled_iou", crossfit)


def draw(make_tile: Callable[[np.random.Generator], Tile], groups: Sequence[str] = GROUPS) -> list[Tile]:
    rng = np.random.default_rng(7)
    return [make_tile(rng) for _ in groups]


def judge(task: Task) -> Verdict:
    fits, grid = fit_flat_steps(task, ALONE, KERNELS)
    return judge_steps(take_neutral(grid, ALONE, task), fits, task.crossfit, task.objective)


def shift_down(rng: np.random.Generator) -> Tile:
    """A network that is too modest: building is 60..139, background 0..49."""
    truth = draw_truth(rng)
    return np.where(truth, rng.integers(60, 140, truth.shape), rng.integers(0, 50, truth.shape)).astype(np.uint8), truth


def prick_holes(rng: np.random.Generator) -> Tile:
    """Buildings with pin holes that a closing fills, at any threshold."""
    truth = draw_truth(rng)
    pins = (rng.random(truth.shape) < 0.08) & (cv2.erode(truth.astype(np.uint8), np.ones((3, 3))) > 0)
    return np.where(truth & ~pins, 220, 20).astype(np.uint8), truth


def scatter_doubt(rng: np.random.Generator) -> Tile:
    """Maps at their optimum: what is in doubt (100..156) is building about every second time, whatever its value.

    A doubtful pixel raises IoU where it is building with a chance above IoU / (1 + IoU), about 0.48 here; at
    just that chance every threshold among them is as good as another, and a choice is a choice of noise.
    """
    truth = draw_truth(rng)
    doubt = rng.random(truth.shape) < 0.05
    truth = np.where(doubt, rng.random(truth.shape) < 0.48, truth)
    return np.where(doubt, rng.integers(100, 157, truth.shape), np.where(truth, 230, 20)).astype(np.uint8), truth


def test_threshold_of_a_modest_network_is_kept() -> None:
    verdict = judge(make_task(draw(shift_down)))
    threshold, morphology, areas = verdict.steps
    assert threshold.kept
    assert 50 <= threshold.fit.pipelines[0].recipe.threshold <= 60
    assert threshold.gain.interval is not None
    assert 0 < threshold.gain.interval[0] <= threshold.gain.value <= threshold.gain.interval[1]
    assert threshold.gain.chance == 1
    assert not morphology.kept  # the score is 1 already
    assert not areas.kept
    assert threshold.cross_fitted == threshold.in_sample == 1
    assert verdict.kept is threshold.fit


def test_closing_that_must_pay_is_kept() -> None:
    verdict = judge(make_task(draw(prick_holes)))
    threshold, morphology, _ = verdict.steps
    assert not threshold.kept
    assert morphology.kept
    assert morphology.fit.pipelines[0].recipe.close > 1
    assert morphology.cross_fitted is not None
    assert verdict.neutral < 0.95 < morphology.cross_fitted <= morphology.in_sample


def test_noise_about_a_fitted_optimum_is_refused() -> None:
    verdict = judge(make_task(draw(scatter_doubt)))
    assert not any(step.kept for step in verdict.steps)
    assert all(step.in_sample > verdict.neutral for step in verdict.steps)  # what an in-sample report would boast of
    assert verdict.pipeline.recipe == Recipe()


def test_single_group_has_no_cross_fitted_score() -> None:
    with pytest.raises(InputError, match=r"all validation tiles are of one group \(only\).*--no-cross-fit"):
        deal_crossfit(["only"], True)
    verdict = judge(make_task(draw(shift_down, ["only"] * 4), ["only"] * 4, cross_fit=False))
    threshold, morphology, _ = verdict.steps
    assert (threshold.kept, morphology.kept) == (True, False)
    assert (threshold.cross_fitted, threshold.gain.interval, threshold.gain.chance) == (None, None, None)
    assert threshold.gain.value == threshold.in_sample_gain == threshold.in_sample - verdict.neutral > 0


def describe(verdict: Verdict) -> list[tuple[object, ...]]:
    return [(s.name, str(s.fit.pipelines[0]), s.in_sample, s.cross_fitted, s.gain) for s in verdict.steps]


def test_verdict_depends_on_groups_not_on_the_order_of_tiles() -> None:
    tiles = draw(prick_holes)
    order = np.random.default_rng(1).permutation(len(tiles))
    shuffled = make_task([tiles[i] for i in order], [GROUPS[i] for i in order])
    assert describe(judge(make_task(tiles))) == describe(judge(shuffled))


# Areas


def scatter_specks(rng: np.random.Generator) -> Tile:
    """Specks of 2x3 that are no building, and paths of 1 px width that are: an opening would take both."""
    truth = draw_truth(rng)
    truth[rng.integers(0, 64, 3), 8:56] = True
    specks = np.zeros_like(truth)
    for top, left in rng.integers(1, 60, (12, 2)):
        specks[top : top + 2, left : left + 3] = True
    apart = cv2.dilate(truth.astype(np.uint8), np.ones((5, 5))) == 0
    return np.where(truth | (specks & apart), 220, 20).astype(np.uint8), truth


def test_areas_that_must_pay_are_kept() -> None:
    groups = GROUPS[:18]
    verdict = judge(make_task(draw(scatter_specks, groups), groups))
    assert [step.kept for step in verdict.steps] == [False, False, True]
    assert verdict.pipeline.recipe.min_object > 6
    assert verdict.kept.score > 0.999 > verdict.neutral


def test_each_fold_chooses_its_areas_without_its_own_tiles() -> None:
    groups = GROUPS[:12]
    tiles = draw(scatter_specks, groups)
    task = make_task(tiles, groups)
    areas = fit_flat_steps(task, ALONE, KERNELS)[0]["areas"]
    crossfit = CrossFit.deal(groups)
    folds = crossfit.folds
    assert folds is not None
    _, index = index_groups(groups)
    for number, choice in enumerate(areas.choices[1:]):
        deal, fold = divmod(number, crossfit.size)
        rest = [tile for tile in range(len(groups)) if folds[deal, index[tile]] != fold]
        part = make_task([tiles[n] for n in rest], [groups[n] for n in rest], cross_fit=False)
        alone = fit_flat_steps(part, ALONE, KERNELS)[0]["areas"]
        assert (alone.choices[0].recipe, alone.score) == (choice.recipe, choice.score)


# Weights


def add_noise_member(rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
    """A fair member, and one that knows nothing: half of each is worse than the first alone."""
    truth = draw_truth(rng)
    fair = np.clip(np.where(truth, 165, 90) + rng.normal(0, 20, truth.shape), 0, 255).astype(np.uint8)
    return [fair, rng.integers(0, 256, truth.shape).astype(np.uint8)], truth


def test_member_of_pure_noise_gets_weight_0_and_that_is_kept() -> None:
    rng = np.random.default_rng(11)
    groups = GROUPS[:18]
    maps, truths = zip(*(add_noise_member(rng) for _ in groups), strict=True)
    fair, noise = zip(*maps, strict=True)
    samples = ArraySamples({"fair": fair, "noise": noise}, truths, groups)
    task = Task(samples, tuple(groups), "pooled_iou", CrossFit.deal(groups))
    both = Blend({"fair": 1, "noise": 1})
    fits, grid = fit_flat_steps(task, both, KERNELS)

    studies = MemoryStudies()

    def fit_weights() -> Fit:
        blends, _ = find_blends(task, both, grid, lambda: studies, 20)
        return fit_blends(task, blends)

    def judge_weights(fit: Fit) -> Verdict:
        return judge_steps(take_neutral(grid, both, task), fits | {"weights": fit}, task.crossfit, "pooled_iou")

    fit = fit_weights()
    verdict = judge_weights(fit)
    assert fit.blends[0].weights == {"fair": 1, "noise": 0}
    assert verdict.kept is fit
    assert verdict.steps[-1].kept
    again = fit_weights()  # from the same set of trials
    assert describe(judge_weights(again)) == describe(verdict)
