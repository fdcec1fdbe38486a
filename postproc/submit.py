"""The command that turns a run's maps into a submission file, and into files for a GIS."""

from __future__ import annotations

import functools
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from members.common.console import JSON, SCHEDULER, print_result, run_command, track, warn
from members.common.errors import InputError
from members.common.workers import open_workers

if TYPE_CHECKING:
    import numpy as np

    from members.data.mosaic import Window
    from members.data.run import Run
    from postproc.formats.exports import Export
    from postproc.pipeline.pipeline import Pipeline


def submit(
    run: Annotated[Path, typer.Option(help="The run whose maps are used.")],
    part: Annotated[str, typer.Option(help="Whose maps: test, valid, or a name that predict --images made.")] = "test",
    data: Annotated[Path | None, typer.Option(help="Check the ids against this data set's test folder.")] = None,
    sample: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Write as this sample submission: columns, ids, order, rows without a map."),
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            help="Of the CSV: kaggle, airbus, hot, dsb2018, carvana, salt, severstal or hubmap; then, with commas, "
            "rows or columns (pixels are numbered along them), from0 or from1, buildings or images (a row each), "
            "empty=TEXT. Default: kaggle, or what --sample tells."
        ),
    ] = "",
    recipe: Annotated[
        str, typer.Option(help="tuned (RUN/tuned.json), default (threshold 128 alone), or a JSON file.")
    ] = "tuned",
    output: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Or .csv.gz. Default: RUN/submission.csv, or submission-PART.csv."),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv/--no-csv", help="Write the CSV, or only the other files.")] = True,
    vector: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also outlines: .gpkg, .parquet, .fgb, .shp, or .geojson in WGS84."),
    ] = None,
    layer: Annotated[
        str, typer.Option(help="Of a GeoPackage, --vector FILE.gpkg: the layer to write; other layers stay.")
    ] = "buildings",
    coco: Annotated[
        Path | None, typer.Option(metavar="JSON", help="Also COCO instances: RLE, bbox, area and score a building.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also a mask an image, 0 and 255: GeoTIFF, or PNG without CRS.")
    ] = None,
    cog: Annotated[
        bool,
        typer.Option("--cog", help="--masks as Cloud Optimized GeoTIFFs with overviews, the same pixels."),
    ] = False,
    min_area_m2: Annotated[
        float, typer.Option(help="Leave smaller buildings out of --vector and --coco [m²].", min=0)
    ] = 0.0,
    scheduler: Annotated[str | None, SCHEDULER] = None,
    json: Annotated[bool, JSON] = False,
) -> None:
    """Write a submission, and on request buildings for a GIS: blend the maps, apply the recipe, write, and check.

    The CSV has the columns ImageId, EncodedPixels, Width and Height, one row an image; masks are run-length
    encoded down the columns, 1-based. Others are written by --format, or as a --sample has them, whose rows stay as
    they are for images without a map. It is decoded and compared before the command says that it is written. It holds
    images of up to 2**31 - 1 pixels; --no-csv leaves it out, and then an image may be of any size.

    Outlines carry image_id, status, confidence and area_m2, a geodesic area. The status is regularised, with straight
    walls; simplified, with fewer corners; or traced, pixel by pixel, whichever first comes close enough to the mask.
    Images that touch on one pixel grid are joined before they are outlined, so that a building on their border is one;
    COCO has each image's part of it. Images without georeferencing come out in pixels. In QGIS outlines have the colour
    of their status, paler where confidence is low: the style is in a GeoPackage, and beside other files as .qml and
    .sld, unless these are there.

    What tune has told of the margin of outlines, or promised, stands in the layer's description of vector files, the
    ImageDescription of GeoTIFFs, and COCO's info.

    Where tune kept the outlines, the CSV and the masks are drawn from them too; where not, from the masks.
    """
    from ensemble.mapfolder.manifest import read_manifests
    from ensemble.mapfolder.raster import map_path
    from members.data.frames import read_frame
    from members.data.run import Run
    from members.data.tiles import list_tiles
    from postproc.formats.dialects.dialect import parse_dialect
    from postproc.formats.dialects.samples import read_sample
    from postproc.formats.exports import Source, plan_exports, write_exports
    from postproc.formats.registry import Format, MaskFormat, choose_dialect, choose_layer
    from postproc.formats.submission import check_ids
    from postproc.formats.vector import advise_pixels, read_areas
    from postproc.geo.footprints import advise_specks, check_areas
    from postproc.pipeline.pipeline import Pipeline

    source = Run(run)
    pipeline = Pipeline.of_run(source, part, recipe)
    folders = [source.map_folder(part, member) for member in pipeline.blend.used]
    manifests, sizes = read_manifests(folders)
    if data is not None and part == "test":
        check_ids(folders[0], sizes, [tile.image_id for tile in list_tiles(data, "test")])
    template = read_sample(sample, sizes, format) if sample is not None else None
    dialect = template.dialect if template else parse_dialect(format)
    if template is not None:
        sizes = {image_id: sizes[image_id] for image_id in template.names if image_id in sizes}
    frames = {image_id: read_frame(map_path(folders[0], image_id)) for image_id in sizes}
    for image_id, name in ChainMap(*(manifest.files for manifest in manifests.values())).items():
        if image_id in frames:
            frames[image_id] = replace(frames[image_id], file=name)
    if not csv and (output or not (vector or coco or masks)):
        raise InputError("--no-csv leaves the CSV out: give --vector, --coco or --masks, and no --output")
    if cog and masks is None:
        raise InputError("--cog is how masks are written; give --masks DIR")
    if min_area_m2 > 0 and vector is None and coco is None:
        raise InputError("--min-area-m2 drops buildings from --vector and --coco; give one of them")
    check_areas(frames.values(), min_area_m2)
    path = output or source.submission_file(part)
    pictures = {"cog" if cog else "masks": masks}
    targets = {"output": path if csv else None, **pictures, "vector": vector, "coco": coco}

    def choose(form: Format) -> Format:
        if isinstance(form, MaskFormat) and form.option == "output":
            return choose_dialect(form, dialect, template)
        return choose_layer(form, layer)

    exports = plan_exports(targets, frames, choose)
    kept, note = pipeline.outlines is not None, read_note(source.tuned_file) if recipe == "tuned" else ""
    folder = source.part_folder(part)
    with open_workers(scheduler) as workers:
        pipelines = dict.fromkeys(sizes, pipeline)
        if pipeline.tile_cut:
            settle = functools.partial(settle_image, folder, pipeline, sizes)
            pipelines = dict(zip(sizes, track(workers.map(settle, sizes), "thresholds", len(sizes)), strict=True))
        read = functools.partial(read_window, folder, pipelines, sizes)
        found = Source(frames, read, pipeline.outline_mask, kept, note)
        done = write_exports(exports, found, min_area_m2, track, workers)
    source.log_command()
    lines = [f"{len(sizes)} images of {pipeline}"]
    lines.append(f"written, decoded and compared: {path}" if csv else "no CSV is written: --no-csv")
    if csv and template is not None and (filled := len(template.names) - len(sizes)):
        warn(f"{filled} of {len(template.names)} images of {sample} have no map: their rows are those of the sample")
    lines += [*describe_exports(exports, kept, done.buildings), *done.remarks]
    lines += advise_pixels(vector, frames) if vector else []
    if recipe == "tuned" and (other := find_other_blend(source, pipeline)):
        warn(other)
    if note:
        lines.append(note)
    if vector:
        lines += advise_specks(read_areas(vector, layer))
    handed = f"--submission {path}" if csv else f"--vector {vector}" if vector else None
    if handed:
        lines.append(f"next: roofstack score --truth TRUTH {handed}, where the truth is known; else hand it in")
    written = [str(export.path) for export in exports]
    content = {"images": len(sizes), "buildings": done.buildings, "pipeline": pipeline.describe(), "written": written}
    print_result(json, content | {"note": note, "remarks": done.remarks}, *lines)


def read_note(tuned: Path) -> str:
    """Return what tune has promised of the masks, or of their outlines, as tuned.json holds it; "" where nothing is."""
    from members.common.files import read_json

    content = read_json(tuned, "run roofstack tune again")
    for told in (content.get("promise"), content.get("margin")):
        if isinstance(told, dict) and told.get("pixels", 0) is not None:  # a promise has none
            return str(told.get("words", ""))
    return ""


def find_other_blend(run: Run, pipeline: Pipeline) -> str | None:
    """Say that the run's blend was chosen after its pipeline, and is another; None where it is not."""
    from ensemble.selection.blend import Blend
    from members.common.files import read_json

    blended, tuned = run.blend_file, run.tuned_file
    if not blended.is_file() or blended.stat().st_mtime <= tuned.stat().st_mtime:
        return None
    cure = "run roofstack blend again"
    blend = Blend.parse(read_json(blended, cure), blended, cure)
    if blend == pipeline.blend:
        return None
    return (
        f"{blended} was chosen after {tuned.name}, and is another blend ({blend}); this is {tuned.name}'s: run "
        "roofstack tune again to take the other"
    )


def settle_image(part: Path, pipeline: Pipeline, sizes: Mapping[str, tuple[int, int]], image_id: str) -> Pipeline:
    """Return the pipeline for one image, whose threshold may be its own."""
    from ensemble.selection.blend import read_blend

    size = sizes[image_id]
    return pipeline.settle_windows(lambda window: read_blend(part, pipeline.blend, image_id, size, window), size)


def read_window(
    part: Path,
    pipelines: Mapping[str, Pipeline],
    sizes: Mapping[str, tuple[int, int]],
    image_id: str,
    window: Window,
) -> tuple[np.ndarray, np.ndarray]:
    """Read and blend a window of an image's maps; return its mask, bool (h, w), and the blend, uint8 (h, w)."""
    from ensemble.selection.blend import read_blend

    size, pipeline = sizes[image_id], pipelines[image_id]
    return pipeline.cut_window(lambda outer: read_blend(part, pipeline.blend, image_id, size, outer), size, window)


def describe_exports(exports: Sequence[Export], from_outlines: bool, count: int | None) -> list[str]:
    """Say what else was written, and what of."""
    from postproc.formats.registry import BuildingFormat, MaskFormat

    lines = []
    names: dict[type, list[str]] = {MaskFormat: [], BuildingFormat: []}
    for export in exports:
        names[type(export.format)].append(export.path.name)
        if export.format.option != "output":
            lines.append(f"written and read back: {export.path}")
    if count is not None:
        source = "outlines, as tuned" if from_outlines else "masks, as tuning has not kept outlines"
        pixels, outlines = (", ".join(each) for each in names.values())
        told = f"{pixels} from {source}; " if pixels else ""
        lines.append(f"{count} buildings; {told}{outlines} from outlines")
    return lines


if __name__ == "__main__":
    run_command(submit)
