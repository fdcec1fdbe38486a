"""The commands that show what there is to train: the members, and what they see of the tiles."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cv2
import numpy as np
import typer
from rich.table import Table

from members.common.console import stdout, track
from members.common.errors import InputError
from members.common.files import write_whole
from members.data.raster import read_pair
from members.data.tiles import list_tiles
from members.training.augment import Pair, augment_tile
from members.training.catalog import find_spec, list_specs
from members.training.networks.backend import choose_backend
from members.training.spec import MemberSpec

if TYPE_CHECKING:
    import keras

SIDE = 256
OUTLINE = (255, 0, 0)
GAP = 4


def show_members() -> None:
    """List the members: parameters, multiply-adds for one 256x256 tile, encoder weights and whether they are here."""
    choose_backend()
    from members.training.networks.backbones import find_weights
    from members.training.networks.network import build_network

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


def count_multiply_adds(network: "keras.Model", side: int) -> int:
    """Multiplications, each with its addition, of all convolutions and dense layers for one image.

    Args:
        network: from (batch, h, w, 3).
        side: h and w, px.
    """
    import keras

    counts: list[int] = []

    def watch(layer: Any) -> None:
        compute = layer.call

        def compute_and_count(*args: Any, **options: Any) -> Any:
            output = compute(*args, **options)
            counts.append(math.prod(output.shape[1:-1]) * math.prod(layer.kernel.shape))
            return output

        layer.call = compute_and_count

    class Whole(keras.Layer):  # traced as one: nested models' own inference of shapes gives up at Lambda layers
        def call(self, image: keras.KerasTensor) -> keras.KerasTensor:
            return network(image)

    watched = [layer for layer in list_layers(network) if hasattr(layer, "kernel")]
    for layer in watched:
        watch(layer)
    try:
        Whole().compute_output_spec(keras.KerasTensor((1, side, side, 3)))
    finally:
        for layer in watched:
            del layer.call  # the class's own shows again
    return sum(counts)


def list_layers(network: "keras.Model") -> list[Any]:
    """All layers that are no models themselves, those of nested models included."""
    found: list[Any] = []
    for layer in network.layers:
        found += list_layers(layer) if hasattr(layer, "layers") else [layer]
    return found


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
    """Rows of tiles: as they are, then as the member's policy gives them in each epoch.

    Args:
        spec: whose policy, crop and seed are used.
        pairs: all training tiles, as buildings may be pasted from any: uint8 (h, w, 3) with bool (h, w).
        indices: those to draw.
        epochs: columns after the first.

    Returns:
        uint8 RGB, tiles of `spec.crop` px a side with white gaps of 4 px.
    """
    rows = []
    for index in indices:
        seen = [augment_tile(pairs, index, spec.augment, spec.crop, (spec.seed, epoch)) for epoch in range(epochs)]
        plain = augment_tile(pairs, index, "none", spec.crop, (spec.seed, 0))
        row = [frame(outline_buildings(*pair)) for pair in (plain, *seen)]
        rows.append(np.hstack(row))
    return np.vstack(rows)


def outline_buildings(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A copy of the image, uint8 (h, w, 3), with the buildings of the mask, bool (h, w), outlined in red."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.ascontiguousarray(image).copy(), contours, -1, OUTLINE, 2)


def frame(image: np.ndarray) -> np.ndarray:
    """The image with a white gap at its right and bottom."""
    return np.pad(image, [(0, GAP), (0, GAP), (0, 0)], constant_values=255)
