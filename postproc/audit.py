"""The command that looks for what is wrong with a data set before anything is trained on it, and with its labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from members.common.console import JSON, print_result, run_command, stderr, stdout, track
from members.common.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from ensemble.mapfolder.samples import RunSamples
    from members.audit.tiles import DataSet
    from members.data.run import Run
    from members.data.split import Split
    from postproc.auditing.report import Audit


def audit(
    data: Annotated[Path, typer.Option(help="The data set, as for train; a test part is compared with it.")],
    run: Annotated[
        Path | None, typer.Option(help="A run whose maps of the part valid tell which labels are suspicious.")
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(help="Column, pattern or squares that groups go by, as for train; default: the run's, or group."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write audit.json, .png and groups.csv there. Default: RUN/report, or nowhere."
        ),
    ] = None,
    json: Annotated[bool, JSON] = False,
) -> None:
    """Look for what makes scores too good or labels wrong: copies, shared ground, blank images, shifted masks.

    Copies are found whatever way they are turned or mirrored, recompressed, or cropped by a few pixels. With a run,
    labels are ranked that its maps contradict, and masks found that lie off their maps; report shows them on its page.

    Groups are proposed that tear no copies and no shared ground apart: groups.csv. It is taken by train once it lies
    in the data set's folder, and there is no tiles.csv.
    """
    from dataclasses import replace

    from ensemble.mapfolder.manifest import trace_maps
    from ensemble.mapfolder.samples import read_truth
    from members.audit.tiles import count_buildings, read_data
    from members.common.files import check_folder, write_json
    from members.data.groups import find_group_table
    from members.data.raster import read_image
    from members.data.run import Run
    from postproc.auditing.report import audit_data, audit_labels

    source, split = None if run is None else Run(run), None
    if source is not None:
        split = source.read_record().split
        recorded = split.group_by
        if group_by not in (None, recorded):
            raise InputError(f"{run}: this run has group_by {recorded}, not {group_by}; leave --group-by out")
        group_by = recorded
    if output is not None:
        check_folder(output)
    samples, read_map = (None, None) if source is None else open_maps(source, data)
    found = read_data(data, group_by, track)
    stop_at_flaws(data, found)
    if not count_buildings(found.training):
        raise InputError(f"{data}: no building in any of {len(found.training)} masks; check how they were drawn")
    images = [look.tile.image for look in (*found.training, *found.test)]
    grouped = group_by is not None or find_group_table(data) is not None
    result = audit_data(found, grouped, lambda number: read_image(images[number]), track)
    if samples is not None and read_map is not None:
        tiles = samples.tiles
        pairs = ((read_map(tile.image_id), read_truth(tile)) for tile in track(tiles, "labels", len(tiles)))
        judged = audit_labels([tile.image_id for tile in tiles], [tile.group for tile in tiles], pairs)
        result = replace(result, findings=(*result.findings, *judged))
    test = f", {len(found.test)} test tiles" if found.test else ""
    title = f"{data}: {len(found.training)} training tiles in {result.given} group(s){test}"
    content = result.export() | {"maps": None if samples is None else trace_maps(samples.manifests)}
    print_result(json, content, result.tabulate(title, tell_groups(data, result, split)))
    folder = output or (source.report_folder if source else None)
    if folder is not None:
        write_json(folder / "audit.json", content)
        written = [folder / "audit.json", *write_report(folder, found, result, read_map)]
        if not json:
            stdout.print(f"written: {', '.join(map(str, written))}")
        if source is not None:
            source.log_command()


def open_maps(run: Run, data: Path) -> tuple[RunSamples, Callable[[str], np.ndarray]]:
    """Open a run's maps of the part valid: its tiles, and a function that reads the blended map of one.

    Raises:
        InputError: as for `RunSamples`.
    """
    from ensemble.mapfolder.samples import RunSamples
    from ensemble.selection.blend import read_blend
    from ensemble.selection.layers import split_layers
    from postproc.pipeline.pipeline import Pipeline

    blend = Pipeline.of_run(run, "valid", "tuned" if run.tuned_file.is_file() else "default").blend
    samples = RunSamples(run, data, members=blend.used)

    def read_map(image_id: str) -> np.ndarray:
        return split_layers(read_blend(run.part_folder("valid"), blend, image_id, samples.sizes[image_id]))[0]

    return samples, read_map


def stop_at_flaws(data: Path, found: DataSet) -> None:
    """End with a line for each flaw of a file, where there is any."""
    if found.flaws:
        for flaw in found.flaws:
            stderr.print(f"error: {flaw}")
        raise InputError(f"{data}: {len(found.flaws)} flaw(s), named above; mend or remove those files, then try again")


def tell_groups(data: Path, result: Audit, split: Split | None) -> list[str]:
    """Say whether the groups are right, and whether a run's split, or that of the usual hold-out, holds out enough."""
    from members.audit.proposal import tell_ungrouped
    from members.data.split import remark_on_count, remark_on_groups

    proposal = result.proposal
    if not result.grouped:
        notes = [tell_ungrouped(data, proposal)]
    elif proposal.count < result.given:
        notes = [
            f"GROUPS SHARE COPIES OR GROUND: joined, {result.given} groups become {proposal.count}; groups.csv of "
            "--output has them"
        ]
    else:
        notes = ["no copies and no shared ground are in two groups"]
    remark = remark_on_groups(split) if split else remark_on_count(proposal.count)
    return [*notes, remark] if remark else notes


def write_report(
    folder: Path, found: DataSet, result: Audit, read_map: Callable[[str], np.ndarray] | None
) -> list[Path]:
    """Write the proposed groups, and pictures of the worst where there is anything to see; return the files."""
    from members.data.raster import read_image, read_mask
    from postproc.auditing.sheet import choose_pictures, draw_sheet
    from postproc.reporting.figures import save_figure

    tiles = {look.tile.image_id: look.tile for look in (*found.test, *found.training)}
    masks = {image_id: tile.mask for image_id, tile in tiles.items() if tile.mask is not None}
    pictures = choose_pictures(
        result.findings, lambda name: read_image(tiles[name].image), lambda name: read_mask(masks[name]), read_map
    )
    files = [folder / "groups.csv"]
    result.proposal.write(files[0])
    if pictures:
        files.append(folder / "audit.png")
        save_figure(draw_sheet(pictures, f"{len(found.training)} tiles: the worst of each check"), files[1])
    return files


if __name__ == "__main__":
    run_command(audit)
