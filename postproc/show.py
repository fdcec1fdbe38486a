"""The command that draws one image with all that is known about it."""

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from members.common.console import DATA, JSON, print_result, run_command
from members.common.errors import InputError
from members.common.files import check_target

SUGGESTIONS = 3


def show(
    image_id: Annotated[str, typer.Argument(metavar="IMAGE_ID", help="The image: its file name without the ending.")],
    run: Annotated[Path, typer.Option(help="The run whose maps are used.")],
    data: Annotated[Path | None, DATA] = None,
    part: Annotated[str, typer.Option(help="Whose maps: valid or test.")] = "valid",
    output: Annotated[Path | None, typer.Option(metavar="PNG", help="Default: RUN/report/IMAGE_ID.png.")] = None,
    json: Annotated[bool, JSON] = False,
) -> None:
    """Draw an image: truth, probability map, mask, outlines, and errors coloured, with the IoU in the title.

    Maps become masks and outlines as submit makes them, by RUN/tuned.json; before tuning by threshold 128 alone.
    Without a mask in the data set there is neither truth nor errors.
    """
    from ensemble.mapfolder.manifest import read_manifests
    from ensemble.selection.blend import read_blend
    from members.data.raster import read_image, read_mask
    from members.data.run import Run
    from members.data.tiles import list_tiles
    from postproc.pipeline.pipeline import Pipeline

    source = Run(run)
    root = source.find_data(data)
    pipeline = Pipeline.of_run(source, part, "tuned" if source.tuned_file.is_file() else "default")
    folders = [source.map_folder(part, member) for member in pipeline.blend.used]
    _, sizes = read_manifests(folders)
    check_known(image_id, sizes, folders[0].parent)
    tiles = {tile.image_id: tile for tile in list_tiles(root, "training" if part == "valid" else "test")}
    check_known(image_id, tiles, root)
    path = output or source.report_folder / f"{image_id}.png"
    if output is not None:
        check_target(output, (".png",))
    tile, size = tiles[image_id], sizes[image_id]
    image, truth = read_image(tile.image), None if tile.mask is None else read_mask(tile.mask)
    values = read_blend(source.part_folder(part), pipeline.blend, image_id, size)
    for found, file in ((image.shape[:2], tile.image), (size if truth is None else truth.shape, tile.mask)):
        if found != tuple(size):
            raise InputError(f"{file}: {found[1]}x{found[0]} px, its map {size[1]}x{size[0]} px; predict it again")
    from postproc.reporting.figures import save_figure  # only now, as it takes a while to load
    from postproc.reporting.panels import ImageResult, draw_panels

    result = ImageResult.of_map(image, truth, values, pipeline)
    scores = f"{image_id}: {result.describe()}"
    save_figure(draw_panels(result, f"{scores}\n{part}, {pipeline.blend}, {pipeline.recipe}"), path)
    content = {"image_id": image_id, "buildings": len(result.buildings), "result": result.describe()}
    print_result(json, content | {"written": str(path)}, scores, f"written: {path}")


def check_known(image_id: str, known: Collection[str], where: Path) -> None:
    """Refuse an image that is not there, and name those that are called most like it.

    Raises:
        InputError: it is not among the known ones.
    """
    if image_id not in known:
        near = difflib.get_close_matches(image_id, known, SUGGESTIONS, cutoff=0) or ["none"]
        raise InputError(f"{where}: no image {image_id} among {len(known)}; the nearest are {', '.join(near)}")


if __name__ == "__main__":
    run_command(show)
