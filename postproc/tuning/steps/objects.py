"""The last step of the study of whole buildings: outlines that are hardly true buildings are dropped."""

from dataclasses import replace

import numpy as np

from ensemble.selection.layers import split_layers
from ensemble.statistics.counts import Counts
from postproc.objects.features import measure_objects
from postproc.objects.fitting import ObjectTable, fit_model
from postproc.pipeline.outlines import OutlineRecipe, outline_buildings
from postproc.scoring.buildings import match_buildings
from postproc.search.grid import Choice
from postproc.study.building_study import COLUMNS, OBJECTIVE, BuildingCounter, Setting
from postproc.tuning.fits import Fit, Task


def fit_objects(task: Task, counter: BuildingCounter, kept: Fit) -> Fit | None:
    """Fit an object model on top of what the last kept step chooses for each training mask.

    None where there are too few buildings to fit one.

    Args:
        task: what is tuned on, and for.
        counter: the tiles.
        kept: of the last kept step.
    """
    tables: dict[Setting, ObjectTable] = {}
    choices = []
    masks = task.crossfit.training_masks[: len(kept.choices)]
    for choice, mask in task.progress(list(zip(kept.choices, masks, strict=True)), "object models", len(masks)):
        setting = choice.recipe, choice.outlines or OutlineRecipe()
        if setting not in tables:
            tables[setting] = collect_objects(counter, setting)
        choices.append(choose_objects(counter, tables[setting], replace(choice, outlines=setting[1]), mask))
    return None if choices[0].objects is None else Fit(tuple(choices), kept.blends)


def collect_objects(counter: BuildingCounter, setting: Setting) -> ObjectTable:
    """Outline the buildings of all tiles by a setting, measure them, and tell the true ones."""
    recipe, outlines = setting
    tiles = counter.tiles

    def measure(number: int) -> tuple[np.ndarray, np.ndarray, int]:
        blend, truth = tiles[number]
        mask = recipe.apply(split_layers(blend)[0])
        buildings = outline_buildings(mask, blend, outlines)
        found = np.zeros(len(buildings), bool)
        found[match_buildings([building.outline for building in buildings], truth).predicted] = True
        return measure_objects(buildings, blend), found, len(truth)

    features, found, truths = zip(*counter.workers.map(measure, range(len(tiles))), strict=True)
    tile = np.repeat(np.arange(len(tiles)), [len(each) for each in found])
    return ObjectTable(np.concatenate(features), np.concatenate(found), tile, np.array(truths))


def choose_objects(counter: BuildingCounter, table: ObjectTable, choice: Choice, mask: np.ndarray) -> Choice:
    """Return a choice with the object model of a training mask, bool (groups,); as it is where none can be fitted."""
    model = fit_model(table, counter.index, mask)
    if model is None:
        return choice
    columns = table.count(model.judge(table.features) >= model.cut)
    counts = Counts.from_tiles(counter.names, (dict(zip(COLUMNS, tile, strict=True)) for tile in columns))
    return replace(choice, score=float(counts.score(OBJECTIVE, mask)), counts=counts, objects=model)
