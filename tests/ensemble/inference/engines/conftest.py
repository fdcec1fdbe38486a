"""A small network in place of a member's: what engines do with it, they do with all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from members.common.files import write_json
from members.data.run import FoldFolder
from members.training.catalog import find_spec
from members.training.networks.backend import choose_backend


def build_small(seed: int) -> Any:
    """Build a network with all that is special in members: preprocessing, padding, bilinear upsampling, a skip."""
    choose_backend()
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    image = keras.Input((None, None, 3), name="rgb")
    x = layers.Rescaling(1 / 128, -127 / 128)(image)
    skip = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = layers.DepthwiseConv2D(5, strides=2, padding="same")(skip)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6.0)(layers.Conv2D(8, 1)(x))
    x = layers.Dropout(0.5)(layers.UpSampling2D(2, interpolation="bilinear")(x))
    x = layers.Concatenate()([x, skip])
    x = layers.Conv2D(1, 3, padding="same", activation="sigmoid", kernel_initializer="random_normal")(x)
    return keras.Model(image, x)


@pytest.fixture
def write_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FoldFolder]:
    """Write a trained fold of the small network; `build_network` builds such."""
    from members.training.networks.weights import write_weights

    monkeypatch.setattr("members.training.networks.network.build_network", lambda spec: build_small(0))

    def write(seed: int = 0, path: Path = tmp_path / "fold0") -> FoldFolder:
        files = FoldFolder(path)
        write_json(files.spec_file, find_spec("lite0_unet").model_dump(mode="json"))
        write_weights(build_small(seed), files)
        return files

    return write
