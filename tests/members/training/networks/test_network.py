"""Every member builds and runs; the baseline is the notebook's, piece by piece; TensorFlow and JAX train them all."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import ROOT
from keras import ops

from members.common.choices import Precision
from members.training.catalog import list_specs
from members.training.fit import compile_network
from members.training.networks.backbones import EFFICIENTNET_SKIPS, INJECTED, import_segmentation_models, preprocess
from members.training.networks.backend import seed_backend
from members.training.networks.decoder import decode_pyramid
from members.training.networks.network import build_network, count_multiply_adds, list_layers
from members.training.spec import Backbone, Decoder, MemberSpec

SPECS = list_specs()
CHEAP = ("lite0_unet", "mobilenetv2_unet", "resnet34_linknet", "b0_fpn", "resnet34_pspnet")  # one of each decoder
MEMBERS = [pytest.param(name, marks=() if name in CHEAP else pytest.mark.slow) for name in SPECS]
SKIPS = [f"{block}_expand_activation" for block in EFFICIENTNET_SKIPS]
PARAMETERS = {"b0_unet": 10_116_365, "b7_unet": 75_048_961}
# trains on one batch until the loss is lower, saves, reloads into a network built anew, compares
STEP = """
import json, sys, tempfile
from pathlib import Path
from members.training.networks.backend import load_backend
load_backend()
from test_network import train_and_reload

with tempfile.TemporaryDirectory() as folder:
    print(json.dumps(train_and_reload(sys.argv[1], Path(folder))))
"""


@functools.cache
def build(name: str) -> keras.Model:
    """A member's network, which the tests share: it is run, and neither trained nor loaded."""
    return build_network(SPECS[name])


def train_and_reload(name: str, folder: Path, steps: int = 4, eager: bool = False) -> tuple[list[float], float]:
    """Train on one batch again and again, save, and load into a network built anew.

    Returns:
        The losses, and the largest difference between the outputs of the two networks.
    """
    seed_backend(42)
    spec = SPECS[name].model_copy(update={"learning_rate": 1e-3, "schedule": "plateau", "warmup": 0})
    network = build_network(spec)
    compile_network(network, spec, 1)
    network.run_eagerly = eager
    side = 2 * spec.size_multiple
    rng = np.random.default_rng(0)
    masks = np.zeros((2, side, side, 1), np.float32)
    masks[:, 8:40, 8:40] = 1
    images = (60 + 120 * masks + rng.normal(0, 20, (2, side, side, 3))).clip(0, 255).astype(np.float32)
    losses = [float(network.train_on_batch(images, masks)[0]) for _ in range(steps)]
    network.save_weights(folder / "x.weights.h5")
    again = build_network(spec)
    again.load_weights(folder / "x.weights.h5")
    outputs = [ops.convert_to_numpy(each(images, training=False)) for each in (network, again)]
    return losses, float(np.abs(outputs[0] - outputs[1]).max())


@pytest.mark.parametrize("name", MEMBERS)
def test_every_member_builds_and_runs_forward(name: str) -> None:
    side = 2 * SPECS[name].size_multiple
    image = np.random.default_rng(0).uniform(0, 255, (1, side, side, 3)).astype(np.float32)
    probability = ops.convert_to_numpy(build(name)(image, training=False))
    assert probability.shape == (1, side, side, 1)
    assert probability.dtype == np.float32
    assert np.isfinite(probability).all()
    assert probability.min() >= 0
    assert probability.max() <= 1


@pytest.fixture(params=["b0_unet", pytest.param("b7_unet", marks=pytest.mark.slow)])
def baseline(request: pytest.FixtureRequest) -> keras.Model:
    """The baseline, and its small sister, which differs in the size of its encoder alone."""
    return build(request.param)


def test_the_baseline_has_the_notebooks_parameters_and_all_are_trained(baseline: keras.Model) -> None:
    assert baseline.count_params() == PARAMETERS[baseline.name]
    frozen = [layer for layer in list_layers(baseline) if not layer.trainable]
    assert not frozen


def test_the_baseline_joins_the_notebooks_skips(baseline: keras.Model) -> None:
    encoder = baseline.get_layer("encoder").get_layer(SPECS[baseline.name].backbone)
    features = [*SKIPS, "top_activation"]
    assert [output is encoder.get_layer(name).output for output, name in zip(encoder.outputs, features, strict=True)]
    joined = [layer for layer in baseline.layers if layer.name.endswith("_concat")]
    assert [layer.name for layer in joined] == [f"decoder{step}_concat" for step in (1, 2, 3, 4)]
    skip_channels = [layer.output.shape[-1] - layer.input[0].shape[-1] for layer in joined]
    assert skip_channels == [encoder.get_layer(name).output.shape[-1] for name in reversed(SKIPS)]


def test_the_baselines_decoder_is_the_notebooks(baseline: keras.Model) -> None:
    layers = [layer for layer in baseline.layers if layer.name.startswith("decoder")]
    dropped = [layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)]
    convolutions = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D)]
    assert dropped == [0.5, 0.5, 0.5, 0.25, 0.25]
    assert [layer.filters for layer in convolutions] == [256, 256, 128, 128, 64, 64, 32, 32, 16, 16]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert all(isinstance(layer.kernel_initializer, keras.initializers.HeNormal) for layer in convolutions)
    ups = [layer for layer in layers if isinstance(layer, keras.layers.UpSampling2D)]
    assert [(layer.size, layer.interpolation) for layer in ups] == [((2, 2), "bilinear")] * 5
    assert len([layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]) == 10
    assert baseline.layers[-1].activation is keras.activations.sigmoid


def test_the_baselines_training_is_the_notebooks() -> None:
    spec = SPECS["b7_unet"]
    assert (spec.loss, spec.schedule, spec.learning_rate) == ("dice_focal_boundary", "plateau", 5e-5)
    assert (spec.epochs, spec.patience, spec.batch_size, spec.crop, spec.seed) == (150, 10, 8, 256, 42)


@pytest.mark.parametrize("backbone", sorted({spec.backbone for spec in SPECS.values()} - {"lite0", "lite1", "lite2"}))
def test_preprocessing_is_the_packages_own(backbone: str) -> None:
    factory = import_segmentation_models().backbones.backbones_factory.Backbones
    image = np.random.default_rng(0).integers(0, 256, (1, 4, 5, 3)).astype(np.float32)
    expected = factory.get_preprocessing(backbone)(image.copy(), **INJECTED)
    got = ops.convert_to_numpy(preprocess(ops.convert_to_tensor(image), backbone))
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_the_pyramid_is_that_of_segmentation_models() -> None:
    """For the one size that the package's PSPNet is built for, ours gives the same from the same weights."""
    package = import_segmentation_models()
    from segmentation_models.models import pspnet

    theirs = pspnet.PSPNet(
        "resnet34", input_shape=(96, 96, 3), classes=1, activation="sigmoid", encoder_weights=None, **INJECTED
    )
    cut = package.backbones.backbones_factory.Backbones.get_feature_layers("resnet34", n=3)[1]
    features = theirs.get_layer(cut).output
    decoder = keras.Model(features, decode_pyramid(features, seed=0))
    names = {layer.name for layer in decoder.layers if layer.weights}
    assert len(names) == 2 * 5 + 1
    for name in names:
        decoder.get_layer(name).set_weights(theirs.get_layer(name).get_weights())
    image = np.random.default_rng(0).uniform(0, 1, (1, 96, 96, 3)).astype(np.float32)
    both = keras.Model(theirs.input, [theirs.output, decoder(features)])
    expected, got = (ops.convert_to_numpy(output) for output in both(image, training=False))
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("backbone", "last"), [("lite0", "block3a_expand_bn"), ("efficientnetb0", "block3a_expand_bn")]
)
def test_frozen_stages_stay_as_they_came(backbone: Backbone, last: str) -> None:
    """Weights and batch statistics, up to where stride 4 leaves the encoder; what is behind is trained."""
    spec = MemberSpec(name="some", backbone=backbone, frozen=2, filters=(16, 8, 8, 4, 4))
    network = build_network(spec)
    layers = [layer for layer in list_layers(network) if layer.weights]
    end = next(number for number, layer in enumerate(layers, 1) if layer.name == last)
    assert [layer.trainable for layer in layers] == [False] * end + [True] * (len(layers) - end)
    assert [layer.filters for layer in layers if layer.name.endswith("a_conv") and "decoder" in layer.name] == [
        16, 8, 8, 4, 4,
    ]  # fmt: skip
    before = [layer.get_weights() for layer in layers]
    network(np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32), training=True)
    changed = [
        any((one != other).any() for one, other in zip(layer.get_weights(), was, strict=True))
        for layer, was in zip(layers, before, strict=True)
    ]
    assert not any(changed[:end])
    assert changed[end:] == [layer.name.endswith("_bn") for layer in layers[end:]]


def test_multiply_adds_are_counted_by_hand() -> None:
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(inputs)  # 16 * 16 * 27 * 8
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)  # 16 * 16 * 9 * 8
    nested = keras.Model(inputs, x)
    y = keras.layers.Conv2D(4, 1)(nested(inputs))  # 16 * 16 * 8 * 4
    network = keras.Model(inputs, keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(y)))  # 4 * 5
    by_hand = 16 * 16 * (27 * 8 + 9 * 8 + 8 * 4) + 4 * 5
    assert count_multiply_adds(network, 32) == by_hand
    assert count_multiply_adds(network, 32) == by_hand  # counting leaves the layers as they were


@pytest.mark.parametrize(
    ("decoder", "precision"),
    [
        ("unet", "mixed_bfloat16"),
        ("sm_fpn", "mixed_float16"),
        pytest.param("unet", "mixed_float16", marks=pytest.mark.slow),
        pytest.param("sm_fpn", "mixed_bfloat16", marks=pytest.mark.slow),
    ],
)
def test_half_size_networks_still_answer_in_float32(decoder: Decoder, precision: Precision) -> None:
    network = build_network(
        MemberSpec(name="half", backbone="efficientnetb0", decoder=decoder, precision=precision, schedule="cosine")
    )
    assert {layer.compute_dtype for layer in list_layers(network) if hasattr(layer, "kernel")} >= {precision[6:]}
    assert network.outputs[0].dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"


def check_training(losses: Sequence[float], difference: float) -> None:
    assert losses[-1] < losses[0]
    assert difference == 0


def test_a_member_trains_and_reloads(tmp_path: Path) -> None:
    check_training(*train_and_reload("lite0_unet", tmp_path, steps=2, eager=True))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
@pytest.mark.parametrize("name", SPECS)
def test_every_member_trains_and_reloads_on_every_backend(name: str, backend: str) -> None:
    pytest.importorskip(backend)
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests", Path(__file__).parent)))
    run = subprocess.run(
        [sys.executable, "-c", STEP, name], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": paths},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    check_training(*json.loads(run.stdout.splitlines()[-1]))


def test_a_member_that_shrinks_sees_a_tile_as_its_twin_sees_a_smaller_one() -> None:
    spec = SPECS["lite2_half"].model_copy(update={"backbone": "lite0"})
    network, twin = build_network(spec), build_network(spec.model_copy(update={"shrink": 1}))
    twin.set_weights(network.get_weights())
    small = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype(np.float32)
    seen = ops.convert_to_numpy(network(small.repeat(2, 1).repeat(2, 2)))
    expected = keras.layers.UpSampling2D(2, interpolation="bilinear")(twin(small))
    assert (seen.shape, spec.size_multiple) == ((1, 128, 128, 1), 64)
    np.testing.assert_allclose(seen, ops.convert_to_numpy(expected), atol=1e-5)
