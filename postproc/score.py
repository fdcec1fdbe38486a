"""The command that scores masks or outlines against the truth, pixel by pixel and building by building."""

from collections.abc import Callable, Iterable, Mapping
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from members.common.console import run_command, stdout, track, warn
from members.common.errors import InputError
from members.data.tiles import read_groups
from postproc.formats.submission import check_ids, read_ids
from postproc.geo.frames import Frame, read_frame
from postproc.scoring.buildings import Comparison, compare_buildings, make_building_scorer
from postproc.scoring.inputs import Picture, find_images, find_table, find_truth, read_masks, read_truth, read_vector
from postproc.scoring.pixels import Overlap, count_overlap, make_mask_scorer, pool_overlaps
from postproc.scoring.table import describe_rows, list_rows, tabulate_regions, tabulate_scores, write_rows


def score(
    truth: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            help="The truth: a folder of masks, a data set that holds them, or a vector file of buildings.",
        ),
    ],
    submission: Annotated[Path | None, typer.Option(metavar="FILE", help="The submission CSV to score.")] = None,
    vector: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Or the vector file to score: GeoPackage, GeoJSON, ...")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="The images, where the truth is a vector file or masks without georeferencing: one, a folder, or a "
            "data set.",
        ),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Also score by a column of the data set's tiles.csv: region.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a CSV: a row for all images, each region, each image.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object in place of the tables.")] = False,
) -> None:
    """Score a submission CSV, or outlines of buildings, against true masks or outlines.

    Buildings of a mask are its 4-connected components, and the mask of outlines has the pixels whose centres they
    cover, so that either is scored in both ways. Intervals are of 2,000 bootstrap draws of whole groups out of
    tiles.csv or groups.csv; without these each image is its own group. For COCO's AP buildings rank by a vector
    file's column confidence, as submit writes it; without one, as of a CSV, all are equal and rank in file order.
    """
    source = submission or vector
    if source is None or (submission and vector):
        raise InputError("score takes one of --submission FILE and --vector FILE; give either")
    masks = {} if truth.is_file() else find_truth(truth)
    if not masks and images is None:
        raise InputError(f"{truth}: a vector file does not tell the images' places and sizes; give them as --images")
    wanted = read_ids(submission) if submission else list(masks) or None
    files = find_images(images, wanted) if images else masks
    expected = masks or {image_id: path for image_id, path in files.items() if wanted is None or image_id in wanted}
    if submission:
        check_ids(submission, wanted or (), expected)
    if not masks and len(expected) < len(files):
        warn(f"{source} has {len(expected)} of the {len(files)} images at {images}; the others are not scored")
    frames = read_frames(files, expected) if vector or not masks else {}
    predicted = read_masks(source) if submission else read_vector(source, frames)
    ids = sorted(expected)
    table = find_table(images, truth)
    if by and table is None:
        raise InputError(f"--by {by}: no tiles.csv or groups.csv at {images or truth}; add one, with the column {by}")
    groups = read_groups(table, ids) if table else {image_id: image_id for image_id in ids}
    regions = read_groups(table, ids, by) if table and by else {}

    pairs = track(predicted, "scoring", len(expected))
    overlaps, comparisons = compare_images(pairs, read_truth(truth, masks, frames), source)
    pool_overlaps(overlaps.values())
    scorers = [make_mask_scorer([overlaps[i] for i in ids]), make_building_scorer([comparisons[i] for i in ids])]
    rows = list_rows(scorers, ids, list(groups.values()), by, list(regions.values()))
    if output is not None:
        write_rows(output, rows)
    if json:
        typer.echo(dumps(describe_rows(rows)))
        return
    stdout.print(tabulate_scores(rows[0]))
    if by:
        stdout.print(tabulate_regions(rows, by))


def read_frames(files: Mapping[str, Path], expected: Mapping[str, Path]) -> dict[str, Frame]:
    """The frames of the images whose ids are expected.

    Raises:
        InputError: an image is missing, or is no raster.
    """
    for image_id, mask in expected.items():
        if image_id not in files:
            raise InputError(f"{mask}: mask without an image; --images has to hold {image_id} too")
    return {image_id: read_frame(files[image_id]) for image_id in expected}


def compare_images(
    predicted: Iterable[tuple[str, Picture]], truth: Callable[[str], Picture], source: Path
) -> tuple[dict[str, Overlap], dict[str, Comparison]]:
    """Compare each image's buildings with the true ones, one image at a time in memory.

    Args:
        predicted: ids and buildings.
        truth: gives the true buildings of an id.
        source: the file that is scored, for errors.

    Raises:
        InputError: a size differs from the truth's.
    """
    overlaps, comparisons = {}, {}
    for image_id, ours in predicted:
        theirs = truth(image_id)
        try:
            overlaps[image_id] = count_overlap(theirs.mask, ours.mask)
        except InputError as error:
            raise InputError(f"{source}, image {image_id}: {error}") from None
        iou = float(overlaps[image_id].iou)
        comparisons[image_id] = compare_buildings(ours.outlines, theirs.outlines, iou, ours.confidences)
    return overlaps, comparisons


if __name__ == "__main__":
    run_command(score)
