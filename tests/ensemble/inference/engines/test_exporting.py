"""An exported network holds what QGIS's Deepness plugin reads, and computes what ours does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_raster

from ensemble.inference.engines.conversion import convert_networks, load_keras_network
from ensemble.inference.engines.exporting import (
    export_networks,
    measure_resolution,
    take_building,
    take_preprocessing,
    write_ir,
)
from members.data.run import FoldFolder
from members.data.tiles import Tile

pytest.importorskip("tf2onnx", reason="the extra `onnx` is not installed")


class Deepness:
    """Read and use a model file as the plugin's manual and its version 0.6 do."""

    def __init__(self, content: bytes) -> None:
        onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
        self.session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.metadata: dict[str, Any] = {key: json.loads(text) for key, text in metadata.items()}
        [self.image], [self.output] = self.session.get_inputs(), self.session.get_outputs()

    def list_classes(self) -> list[str]:
        names = sorted(self.metadata["class_names"].items(), key=lambda pair: int(pair[0]))
        assert [int(key) for key, _ in names] == list(range(len(names)))
        return [name for _, name in names]

    def process(self, tile: np.ndarray) -> np.ndarray:
        """From uint8 (n, h, w, 3) to classes (n, h, w)."""
        values = (tile / 255).astype(np.float32)
        mean, std = self.metadata["standardization_mean"], self.metadata["standardization_std"]
        values = ((values - mean) / std).astype(np.float32).transpose(0, 3, 1, 2)
        [seen] = self.session.run(None, {self.image.name: values})
        assert seen.shape == (len(tile), 1, *tile.shape[1:3])
        return seen[:, 0] >= self.metadata["seg_thresh"]


def test_the_plugin_reads_and_uses_it(write_small: Callable[..., FoldFolder]) -> None:
    files = write_small()
    plugin = Deepness(export_networks([files], "lite0_unet", 64, resolution=14.237).content)
    assert plugin.image.shape[-3:] == [3, 64, 64]
    assert plugin.output.shape[-2:] == [64, 64]  # square, as it demands
    keys = {name: plugin.metadata[name] for name in ("model_type", "resolution", "tile_size", "tiles_size", "name")}
    assert keys == {
        "model_type": "Segmentor",
        "resolution": 14.24,
        "tile_size": 64,
        "tiles_size": 64,
        "name": "lite0_unet",
    }
    assert plugin.metadata["tiles_overlap"] == 25
    assert plugin.metadata["standardization_mean"] == pytest.approx([127 / 255] * 3)
    assert plugin.metadata["standardization_std"] == pytest.approx([128 / 255] * 3)
    assert plugin.list_classes() == ["background", "building"]
    tiles = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    ours = np.asarray(load_keras_network(files)(tiles.astype(np.float32), training=False))[..., 0]
    sure = np.abs(ours - 0.5) > 1e-4
    np.testing.assert_array_equal(plugin.process(tiles)[sure], (ours >= 0.5)[sure])
    assert 0.01 < (ours >= 0.5).mean() < 0.99


def test_of_a_contact_member_the_building_alone_is_exported() -> None:
    import keras

    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    image = keras.Input((None, None, 3))
    bands = keras.layers.Conv2D(3, 1, activation="sigmoid")
    network = take_building(keras.Model(image, bands(image)))
    assert take_building(network) is network
    model = convert_networks([network], 32, channels_first=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    batch = np.random.default_rng(0).normal(0, 1, (1, 3, 32, 32)).astype(np.float32)
    [seen] = session.run(None, {session.get_inputs()[0].name: batch})
    ours = np.asarray(bands(batch.transpose(0, 2, 3, 1)))[..., 0]
    np.testing.assert_allclose(seen, ours[:, None], atol=1e-5)


def test_the_files_of_openvino_say_the_same(write_small: Callable[..., FoldFolder], tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino", reason="the extra `openvino` is not installed")
    export = export_networks([write_small()], "lite0_unet", None)
    write_ir(tmp_path / "a.xml", export)
    assert {path.name for path in tmp_path.glob("[!.]*")} == {"a.xml", "a.bin", "fold0"}
    model = openvino.Core().read_model(tmp_path / "a.xml")
    assert json.loads(model.get_rt_info(["model_info", "model_type"]).astype(str)) == "Segmentor"
    batch = np.random.default_rng(0).normal(0, 1, (1, 3, 32, 96)).astype(np.float32)
    seen = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(batch)[0]
    np.testing.assert_allclose(seen, Deepness(export.content).session.run(None, {"image": batch})[0], atol=1e-5)
    assert "resolution" not in export.metadata


def test_a_network_without_preprocessing_takes_the_colours_as_they_are() -> None:
    import keras

    image = keras.Input((None, None, 3))
    mean, std = take_preprocessing(keras.Model(image, keras.layers.Conv2D(1, 1)(image)))
    assert mean == (0, 0, 0)
    assert np.allclose(np.multiply(std, 255), 1)


def test_the_resolution_on_the_ground(tmp_path: Path) -> None:
    """A pixel of 0.5 m in web-mercator is 0.25 m at 60 degrees of latitude, where the scale is 2."""
    import rasterio

    image = np.zeros((32, 32, 3), np.uint8)
    place = {"crs": "EPSG:3857", "transform": rasterio.Affine(0.5, 0, 0, 0, -0.5, 8_399_737.9)}
    tile = Tile("a", write_raster(tmp_path / "a.tif", image, **place), None, "a")
    assert measure_resolution([tile]) == pytest.approx(25, rel=0.01)
    nowhere = Tile("b", write_raster(tmp_path / "b.png", image), None, "b")
    assert measure_resolution([nowhere]) is None
    assert measure_resolution([]) is None
