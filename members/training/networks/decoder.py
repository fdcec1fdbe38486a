"""Decoders: the notebook's U-Net, and PSPNet's pyramid for inputs of any size."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

PYRAMID_LEVELS, PYRAMID_FILTERS = (1, 2, 3, 6), 512


def decode_features(
    features: Sequence[keras.KerasTensor],
    filters: Sequence[int],
    dropout: Sequence[float],
    momentum: float,
    seed: int,
    bands: int = 1,
) -> keras.KerasTensor:
    """Decode five encoder features, finest first, to probabilities (batch, h, w, bands), always float32.

    The notebook's U-Net (Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597).
    Each of the five steps: bilinear upsampling x2, concatenation with the skip (none at the last), dropout,
    twice a 3x3 convolution, batch normalisation and ReLU. A 1x1 convolution with sigmoid ends it.
    """
    *skips, x = features
    for step, (width, rate) in enumerate(zip(filters, dropout, strict=True), start=1):
        name = f"decoder{step}"
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_up")(x)
        if skips:
            x = layers.Concatenate(name=f"{name}_concat")([x, skips.pop()])
        x = layers.Dropout(rate, seed=seed + step, name=f"{name}_dropout")(x)
        for half in "ab":
            x = layers.Conv2D(
                width,
                3,
                padding="same",
                kernel_initializer=keras.initializers.HeNormal(seed + 10 * step + (half == "b")),
                name=f"{name}{half}_conv",
            )(x)
            x = layers.BatchNormalization(momentum=momentum, name=f"{name}{half}_bn")(x)
            x = layers.ReLU(name=f"{name}{half}_relu")(x)
    # float32 whatever the precision policy: in bfloat16 a probability has two decimal digits
    return layers.Conv2D(bands, 1, activation="sigmoid", dtype="float32", name="probability")(x)


class PyramidLevel(layers.Layer):
    """Average pooling of features (batch, h, w, c) into level x level cells; h and w are multiples of the level."""

    def __init__(self, level: int, **options: Any) -> None:
        super().__init__(**options)
        self.level = level

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        height, width = ops.shape(x)[1:3]
        cells = (-1, self.level, height // self.level, self.level, width // self.level, x.shape[-1])
        return ops.mean(ops.reshape(x, cells), axis=(2, 4))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], self.level, self.level, shape[-1])


class StretchLike(layers.Layer):
    """Bilinear resizing of the first of two tensors (batch, h, w, c) to the height and width of the second."""

    def call(self, pair: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        x, like = pair
        return ops.image.resize(x, ops.shape(like)[1:3], interpolation="bilinear")

    def compute_output_shape(self, shapes: Sequence[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return (*shapes[1][:-1], shapes[0][-1])


def decode_pyramid(features: keras.KerasTensor, seed: int) -> keras.KerasTensor:
    """Decode features of stride 8 to probabilities (batch, h, w, 1), always float32.

    PSPNet (Zhao et al. 2017, https://arxiv.org/abs/1612.01105) layer by layer as segmentation-models has it, whose
    own is built for one input size; here any multiple of 48 px will do.
    """

    def convolve(x: keras.KerasTensor, name: str, number: int) -> keras.KerasTensor:
        initializer = keras.initializers.HeUniform(seed + number)
        x = layers.Conv2D(PYRAMID_FILTERS, 1, use_bias=False, kernel_initializer=initializer, name=f"{name}_conv")(x)
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    context = [features]
    for level in PYRAMID_LEVELS:
        name = f"psp_level{level}"
        x = convolve(PyramidLevel(level, name=f"{name}_pooling")(features), name, level)
        context.append(StretchLike(name=f"{name}_upsampling")([x, features]))
    x = convolve(layers.Concatenate(name="psp_concat")(context), "aggregation", 0)
    final = keras.initializers.GlorotUniform(seed)
    x = layers.Conv2D(1, 3, padding="same", kernel_initializer=final, name="final_conv")(x)
    x = layers.UpSampling2D(8, interpolation="bilinear", name="final_upsampling")(x)
    return layers.Activation("sigmoid", dtype="float32", name="probability")(x)
