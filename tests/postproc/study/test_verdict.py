"""Steps that pay are kept, steps that do not are refused."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from ensemble.selection.blend import blend_maps
from ensemble.statistics.counts import index_groups
from members.common.errors import InputError
from postproc.pipeline.recipe import Recipe
from postproc.search.exact import Choice, Grid, search_kernels
from postproc.study.steps import Fit, find_weights, fit_areas, fit_blends, fit_grid, list_keeps, make_fit
from postproc.study.storage import Address
from postproc.study.trials import Studies
from postproc.study.verdict import Verdict, deal_folds, judge_steps
from postproc.study.weights import Stack

Tile = tuple[np.ndarray, np.ndarray]
GROUPS = [f"group {i // 3}" for i in range(36)]
ALONE = {"one": 1}


class Tiles:
    """Tiles in memory, with what the steps ask of a Source."""

    def __init__(self, maps: Sequence[Sequence[np.ndarray]], truths: Sequence[np.ndarray], groups: Sequence[str]):
        self.maps, self.truths, self.groups = maps, truths, groups
        self.members = tuple(f"member{n}" for n in range(len(maps[0])))

    def read(self, weights: Mapping[str, int], purpose: str) -> Iterator[Tile]:
        for maps, truth in zip(self.maps, self.truths, strict=True):
            yield blend_maps(maps, list(weights.values())), truth


def draw_truth(rng: np.random.Generator) -> np.ndarray:
    truth = np.zeros((64, 64), np.uint8)
    for _ in range(4):
        top, left = rng.integers(0, 44, 2)
        height, width = rng.integers(8, 20, 2)
        truth[top : top + height, left : left + width] = 1
    return truth > 0


def search(make_tile: Callable[[np.random.Generator], Tile], largest: int = 5, groups: list[str] = GROUPS) -> Grid:
    rng = np.random.default_rng(7)
    return search_kernels([make_tile(rng) for _ in groups], groups, largest=largest)


def take_neutral(grid: Grid, choices: int) -> Fit:
    evidence = grid.evidence[0, 127]
    return make_fit([Choice(Recipe(), float(evidence.score("pooled_iou")), evidence)] * choices, [ALONE] * choices)


def judge(grid: Grid, fit_across: bool = True, **more: Fit) -> Verdict:
    folds = deal_folds(grid.evidence.groups) if fit_across else None
    keeps = list_keeps(len(grid.evidence.groups), folds)
    fits = {
        "threshold": fit_grid(grid.take([0]), ALONE, "pooled_iou", keeps),
        "morphology": fit_grid(grid, ALONE, "pooled_iou", keeps),
    }
    return judge_steps(take_neutral(grid, len(keeps)), fits | more, folds, "pooled_iou")


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
    assert 50 <= threshold.fit.whole.recipe.threshold <= 60
    assert threshold.interval is not None
    assert 0 < threshold.interval[0] <= threshold.gain <= threshold.interval[1]
    assert not morphology.kept  # the score is 1 already
    assert threshold.cross_fitted == threshold.in_sample == 1
    assert verdict.kept is threshold.fit


def test_closing_that_must_pay_is_kept() -> None:
    verdict = judge(search(prick_holes))
    threshold, morphology = verdict.steps
    assert not threshold.kept
    assert morphology.kept
    assert verdict.kept.whole.recipe.close > 1
    assert morphology.cross_fitted is not None
    assert verdict.neutral < 0.95 < morphology.cross_fitted <= morphology.in_sample


def test_noise_about_a_fitted_optimum_is_refused() -> None:
    verdict = judge(search(scatter_doubt))
    assert not any(step.kept for step in verdict.steps)
    assert all(step.in_sample > verdict.neutral for step in verdict.steps)  # what an in-sample report would boast of
    assert verdict.kept.whole.recipe == Recipe()


def test_single_group_has_no_honest_estimate() -> None:
    with pytest.raises(InputError, match=r"all validation tiles are of one group \(only\).*--no-cross-fit"):
        deal_folds(["only"])
    verdict = judge(search(shift_down, 3, ["only"] * 4), fit_across=False)
    threshold, morphology = verdict.steps
    assert (threshold.kept, morphology.kept) == (True, False)
    assert threshold.cross_fitted is threshold.interval is threshold.gain is None
    assert threshold.in_sample_gain == threshold.in_sample - verdict.neutral > 0


def describe(verdict: Verdict) -> list[tuple[object, ...]]:
    return [
        (s.name, s.fit.whole.recipe, s.in_sample, s.cross_fitted, s.gain, s.interval, s.kept) for s in verdict.steps
    ]


def test_verdict_depends_on_groups_not_on_the_order_of_tiles_nor_on_threads() -> None:
    rng = np.random.default_rng(1)
    tiles = [prick_holes(rng) for _ in GROUPS]
    order = rng.permutation(len(tiles))
    first = judge(search_kernels(tiles, GROUPS, largest=3, workers=1))
    shuffled = [tiles[i] for i in order], [GROUPS[i] for i in order]
    second = judge(search_kernels(*shuffled, largest=3, workers=3))
    assert describe(first) == describe(second)


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


def fit_areas_of(source: Tiles, grid: Grid, fit_across: bool = True) -> Fit:
    folds = deal_folds(grid.evidence.groups) if fit_across else None
    keeps = list_keeps(len(grid.evidence.groups), folds)
    return make_fit(fit_areas(source, ALONE, grid, "pooled_iou", keeps), [ALONE] * len(keeps))


def test_areas_that_must_pay_are_kept() -> None:
    rng = np.random.default_rng(7)
    groups = GROUPS[:18]
    maps, truths = zip(*(scatter_specks(rng) for _ in groups), strict=True)
    grid = search_kernels(zip(maps, truths, strict=True), groups, largest=5)
    areas = fit_areas_of(Tiles([[each] for each in maps], truths, groups), grid)
    verdict = judge(grid, areas=areas)
    assert [step.kept for step in verdict.steps] == [False, False, True]
    assert verdict.kept is areas
    assert areas.whole.recipe.min_object > 6
    assert areas.whole.score > 0.999 > verdict.neutral


def test_areas_are_refused_where_they_fit_noise() -> None:
    grid = search(scatter_doubt)
    rng = np.random.default_rng(7)
    maps, truths = zip(*(scatter_doubt(rng) for _ in GROUPS), strict=True)
    areas = fit_areas_of(Tiles([[each] for each in maps], truths, GROUPS), grid)
    verdict = judge(grid, areas=areas)
    assert not any(step.kept for step in verdict.steps)
    assert verdict.steps[2].in_sample > verdict.neutral


def test_each_fold_chooses_its_areas_without_its_own_tiles() -> None:
    rng = np.random.default_rng(3)
    groups = GROUPS[:12]
    tiles = [scatter_specks(rng) for _ in groups]
    source = Tiles([[each] for each, _ in tiles], [truth for _, truth in tiles], groups)
    grid = search_kernels(tiles, groups, largest=3)
    fit = fit_areas_of(source, grid)
    folds = deal_folds(grid.evidence.groups)
    _, index = index_groups(groups)
    for fold, choice in enumerate(fit.others):
        rest = [number for number in range(len(groups)) if folds[index[number]] != fold]
        few = [groups[n] for n in rest]
        part = Tiles([source.maps[n] for n in rest], [source.truths[n] for n in rest], few)
        alone = fit_areas_of(part, search_kernels([tiles[n] for n in rest], few, largest=3), fit_across=False)
        assert (alone.whole.recipe, alone.whole.score) == (choice.recipe, choice.score)


# Weights


def add_noise_member(rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
    """A fair member, and one that knows nothing: half of each is worse than the first alone."""
    truth = draw_truth(rng)
    fair = np.clip(np.where(truth, 165, 90) + rng.normal(0, 20, truth.shape), 0, 255).astype(np.uint8)
    return [fair, rng.integers(0, 256, truth.shape).astype(np.uint8)], truth


def fit_weights(source: Tiles, journal: Path, grid: Grid, trials: int) -> Fit:
    stack = Stack([np.stack(maps) for maps in source.maps], source.truths, source.groups, "pooled_iou")
    keeps = list_keeps(len(grid.evidence.groups), deal_folds(grid.evidence.groups))
    studies = Studies(Address(journal), "x", "data", "maps")
    given = dict.fromkeys(source.members, 1)
    found = find_weights(given, stack, studies, grid, keeps, trials, lambda kind, count: None)
    return fit_blends(source, found, "pooled_iou", keeps)


def test_member_of_pure_noise_gets_weight_0_and_that_is_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    groups = GROUPS[:12]
    maps, truths = zip(*(add_noise_member(rng) for _ in groups), strict=True)
    source = Tiles(maps, truths, groups)
    grid = search_kernels(source.read({"a": 1, "b": 1}, ""), groups, largest=5)
    fit = fit_weights(source, tmp_path / "study.journal", grid, 20)
    verdict = judge(grid, weights=fit)
    assert fit.weights == {"member0": 1, "member1": 0}
    assert verdict.kept is fit
    assert verdict.steps[-1].kept
    again = fit_weights(source, tmp_path / "study.journal", grid, 20)  # from the same set of trials
    assert describe(judge(grid, weights=again)) == describe(verdict)
