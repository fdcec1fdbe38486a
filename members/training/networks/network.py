"""The network that a spec describes, and what it costs."""

import math
from typing import Any

import keras

from members.training.networks.backbones import build_encoder, build_pyramid_encoder, build_segmentation_model
from members.training.networks.decoder import decode_features, decode_pyramid
from members.training.spec import MemberSpec, check_encoder_weights


def build_network(spec: MemberSpec, encoder_weights: str = "none") -> keras.Model:
    """Build a member's network, with random weights or with encoder weights to train on from.

    Args:
        spec: the member.
        encoder_weights: "none", as for weights that are loaded over it, or `spec.encoder_weights` to train.

    Returns:
        A model from RGB 0..255, float (batch, h, w, 3) with h and w multiples of `spec.size_multiple`, to the
        probability of each of `spec.bands`, float32 (batch, h, w, bands) in 0..1.

    Raises:
        InputError: the encoder weights are not to be had.
    """
    check_encoder_weights(spec.backbone, encoder_weights)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(spec.precision)
    try:
        inputs = seen = keras.Input((None, None, 3), name="rgb")
        if spec.shrink > 1:
            seen = keras.layers.AveragePooling2D(spec.shrink, dtype="float32", name="shrink")(inputs)
        if spec.decoder == "unet":
            encoder = build_encoder(spec.backbone, encoder_weights)
            freeze_stages(encoder, spec.frozen)
            features, bands = encoder(seen), len(spec.bands)
            outputs = decode_features(features, spec.filters, spec.dropout, spec.momentum, spec.seed, bands)
        elif spec.decoder == "sm_pspnet":
            outputs = decode_pyramid(build_pyramid_encoder(spec.backbone, encoder_weights)(seen), spec.seed)
        else:
            outputs = build_segmentation_model(spec.decoder, spec.backbone, encoder_weights)(seen)
        if spec.shrink > 1:
            enlarge = keras.layers.UpSampling2D(spec.shrink, interpolation="bilinear", dtype="float32", name="enlarge")
            outputs = enlarge(outputs)
        return keras.Model(inputs, outputs, name=spec.name)
    finally:
        keras.config.set_dtype_policy(before)


def freeze_stages(encoder: keras.Model, stages: int) -> None:
    """Let an encoder's finest stages keep their weights, normalisation included: no gradient is computed that far.

    Args:
        encoder: with an output a stage, finest first, or a model around such a one.
        stages: how many, 0 or more.
    """
    inner = next((layer for layer in encoder.layers if isinstance(layer, keras.Model)), encoder)
    if stages:
        for layer in keras.Model(inner.input, inner.outputs[stages - 1]).layers:
            layer.trainable = False


def count_multiply_adds(network: keras.Model, side: int) -> int:
    """Count multiplications, each with its addition, of all convolutions and dense layers for one image.

    Args:
        network: from (batch, h, w, 3).
        side: h and w, px.
    """
    counts: list[int] = []

    def watch(layer: Any) -> None:
        compute = layer.call

        def compute_and_count(*args: Any, **options: Any) -> Any:
            output = compute(*args, **options)
            counts.append(math.prod(output.shape[1:-1]) * math.prod(layer.kernel.shape))
            return output

        layer.call = compute_and_count

    class Traced(keras.Layer):  # as one: nested models' own inference of shapes gives up at Lambda layers
        def call(self, image: keras.KerasTensor) -> keras.KerasTensor:
            return network(image)

    watched = [layer for layer in list_layers(network) if hasattr(layer, "kernel")]
    for layer in watched:
        watch(layer)
    try:
        Traced().compute_output_spec(keras.KerasTensor((1, side, side, 3)))
    finally:
        for layer in watched:
            del layer.call  # the class's own shows again
    return sum(counts)


def list_layers(network: keras.Model) -> list[Any]:
    """List all layers that are no models themselves, those of nested models included."""
    found: list[Any] = []
    for layer in network.layers:
        found += list_layers(layer) if hasattr(layer, "layers") else [layer]
    return found
