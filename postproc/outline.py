"""The command that gives straight walls to the buildings of any mask, map or layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from members.common.console import JSON, SCHEDULER, print_result, run_command, track
from members.common.errors import InputError
from members.common.tables import ResultTable
from members.common.workers import Workers, open_workers

if TYPE_CHECKING:
    from postproc.pipeline.outlines import OutlineRecipe

Done = tuple[list[ResultTable | str], dict[str, int]]
"""What is shown of the result, and how many buildings there are by their status."""
RASTERS = (".tif", ".tiff", ".png", ".vrt")


def outline(
    source: Annotated[
        Path,
        typer.Argument(metavar="IN", help="A mask or probability map, a folder of them, or a vector file of outlines."),
    ],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="A .gpkg, .geojson (in WGS84), .parquet, .fgb or .shp file.")
    ],
    threshold: Annotated[
        int, typer.Option(min=1, max=255, help="Of maps: building where the map reaches this [1/255].")
    ] = 128,
    tolerance: Annotated[float, typer.Option(min=0, help="Details of about this size are dropped [px].")] = 6.0,
    split_contrast: Annotated[
        float,
        typer.Option(
            min=0, max=255, help="Of maps: cut between peaks that stand by this above the pass; 0 = off [1/255]."
        ),
    ] = 0.0,
    split_depth: Annotated[
        float, typer.Option(min=0, help="Of rasters: cut at necks narrower by this on each side; 0 = off [px].")
    ] = 0.0,
    resolution: Annotated[
        float, typer.Option(help="Of a layer: side of the pixels that it is drawn in [m; its units without a CRS].")
    ] = 0.25,
    min_area_m2: Annotated[float, typer.Option(min=0, help="Leave smaller buildings out [m²].")] = 0.0,
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Of rasters: score before and after against masks, a data set, or a vector file."
        ),
    ] = None,
    against: Annotated[
        Literal["buildingregulariser"] | None,
        typer.Option(help="With --truth: also score what this library makes of the same masks, in metres."),
    ] = None,
    layer: Annotated[
        str, typer.Option(help="Of a GeoPackage, OUT.gpkg: the layer to write; other layers stay.")
    ] = "buildings",
    scheduler: Annotated[str | None, SCHEDULER] = None,
    json: Annotated[bool, JSON] = False,
) -> None:
    """Give straight walls to the buildings of any mask, probability map or layer, and write them for a GIS.

    Outlines follow the building's own directions, with right angles where they stay close to what is there; walls that
    two buildings share stay shared. `status` says what came of each: regularised, with straight walls; simplified, with
    fewer corners, or traced, pixel by pixel, where straight walls would come too far off; of a layer also kept, as it
    was. Rasters that touch on one pixel grid are joined first. A layer's rows keep their attributes.

    In QGIS outlines have the colour of their status, paler where confidence is low: the style is in a GeoPackage, and
    beside other files as OUT.qml and OUT.sld, unless these are there.
    """
    from postproc.pipeline.outlines import OutlineRecipe

    if resolution <= 0:
        raise InputError(f"--resolution {resolution:g}: the side of a pixel is more than 0")
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    if against is not None and truth is None:
        raise InputError(f"--against {against}: scores are against a truth; give --truth PATH")
    recipe = OutlineRecipe(split_contrast=split_contrast, split_depth=split_depth, tolerance=tolerance)
    with open_workers(scheduler) as workers:
        if source.is_dir() or source.suffix.lower() in RASTERS:
            shown, counts = outline_rasters(
                source, (target, layer), threshold, recipe, min_area_m2, truth, against, workers
            )
        elif truth is not None:
            raise InputError(
                "--truth is for rasters; score OUT: roofstack score --vector OUT --truth PATH --images DIR"
            )
        else:
            shown, counts = outline_layer(source, (target, layer), recipe, resolution, min_area_m2, workers)
    print_result(json, {"written": str(target), "buildings": sum(counts.values()), "status": counts}, *shown)


def outline_rasters(
    source: Path,
    out: tuple[Path, str],
    threshold: int,
    recipe: OutlineRecipe,
    min_area_m2: float,
    truth: Path | None,
    against: str | None,
    workers: Workers,
) -> Done:
    """Outline a raster, or all in a folder together, into a file, and a layer of it."""
    import functools

    from postproc.formats.exports import plan_exports
    from postproc.formats.registry import choose_layer
    from postproc.formats.vector import advise_pixels, read_areas, write_vector
    from postproc.geo.footprints import advise_specks, check_areas, drop_small
    from postproc.geo.outlining import outline_images
    from postproc.straightening.comparison import compare_with_truth, open_truth
    from postproc.straightening.rasters import find_kind, open_pictures, outline_window, read_window
    from postproc.straightening.rivals import REMARK, check_library, outline_by_library

    target, layer = out
    pictures = open_pictures(source, track, workers)
    kind = find_kind(pictures)
    frames = {name: picture.frame for name, picture in pictures.items()}
    if kind == "mask" and recipe.split_contrast > 0:
        raise InputError(f"--split-contrast {recipe.split_contrast:g}: {source} is a mask; peaks are found in maps")
    check_areas(frames.values(), min_area_m2)
    plan_exports({"vector": target}, frames, lambda form: choose_layer(form, layer))
    if against is not None:
        check_library(frames)
    read_truth = None if truth is None else open_truth(truth, frames)
    read = functools.partial(read_window, pictures, threshold)
    outlined = outline_images(frames.values(), read, functools.partial(outline_window, kind, recipe), track, workers)
    outlined = [drop_small(each, min_area_m2) for each in outlined]
    write_vector(target, frames, outlined, layer=layer)
    buildings = [building for each in outlined for building in each.buildings]
    what = f"a {kind}" if source.is_file() else f"{len(pictures)} {kind}s"
    shown, counts = describe(target, f"of {what}", [building.status for building in buildings])
    if read_truth is not None:
        compared = {"straightened": outlined}
        if against is not None:
            compared |= outline_by_library(frames, read, min_area_m2, track, workers)
        shown.append(compare_with_truth(frames, read, compared, read_truth, track, workers))
        shown += [REMARK] if against is not None else []
    return [*shown, *advise_pixels(target, frames), *advise_specks(read_areas(target, layer))], counts


def outline_layer(
    source: Path, out: tuple[Path, str], recipe: OutlineRecipe, resolution: float, min_area_m2: float, workers: Workers
) -> Done:
    """Straighten the outlines of a vector file, into another, and a layer of it."""
    import numpy as np

    from members.labels.reading import read_table
    from postproc.formats.columns import AREA, STATUS, free_name
    from postproc.formats.registry import find_format
    from postproc.formats.shapefile import SHAPEFILE, fit_table
    from postproc.formats.vector import GEOJSON, check_layer, write_table
    from postproc.geo.footprints import WGS84, advise_specks, measure_areas
    from postproc.straightening.layers import straighten_layer

    target, layer = out
    find_format("vector", target)
    check_layer(target, layer)
    table = read_table(source)
    if table.crs is None and min_area_m2 > 0:
        raise InputError(f"--min-area-m2 {min_area_m2:g}: {source} has no CRS, so no square metres; give it one")
    done = straighten_layer(table, recipe, resolution, track, workers)
    found = done.table
    if min_area_m2 > 0:
        found = found[measure_areas(np.asarray(found.geometry), found.crs.to_wkt()) >= min_area_m2]
    if found.crs is not None and target.suffix.lower() in GEOJSON:
        found = found.to_crs(WGS84)
    fitted, remarks = fit_table(found) if target.suffix.lower() == SHAPEFILE else (found, [])
    write_table(target, fitted, layer)
    shown, counts = describe(target, f"of {len(table)} rows", list(found[free_name(STATUS, table)]))
    specks = advise_specks(found[free_name(AREA, table)].to_numpy()) if found.crs is not None else []
    return [*shown, *done.remarks, *remarks, *specks], counts


def describe(target: Path, of_what: str, statuses: list[str]) -> Done:
    """Say what was written, and count buildings by their status."""
    counts = {status: statuses.count(status) for status in dict.fromkeys(sorted(statuses))}
    told = f"{len(statuses)} buildings {of_what}: " + ", ".join(f"{n} {name}" for name, n in counts.items())
    return [told, f"written and read back: {target}"], counts


if __name__ == "__main__":
    run_command(outline)
