"""Pipeline: a blend, the recipe for its masks, and how these become outlines."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from ensemble.mapfolder.manifest import MANIFEST, find_difference, read_manifest
from ensemble.selection.blend import Blend
from ensemble.selection.layers import split_layers
from members.common.errors import InputError
from members.common.files import read_json, write_json
from members.common.tables import ResultTable
from members.data.mosaic import Window
from members.data.run import Run
from postproc.objects.model import ObjectModel
from postproc.pipeline.outlines import OutlineRecipe, outline_buildings
from postproc.pipeline.recipe import Recipe
from postproc.pipeline.tile_cut import TileCut
from postproc.polygons.buildings import Building, rasterize_outlines

Part = TypeVar("Part", bound=BaseModel)
NEUTRAL = Recipe()
STRIP = 2**24
"""Pixels of a large map that are read at once."""
CURE = "restore it, or run roofstack tune again"


@dataclass(frozen=True)
class Pipeline:
    """How members' maps become masks and outlines.

    Attributes:
        blend: how much each member counts.
        recipe: from a blended map to its mask.
        outlines: how outlines are drawn where masks are made of these; None where masks stay as they were cut, and
            outlines are drawn as by default.
        objects: which outlines are hardly true buildings, and left out; None: all count.
        tile_cut: how each image that the recipe finds any building in gets a threshold of its own; None: all are cut at
            the recipe's.
    """

    blend: Blend
    recipe: Recipe = NEUTRAL
    outlines: OutlineRecipe | None = None
    objects: ObjectModel | None = None
    tile_cut: TileCut | None = None

    def cut(self, values: np.ndarray) -> np.ndarray:
        """Return the mask, bool (h, w), of a blended map, uint8 (h, w) or (h, w, 2), before it is outlined."""
        picture, _ = split_layers(values)
        return self.settle(picture).recipe.apply(picture)

    def settle(self, picture: np.ndarray) -> "Pipeline":
        """Return the pipeline that cuts all images as this one cuts that of a blended map, uint8 (h, w)."""
        if self.tile_cut is None:
            return self
        return self._take_threshold(np.bincount(picture.ravel(), minlength=256), bool(self.recipe.apply(picture).any()))

    def settle_windows(self, read: Callable[[Window], np.ndarray], size: tuple[int, int]) -> "Pipeline":
        """Return what `settle` does of a whole map, without reading all of it at once; as for `cut_window`."""
        if self.tile_cut is None:
            return self
        plain, (height, width) = replace(self, tile_cut=None), size
        histogram, found, rows = np.zeros(256, np.int64), False, max(STRIP // width, 1)
        for top in range(0, height, rows):
            window = slice(top, min(top + rows, height)), slice(0, width)
            mask, values = plain.cut_window(read, size, window)
            histogram += np.bincount(split_layers(values)[0].ravel(), minlength=256)
            found |= bool(mask.any())
        return self._take_threshold(histogram, found)

    def _take_threshold(self, histogram: np.ndarray, found: bool) -> "Pipeline":
        recipe = self.recipe
        if found and self.tile_cut is not None:
            recipe = recipe.model_copy(update={"threshold": self.tile_cut.choose(histogram)})
        return replace(self, recipe=recipe, tile_cut=None)

    def cut_window(
        self, read: Callable[[Window], np.ndarray], size: tuple[int, int], window: Window
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a window of the mask that `cut` makes of a whole map, and the map there, without reading all of it.

        A pipeline with cuts of each image's own is settled first, by `settle_windows`.

        Args:
            read: reads a window (rows and columns) of the blended map, as `read_blend` does.
            size: of the map, height and width, px.
            window: which.
        """
        reach = self.recipe.reach
        (rows, columns), (height, width) = window, size
        top, left = max(rows.start - reach, 0), max(columns.start - reach, 0)
        values = read((slice(top, min(rows.stop + reach, height)), slice(left, min(columns.stop + reach, width))))
        inner = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
        return self.cut(values)[inner], values[inner]

    def mask(self, values: np.ndarray) -> np.ndarray:
        """Turn a blended map into its mask: as cut, or as its outlines cover it where they are part of the pipeline.

        Args:
            values: uint8 (h, w), probability = value / 255, or (h, w, 2) with a relief, as a `Blend` gives it.

        Returns:
            bool (h, w), True = building.

        Raises:
            InputError: the map is of another type or shape.
        """
        if self.outlines is None:
            return self.cut(values)
        return rasterize_outlines((building.outline for building in self.outline(values)), values.shape[:2])

    def outline(self, values: np.ndarray) -> list[Building]:
        """Outline the buildings of a blended map.

        Args:
            values: uint8 (h, w), probability = value / 255, or (h, w, 2) with a relief that touching buildings are
                split by, as a `Blend` gives it.

        Returns:
            The buildings from top to bottom, in pixels; none for an empty mask.

        Raises:
            InputError: the map is of another type or shape.
        """
        return self.outline_mask(self.cut(values), values)

    def outline_mask(self, mask: np.ndarray, values: np.ndarray) -> list[Building]:
        """Outline the buildings of a mask, bool (h, w), that was cut from a blended map, uint8 (h, w) or (h, w, 2)."""
        buildings = outline_buildings(mask, values, self.outlines or OutlineRecipe())
        return buildings if self.objects is None else self.objects.select(buildings, values)

    def describe(self) -> dict[str, Any]:
        """Return the content of its file, for JSON."""
        outlines = None if self.outlines is None else self.outlines.model_dump()
        objects = None if self.objects is None else self.objects.model_dump()
        tile_cut = None if self.tile_cut is None else self.tile_cut.model_dump()
        masks = {"recipe": self.recipe.model_dump(), "tile_cut": tile_cut, "outlines": outlines, "objects": objects}
        return masks | self.blend.describe()

    def save(self, path: Path, **rest: Any) -> None:
        """Write it as JSON, whole or not at all; `rest` are further keys, such as the scores that it was chosen by."""
        write_json(path, self.describe() | rest)

    @classmethod
    def load(cls, path: Path, members: Sequence[str] = ()) -> "Pipeline":
        """Read a pipeline, or a recipe alone.

        Args:
            path: a JSON file, such as tuned.json.
            members: who count alike where the file names no members.

        Raises:
            InputError: the file is missing or damaged, or holds no recipe.
        """
        content = read_json(path, CURE)
        if not isinstance(content, dict) or "recipe" not in content:
            return cls(Blend.mean(members), Recipe.parse(content, str(path)))
        recipe = Recipe.parse(content["recipe"], str(path))
        blend = Blend.mean(members)
        if "members" in content:
            blend = Blend.parse(content, path, CURE)
        outlines = parse_part(OutlineRecipe, "outlines", content.get("outlines"), path)
        objects = parse_part(ObjectModel, "objects", content.get("objects"), path)
        return cls(blend, recipe, outlines, objects, parse_part(TileCut, "tile_cut", content.get("tile_cut"), path))

    @classmethod
    def of_run(cls, run: Run, part: str, source: str = "tuned") -> "Pipeline":
        """Choose the pipeline for a run's maps.

        Args:
            run: the run.
            part: the part whose maps are used; all members that have some count alike where nothing else is said.
            source: "tuned" for the run's tuned.json, "default" for threshold 128 alone, or a file as for `load`.

        Raises:
            InputError: there are no maps of the part, the run is not tuned, or the file is damaged or missing, or the
                maps are not by the weights and views that it was tuned on.
        """
        members = run.list_mapped_members(part)
        if not members:
            raise InputError(f"{run.part_folder(part)}: no maps of {part}; run roofstack predict --part {part}")
        if source == "default":
            return cls(Blend.mean(members))
        path = run.tuned_file if source == "tuned" else Path(source)
        if source == "tuned" and not path.is_file():
            raise InputError(f"{path}: not tuned yet; run roofstack tune, or give --recipe default")
        pipeline = cls.load(path, members)
        if source == "tuned":
            check_origin(run, part, pipeline.blend.used)
        return pipeline

    def __str__(self) -> str:
        return f"{self.blend}, {self.describe_masks()}"

    def _repr_html_(self) -> str:
        outlines = "as by default, not a part of masks" if self.outlines is None else str(self.outlines)
        rows = [("blend", str(self.blend)), ("recipe", str(self.recipe)), ("outlines", outlines)]
        return ResultTable("pipeline", ("part", "words"), rows)._repr_html_()

    def describe_masks(self) -> str:
        """Return recipe and outlines in words, what is as by default left out."""
        parts = [str(self.recipe)]
        if self.tile_cut is not None:
            parts.append(str(self.tile_cut))
        if self.outlines is not None:
            parts.append(f"outlines {self.outlines}")
        if self.objects is not None:
            parts.append(str(self.objects))
        return ", ".join(parts)


def check_origin(run: Run, part: str, members: Sequence[str]) -> None:
    """Check that a run's maps are by the weights and views whose maps its tuned.json was chosen on.

    Raises:
        InputError: those of the part are by others, or those of the part valid were made anew.
    """
    content = read_json(run.tuned_file, CURE)
    recorded = content.get("maps") if isinstance(content, dict) else None
    for member in members:
        for where in dict.fromkeys((part, "valid")):
            folder = run.map_folder(where, member)
            if not (folder / MANIFEST).is_file():
                continue
            if what := find_difference(recorded, member, read_manifest(folder), images=where == "valid"):
                raise InputError(
                    f"{run.tuned_file}: chosen on maps of {member} of other {what} than {folder} has now; predict both "
                    f"parts alike and run roofstack tune again (submit --recipe {run.tuned_file} takes it as it is)"
                )


def parse_part(kind: type[Part], name: str, value: Any, path: Path) -> Part | None:
    """Make a part of a pipeline of a JSON object; None stays None.

    Raises:
        InputError: it is no such part.
    """
    try:
        # as of JSON, where a tuple is a list
        return None if value is None else kind.model_validate_json(json.dumps(value))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, (name, *first["loc"])))
        got = "" if isinstance(first["input"], dict) else f", got {first['input']!r}"
        raise InputError(f"{path}: {key}: {first['msg']}{got}; {CURE}") from None
