"""The commands that show what there is to train: the members, and what they see of the tiles."""

from pathlib import Path
from typing import Annotated

import typer

from members.common.console import stdout, track
from members.common.errors import InputError
from members.common.files import write_whole
from members.training.networks.backend import load_backend

SIDE = 256


def show_members() -> None:
    """List the members: parameters, multiply-adds for one 256x256 tile, encoder weights and whether they are here."""
    from rich.table import Table

    load_backend()
    from members.training.catalog import list_specs
    from members.training.networks.backbones import find_weights
    from members.training.networks.network import build_network, count_multiply_adds

    specs = list_specs()
    table = Table("member", "network", "augment", "loss", "parameters", "multiply-adds", "encoder weights")
    for name, spec in track(specs.items(), "building", len(specs)):
        network = build_network(spec)
        side = -(-SIDE // spec.size_multiple) * spec.size_multiple
        operations = count_multiply_adds(network, side)
        table.add_row(
            name, f"{spec.backbone} {spec.decoder}", spec.augment, spec.loss, f"{network.count_params() / 1e6:.1f} M",
            f"{operations / 1e9:.1f} G", f"{spec.encoder_weights}: {find_weights(spec.backbone, spec.encoder_weights)}",
        )  # fmt: skip
    stdout.print(table)


def augment(
    member: Annotated[str, typer.Argument(help="Member script by name, as in members/NAME.py.")],
    data: Annotated[Path, typer.Option(help="Data set: the competition's folders, or images/ and masks/.")],
    output: Annotated[Path, typer.Option(help="The picture to write, .png.")],
    tiles: Annotated[int, typer.Option(help="Rows: tiles, evenly spread over the ids.", min=1)] = 6,
    epochs: Annotated[int, typer.Option(help="Columns after the tile as it is: its first epochs.", min=1)] = 6,
) -> None:
    """Draw a contact sheet of what a member's network sees: augmented tiles with the outlines of their masks."""
    if output.suffix.lower() != ".png":
        raise InputError(f"--output {output}: the sheet is a PNG file; give a name that ends in .png")
    import cv2
    import numpy as np

    from members.data.raster import read_pair
    from members.data.tiles import list_tiles
    from members.training.catalog import find_spec
    from members.training.sheet import draw_sheet

    spec = find_spec(member)
    found = list_tiles(data)
    pairs = [read_pair(tile) for tile in found]
    chosen = np.linspace(0, len(found) - 1, min(tiles, len(found))).astype(int)
    sheet = draw_sheet(spec, pairs, [int(index) for index in chosen], epochs)
    with write_whole(output) as temporary:
        cv2.imwrite(str(temporary), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    stdout.print(f"{output}: {len(chosen)} tiles as they are (left) and in the first {epochs} epochs of {member}")
