"""What there is to do for one member's maps of a part, settled before the first of them is written."""

import contextlib
import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ensemble.inference.engines.table import ENGINES
from ensemble.inference.jobs import Job
from ensemble.inference.merging import choose_views
from ensemble.inference.surroundings import find_surroundings
from ensemble.inference.views import View, name_views
from ensemble.mapfolder.manifest import Manifest, find_manifest
from ensemble.mapfolder.preparation import Terms, find_obstacle, list_changed, plan_maps, prepare_folder
from ensemble.mapfolder.raster import find_blocks
from members.common.errors import InputError
from members.common.files import hash_file, remove_stale
from members.data.drivers import hash_image
from members.data.frames import Frame, read_frame
from members.data.run import Run, RunRecord
from members.data.tiles import Tile
from members.training.spec import read_spec


@dataclass(frozen=True)
class Request:
    """What is asked for, the same for every member.

    Attributes:
        run: the run.
        record: its record.
        part: the name of the part.
        tiles: its images.
        frames: image id -> its frame.
        hashes: image id -> hash of its file.
        views: what to look at, as far as a member supports it.
        merge: one of `MERGES`.
        std: whether standard deviations are wanted too.
        engine: what computes the networks.
        replace: whether maps that are in the way are dropped.
        context: how far beyond its border an image is shown with what touches it, px; None: each member's stride.
        fold: whose networks alone predict, for students of that fold; None: all, as the part says.
    """

    run: Run
    record: RunRecord
    part: str
    tiles: tuple[Tile, ...]
    frames: Mapping[str, Frame]
    hashes: Mapping[str, str]
    views: tuple[View, ...]
    merge: str = "mean"
    std: bool = False
    engine: str = "keras"
    replace: bool = False
    context: int | None = None
    fold: int | None = None

    @classmethod
    def of_tiles(
        cls, run: Run, record: RunRecord, part: str, tiles: Sequence[Tile], views: tuple[View, ...], **options: Any
    ) -> "Request":
        """Ask for maps of images, whose frames and hashes are read; `options` are the further attributes."""
        frames = {tile.image_id: dataclasses.replace(read_frame(tile.image), image_id=tile.image_id) for tile in tiles}
        hashes = {tile.image_id: hash_image(tile.image) for tile in tiles}
        return cls(run, record, part, tuple(tiles), frames, hashes, views, **options)

    @property
    def terms(self) -> Terms:
        """What may happen to maps that are there: a part of one's own grows, those of the data set are what it has."""
        return Terms(adds=self.part not in ("valid", "test"), replace=self.replace)

    @property
    def folds(self) -> Sequence[int]:
        """The folds whose networks are needed."""
        return range(self.record.split.folds) if self.fold is None else [self.fold]

    def find_folder(self, member: str) -> Path:
        """Return the folder that a member's maps go to."""
        if self.fold is None:
            return self.run.map_folder(self.part, member)
        return self.run.teaching_folder(self.fold, member)


@dataclass(frozen=True)
class Task:
    """One member's maps of a part.

    Attributes:
        manifest: of the maps.
        folder: where they go.
        beside: folders of files that go with the maps: their standard deviations, if there are any.
        terms: what may happen to maps that are there.
        full: the work on all images, by all folds together.
        jobs: what is done: each fold on the tiles that it did not see, or all folds together on all.
    """

    manifest: Manifest
    folder: Path
    beside: tuple[Path, ...]
    terms: Terms
    full: Job
    jobs: tuple[tuple[Job, tuple[Tile, ...]], ...]

    def list_left(self) -> list[str]:
        """List the images that have not all that is wanted, in their order; all, if the maps are of another set.

        Raises:
            InputError: there are maps without a manifest, or it is damaged.
        """
        missing = set(plan_maps(self.folder, self.manifest))
        return [each for each in self.manifest.images if each in missing or not self.full.is_done(each)]

    def owns_folder(self) -> bool:
        """Tell whether the folder's manifest has all of this task's, its engine among the others."""
        found = find_manifest(self.folder)
        if found is None or not found.covers(self.manifest):
            return False
        grown = self.terms.adds or len(found.images) == len(self.manifest.images)
        return grown and {*self.manifest.engines} <= {*found.engines}

    def prepare(self) -> None:
        """Make the folder ready.

        Raises:
            InputError: true maps would be lost, or there are maps of unknown origin.
        """
        prepare_folder(self.full.target, self.manifest, self.terms, self.beside)

    def drop_blocks(self) -> None:
        """Remove what a killed process has left of images that have their map."""
        for image_id in self.manifest.images:
            blocks = find_blocks(self.folder, image_id, self.manifest.hashes[image_id])
            if blocks.is_dir() and self.full.is_done(image_id):
                shutil.rmtree(blocks, ignore_errors=True)
        with contextlib.suppress(OSError):  # of a run that is read-only
            remove_stale(self.folder)

    def describe_changes(self) -> list[str]:
        """Say which maps will be made anew, in one remark or none."""
        found = find_manifest(self.folder)
        if found is None:
            return []
        if self.manifest.list_differences(found):
            return [f"{self.folder}: its {len(found.images)} maps are dropped, and made anew"]
        known = [each for each in list_changed(found, self.manifest) if each in found.images]
        if not known:
            return []
        return [f"{self.folder}: {len(known)} images have changed since ({known[0]}, ..); their maps are made anew"]

    def with_engine(self, engine: str) -> "Task":
        """Return the same task, done by another engine; both make the same maps to 1 of 255."""
        jobs = tuple((dataclasses.replace(job, engine=engine), tiles) for job, tiles in self.jobs)
        manifest = self.manifest.model_copy(update={"engines": (engine,)})
        return dataclasses.replace(
            self, manifest=manifest, full=dataclasses.replace(self.full, engine=engine), jobs=jobs
        )


def plan_member(request: Request, member: str) -> Task:
    """Settle what is to be done for the maps of a member, all of whose folds are trained.

    Raises:
        InputError: the member supports none of the views, or there are maps that would be lost, or of unknown origin.
    """
    run, record = request.run, request.record
    folders = {fold: run.fold(member, fold) for fold in request.folds}
    spec = read_spec(next(iter(folders.values())).spec_file)
    views = choose_views(spec, request.views)
    together = [[tile.image_id for tile in tiles] for _, tiles in share_tiles(request)]
    margin = spec.size_multiple if request.context is None else request.context
    paths = {tile.image_id: tile.image for tile in request.tiles}
    around = find_surroundings([request.frames[each] for each in paths], paths, margin, together)
    manifest = Manifest(
        member=member,
        spec=spec.model_dump(mode="json"),
        tta=name_views(views),
        merge=request.merge,
        weights={str(fold): hash_file(folder.weights_file) for fold, folder in folders.items()},
        split=record.split,
        images={image_id: request.frames[image_id].size for image_id in paths},
        hashes=dict(request.hashes),
        files={tile.image_id: tile.image.name for tile in request.tiles},
        context=margin,
        around=around.hash(request.hashes),
        int8=not ENGINES[request.engine].exact,
        engines=(request.engine,),
    )
    folder, std_folder = request.find_folder(member), run.uncertainty_folder(request.part, member)
    if obstacle := find_obstacle(folder, manifest, request.terms):
        raise InputError(obstacle)
    full = Job(
        folders=tuple(each.path.resolve() for each in folders.values()),
        weights=tuple(manifest.weights.values()),
        target=folder.resolve(),
        std=std_folder.resolve() if request.std else None,
        views=views,
        merge=request.merge,
        multiple=spec.size_multiple,
        bands=len(spec.bands),
        hashes=manifest.hashes,
        engine=request.engine,
        around=around,
    )
    beside = (std_folder, run.uncertainty_folder(request.part))
    return Task(manifest, folder, beside, request.terms, full, tuple(list_jobs(full, request)))


def list_jobs(full: Job, request: Request) -> Sequence[tuple[Job, tuple[Tile, ...]]]:
    """List the work on a part, as `share_tiles` deals it out."""
    return [
        (full, tiles)
        if fold is None
        else (dataclasses.replace(full, folders=(full.folders[fold],), weights=(full.weights[fold],)), tiles)
        for fold, tiles in share_tiles(request)
    ]


def share_tiles(request: Request) -> list[tuple[int | None, tuple[Tile, ...]]]:
    """Deal a part's tiles out: to each fold those that it did not see, or all of them to all folds together, None."""
    if request.part != "valid":
        return [(None, request.tiles)]
    split = request.record.split
    return [
        (fold, tuple(tile for tile in request.tiles if split.validates(tile.group, fold))) for fold in request.folds
    ]
