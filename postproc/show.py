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
PARTS = {"valid": "training", "test": "test"}
"""Where in a data set the images of a part are."""


def show(
    image_id: Annotated[str, typer.Argument(metavar="IMAGE_ID", help="The image: its file name without the ending.")],
    run: Annotated[Path, typer.Option(help="The run whose maps are used.")],
    data: Annotated[Path | None, DATA] = None,
    part: Annotated[str, typer.Option(help="Whose maps: valid, test, or a name that predict --images made.")] = "valid",
    images: Annotated[
        Path | None, typer.Option(help="The image or folder of images that another part was predicted from.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A mask, or a folder of them; of valid and test the data set's.")
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="PNG", help="Default: RUN/report/IMAGE_ID.png.")] = None,
    json: Annotated[bool, JSON] = False,
) -> None:
    """Draw an image: truth, probability map, mask, outlines, and errors coloured, with the IoU in the title.

    Maps become masks and outlines as submit makes them, by RUN/tuned.json; before tuning by threshold 128 alone.
    Without a mask there is neither truth nor errors.
    """
    from ensemble.mapfolder.manifest import read_manifests
    from ensemble.selection.blend import read_blend
    from members.data.raster import read_image, read_mask
    from members.data.run import Run
    from members.data.tiles import find_folder
    from postproc.pipeline.pipeline import Pipeline
    from postproc.scoring.layouts import find_images
    from postproc.scoring.reading import find_masks

    source = Run(run)
    pipeline = Pipeline.of_run(source, part, "tuned" if source.tuned_file.is_file() else "default")
    folders = [source.map_folder(part, member) for member in pipeline.blend.used]
    _, sizes = read_manifests(folders)
    check_known(image_id, sizes, folders[0].parent)
    check_part(part, images)
    root = source.find_data(data) if images is None else images
    pictures = find_images(find_folder(root, PARTS[part], "images") if images is None else root)
    check_known(image_id, pictures, root)
    truths = find_masks(masks) if masks else find_part_masks(root, PARTS[part]) if images is None else {}
    image_file, mask_file = pictures[image_id], truths.get(image_id)
    path = output or source.report_folder / f"{image_id}.png"
    if output is not None:
        check_target(output, (".png",))
    size = sizes[image_id]
    image, truth = read_image(image_file), None if mask_file is None else read_mask(mask_file)
    values = read_blend(source.part_folder(part), pipeline.blend, image_id, size)
    for found, file in ((image.shape[:2], image_file), (size if truth is None else truth.shape, mask_file)):
        if found != tuple(size):
            raise InputError(f"{file}: {found[1]}x{found[0]} px, its map {size[1]}x{size[0]} px; predict it again")
    from postproc.reporting.figures import save_figure  # only now, as it takes a while to load
    from postproc.reporting.panels import ImageResult, draw_panels

    result = ImageResult.of_map(image, truth, values, pipeline)
    scores = f"{image_id}: {result.describe()}"
    save_figure(draw_panels(result, f"{scores}\n{part}, {pipeline.blend}, {pipeline.recipe}"), path)
    content = {"image_id": image_id, "buildings": len(result.buildings), "result": result.describe()}
    print_result(json, content | {"written": str(path)}, scores, f"written: {path}")


def check_part(part: str, images: Path | None) -> None:
    """Refuse a part whose images nobody knows, and images of one whose images are known.

    Raises:
        InputError: it is so.
    """
    if images is None and part not in PARTS:
        raise InputError(f"--part {part}: the data set has no images of it; give them: --images, as for predict")
    if images is not None and part in PARTS:
        raise InputError(f"--images {images}: the data set has the images of {part}; leave it out")


def find_part_masks(root: Path, part: str) -> dict[str, Path]:
    """Map image id -> mask file of a data set's part; nothing where it has none, as many a test part."""
    from members.data.tiles import MASK_SUFFIXES, find_folder, list_files

    try:
        return list_files(find_folder(root, part, "masks"), MASK_SUFFIXES)
    except InputError:
        return {}


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
