"""Networks for other programs: one file a member, with what QGIS's Deepness plugin reads in it.

The keys are those of https://qgis-plugin-deepness.readthedocs.io, "Adding metadata to ONNX model".
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio.transform
from pyproj import Geod, Transformer

from ensemble.inference.engines.conversion import convert_networks, load_keras_network, write_openvino
from ensemble.inference.engines.quantisation import quantise_model, spread_tiles
from ensemble.inference.scenes import OVERLAP, WINDOW
from members.common.files import write_target
from members.data.raster import open_raster, read_image
from members.data.run import FoldFolder
from members.data.tiles import Tile
from members.training.augment import pad_tile

if TYPE_CHECKING:
    import keras

CLASSES = ("background", "building")
THRESHOLD = 0.5


@dataclass(frozen=True)
class Export:
    """A network as other programs take it.

    From (RGB / 255 - mean) / std, float32 (n, 3, h, w), to the probability of building, float32 (n, 1, h, w).

    Attributes:
        content: the ONNX file.
        metadata: key -> value, as JSON writes it.
    """

    content: bytes
    metadata: dict[str, Any]


def export_networks(
    folds: Sequence[FoldFolder], name: str, side: int | None, resolution: float | None = None
) -> Export:
    """Convert the mean of a member's folds.

    Args:
        folds: whose probabilities are averaged.
        name: of the member.
        side: of the images, px; None leaves height and width free.
        resolution: of the images that it was trained on, cm per pixel, if that is known.

    Raises:
        InputError: Keras does not run on TensorFlow, a converter is missing, or weights are damaged.
    """
    networks = [take_building(load_keras_network(files)) for files in folds]
    [(mean, std)] = {take_preprocessing(network) for network in networks}
    model = convert_networks(networks, side, channels_first=True)
    size = side or WINDOW
    metadata: dict[str, Any] = {
        "name": name,
        "model_type": "Segmentor",
        "class_names": {str(number): each for number, each in enumerate(CLASSES)},
        "tile_size": size,  # as the plugin reads it
        "tiles_size": size,  # as its manual has it
        "tiles_overlap": round(100 * OVERLAP / WINDOW),
        "seg_thresh": THRESHOLD,
        "standardization_mean": mean,
        "standardization_std": std,
    }
    if resolution is not None:
        metadata["resolution"] = round(resolution, 2)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    return Export(model.SerializeToString(), metadata)


def take_building(network: "keras.Model") -> "keras.Model":
    """Return a network without its further bands: the plugin would take border and contact for classes of their own."""
    import keras

    if network.output.shape[-1] == 1:
        return network
    return keras.Model(network.input, network.output[..., :1], name=network.name)


def take_preprocessing(network: "keras.Model") -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Take a network's preprocessing out of it; return mean and std of each band that do the same to RGB / 255."""
    import keras

    from members.training.networks.network import list_layers

    scale, offset = np.ones(3), np.zeros(3)
    for layer in list_layers(network):
        if isinstance(layer, keras.layers.Rescaling):
            scale, offset = np.ones(3) * layer.scale, np.ones(3) * layer.offset
            layer.scale, layer.offset = 1.0, 0.0
            break
    mean, std = -offset / scale / 255, 1 / scale / 255
    return tuple(mean.tolist()), tuple(std.tolist())


def write_onnx(path: Path, export: Export) -> None:
    """Write an ONNX file.

    Raises:
        InputError: it cannot be written.
    """
    with write_target(path) as temporary:
        temporary.write_bytes(export.content)


def write_ir(path: Path, export: Export, model: Any = None) -> None:
    """Write OpenVINO's files, .xml and .bin, with the metadata as runtime information.

    Args:
        path: of the .xml.
        export: the network.
        model: the same network with 8 bits, if that is what is wanted.
    """
    import openvino

    model = model or openvino.Core().read_model(export.content, b"")
    for key, value in export.metadata.items():
        model.set_rt_info(json.dumps(value), ["model_info", key])
    write_openvino(path, model)


def quantise_export(export: Export, tiles: Sequence[Tile], side: int | None, multiple: int) -> Any:
    """Return the network with 8 bits, as OpenVINO's model.

    Args:
        export: the network.
        tiles: on some of which ranges of activations are measured.
        side: of the images that the network takes, px; None where any multiple will do.
        multiple: px.

    Raises:
        InputError: NNCF is not installed.
    """
    mean, std = export.metadata["standardization_mean"], export.metadata["standardization_std"]

    def prepare(tile: Tile) -> np.ndarray:
        image = pad_tile(read_image(tile.image), side or 0, multiple)
        image = image[:side, :side] / 255
        return ((image - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)

    return quantise_model(export.content, [prepare(tile) for tile in spread_tiles(tiles, [])])


def measure_resolution(tiles: Sequence[Tile]) -> float | None:
    """Return the median size of a pixel on the ground, cm; None where images have no place on earth."""
    sizes = []
    for tile in tiles:
        with open_raster(tile.image) as raster:
            if raster.crs is None:
                return None
            middle = raster.height // 2, raster.width // 2
            xs, ys = rasterio.transform.xy(raster.transform, (middle[0], middle[0] + 1), (middle[1], middle[1] + 1))
            to_degrees = Transformer.from_crs(raster.crs, "EPSG:4326", always_xy=True)
            longitudes, latitudes = to_degrees.transform(xs, ys)
            sizes.append(Geod(ellps="WGS84").line_length(longitudes, latitudes) / math.sqrt(2) * 100)
    return float(np.median(sizes)) if sizes else None
