"""A forward pass of Keras takes images of any size."""

import logging
from typing import Any

import numpy as np
import pytest

from ensemble.inference.engines.forward import trace_sizes
from members.training.networks.backend import load_backend


def test_images_of_several_sizes(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bilinear upsampling on each of them, in any order, and in batches of any length; each size is traced once."""
    load_backend()
    import keras

    monkeypatch.setattr(logging.getLogger("tensorflow"), "propagate", True)

    traced: list[tuple[int | None, ...]] = []

    class Half(keras.layers.AveragePooling2D):
        def call(self, inputs: Any) -> Any:
            traced.append(tuple(inputs.shape))
            return super().call(inputs)

    image = keras.Input((None, None, 3))
    half = Half(2)(image)
    predict = trace_sizes(keras.Model(image, keras.layers.UpSampling2D(interpolation="bilinear")(half)))
    for traces in ("made", "kept"):
        traced.clear()
        for count, height, width in [(1, 32, 64), (8, 64, 32), (3, 64, 64), (2, 32, 64), (5, 64, 32)]:
            flat = np.full((count, height, width, 3), 7, np.float32)
            np.testing.assert_array_equal(predict(flat), flat)
        sizes = {(32, 64), (64, 32), (64, 64)} if traces == "made" else set()
        assert {shape[1:3] for shape in traced} == sizes
    assert caplog.messages == []
