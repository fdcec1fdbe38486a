"""The commands that show what there is to train: the members, and what they see of the tiles."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from members.common.console import JSON, print_result, track
from members.common.errors import InputError
from members.common.files import write_whole
from members.common.tables import ResultTable
from members.training.networks.backend import load_backend

if TYPE_CHECKING:
    from members.training.spec import MemberSpec

SIDE = 256


def show_members(json: Annotated[bool, JSON] = False) -> None:
    """List the members: parameters, multiply-adds for one 256x256 tile, encoder weights and whether they are here.

    The last three take a framework that networks are built with, and are left out where none is installed.
    """
    from members.training.catalog import list_specs

    specs, measure = list_specs(), measure_network
    notes: list[str] = []
    try:
        load_backend()
    except InputError as error:
        notes, measure = [str(error)], leave_out
    rows: list[dict[str, Any]] = [
        {
            "member": name,
            "network": f"{spec.backbone} {spec.decoder}",
            "augment": spec.augment,
            "loss": spec.loss,
            **measure(spec),
        }
        for name, spec in track(specs.items(), "building", len(specs))
    ]
    shown = {"parameters": lambda count: f"{count / 1e6:.1f} M", "multiply-adds": lambda count: f"{count / 1e9:.1f} G"}
    cells = [[shown.get(key, str)(value) for key, value in row.items()] for row in rows]
    print_result(json, {"members": rows}, ResultTable("", list(rows[0]), cells, notes))


def measure_network(spec: "MemberSpec") -> dict[str, Any]:
    """Build a member's network to measure it, and look for its encoder's weights."""
    from members.training.networks.backbones import find_weights
    from members.training.networks.network import build_network, count_multiply_adds

    network = build_network(spec)
    side = -(-SIDE // spec.size_multiple) * spec.size_multiple
    return {
        "parameters": network.count_params(),
        "multiply-adds": count_multiply_adds(network, side),
        "encoder weights": f"{spec.encoder_weights}: {find_weights(spec.backbone, spec.encoder_weights)}",
    }


def leave_out(spec: "MemberSpec") -> dict[str, Any]:
    """Return what is known of a network that can't be built here."""
    return {"encoder weights": spec.encoder_weights}


def augment(
    member: Annotated[str, typer.Argument(help="Member by name, as in members/NAME.py, or the path of a script.")],
    data: Annotated[Path, typer.Option(help="Data set: the competition's folders, or images/ and masks/.")],
    output: Annotated[Path, typer.Option(help="The picture to write, .png.")],
    tiles: Annotated[int, typer.Option(help="Rows: tiles, evenly spread over the ids.", min=1)] = 6,
    epochs: Annotated[int, typer.Option(help="Columns after the tile as it is: its first epochs.", min=1)] = 6,
    json: Annotated[bool, JSON] = False,
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
    told = f"{output}: {len(chosen)} tiles as they are (left) and in the first {epochs} epochs of {member}"
    print_result(json, {"written": str(output), "tiles": len(chosen), "epochs": epochs, "member": member}, told)
