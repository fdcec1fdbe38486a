"""The exact search of areas on top of closings and openings: counted at some thresholds, ruled out between them.

Filling holes and dropping objects are increasing: of two masks, one inside the other, the filtered ones are so too. So
between two thresholds no mask meets more of the truth than the lower one's, nor has fewer pixels beside it than the
upper one's, for any areas. Where that bound is below the best score that was found, nothing between them can win
(branch and bound); elsewhere the thresholds between them are counted too, until none is left.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ensemble.statistics.counts import THRESHOLDS, Counts, index_groups
from ensemble.statistics.metrics import IOU_UNIT, rank_threshold
from members.common.choices import Objective
from members.common.progress import Progress, silent
from members.common.workers import Workers
from postproc.operators.areas import add_areas, sum_lines
from postproc.operators.flat_operators import apply_chains
from postproc.operators.layout import find_shape, lay_out
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.steps import AREAS
from postproc.search.counting import Tile, Tiles, sum_tiles
from postproc.search.exact import plan_rows
from postproc.search.grid import Choice, Grid

SLOPE = 0.002  # about what the bound rises from one threshold to the next: sets the first thresholds, not the result
ENTRIES = 1000  # of settings and thresholds that are counted in one pass, which bounds the memory
PAIRS = tuple(product(AREAS, AREAS))


@dataclass(frozen=True)
class Branch:
    """Thresholds at which a setting's areas are counted.

    Attributes:
        recipe: closing and opening.
        thresholds: increasing.
        bounded: whether what lies between two neighbours is bounded too.
    """

    recipe: Recipe
    thresholds: tuple[int, ...]
    bounded: bool

    @property
    def entries(self) -> list[tuple[int, int]]:
        """The numbers of the lower and the upper threshold of all that is counted: each by itself, then the gaps."""
        single = [(number, number) for number in range(len(self.thresholds))]
        return single + [(number, number + 1) for number, _ in self.gaps]

    @property
    def gaps(self) -> list[tuple[int, tuple[int, ...]]]:
        """The number of a threshold, and those that lie between it and the next."""
        if not self.bounded:
            return []
        pairs = enumerate(zip(self.thresholds[:-1], self.thresholds[1:], strict=True))
        return [(number, tuple(range(low + 1, high))) for number, (low, high) in pairs if high > low + 1]


@dataclass
class Leader:
    """The best that a mask of groups has found so far.

    Attributes:
        score: of it; at first that of the best closing and opening without areas.
        tried: the closings and openings that it tries.
        choice: recipe and counts.
        ranked: recipes of high scores, best first.
    """

    score: float
    tried: frozenset[Recipe]
    choice: Choice | None = None
    ranked: tuple[tuple[float, Recipe], ...] = ()


def choose_areas(
    tiles: Tiles,
    groups: Sequence[str],
    grid: Grid,
    objective: Objective,
    masks: Sequence[np.ndarray],
    best: int,
    workers: Workers | None = None,
    progress: Progress = silent,
) -> tuple[list[Choice], list[list[Recipe]]]:
    """Choose the minimum areas, out of `AREAS`, on top of the best recipes of a grid, and the threshold.

    Args:
        tiles: map and truth of each, as for `search_step`.
        groups: the group of each tile.
        grid: closings and openings, counted at every threshold.
        objective: a score of pixels.
        masks: bool (groups,) each, the groups that a choice may look at.
        best: how many of the grid's recipes each mask tries, and how many it ranks.
        workers: who counts; by default a thread a core.
        progress: watches the passes over the tiles.

    Returns:
        For each mask the choice, of equals the least complex, exact over its recipes, all areas and thresholds; and
        recipes with areas of high scores, the best first.
    """
    weights = np.array(masks, np.float64)
    scores = grid.counts.score(objective, weights)
    tops = np.argsort(-scores.max(axis=-1), axis=-1, kind="stable")[:, :best]
    leaders = [
        Leader(float(own.max()), frozenset(grid.recipes[number] for number in top))
        for own, top in zip(scores, tops, strict=True)
    ]
    tried = sorted(np.unique(tops).tolist(), key=lambda number: -float(scores[:, number].max(axis=-1).sum()))
    # planned as they are counted, the best ones first: what these reach rules out more of the others
    branches: Iterator[Branch] = (plan_branch(grid.recipes[number], scores[:, number], leaders) for number in tried)
    while True:
        open_gaps: list[tuple[Branch, np.ndarray]] = []
        for part in split_branches(branches):
            counts = count_branches(part, tiles, groups, workers, progress)
            start = 0
            for branch in part:
                own = counts[start : start + len(branch.entries)]
                start += len(branch.entries)
                bounds = own.score(objective, weights).reshape(len(masks), len(branch.entries), -1)
                exact = len(branch.thresholds)
                for leader, found in zip(leaders, bounds[:, :exact], strict=True):
                    if branch.recipe in leader.tried:
                        update_leader(leader, branch, found, own, best)
                if branch.gaps:
                    open_gaps.append((branch, bounds[:, exact:].max(axis=-1)))
        if not open_gaps:
            break
        branches = reopen_branches(open_gaps, leaders)
    choices = [leader.choice for leader in leaders if leader.choice is not None]
    return choices, [[recipe for _, recipe in leader.ranked] for leader in leaders]


def plan_branch(recipe: Recipe, scores: np.ndarray, leaders: Sequence[Leader]) -> Branch:
    """Choose a recipe's first thresholds by its scores without areas, (masks, 255): close where it is near the best."""
    tried = [number for number, leader in enumerate(leaders) if recipe in leader.tried]
    behind = np.min([leaders[number].score - scores[number] for number in tried], axis=0)
    thresholds = [1]
    while thresholds[-1] < THRESHOLDS:
        step = 1
        # as far as the bound stays below the best all the way
        while thresholds[-1] + step < THRESHOLDS:
            reach = behind[thresholds[-1] - 1 : thresholds[-1] + step]
            if reach.min() < SLOPE * (step + 1):
                break
            step += 1
        thresholds.append(thresholds[-1] + step)
    return Branch(recipe, tuple(thresholds), True)


def split_branches(branches: Iterable[Branch]) -> Iterator[list[Branch]]:
    """Yield the branches in parts of `ENTRIES` entries or a little more."""
    part: list[Branch] = []
    for branch in branches:
        part.append(branch)
        if sum(len(each.entries) for each in part) >= ENTRIES:
            yield part
            part = []
    if part:
        yield part


def reopen_branches(open_gaps: Sequence[tuple[Branch, np.ndarray]], leaders: Sequence[Leader]) -> Iterator[Branch]:
    """Yield the thresholds in gaps whose bound, float (masks, gaps), is not below a mask's best score."""
    for branch, bounds in open_gaps:
        alive = np.zeros(len(branch.gaps), bool)
        for leader, own in zip(leaders, bounds, strict=True):
            alive |= (own >= leader.score) & (branch.recipe in leader.tried)
        between = [t for (_, inner), own in zip(branch.gaps, alive, strict=True) if own for t in inner]
        if between:
            yield Branch(branch.recipe, tuple(between), False)


def update_leader(leader: Leader, branch: Branch, scores: np.ndarray, counts: Counts, best: int) -> None:
    """Compare a branch's scores, (thresholds, pairs of areas), with the best ones so far."""
    tops = scores.max(axis=0)
    likely = np.argsort(-tops, kind="stable")[:best]
    if len(leader.ranked) == best:  # what is below the last of them would only be sorted out again
        likely = likely[tops[likely] >= leader.ranked[-1][0]]
    ranked = [*leader.ranked, *((float(tops[pair]), with_areas(branch.recipe, int(pair))) for pair in likely)]
    leader.ranked = tuple(sorted(ranked, key=lambda each: (-each[0], each[1].complexity))[:best])
    highest = float(scores.max())
    if highest < leader.score:
        return
    ties = []
    for pair in np.flatnonzero(tops == highest).tolist():
        # of a pair's equal thresholds only the first in rank can win
        equals = np.flatnonzero(scores[:, pair] == highest).tolist()
        number = min(equals, key=lambda each: rank_threshold(branch.thresholds[each]))
        recipe = with_areas(branch.recipe, pair).model_copy(update={"threshold": branch.thresholds[number]})
        ties.append((recipe, number, pair))
    recipe, number, pair = min(ties, key=lambda tie: tie[0].complexity)
    kept = leader.choice
    if kept is None or highest > kept.score or recipe.complexity < kept.recipe.complexity:
        leader.score = highest
        leader.choice = Choice(recipe, highest, counts[number, pair // len(AREAS), pair % len(AREAS)])


@functools.lru_cache(maxsize=10_000)
def with_areas(recipe: Recipe, pair: int) -> Recipe:
    """Return a recipe with one of `PAIRS`."""
    hole, least = PAIRS[pair]
    return recipe.model_copy(update={"min_hole": hole, "min_object": least}).normalise()


def count_branches(
    branches: Sequence[Branch],
    tiles: Tiles,
    groups: Sequence[str],
    workers: Workers | None = None,
    progress: Progress = silent,
) -> Counts:
    """Count the branches' entries with all pairs of areas; the counts' choices are (entries, holes, objects)."""
    names, index = index_groups(groups)
    entries = [np.array(branch.entries, np.int64) for branch in branches]
    ends = np.cumsum([len(each) for each in entries])
    ranks = [
        np.searchsorted(branch.thresholds, np.arange(THRESHOLDS + 1), side="right").astype(np.uint8)
        for branch in branches
    ]
    areas = np.array(AREAS)
    plan = plan_rows([branch.recipe for branch in branches])

    def measure(tile: Tile) -> tuple[np.ndarray, ...]:
        blend, truth = tile
        height, width, stride = shape = find_shape(blend, plan.radius)
        planes = {0: lay_out(blend, plan.radius, 0), 255: lay_out(~blend, plan.radius, 0)}
        pictures = np.empty((len(branches), len(planes[0])), np.uint8)
        for (kernel, flip), rows in plan.rows.items():
            apply_chains(planes[flip], shape, plan.kernels[kernel], rows, flip, pictures)
        lines = pictures[:, : (height + 2 * plan.radius) * stride].reshape(len(branches), -1, stride)
        inside = lines[:, plan.radius : plan.radius + height, :width]
        truth_sums = sum_lines(truth)
        counted = np.zeros((3, ends[-1], len(areas), len(areas)), np.int64)
        for picture, own, rank, end in zip(inside, entries, ranks, ends, strict=True):
            add_areas(picture, truth_sums, areas, rank, own, IOU_UNIT, counted[:, end - len(own) : end])
        return tuple(counted)

    sums = sum_tiles(measure, tiles, groups, workers, progress, "areas")
    columns = dict(zip(("intersection", "union", "iou_sum"), sums, strict=True))
    return Counts(names, np.bincount(index, minlength=len(names)), columns)
