"""The commands that show what there is to train: the members, and what they see of the tiles."""

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from rich.table import Table

from members.common.console import stdout, track
from members.common.errors import InputError
from members.common.files import write_whole
from members.data.raster import Pair, read_pair
from members.data.tiles import list_tiles
from members.training.catalog import find_spec, list_specs
from members.training.networks.backend import choose_backend
from members.training.spec import MemberSpec

SIDE = 256
OUTLINE = (255, 0, 0)
GAP = 4


def show_members() -> None:
    """List the members: parameters, multiply-adds for one 256x256 tile, encoder weights and whether they are here."""
    choose_backend()
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
    spec = find_spec(member)
    found = list_tiles(data)
    pairs = [read_pair(tile) for tile in found]
    chosen = np.linspace(0, len(found) - 1, min(tiles, len(found))).astype(int)
    sheet = draw_sheet(spec, pairs, [int(index) for index in chosen], epochs)
    with write_whole(output) as temporary:
        cv2.imwrite(str(temporary), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    stdout.print(f"{output}: {len(chosen)} tiles as they are (left) and in the first {epochs} epochs of {member}")


def draw_sheet(spec: MemberSpec, pairs: list[Pair], indices: list[int], epochs: int) -> np.ndarray:
    """Draw rows of tiles: as they are, then as the member's policy gives them in each epoch.

    Args:
        spec: whose policy, crop and seed are used.
        pairs: all training tiles, as buildings may be pasted from any: uint8 (h, w, 3) with bool (h, w).
        indices: those to draw.
        epochs: columns after the first.

    Returns:
        uint8 RGB, tiles of `spec.crop` px a side with white gaps of 4 px.
    """
    from members.training.augment import augment_tile

    rows = []
    for index in indices:
        seen = [augment_tile(pairs, index, spec.augment, spec.crop, (spec.seed, epoch)) for epoch in range(epochs)]
        plain = augment_tile(pairs, index, "none", spec.crop, (spec.seed, 0))
        row = [frame(outline_buildings(*pair)) for pair in (plain, *seen)]
        rows.append(np.hstack(row))
    return np.vstack(rows)


def outline_buildings(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Copy an image, uint8 (h, w, 3), and outline the buildings of its mask, bool (h, w), in red."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.ascontiguousarray(image).copy(), contours, -1, OUTLINE, 2)


def frame(image: np.ndarray) -> np.ndarray:
    """Add a white gap at an image's right and bottom."""
    return np.pad(image, [(0, GAP), (0, GAP), (0, 0)], constant_values=255)
