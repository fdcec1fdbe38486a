"""Converted networks compute what Keras computes, and are converted once."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ensemble.inference.engines.conversion import convert_networks, load_keras_network, read_converted
from ensemble.inference.engines.table import ENGINES
from ensemble.inference.networks import load_network
from members.common.errors import InputError
from members.data.run import FoldFolder

pytest.importorskip("tf2onnx", reason="the extras `onnx` and `openvino` are not installed")

Write = Callable[..., FoldFolder]
SIZES = [(1, 32, 64), (3, 64, 32), (2, 32, 64), (1, 96, 96)]


def draw_batch(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).uniform(0, 255, (*shape, 3)).astype(np.float32)


@pytest.mark.parametrize("engine", [engine for engine in ENGINES.values() if engine.exact])
def test_all_engines_compute_what_keras_computes(write_small: Write, engine: Any) -> None:
    if not engine.installed:
        pytest.skip(f"the extra `{engine.name}` is not installed")
    files = write_small()
    network, keras = load_network(files.path, engine.name), load_keras_network(files)
    seen = [network.predict(draw_batch(*size)) for size in SIZES]
    for size, values in zip(SIZES, seen, strict=True):  # none has been written over meanwhile
        assert values.shape == (*size, 1)
        assert values.dtype == np.float32
        assert np.ptp(values) > 0.1
        np.testing.assert_allclose(values, np.asarray(keras(draw_batch(*size), training=False)), atol=1e-5)


def test_a_network_is_converted_once(write_small: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_small(seed=0)
    content = read_converted(files)
    folder = files.find_converted("").parent / "converted"
    [kept] = folder.iterdir()
    assert kept.read_bytes() == content
    with monkeypatch.context() as patch:
        patch.setattr("ensemble.inference.engines.conversion.load_keras_network", lambda files: pytest.fail("again"))
        assert read_converted(files) == content
    write_small(seed=1)  # trained anew
    other = read_converted(files)
    assert other != content
    [path] = folder.iterdir()
    assert path.name != kept.name


def test_a_run_that_cannot_be_written(write_small: Write) -> None:
    files = write_small()
    files.find_converted("x").parent.write_bytes(b"in the way")
    assert read_converted(files)


def test_damaged_weights_are_said_before_a_kept_network_is_used(write_small: Write) -> None:
    files = write_small()
    read_converted(files)
    files.weights_file.write_bytes(files.weights_file.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"best.weights.h5: damaged, not the file that training wrote"):
        read_converted(files)


def test_the_mean_of_networks_with_channels_first(write_small: Write) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    folds = [write_small(0), write_small(1, write_small(0).path.parent / "fold1")]
    networks = [load_keras_network(files) for files in folds]
    batch = draw_batch(2, 64, 64)
    expected = np.mean([network(batch, training=False) for network in networks], axis=0)
    for side, shape in ((None, ["batch", 3, "height", "width"]), (64, ["batch", 3, 64, 64])):
        model = convert_networks(networks, side, channels_first=True)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        [image], [probability] = session.get_inputs(), session.get_outputs()
        assert (image.name, image.shape) == ("image", shape)
        assert (probability.name, probability.shape) == ("probability", [shape[0], 1, *shape[2:]])
        [seen] = session.run(None, {"image": batch.transpose(0, 3, 1, 2)})
        np.testing.assert_allclose(seen[:, 0], expected[..., 0], atol=1e-5)


def test_a_network_that_cannot_be_converted() -> None:
    class Picky:
        name, layers = "picky", ()

        def __call__(self, image: Any, training: bool) -> Any:
            raise TypeError("sides must be known")

    with pytest.raises(InputError, match=r"picky: no network that can be converted \(.*sides must be known.*\)"):
        convert_networks([Picky()])


def test_other_backends_do_not_convert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ensemble.inference.engines.conversion.load_backend", lambda: "jax")
    with pytest.raises(InputError, match="converted by TensorFlow; run this once with KERAS_BACKEND=tensorflow"):
        convert_networks([])
