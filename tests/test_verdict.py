"""Steps that pay are kept, steps that do not are refused."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from members.errors import InputError
from postproc.search import Grid, search_kernels
from postproc.verdict import Verdict, judge_steps

Tile = tuple[np.ndarray, np.ndarray]
GROUPS = [f"group {i // 3}" for i in range(36)]


def draw_truth(rng: np.random.Generator) -> np.ndarray:
    truth = np.zeros((64, 64), np.uint8)
    for _ in range(4):
        top, left = rng.integers(0, 44, 2)
        height, width = rng.integers(8, 20, 2)
        truth[top : top + height, left : left + width] = 1
    return truth > 0


def search(make_tile: Callable[[np.random.Generator], Tile], largest: int = 5, groups: list[str] = GROUPS) -> Grid:
    rng = np.random.default_rng(7)
    return search_kernels([make_tile(rng) for _ in groups], groups, largest)


def judge(grid: Grid, fit_across: bool = True) -> Verdict:
    return judge_steps({"threshold": grid.take([0]), "morphology": grid}, "pooled_iou", fit_across)


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
    verdict = judge(search(shift_down))
    threshold, morphology = verdict.steps
    assert threshold.kept
    assert 50 <= threshold.recipe.threshold <= 60
    assert threshold.interval is not None
    assert 0 < threshold.interval[0] <= threshold.gain <= threshold.interval[1]
    assert not morphology.kept  # the score is 1 already
    assert verdict.cross_fitted == verdict.in_sample == 1
    assert verdict.recipe == threshold.recipe


def test_closing_that_must_pay_is_kept() -> None:
    verdict = judge(search(prick_holes))
    threshold, morphology = verdict.steps
    assert not threshold.kept
    assert morphology.kept
    assert verdict.recipe.close > 1
    assert verdict.cross_fitted is not None
    assert verdict.default < 0.95 < verdict.cross_fitted <= verdict.in_sample


def test_noise_about_a_fitted_optimum_is_refused() -> None:
    verdict = judge(search(scatter_doubt))
    assert not any(step.kept for step in verdict.steps)
    assert all(step.in_sample > verdict.default for step in verdict.steps)  # what an in-sample report would boast of
    assert verdict.recipe.threshold == 128
    assert verdict.in_sample == verdict.cross_fitted == verdict.default


def test_single_group_has_no_honest_estimate() -> None:
    grid = search(shift_down, 3, ["only"] * 4)
    with pytest.raises(InputError, match=r"all validation tiles are of one group \(only\).*--no-cross-fit"):
        judge(grid)
    verdict = judge(grid, fit_across=False)
    assert verdict.cross_fitted is None
    assert verdict.interval is None
    assert verdict.steps[0].kept


def test_verdict_depends_on_groups_not_on_the_order_of_tiles() -> None:
    rng = np.random.default_rng(1)
    tiles = [prick_holes(rng) for _ in GROUPS]
    order = rng.permutation(len(tiles))
    first = judge(search_kernels(tiles, GROUPS, 3))
    second = judge(search_kernels([tiles[i] for i in order], [GROUPS[i] for i in order], 3))
    assert first == second
