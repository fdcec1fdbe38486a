"""What there is to do for one member's maps of a part, settled before the first of them is written."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ensemble.inference.jobs import BATCH, Job
from ensemble.inference.views import VIEW_SETS, View, bears_view
from ensemble.mapfolder.maps import MANIFEST, Manifest, hash_file, plan_maps, read_manifest
from members.common.console import warn
from members.common.errors import InputError
from members.data.run import Run, RunRecord
from members.data.tiles import Tile
from members.training.spec import MemberSpec, read_spec


@dataclass(frozen=True)
class Plan:
    """One member's maps of a part.

    Attributes:
        manifest: of the maps.
        folder: where they go.
        spread: where their standard deviations are, if there are any.
        whole: the work on all images, by all folds together.
        jobs: what is done: each fold on the tiles that it did not see, or all folds together on all.
    """

    manifest: Manifest
    folder: Path
    spread: Path
    whole: Job
    jobs: tuple[tuple[Job, tuple[Tile, ...]], ...]

    def list_left(self) -> list[str]:
        """The images that have not all that is wanted, in their order; all, if the maps there are of another plan."""
        stale = len(plan_maps(self.folder, self.manifest)) == len(self.manifest.images)
        return [image_id for image_id in self.manifest.images if stale or not self.whole.is_done(image_id)]

    def owns_folder(self) -> bool:
        """Whether the folder has this plan's manifest."""
        return (self.folder / MANIFEST).is_file() and read_manifest(self.folder) == self.manifest


def plan_member(
    run: Run,
    record: RunRecord,
    member: str,
    part: str,
    tiles: Sequence[Tile],
    sizes: Mapping[str, tuple[int, int]],
    views: tuple[str, Sequence[View]],
    merge: str,
    uncertainty: bool,
) -> Plan:
    """Settle what is to be done for one member's maps.

    Args:
        run: the run.
        record: its record.
        member: a member all of whose folds are trained.
        part: the name of the part.
        tiles: its images.
        sizes: image id -> (height, width), px.
        views: as they were typed, and what that means.
        merge: one of `MERGES`.
        uncertainty: whether standard deviations are wanted too.

    Raises:
        InputError: the member bears none of the views, or there are maps by other weights, or of unknown origin.
    """
    folders = [run.fold(member, fold) for fold in range(record.split.folds)]
    spec = read_spec(folders[0].spec_file)
    tta, wanted = views
    manifest = Manifest(
        member=member,
        spec=spec.model_dump(mode="json"),
        tta=tta if tta in VIEW_SETS else ",".join(view.name for view in wanted),
        merge=merge,
        weights={str(fold): hash_file(folder.weights_file) for fold, folder in enumerate(folders)},
        split=record.split.model_dump(mode="json"),
        images={tile.image_id: sizes[tile.image_id] for tile in tiles},
    )
    folder, spread = run.map_folder(part, member), run.uncertainty_folder(part, member)
    check_weights(folder, manifest)
    whole = Job(
        folders=tuple(folder.path.resolve() for folder in folders),
        weights=tuple(manifest.weights.values()),
        target=folder.resolve(),
        spread=spread.resolve() if uncertainty else None,
        views=choose_views(spec, wanted),
        merge=merge,
        multiple=spec.size_multiple,
        image_ids=tuple(manifest.images),
    )
    return Plan(manifest, folder, spread, whole, tuple(list_jobs(whole, record, part, tiles)))


def check_weights(folder: Path, manifest: Manifest) -> None:
    """Refuse to replace maps by other weights: those may be damaged, and the maps may have taken hours.

    Raises:
        InputError: the maps there were made with other weights, or their manifest is missing or damaged.
    """
    plan_maps(folder, manifest)
    if not (folder / MANIFEST).is_file():
        return
    known = read_manifest(folder).weights
    for fold, found in manifest.weights.items():
        if known.get(fold) != found:
            raise InputError(
                f"{folder}: its maps were made with other weights than fold {fold} of {manifest.member} has now (hash "
                f"{found}); restore those weights, or move the folder elsewhere to predict anew"
            )


def choose_views(spec: MemberSpec, views: Sequence[View]) -> tuple[View, ...]:
    """The views that a member was trained to bear; says which are left out.

    Raises:
        InputError: none is.
    """
    borne = tuple(view for view in views if bears_view(spec, view))
    foreign = [view.name for view in views if view not in borne]
    if not borne:
        raise InputError(f"{spec.name}: not trained to bear any of the views {', '.join(foreign)}; give --tta others")
    if foreign:
        shown = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
        warn(f"{spec.name}: not trained to bear {shown}; {len(foreign)} of {len(views)} views are left out")
    return borne


def list_jobs(whole: Job, record: RunRecord, part: str, tiles: Sequence[Tile]) -> list[tuple[Job, tuple[Tile, ...]]]:
    """The work on a part: each fold on the tiles that it did not see, or all folds together on all."""
    if part != "valid":
        return [(whole, tuple(tiles))]
    return [
        (
            dataclasses.replace(whole, folders=(whole.folders[fold],), weights=(whole.weights[fold],)),
            tuple(tile for tile in tiles if record.split.validates(tile.group, fold)),
        )
        for fold in range(len(whole.folders))
    ]


def cut_chunks(job: Job, tiles: Sequence[Tile]) -> list[list[Tile]]:
    """The tiles without a map, a batch at a time: what is sent to a worker at once."""
    wanted = [dataclasses.replace(tile, image=tile.image.resolve()) for tile in tiles if not job.is_done(tile.image_id)]
    return [wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)]
