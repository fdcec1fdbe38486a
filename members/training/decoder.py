"""The notebook's U-Net decoder (Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597)."""

from collections.abc import Sequence

import keras
from keras import layers

FILTERS = (256, 128, 64, 32, 16)
DROPOUT = (0.5, 0.5, 0.5, 0.25, 0.25)


def decode_features(features: Sequence[keras.KerasTensor], seed: int, momentum: float) -> keras.KerasTensor:
    """Decode five encoder features, finest first, to probabilities (batch, h, w, 1), always float32.

    Each of the five steps: bilinear upsampling x2, concatenation with the skip (none at the last), dropout,
    twice a 3x3 convolution, batch normalisation and ReLU. A 1x1 convolution with sigmoid ends it.
    """
    *skips, x = features
    for step, (filters, rate) in enumerate(zip(FILTERS, DROPOUT, strict=True), start=1):
        name = f"decoder{step}"
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_up")(x)
        if skips:
            x = layers.Concatenate(name=f"{name}_concat")([x, skips.pop()])
        x = layers.Dropout(rate, seed=seed + step, name=f"{name}_dropout")(x)
        for half in "ab":
            x = layers.Conv2D(
                filters,
                3,
                padding="same",
                kernel_initializer=keras.initializers.HeNormal(seed + 10 * step + (half == "b")),
                name=f"{name}{half}_conv",
            )(x)
            x = layers.BatchNormalization(momentum=momentum, name=f"{name}{half}_bn")(x)
            x = layers.ReLU(name=f"{name}{half}_relu")(x)
    # float32 whatever the precision policy: in bfloat16 a probability has two decimal digits
    return layers.Conv2D(1, 1, activation="sigmoid", dtype="float32", name="probability")(x)
