"""What there is to do for one member's maps of a part, settled before the first of them is written."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ensemble.inference.engines.table import ENGINES
from ensemble.inference.jobs import Job
from ensemble.inference.merging import choose_views
from ensemble.inference.views import View, name_views
from ensemble.mapfolder.manifest import Manifest, find_manifest, hash_file, plan_maps
from members.common.errors import InputError
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
        sizes: image id -> (height, width), px.
        views: what to look at, as far as a member supports it.
        merge: one of `MERGES`.
        std: whether standard deviations are wanted too.
        engine: what computes the networks.
    """

    run: Run
    record: RunRecord
    part: str
    tiles: tuple[Tile, ...]
    sizes: Mapping[str, tuple[int, int]]
    views: tuple[View, ...]
    merge: str = "mean"
    std: bool = False
    engine: str = "keras"


@dataclass(frozen=True)
class Task:
    """One member's maps of a part.

    Attributes:
        manifest: of the maps.
        folder: where they go.
        std_folder: where their standard deviations are, if there are any.
        full: the work on all images, by all folds together.
        jobs: what is done: each fold on the tiles that it did not see, or all folds together on all.
    """

    manifest: Manifest
    folder: Path
    std_folder: Path
    full: Job
    jobs: tuple[tuple[Job, tuple[Tile, ...]], ...]

    def list_left(self) -> list[str]:
        """List the images that have not all that is wanted, in their order; all, if the maps are of another manifest.

        Raises:
            InputError: there are maps without a manifest, or it is damaged.
        """
        missing = set(plan_maps(self.folder, self.manifest))
        return [each for each in self.manifest.images if each in missing or not self.full.is_done(each)]

    def owns_folder(self) -> bool:
        """Tell whether the folder has this task's manifest, with its engine among the others."""
        found = find_manifest(self.folder)
        return found is not None and self.manifest.is_alike(found) and {*self.manifest.engines} <= {*found.engines}

    def replaces_maps(self) -> bool:
        """Tell whether maps of another manifest are in the folder, which this task will drop."""
        found = find_manifest(self.folder)
        return found is not None and not self.manifest.is_alike(found)

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
        InputError: the member supports none of the views, or there are maps by other weights, or of unknown origin.
    """
    run, record = request.run, request.record
    folders = [run.fold(member, fold) for fold in range(record.split.folds)]
    spec = read_spec(folders[0].spec_file)
    manifest = Manifest(
        member=member,
        spec=spec.model_dump(mode="json"),
        tta=name_views(request.views),
        merge=request.merge,
        weights={str(fold): hash_file(folder.weights_file) for fold, folder in enumerate(folders)},
        split=record.split.model_dump(mode="json"),
        images={tile.image_id: request.sizes[tile.image_id] for tile in request.tiles},
        int8=not ENGINES[request.engine].exact,
        engines=(request.engine,),
    )
    folder, std_folder = run.map_folder(request.part, member), run.uncertainty_folder(request.part, member)
    check_weights(folder, manifest)
    full = Job(
        folders=tuple(each.path.resolve() for each in folders),
        weights=tuple(manifest.weights.values()),
        target=folder.resolve(),
        std=std_folder.resolve() if request.std else None,
        views=choose_views(spec, request.views),
        merge=request.merge,
        multiple=spec.size_multiple,
        image_ids=tuple(manifest.images),
        engine=request.engine,
    )
    return Task(manifest, folder, std_folder, full, tuple(list_jobs(full, request)))


def check_weights(folder: Path, manifest: Manifest) -> None:
    """Refuse to replace maps by other weights: those may be damaged, and the maps may have taken hours.

    Raises:
        InputError: the maps there were made with other weights, or their manifest is missing or damaged.
    """
    found = find_manifest(folder)
    if found is None:
        return
    for fold, weights in manifest.weights.items():
        if found.weights.get(fold) != weights:
            raise InputError(
                f"{folder}: its maps were made with other weights than fold {fold} of {manifest.member} has now (hash "
                f"{weights}); restore those weights, or move the folder elsewhere to predict anew"
            )


def list_jobs(full: Job, request: Request) -> Sequence[tuple[Job, tuple[Tile, ...]]]:
    """List the work on a part: each fold on the tiles that it did not see, or all folds together on all."""
    if request.part != "valid":
        return [(full, request.tiles)]
    split = request.record.split
    return [
        (
            dataclasses.replace(full, folders=(full.folders[fold],), weights=(full.weights[fold],)),
            tuple(tile for tile in request.tiles if split.validates(tile.group, fold)),
        )
        for fold in range(len(full.folders))
    ]
