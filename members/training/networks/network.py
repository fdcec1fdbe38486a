"""The network that a spec describes."""

import keras

from members.training.networks.backbones import build_encoder, build_pyramid_encoder, build_segmentation_model
from members.training.networks.decoder import decode_features, decode_pyramid
from members.training.spec import MemberSpec


def build_network(spec: MemberSpec, encoder_weights: str = "none") -> keras.Model:
    """Build a member's network, with random weights or with encoder weights to train on from.

    Args:
        spec: the member.
        encoder_weights: "none", as for weights that are loaded over it, or `spec.encoder_weights` to train.

    Returns:
        A model from RGB 0..255, float (batch, h, w, 3) with h and w multiples of `spec.size_multiple`, to the
        probability of building, float32 (batch, h, w, 1) in 0..1.

    Raises:
        InputError: the encoder weights are not to be had.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(spec.precision)
    try:
        inputs = keras.Input((None, None, 3), name="rgb")
        if spec.decoder == "unet":
            features = build_encoder(spec.backbone, encoder_weights)(inputs)
            outputs = decode_features(features, spec.dropout, spec.momentum, spec.seed)
        elif spec.decoder == "sm_pspnet":
            outputs = decode_pyramid(build_pyramid_encoder(spec.backbone, encoder_weights)(inputs), spec.seed)
        else:
            outputs = build_segmentation_model(spec.decoder, spec.backbone, encoder_weights)(inputs)
        return keras.Model(inputs, outputs, name=spec.name)
    finally:
        keras.config.set_dtype_policy(before)
