"""The command that turns images and masks, outlines, COCO or run lengths into a data set that all commands read."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from members.common.console import JSON, print_result, run_command, track
from members.common.errors import InputError
from members.common.tables import ResultTable


def prepare(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="The data set's folder, new or empty.")],
    images: Annotated[
        str,
        typer.Option(metavar="WHERE", help="A file, a folder, or a pattern whose star is the id: 'a/*_img.png'."),
    ],
    masks: Annotated[
        str | None,
        typer.Option(metavar="WHERE", help="Likewise; grey, RGB or palette, TIFF, PNG or JPEG."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="In place of masks: a vector file of outlines, COCO JSON, or a CSV of run lengths, .csv or .csv.gz, "
            "one row an image or one a building.",
        ),
    ] = None,
    format: Annotated[
        str,
        typer.Option(help="Of the CSV, where its header does not tell: as for submit; carvana, or rows,from0."),
    ] = "",
    tile: Annotated[int | None, typer.Option(help="Cut images into tiles of this side [px].", min=32)] = None,
    overlap: Annotated[int, typer.Option(help="Of neighbouring tiles [px].", min=0)] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,
    json: Annotated[bool, JSON] = False,
) -> None:
    """Make a data set of images and what says where buildings are: OUT/images, OUT/masks, and what goes with them.

    Images and masks become GeoTIFFs with the georeferencing of the images. Outlines, COCO polygons and run lengths are
    drawn by the rule of pixel centres, and stay apart in OUT/buildings.geojson, which contact members learn from. Large
    images are cut with --tile; OUT/groups.csv then keeps neighbours together: each image is a group, or, of fewer than
    ten images, each square of four by four tiles.
    """
    from members.data.frames import read_frame
    from postproc.formats.dialects.rows import is_csv
    from postproc.preparing.masks import check_mask, draw_from_masks
    from postproc.preparing.sources import find_files, pair_files
    from postproc.preparing.tiling import cut_frame
    from postproc.preparing.truths import draw_from_outlines, read_truth
    from postproc.preparing.writing import make_folder, write_outlines, write_tiles

    if masks is not None and labels is not None:
        raise InputError("prepare takes one of --masks WHERE and --labels FILE; give either")
    if format and not (labels and is_csv(labels)):
        raise InputError(f"--format {format}: it is of run lengths, --labels FILE.csv; leave it out")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: not empty; a data set is made in a new folder")
    found = find_files(images, "--images")
    frames = {image_id: replace(read_frame(path), image_id=image_id) for image_id, path in found.items()}
    cuts = [cut for frame in frames.values() for cut in cut_frame(frame, tile, overlap)]
    kinds: Counter[str] = Counter()
    outlines = None
    if masks is not None:
        pictures = find_files(masks, "--masks")
        pair_files(found, pictures, f"--masks {masks}")
        kinds.update(f"masks: {check_mask(pictures[each], frames[each])}" for each in track(found, "masks", len(found)))
        draw = draw_from_masks(pictures)
    elif labels is not None:
        truth = read_truth(labels, frames, format)
        outlines = truth.outlines
        kinds[f"buildings of {truth.kind}"] = sum(map(len, outlines.values()))
        draw = draw_from_outlines(outlines)
    else:
        raise InputError("prepare takes one of --masks WHERE and --labels FILE; give either")
    taken = [("images", f"{len(found)}, such as {next(iter(found))} from {next(iter(found.values()))}")]
    taken += [("georeferenced", f"{sum(frame.crs is not None for frame in frames.values())} of {len(frames)}")]
    if dry_run:
        lines = [*taken, *((kind, str(count)) for kind, count in kinds.items()), ("tiles", str(len(cuts)))]
        print_result(json, dict(lines) | {"written": None}, ResultTable("nothing is written", ("", "found"), lines))
        return
    with make_folder(folder) as part:
        written = write_tiles(part, found, cuts, draw, track)
        labelled = None if outlines is None else folder / write_outlines(part, frames, cuts, outlines).name
    sizes = ", ".join(f"{count} of {width}x{height}" for (height, width), count in written.sizes.most_common(3))
    lines = [*taken, *((kind, str(count)) for kind, count in kinds.items())]
    lines += [
        ("tiles", f"{written.tiles}, {written.empty} without a building, {written.blank} without data left out"),
        ("sizes, px", sizes),
        ("groups", str(written.groups)),
    ]
    print_result(
        json,
        dict(lines) | {"written": str(folder), "labels": labelled and str(labelled)},
        ResultTable(str(folder), ("", "found"), lines),
        f"written: {folder}; next: roofstack audit --data {folder}",
    )


if __name__ == "__main__":
    run_command(prepare)
