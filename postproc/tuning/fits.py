"""Fits: what one nested step chooses on all groups, and without each fold, out of exact grids."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ensemble.mapfolder.samples import Samples
from ensemble.selection.blend import Blend
from ensemble.statistics.counts import Counts
from ensemble.statistics.crossfit import CrossFit
from ensemble.statistics.metrics import NEUTRAL_THRESHOLD
from members.common.choices import Objective
from members.common.progress import Progress, silent
from members.common.workers import Threads, Workers
from members.data.frames import Frame
from postproc.pipeline.pipeline import Pipeline
from postproc.pipeline.recipe import FLAT_STEPS, Recipe
from postproc.pipeline.steps import Areas, Morphology, Step, Threshold
from postproc.search.area_search import choose_areas
from postproc.search.counting import Tile
from postproc.search.exact import search_step
from postproc.search.grid import Choice, Grid

BEST = 10  # settings of a step that the next one is searched on


@dataclass(frozen=True)
class Fit:
    """What one step chooses on each training mask of a `CrossFit`: on all groups first, then without each fold.

    Steps that are dear, such as studies and outlines, choose on the masks of the first deal alone.

    Attributes:
        choices: a choice each; its counts are of all groups, whatever it was chosen on.
        blends: the blend that each is of.
    """

    choices: tuple[Choice, ...]
    blends: tuple[Blend, ...]

    @property
    def score(self) -> float:
        """The score of the choice on all groups, in sample."""
        return self.choices[0].score

    @property
    def counts(self) -> list[Counts]:
        """The counts of every choice."""
        return [choice.counts for choice in self.choices]

    @property
    def drops_pieces(self) -> bool:
        """Whether it may drop or fill whole pieces of a mask, rather than move borders."""
        return any(choice.recipe.active or choice.outlines is not None for choice in self.choices)

    @property
    def pipelines(self) -> list[Pipeline]:
        """Every choice as a pipeline; the first is what is applied."""
        return [
            Pipeline(blend, choice.recipe, choice.outlines, choice.objects, choice.tile_cut)
            for choice, blend in zip(self.choices, self.blends, strict=True)
        ]


@dataclass(frozen=True)
class Task:
    """What the steps are tuned on, and for.

    Attributes:
        samples: the tiles.
        groups: the group of each, as scores are resampled.
        objective: what is maximised.
        crossfit: who may look at which groups.
        progress: watches the passes over the tiles.
        frames: where each tile lies, so that outlines of tiles that touch are drawn together; none: each by itself.
        workers: who goes through the tiles.
    """

    samples: Samples
    groups: tuple[str, ...]
    objective: Objective
    crossfit: CrossFit
    progress: Progress = silent
    frames: tuple[Frame, ...] = ()
    workers: Workers = field(default_factory=Threads)

    def search(self, step: type[Step], bases: Sequence[Recipe], blend: Blend, purpose: str) -> Grid:
        """Score every setting of a flat step on top of recipes, as `search_step` does."""
        tiles = BlendedTiles(self.samples, blend)
        return search_step(step, bases, tiles, self.groups, self.objective, self.workers, self.progress, purpose)


@dataclass(frozen=True)
class BlendedTiles:
    """Each tile's blended map and truth, read where they are asked for."""

    samples: Samples
    blend: Blend

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> Tile:
        """Return a blended map, uint8 (h, w), and its truth, bool (h, w)."""
        maps, truth = self.samples[number]
        return self.blend.mix(maps), truth


def fit_flat_steps(task: Task, blend: Blend, most: int | None = None) -> tuple[dict[str, Fit], Grid]:
    """Choose the threshold alone, then each flat step on top of the ones before, exactly.

    Args:
        task: what is tuned on, and for.
        blend: of the maps.
        most: only so many of the simplest settings of the first flat step; None: all.

    Returns:
        step -> fit, in their order; and the grid of the first flat step.
    """
    masks = task.crossfit.training_masks
    chosen, grid = choose_flat_steps(task, blend, masks, most)
    blends = (blend,) * len(masks)
    return {name: Fit(tuple(choices), blends) for name, choices in chosen.items()}, grid


def fit_blends(task: Task, blends: Sequence[Blend]) -> Fit:
    """Choose all flat steps exactly, on the blend that was found for each training mask, or for the first ones."""
    masks = task.crossfit.training_masks[: len(blends)]
    choices: dict[int, Choice] = {}
    for blend in blends:
        own = [number for number, other in enumerate(blends) if other == blend and number not in choices]
        if own:
            chosen, _ = choose_flat_steps(task, blend, [masks[number] for number in own])
            choices |= dict(zip(own, list(chosen.values())[-1], strict=True))
    return Fit(tuple(choices[number] for number in range(len(blends))), tuple(blends))


def choose_flat_steps(
    task: Task, blend: Blend, masks: Sequence[np.ndarray], most: int | None = None
) -> tuple[dict[str, list[Choice]], Grid]:
    """Choose as `fit_flat_steps` does on some masks, bool (groups,): step -> a choice a mask, and the grid."""
    first, *further = FLAT_STEPS
    grid = task.search(first, [Recipe()], blend, f"exact search, {blend}")
    grid = grid.take(range(len(grid.recipes))[:most])
    alone = grid.take([0])
    chosen = {
        Threshold.label: [alone.choose(task.objective, mask) for mask in masks],
        first.label: [grid.choose(task.objective, mask) for mask in masks],
    }
    tops = [[grid.recipes[index] for index in grid.rank(task.objective, mask)[:BEST]] for mask in masks]
    for step in further:
        if step is Areas and first is Morphology and task.objective != "boundary_iou":
            chosen[step.label], tops = choose_areas(
                BlendedTiles(task.samples, blend),
                task.groups,
                grid,
                task.objective,
                masks,
                BEST,
                task.workers,
                task.progress,
            )
        else:
            chosen[step.label], tops = fit_on_top(task, step, blend, tops, masks)
    return chosen, grid


def fit_on_top(
    task: Task, step: type[Step], blend: Blend, tops: Sequence[Sequence[Recipe]], masks: Sequence[np.ndarray]
) -> tuple[list[Choice], list[list[Recipe]]]:
    """Choose a flat step on top of recipes.

    Args:
        task: what is tuned on, and for.
        step: which.
        blend: of the maps.
        tops: for each mask the recipes that come before, such as the ten that it ranks best.
        masks: bool (groups,) each, the groups that a choice may look at.

    Returns:
        For each mask the choice, and the ten recipes that it ranks best with the step on top.
    """
    wanted = sorted({recipe for top in tops for recipe in top}, key=lambda recipe: recipe.complexity)
    candidates: list[list[Choice]] = [[] for _ in masks]
    ranked: list[list[tuple[float, Recipe]]] = [[] for _ in masks]
    passes = range(0, len(wanted), BEST)  # bounds the memory
    for number, start in enumerate(passes):
        purpose = f"{step.label}, pass {number + 1} of {len(passes)}"
        grid = task.search(step, wanted[start : start + BEST], blend, purpose)
        for top, mask, found, scored in zip(tops, masks, candidates, ranked, strict=True):
            if indices := find_bases(grid, step, top):
                own = grid.take(indices)
                found.append(own.choose(task.objective, mask))
                scores = own.counts.score(task.objective, mask).max(axis=-1)
                scored += zip(scores.tolist(), own.recipes, strict=True)
    choices = [min(found, key=lambda choice: (-choice.score, choice.recipe.complexity)) for found in candidates]
    best = [sorted(scored, key=lambda pair: (-pair[0], pair[1].complexity))[:BEST] for scored in ranked]
    return choices, [[recipe for _, recipe in own] for own in best]


def find_bases(grid: Grid, step: type[Step], bases: Sequence[Recipe]) -> list[int]:
    """Return the indices of the grid's recipes that are one of `bases` but for a step's parameters."""
    off = {name: info.default for name, info in step.model_fields.items()}
    return [number for number, recipe in enumerate(grid.recipes) if recipe.model_copy(update=off) in bases]


def take_neutral(grid: Grid, blend: Blend, task: Task) -> Fit:
    """Return the neutral recipe as what is chosen on every training mask."""
    counts = grid.counts[0, NEUTRAL_THRESHOLD - 1]
    choice = Choice(Recipe(), float(counts.score(task.objective)), counts)
    masks = len(task.crossfit.training_masks)
    return Fit((choice,) * masks, (blend,) * masks)
