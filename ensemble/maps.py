"""The commands that check folders of maps, and take in maps of other programs."""

from pathlib import Path
from typing import Annotated

import typer

from members.common.choices import Activation
from members.common.console import JSON, make_app, print_result, track, warn
from members.common.errors import InputError

app = make_app(no_args_is_help=True, help="Check folders of probability maps, or import maps of other programs.")


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="One member's maps, or a part's folder of several.")],
    json: Annotated[bool, JSON] = False,
) -> None:
    """Read every map and say what is missing, damaged, foreign, or not what its manifest says.

    Exit code 1 if anything is.
    """
    from ensemble.mapfolder.checks import compare_manifests, find_problems
    from ensemble.mapfolder.manifest import MANIFEST, Manifest, read_manifest

    inside = sorted(each for each in folder.glob("*/") if "." not in each.name)  # a name with a dot is set aside
    folders = [folder] if (folder / MANIFEST).is_file() else inside
    if not folders:
        raise InputError(f"{folder}: no maps here (no {MANIFEST}, nor folders that have one); run roofstack predict")
    manifests: dict[str, Manifest] = {}
    problems: list[str] = []
    for each in folders:
        try:
            manifests[each.name] = read_manifest(each)
        except InputError as error:
            problems.append(str(error))
        else:
            problems += find_problems(each, manifests[each.name])
    problems += compare_manifests(folder, manifests)
    maps = sum(len(manifest.images) for manifest in manifests.values())
    total = f"{maps} maps of {', '.join(manifests) or 'no member'}: {len(problems) or 'no'} problem(s)"
    print_result(json, {"maps": maps, "members": list(manifests), "problems": problems}, *problems, total)
    if problems:
        raise typer.Exit(1)


@app.command("import")
def import_command(
    run: Annotated[Path, typer.Option(help="The run that takes the maps in; with --data it is made if there is none.")],
    part: Annotated[str, typer.Option(help="What they are of: valid, test, or a name of your own for --images.")],
    member: Annotated[str, typer.Option(help="The name to give to what made them.")],
    source: Annotated[
        Path, typer.Option("--from", help="Folder of IMAGE_ID.npy (float 0..1, or uint8), .png or .tif.")
    ],
    activation: Annotated[
        Activation, typer.Option(help="sigmoid, where their values are logits; they become probabilities.")
    ] = "none",
    scale: Annotated[
        float | None,
        typer.Option(help="What values are divided by: 65535 for uint16, 100 for percents. Default: 255 or 1."),
    ] = None,
    suffix: Annotated[
        str, typer.Option(help="What file names have behind IMAGE_ID, such as _prob; others are left alone.")
    ] = "",
    data: Annotated[
        Path | None, typer.Option(help="The data set; needed for a run that is made. Default: the run's.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="The image or folder of images of a new place, for a --part name of your own.")
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            help="What groups go by: a column, a pattern or squares, as for train; default: the run's, or group."
        ),
    ] = None,
    json: Annotated[bool, JSON] = False,
) -> None:
    """Take in another program's probability maps as those of one more member.

    There must be one file an image of the part, of the image's size. Floats are probabilities from 0 to 1;
    of 8-bit values 255 is the probability 1. Of logits, --activation sigmoid makes probabilities; of other numbers,
    --scale says what stands for 1.

    Maps of the part valid must be out of fold: each by a model that did not see the tile, nor others of its group. A
    run that is made here takes your word for that: its part valid is all tiles of --data, and blend, tune, score and
    submit work on it without any training.
    """
    from ensemble.mapfolder.coding import Coding
    from ensemble.mapfolder.foreign import find_target, import_maps
    from members.audit.proposal import propose_from_tiles, tell_ungrouped
    from members.data.groups import find_group_table
    from members.data.raster import read_image
    from members.data.run import Run
    from members.data.split import remark_on_groups

    taker = Run(run)
    if not member.replace("_", "").isalnum() or member in taker.list_members():
        raise InputError(f"--member {member}: a trained member's name, or not letters, digits and '_'; give another")
    begins = not taker.has_record()
    coding = Coding(activation, scale)
    target = find_target(taker, data, group_by, images)
    count = import_maps(target, part, member, source, track, coding, suffix)
    taker.log_command()
    if begins:
        if group_by is None and find_group_table(target.data) is None:
            tiles = target.list_tiles()
            warn(tell_ungrouped(target.data, propose_from_tiles(tiles, lambda number: read_image(tiles[number].image))))
        if few := remark_on_groups(target.split):
            warn(few)
    made = taker.map_folder(part, member)
    print_result(json, {"maps": count, "part": part, "folder": str(made)}, f"{count} maps of {part} imported: {made}")
