"""The command that scores masks or outlines against the truth, pixel by pixel and building by building."""

import itertools
from pathlib import Path
from typing import Annotated

import typer

from members.common.console import JSON, SCHEDULER, print_result, run_command, track, warn
from members.common.errors import InputError
from members.common.workers import open_workers


def score(
    truth: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            help="The truth: a mask, a folder of masks, a data set that holds them, a vector file of buildings, COCO "
            "JSON, or a CSV of run lengths.",
        ),
    ],
    submission: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The submission to score: .csv or .csv.gz.")
    ] = None,
    format: Annotated[
        str,
        typer.Option(help="Of CSV files, where the header does not tell: as for submit; airbus, or rows,from0."),
    ] = "",
    vector: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Or the vector file to score: GeoPackage, GeoJSON, ...")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="The images, where the truth is another file than a mask, or masks have no georeferencing: one, a "
            "folder, or a data set.",
        ),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Also score by a column of the data set's tiles.csv: region.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a CSV: a row for all images, each region, each image.")
    ] = None,
    json: Annotated[bool, JSON] = False,
    scheduler: Annotated[str | None, SCHEDULER] = None,
) -> None:
    """Score a submission CSV, or outlines of buildings, against true masks or outlines.

    Buildings of a mask are its 4-connected components, and the mask of outlines has the pixels whose centres they
    cover, so that either is scored in both ways. Intervals are of 2,000 bootstrap draws of whole groups out of
    tiles.csv or groups.csv; without these each image is its own group. Vertices and angles are of outlines that were
    drawn: where either side has those of pixels, they are left out. For COCO's AP buildings rank by a vector
    file's column confidence, as submit writes it; without one, as of a CSV, all are equal and rank in file order.
    """
    from members.data.groups import read_groups
    from postproc.scoring.layouts import find_table
    from postproc.scoring.pixels import pool_masks
    from postproc.scoring.reading import open_inputs
    from postproc.scoring.table import describe_rows, list_image_rows, list_rows, tabulate_regions, write_rows

    inputs = open_inputs(truth, submission, vector, images, format)
    if len(inputs.ids) < inputs.images:
        scored = f"{len(inputs.ids)} of the {inputs.images} images at {images}"
        warn(f"{inputs.source} has {scored}; the others are not scored")
    if inputs.remark:
        warn(inputs.remark)
    table = find_table(images, truth)
    if by and table is None:
        raise InputError(f"--by {by}: no tiles.csv or groups.csv at {images or truth}; add one, with the column {by}")
    groups = read_groups(table, inputs.ids) if table else {image_id: image_id for image_id in inputs.ids}
    regions = read_groups(table, inputs.ids, by) if table and by else {}

    with open_workers(scheduler) as workers:
        compared = inputs.compare(track, workers)
    pool_masks(image.columns for image in compared)
    rows = list_rows(compared, list(groups.values()), by, list(regions.values()))
    if output is not None:
        write_rows(output, itertools.chain(rows, list_image_rows(inputs.ids, compared)))
    tables = [rows[0].scores.tabulate(), *([tabulate_regions(rows, by)] if by else [])]
    print_result(json, describe_rows(rows), *tables)


if __name__ == "__main__":
    run_command(score)
